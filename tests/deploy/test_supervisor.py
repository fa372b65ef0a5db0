"""The supervisor: starts again what dies or hangs, and leaves nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.crash import processes as ps

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import sys
sys.path.insert(0, {root!r})
from deploy.supervisor import Part, Supervisor

def mark(name, then="import time; time.sleep(600)", first="pass"):
    code = f"{{first}}; open({marks!r} + '/{{name}}', 'a').write('x'); {{then}}"
    return [sys.executable, "-c", code]

def note_kill():
    with open({marks!r} + "/killed", "a") as file:
        file.write("x")

parts = [
    Part("steady", mark("steady")),
    Part("dying", mark("dying", then="pass")),
    Part("parent", mark("parent", then="import subprocess; subprocess.Popen(['sleep', '601']).wait()")),
    Part("deaf", mark("deaf", first="import signal; signal.signal(15, signal.SIG_IGN)")),
    Part("hanging", mark("hanging"), is_stuck=lambda: True, on_kill=note_kill, grace_after_start=0.5),
]
Supervisor(parts, stop_grace=1.0, check_seconds=0.2).run()
"""


@pytest.fixture
def marks(tmp_path):
    return tmp_path


@pytest.fixture
def supervisor(marks):
    code = RUN.format(root=str(ROOT), marks=str(marks))
    process = subprocess.Popen(
        [sys.executable, "-c", code], start_new_session=True, stderr=subprocess.DEVNULL
    )
    ps.wait_for(lambda: all((marks / name).exists() for name in ("steady", "dying", "deaf", "hanging")))
    ps.wait_for(lambda: sleepers(process))
    yield process
    process.kill()
    process.wait()


def sleepers(supervisor: subprocess.Popen) -> list[psutil.Process]:
    return [each for each in ps.family(supervisor.pid) if each.name() == "sleep"]


def count(marks: Path, name: str) -> int:
    path = marks / name
    return len(path.read_text()) if path.exists() else 0


def test_parts_that_die_or_hang_start_again(supervisor, marks):
    ps.wait_for(lambda: count(marks, "dying") >= 2 and count(marks, "hanging") >= 2)
    assert count(marks, "killed") >= 1
    assert count(marks, "steady") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(supervisor, number):
    assert ps.end(supervisor, number) == 0


@pytest.mark.crash
def test_killing_the_supervisor_ends_its_parts(supervisor):
    parts = psutil.Process(supervisor.pid).children()
    supervisor.kill()
    ps.wait_for(lambda: not any(ps.is_alive(each) for each in parts))


def test_what_a_part_leaves_behind_does_not_stay_a_zombie(supervisor):
    child = sleepers(supervisor)[0]
    ps.kill(child.parent())
    ps.wait_for(lambda: not psutil.pid_exists(child.pid))
