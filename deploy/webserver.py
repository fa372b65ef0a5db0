"""A web process to talk to: the one that runs already, or one of our own for a while."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from django.conf import settings

from deploy import processes
from labeling.tether import tethered

START_LIMIT = 60.0


def answers(address: str) -> bool:
    """Tell whether Loupe serves at an address."""
    try:
        with urllib.request.urlopen(f"{address}/healthz/", timeout=2) as answer:  # noqa: S310  our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def local_address(port: int | None = None) -> str:
    return f"http://localhost:{port or settings.LOUPE_PORT}"


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Yield the address of `up` if it runs, else of a web process of our own."""
    if answers(local_address()):
        yield local_address()
    else:
        with temporary() as address:
            yield address


@contextlib.contextmanager
def temporary() -> Iterator[str]:
    """Yield the address of a web process that lives as long as this block."""
    port = any_free_port()
    process = subprocess.Popen(
        tethered(processes.manage("web")), env={**os.environ, "LOUPE_PORT": str(port)}, start_new_session=True
    )
    try:
        deadline = time.monotonic() + START_LIMIT
        while not answers(local_address(port)):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the web process did not start")
            time.sleep(0.1)
        yield local_address(port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
