"""Jobs: claimed in order, finished once, taken up after crashes, buried after three."""

import signal
import sys
import threading
import time
from datetime import timedelta

import psutil
import pytest
from django.db import connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from labeling import jobs
from labeling.models import Job, WorkerHeartbeat

CALLS: list[int] = []


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    """Register the kinds of these tests, for these tests only."""
    monkeypatch.setattr(jobs, "_handlers", dict(jobs._handlers))
    CALLS.clear()

    @jobs.handler("note", cluster="quick")
    def note(job):
        CALLS.append(job.payload["n"])
        return {"n": job.payload["n"]}

    @jobs.handler("slow-note", cluster="ml", priority=5)
    def slow_note(job):
        CALLS.append(job.payload["n"])


def nudges(cluster="quick"):
    return OrmQ.objects.filter(key=cluster).count()


@pytest.mark.django_db
def test_a_job_runs_once_and_keeps_its_result():
    job = jobs.enqueue("note", payload={"n": 7})
    assert (job.state, nudges()) == ("queued", 1)
    jobs.run(job.pk)
    jobs.run(job.pk)  # the same message again
    job.refresh_from_db()
    assert CALLS == [7]
    assert (job.state, job.result, job.attempts, job.lease_until) == ("done", {"n": 7}, 1, None)


@pytest.mark.django_db
def test_any_nudge_does_the_best_job_of_its_cluster():
    last = jobs.enqueue("note", payload={"n": 3}, priority=9)
    jobs.enqueue("note", payload={"n": 2})
    jobs.enqueue("note", payload={"n": 1}, priority=-1)
    other = jobs.enqueue("slow-note", payload={"n": 0})
    for _ in range(3):
        jobs.run(last.pk)
    assert CALLS == [1, 2, 3]
    other.refresh_from_db()
    assert (other.state, other.priority) == ("queued", 5)


@pytest.mark.django_db
def test_a_known_key_returns_its_job():
    first = jobs.enqueue("note", payload={"n": 1}, key="once")
    second = jobs.enqueue("note", payload={"n": 2}, key="once")
    assert first == second
    assert nudges() == 1


@pytest.mark.django_db(transaction=True)
def test_job_and_nudge_roll_back_with_the_caller():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        jobs.enqueue("note", payload={"n": 1})
        1 / 0  # noqa: B018
    assert (Job.objects.count(), nudges()) == (0, 0)


@pytest.mark.django_db
def test_a_failure_keeps_its_sentence_and_can_be_tried_again():
    @jobs.handler("picky", cluster="quick")
    def picky(job):
        if job.row.attempts == 1 and not CALLS:
            CALLS.append(1)
            raise jobs.JobFailed("The archive is empty.")

    job = jobs.enqueue("picky")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "The archive is empty.")
    jobs.retry(job)
    assert (job.state, job.error, nudges()) == ("queued", "", 2)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == "done"


@pytest.mark.django_db
def test_an_unexpected_error_fails_the_job_only():
    @jobs.handler("broken", cluster="quick")
    def broken(job):
        raise KeyError("width")

    job = jobs.enqueue("broken")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "KeyError: 'width'")


@pytest.mark.django_db
def test_progress_is_saved_at_most_twice_a_second(django_assert_max_num_queries):
    @jobs.handler("count", cluster="quick")
    def count(job):
        with django_assert_max_num_queries(2):
            for done in range(200):
                job.progress(done, 200, "counting")

    job = jobs.enqueue("count")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.done, job.total, job.message) == (199, 200, "")


@pytest.mark.django_db
def test_cancel_waiting_and_running():
    waiting = jobs.enqueue("note", payload={"n": 1})
    jobs.cancel(waiting)
    assert waiting.state == "cancelled"
    jobs.run(waiting.pk)
    assert CALLS == []

    @jobs.handler("endless", cluster="quick")
    def endless(job):
        jobs.cancel(Job.objects.get(pk=job.row.pk))
        while True:
            job.progress(1)

    job = jobs.enqueue("endless")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.done) == ("cancelled", 1)


@pytest.mark.django_db
def test_an_interrupted_job_is_queued_again_and_buried_after_three_attempts():
    @jobs.handler("fragile", cluster="quick")
    def fragile(job):
        raise jobs.Interrupted("killed")

    job = jobs.enqueue("fragile")
    for attempt in (1, 2):
        jobs.run(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempts, nudges()) == ("queued", attempt, attempt + 1)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert "stopped 3 times" in job.error


