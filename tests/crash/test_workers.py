"""Kill real worker processes: whatever dies, the work finishes by itself."""

import os
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from django.db import connection

from clustering import embeddings
from labeling import jobs
from labeling.models import Job
from mlassist.models import ModelVersion, Run
from tests import factories
from tests.crash import kinds  # noqa: F401  registers the kinds here as in the workers
from tests.crash import processes as ps

pytestmark = [pytest.mark.crash, pytest.mark.long, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def loupe(transactional_db):
    """Run the guarded ML cluster and the watchdog on the database of this test."""
    name = connection.settings_dict["NAME"]
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.crash.settings",
        "DATABASE_URL": connection.settings_dict["HOST"] and f"postgresql://postgres@/{name}?host={host()}",
        "LOUPE_JOB_LEASE": "2",
        "LOUPE_CLUSTER_SILENCE": "4",
    }
    cluster, watch = ps.start("cluster", "ml", env=env), ps.start("watch", env=env)
    ps.wait_for(lambda: ps.titled(cluster.pid, "qcluster", "idle"))
    yield cluster
    for process in (cluster, watch):
        ps.end(process)


def host() -> str:
    return connection.settings_dict["HOST"]


def state(job: Job) -> str:
    job.refresh_from_db()
    return job.state


def worker(loupe, activity: str) -> psutil.Process:
    return ps.wait_for(lambda: ps.titled(loupe.pid, "qcluster", activity))[0]


def test_killed_while_busy(loupe):
    job = jobs.enqueue("nap", payload={"seconds": 60})
    ps.wait_for(lambda: state(job) == "running")
    ps.kill(worker(loupe, "processing"))
    ps.wait_for(lambda: state(job) == "done")
    assert job.result == {"attempts": 2}


def test_killed_while_idle_holding_the_queue(loupe):
    """The dead worker keeps the lock of the queue's pipe: its replacement can never read."""
    time.sleep(0.5)
    idle = worker(loupe, "idle")
    ps.kill(idle)
    ps.wait_for(lambda: not ps.is_alive(idle))
    job = jobs.enqueue("nap", payload={"seconds": 0})
    ps.wait_for(lambda: state(job) == "done")
    assert job.attempts == 1


def test_killed_training(loupe, tmp_path):
    tries = tmp_path / "tries"
    job = jobs.enqueue("train-slowly-once", payload={"tries": str(tries)})
    ps.wait_for(lambda: tries.exists() and tries.read_text().endswith("\n"))
    psutil.Process(int(tries.read_text())).kill()
    ps.wait_for(lambda: state(job) == "done")
    assert len(tries.read_text().splitlines()) == 2


def test_training_dies_with_its_worker(loupe, tmp_path):
    tries = tmp_path / "tries"
    job = jobs.enqueue("train-slowly-once", payload={"tries": str(tries)})
    ps.wait_for(lambda: tries.exists() and tries.read_text().endswith("\n"))
    training = psutil.Process(int(tries.read_text()))
    ps.kill(worker(loupe, "processing"))
    ps.wait_for(lambda: not ps.is_alive(training))
    ps.wait_for(lambda: state(job) == "done")


def test_killed_sentinel_leaves_no_orphans(loupe):
    job = jobs.enqueue("nap", payload={"seconds": 5})  # its worker dies when it is done
    busy = worker(loupe, "processing")
    sentinel = busy.parent()
    below = sentinel.children(recursive=True)
    ps.kill(sentinel)
    ps.wait_for(lambda: not any(ps.is_alive(each) for each in below))
    ps.wait_for(lambda: state(job) == "done")


def test_poison_is_buried_after_three_attempts(loupe):
    job, bystander = jobs.enqueue("poison", priority=-1), jobs.enqueue("nap", payload={"seconds": 0})
    ps.wait_for(lambda: state(job) == "failed")
    assert (job.attempts, "stopped 3 times" in job.error) == (3, True)
    ps.wait_for(lambda: state(bystander) == "done")


def test_stopping_gives_the_job_back_at_once(loupe):
    job = jobs.enqueue("nap", payload={"seconds": 50})
    ps.wait_for(lambda: state(job) == "running")
    ps.end(loupe)
    assert (state(job), job.attempts) == ("queued", 0)  # and not done, as it were if it had been waited for


def test_the_loop_finishes_by_itself_after_its_training_was_killed(
    loupe, project, labeler, tmp_path, settings
):
    """A real round: enough labels, a model being trained, and a kill in the middle of it."""
    classes = [each.name for each in project.classes.all()]
    items = factories.make_unread_items(project, 120, [f"{classes[n % 3]}/{n}.png" for n in range(120)])
    settings.MEDIA_ROOT = Path(os.environ["LOUPE_HOME"]) / "media"  # where the workers look
    clouds = np.eye(3, 8)[np.arange(len(items)) % 3] + np.random.default_rng(0).normal(
        0, 0.1, (len(items), 8)
    )
    embeddings.add(embeddings.set_of(project), [item.pk for item in items], clouds)
    factories.open_queue(project, items)

    def first_round() -> Job | None:
        return Job.objects.filter(project=project, kind="round").order_by("id").first()

    def training() -> list[psutil.Process]:
        job = first_round()
        if job is None:  # fifty answers start it, and then it is over soon
            factories.answer(project, labeler)
            return []
        return ps.titled(loupe.pid, f"mlassist.training --job {job.pk}")

    ps.kill(ps.wait_for(training)[0])
    factories.answer_all(project, labeler)
    ps.wait_for(lambda: ModelVersion.objects.filter(project=project).exists())
    ps.wait_for(lambda: first_round().state == "done")
    assert first_round().attempts == 2
    ps.wait_for(lambda: not Job.objects.filter(project=project, state="running").exists())
    assert not Run.objects.filter(project=project, state="running").exists()
