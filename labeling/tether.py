"""Start a program that dies with its parent: `python tether.py PARENT_PID PROGRAM ARGUMENT…`.

Run as a file in a fresh interpreter, because code between fork and exec is not safe in a parent
that has threads.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def die_with_parent(how: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, how)


def adopt_orphans() -> None:
    """Become the parent of whatever this process's descendants leave behind. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def tethered(argv: Sequence[str]) -> list[str]:
    """Return the command that runs `argv` tied to this process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *argv]


def main() -> None:
    die_with_parent()
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent ended before its child began")
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