@pytest.mark.django_db
def test_sweep_takes_up_expired_leases_and_lost_nudges():
    past = timezone.now() - timedelta(minutes=1)
    dead = jobs.enqueue("note", payload={"n": 1})
    poison = jobs.enqueue("note", payload={"n": 2})
    alive = jobs.enqueue("note", payload={"n": 3})
    lost = jobs.enqueue("note", payload={"n": 4})
    Job.objects.filter(pk=dead.pk).update(state="running", attempts=1, lease_until=past)
    Job.objects.filter(pk=poison.pk).update(state="running", attempts=3, lease_until=past)
    Job.objects.filter(pk=alive.pk).update(
        state="running", attempts=1, lease_until=timezone.now() + timedelta(minutes=1)
    )
    Job.objects.filter(pk=lost.pk).update(nudged_at=past)
    OrmQ.objects.all().delete()
    jobs.sweep()
    states = dict(Job.objects.values_list("pk", "state"))
    assert states == {dead.pk: "queued", poison.pk: "failed", alive.pk: "running", lost.pk: "queued"}
    assert nudges() == 2 - 1  # one message for the dead job is enough for both until it is read
    Job.objects.filter(state="queued").update(nudged_at=past)
    jobs.sweep()
    assert nudges() == 2
    jobs.sweep()
    assert nudges() == 2


@pytest.mark.django_db
def test_a_worker_that_lost_its_lease_writes_nothing():
    @jobs.handler("late", cluster="quick")
    def late(job):
        Job.objects.filter(pk=job.row.pk).update(attempts=2)  # another worker has it now
        return {"mine": True}

    job = jobs.enqueue("late")
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result) == ("running", {})


@pytest.mark.django_db(transaction=True)
def test_the_lease_is_extended_without_the_handlers_help(settings):
    settings.LOUPE_JOB_LEASE = 0.4

    @jobs.handler("silent", cluster="quick")
    def silent(job):
        time.sleep(1)
        CALLS.append(Job.objects.filter(pk=job.row.pk, lease_until__gt=timezone.now()).count())

    job = jobs.enqueue("silent")
    jobs.run(job.pk)
    assert CALLS == [1]


@pytest.mark.django_db(transaction=True)
def test_sigterm_gives_the_job_back_without_counting_the_attempt():
    @jobs.handler("stopped", cluster="quick")
    def stopped(job):
        try:
            signal.raise_signal(signal.SIGTERM)
            time.sleep(5)
        except Exception:
            CALLS.append(1)

    job = jobs.enqueue("stopped")
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit):
            jobs.run(job.pk)
    finally:
        signal.signal(signal.SIGTERM, before)
    job.refresh_from_db()
    assert (job.state, job.attempts, CALLS) == ("queued", 0, [])


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_take_one_job():
    made = [jobs.enqueue("note", payload={"n": n}) for n in range(30)]

    def worker():
        for job in made[::2]:
            jobs.run(job.pk)
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(CALLS) == list(range(30))


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def supervised(job_code: str) -> Job:
    @jobs.handler("program", cluster="quick")
    def program(job):
        job.supervise([sys.executable, "-c", job_code])

    job = jobs.enqueue("program")
    jobs.run(job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.django_db
def test_supervise_reports_success_failure_and_sudden_death(capfd):
    assert supervised("pass").state == "done"
    failed = supervised("import sys; sys.exit('No class has labels.')")
    assert (failed.state, failed.error) == ("failed", "No class has labels.")
    killed = supervised("import os; os.kill(os.getpid(), 9)")
    assert (killed.state, killed.attempts) == ("queued", 1)


@pytest.mark.django_db(transaction=True)
def test_cancelling_ends_the_program_and_what_it_started(settings, tmp_path):
    settings.LOUPE_JOB_LEASE = 2
    pids = tmp_path / "pids"
    code = (
        "import os, subprocess, time;"
        "child = subprocess.Popen(['sleep', '60']);"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}');"
        "time.sleep(60)"
    )

    def cancel_soon():
        while not pids.exists():
            time.sleep(0.05)
        jobs.cancel(Job.objects.get(kind="program"))
        connection.close()

    thread = threading.Thread(target=cancel_soon)
    thread.start()
    job = supervised(code)
    thread.join()
    assert job.state == "cancelled"
    time.sleep(0.2)
    assert not any(is_running(int(pid)) for pid in pids.read_text().split())


@pytest.mark.django_db
def test_a_cluster_is_stuck_when_messages_wait_unread(settings):
    jobs.ask_for_beats()
    jobs.ask_for_beats()
    assert nudges() == 1
    assert jobs.is_stuck("quick")
    jobs.beat("quick")
    assert not jobs.is_stuck("quick")
    WorkerHeartbeat.objects.update(
        beat_at=timezone.now() - timedelta(seconds=settings.LOUPE_CLUSTER_SILENCE + 1)
    )
    assert jobs.is_stuck("quick")
    job = jobs.enqueue("note", payload={"n": 1})
    Job.objects.update(state="running", lease_until=timezone.now() + timedelta(seconds=9))
    assert not jobs.is_stuck("quick")
    Job.objects.update(state="queued", lease_until=None)
    jobs.restart_queue("quick")
    assert nudges() == 1
    jobs.run(job.pk)
    assert CALLS == [1]


@pytest.mark.django_db
def test_tick_calls_what_is_due_and_survives_errors(monkeypatch, caplog):
    monkeypatch.setattr(jobs, "_periodic", [])

    @jobs.periodic(3600)
    def broken():
        raise ValueError("no")

    @jobs.periodic(3600)
    def counted():
        CALLS.append(1)

    jobs.tick()
    jobs.tick()
    assert CALLS == [1]
    assert "broken failed" in caplog.text
