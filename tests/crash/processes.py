"""Starting real parts of Loupe, finding their processes, and waiting for what must happen."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]


def start(*words: str, env: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=os.environ | env, start_new_session=True
    )


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it, without zombies."""
    try:
        parent = psutil.Process(pid)
        return [each for each in [parent, *parent.children(recursive=True)] if is_alive(each)]
    except psutil.NoSuchProcess:
        return []


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def titled(pid: int, *words: str) -> list[psutil.Process]:
    """Return the members of a family whose title has all the words."""
    found = []
    for process in family(pid):
        try:
            title = " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        if all(word in title for word in words):
            found.append(process)
    return found


def wait_for(check: Callable[[], Any], seconds: float = 120) -> Any:
    """Return the first true answer; the limit is for what never happens, on however busy a machine."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"did not happen within {seconds} s"
        time.sleep(0.1)


def kill(process: psutil.Process) -> None:
    process.send_signal(signal.SIGKILL)


def end(process: subprocess.Popen, number: int = signal.SIGTERM, seconds: float = 60) -> int:
    """Signal a process, wait for it, and check that nothing it started is left."""
    members = family(process.pid)
    process.send_signal(number)
    code = process.wait(timeout=seconds)
    left = [each for each in members if is_alive(each)]
    for each in left:
        each.kill()
    assert not left, left
    return code
