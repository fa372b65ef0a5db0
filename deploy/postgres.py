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
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

START_LIMIT = 120.0
STOP_LIMIT = 30.0
COMMANDS_WITHOUT_DATABASE = {"help", "version", "--help", "--version", "-h"}

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
                [sys.executable, "-m", "deploy.keeper", str(self.home), *extra],
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
