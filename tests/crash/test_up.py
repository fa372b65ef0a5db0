"""`manage.py up` on a machine of its own: comes up, heals, and leaves nothing behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

import psutil
import pytest

from deploy import webserver
from tests.crash import processes as ps

pytestmark = [pytest.mark.crash, pytest.mark.long]


@pytest.fixture(scope="module")
def environment():
    """What `up` finds: a home that is empty at first, and then as the test before left it."""
    home = tempfile.mkdtemp(prefix="loupe-home-")
    env = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    env |= {"LOUPE_HOME": home, "LOUPE_PORT": str(webserver.any_free_port())}
    yield env
    for process in on_this_home(env):
        process.kill()
    shutil.rmtree(home, ignore_errors=True)


def start_up(environment) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        cwd=ps.ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if line.startswith("ready"):
            return process
    raise AssertionError("up ended before it was ready")


def on_this_home(environment) -> list[psutil.Process]:
    """Return the processes that were started for this home and show it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LOUPE_HOME") == environment["LOUPE_HOME"] and ps.is_alive(process):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
            continue
    return found


def answers(address: str, token: str) -> bool:
    request = urllib.request.Request(f"{address}/api/projects/", headers={"Authorization": f"Token {token}"})
    try:
        return urllib.request.urlopen(request, timeout=30).status == 200
    except OSError:
        return False


def manage(environment, *words: str, **options) -> str:
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(
        command, cwd=ps.ROOT, env=environment, check=True, capture_output=True, text=True, **options
    ).stdout


def test_up_heals_serves_and_ends_without_a_trace(environment):
    up = start_up(environment)
    address = f"http://localhost:{environment['LOUPE_PORT']}"
    assert webserver.answers(address)

    # Other commands share the database while it runs.
    manage(environment, "createuser", "ada@example.com", "--password-stdin", input="correct horse battery\n")
    token = manage(environment, "token", "ada@example.com").strip()
    assert answers(address, token)

    # The web process dies and comes back.
    web = ps.wait_for(lambda: ps.titled(up.pid, "gunicorn", "master"))[0]
    ps.kill(web)
    ps.wait_for(lambda: [each for each in ps.titled(up.pid, "gunicorn", "master") if each.pid != web.pid])

    # So does the database, with all in it.
    for process in [*ps.titled(up.pid, "keeper"), *ps.titled(up.pid, "postgres")]:
        with contextlib.suppress(psutil.NoSuchProcess):  # some end with the first
            process.kill()
    ps.wait_for(lambda: answers(address, token))

    members = ps.family(up.pid)
    assert len(members) > 15
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=60) == 0
    up.stdout.close()
    assert [each for each in members if ps.is_alive(each)] == []

    # And commands work without it.
    assert manage(environment, "token", "ada@example.com").startswith("loupe_")
    assert on_this_home(environment) == []


def test_everything_dies_with_a_killed_up(environment):
    up = start_up(environment)
    members = ps.family(up.pid)
    up.kill()
    up.wait()
    up.stdout.close()
    ps.wait_for(lambda: not any(ps.is_alive(each) for each in members))
