"""The embedded server: shared, stopped with its last user, and well after any crash."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from deploy.postgres import Server

ROOT = Path(__file__).resolve().parents[2]
USE = """
import sys, time
from pathlib import Path
from deploy.postgres import Server
import psycopg
server = Server(Path(sys.argv[1]), fsync="off")
with psycopg.connect(server.acquire()) as link:
    link.execute("SELECT pg_advisory_xact_lock(1)")
    link.execute("CREATE TABLE IF NOT EXISTS uses (n int)")
    link.execute("INSERT INTO uses VALUES (1)")
print("using", flush=True)
time.sleep(float(sys.argv[2]))
server.release()
"""


@pytest.fixture
def home():
    # Not below tmp_path: pytest shuts its folder off from PostgreSQL's user whenever a run starts.
    folder = Path(tempfile.mkdtemp(prefix="loupe-home-"))
    yield folder
    for process in servers(folder):
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)


def end(user: subprocess.Popen) -> int:
    code = user.wait()
    user.stdout.close()
    return code


def servers(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        is_ours = any(part == str(home) or part == str(home / "postgres") for part in command)
        if is_ours and command[1] != "-c" and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def use(home: Path, seconds: float) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", USE, str(home), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE
    )


def wait_until_using(process: subprocess.Popen) -> None:
    assert process.stdout.readline() == b"using\n"


def wait_until_gone(home: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while servers(home):
        assert time.monotonic() < deadline, servers(home)
        time.sleep(0.1)


def rows(home: Path) -> int:
    import psycopg

    server = Server(home)
    try:
        with psycopg.connect(server.acquire()) as link:
            return link.execute("SELECT count(*) FROM uses").fetchone()[0]
    finally:
        server.release()


def test_processes_that_start_at_once_share_one_server(home):
    users = [use(home, 0.5) for _ in range(4)]
    for user in users:
        wait_until_using(user)
        assert end(user) == 0
    assert not servers(home)
    assert rows(home) == 4


@pytest.mark.crash
def test_everything_killed_leaves_no_server_and_loses_nothing(home):
    user = use(home, 600)
    wait_until_using(user)
    for process in [psutil.Process(user.pid), *servers(home)]:
        process.send_signal(signal.SIGKILL)
    end(user)
    wait_until_gone(home)
    assert rows(home) == 1
    assert not servers(home)


@pytest.mark.crash
@pytest.mark.parametrize("victim", ["user", "keeper"])
def test_one_process_killed_leaves_no_server(home, victim):
    user = use(home, 600)
    wait_until_using(user)
    keeper = next(process for process in servers(home) if "deploy.keeper" in process.cmdline())
    os.kill(user.pid if victim == "user" else keeper.pid, signal.SIGKILL)
    if victim == "keeper":
        wait_until_gone(home)
        assert rows(home) == 1  # a newcomer starts it again though an old handle is open
        user.kill()
    end(user)
    wait_until_gone(home)


def test_a_deep_home_works(home):
    deep = home.joinpath(*["deep-folder-name"] * 8)
    deep.mkdir(parents=True)
    user = use(deep, 0)
    wait_until_using(user)
    assert end(user) == 0
    assert not servers(deep)


def test_commands_without_a_database_start_no_server(tmp_path):
    env = os.environ | {"LOUPE_HOME": str(tmp_path)}
    del env["DATABASE_URL"]
    subprocess.run([sys.executable, "manage.py", "help"], cwd=ROOT, env=env, check=True, capture_output=True)
    subprocess.run(
        [sys.executable, "manage.py", "token", "-h"], cwd=ROOT, env=env, check=True, capture_output=True
    )
    assert not (tmp_path / "postgres").exists()
