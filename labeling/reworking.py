"""Asking about many images again after a change of classes, and taking that back.

Few images go at once, in the transaction of the change. Many go in chunks, done by a job: the classes change
at once, and until its turn comes an image keeps its label, so that people are asked with the new classes or
not at all. How far it has come is written in the event, in the transaction of each chunk: a chunk is done or
it is not, however often a worker is killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from labeling import changes, classes, jobs, proposing, relabeling
from labeling.classes import ProjectRefused
from labeling.models import Event, Job, Project, Suggestion

AT_ONCE = 1_000  # images, about a second
CHUNK = 500
SEND_BACK, PUT_BACK = "send_back", "put_back"
KINDS = (SEND_BACK, PUT_BACK)
OPEN = (Job.State.QUEUED, Job.State.RUNNING, Job.State.FAILED)  # one that failed can be tried again
BUSY = "Images are still on their way after this change: {said}. Wait until that is done, or undo it."
GRADUALLY = "All images that it concerns go back to people, one after the other."
LABELS_RETURN = "The labels come back, one after the other."


@dataclass(frozen=True, slots=True)
class Work:
    """Which images go back to people, and what becomes of proposals.

    `named` are the classes that an answer names, None for all answers. With `hinted`, old labels are shown.
    With `forgets`, what a model has proposed is forgotten.
    """

    named: Sequence[int] | None
    hinted: bool
    forgets: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the images of a change have come."""

    job: int
    said: str
    is_failed: bool
    done: int
    total: int

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0


def progress(project: Project) -> Progress | None:
    """Return how far the images have come that a change moves just now; None where none does."""
    job = under_way(project)
    if job is None:
        return None
    doing = "Images go back to people" if job.kind == SEND_BACK else "Labels come back"
    return Progress(
        job.pk, f"{doing}. {job.payload['said']}", job.state == Job.State.FAILED, job.done, job.total
    )


def try_again(project: Project) -> None:
    """Go on with what has failed."""
    job = under_way(project)
    if job is not None:
        jobs.retry(job)


def under_way(project: Project) -> Job | None:
    """Return the job that moves the images of a project, also one that has failed and can be tried again."""
    found = Job.objects.filter(project=project, kind__in=KINDS, state__in=OPEN, cancel_requested=False)
    return found.order_by("-id").first()


def refuse_while_busy(project: Project, but: Event | None = None) -> None:
    """Refuse another change that moves images, for each builds on where the last one left them."""
    job = under_way(project)
    if job is None or (but is not None and job.kind == SEND_BACK and job.payload["event"] == but.pk):
        return
    raise ProjectRefused(BUSY.format(said=job.payload["said"].rstrip(".")), "classes")


# Sending back


def begin(event: Event, work: Work) -> Event:
    """Send images back to people, in the transaction of the change or, where there are many, by a job."""
    project = event.project
    assert project is not None
    event.data |= {"images": 0, "at": 0}
    few = affected(event, work)[: AT_ONCE + 1]
    items = list(few.values_list("id", flat=True))
    proposed = Suggestion.objects.filter(project=project)[: AT_ONCE + 1].count() if work.forgets else 0
    if max(len(items), proposed) > AT_ONCE:
        payload = {"event": event.pk, "said": event.data["said"], "named": work.named}
        payload |= {"hinted": work.hinted, "forgets": work.forgets}
        jobs.enqueue(SEND_BACK, project, payload, key=f"{SEND_BACK}:{event.pk}", created_by=event.actor)
        event.data["said"] += f" {GRADUALLY}"
        event.save(update_fields=["data"])
        return event
    if work.forgets:
        proposing.forget(project)
    event.data["images"] = relabeling.send_back(project, event, items, hinted=work.hinted)
    return all_sent(event, event.data["said"])


def affected(event: Event, work: Work) -> Any:
    """Return the images that still have to go back, in their order."""
    assert event.project is not None
    found = relabeling.answered(event.project, named=work.named, before=event.created_at)
    return found.filter(pk__gt=event.data["at"]).order_by("id")


def all_sent(event: Event, said: str) -> Event:
    """Say in an event how many images it sent back."""
    images = event.data["images"]
    went = "One image goes" if images == 1 else f"{images:,} images go"
    event.data["said"] = f"{said} {went} back to people."
    del event.data["at"]
    event.save(update_fields=["data"])
    return event


@jobs.handler(SEND_BACK, cluster="quick", priority=1)
def send_all_back(job: jobs.RunningJob) -> dict[str, Any]:
    """Send the images of a change back, chunk by chunk, until it is undone or none is left."""
    event = Event.objects.select_related("project", "actor").get(pk=job.payload["event"])
    work = Work(job.payload["named"], job.payload["hinted"], job.payload["forgets"])
    assert event.project is not None
    while work.forgets and event.data.get("at") == 0 and forget_next(event):
        job.progress(0, message="Forgetting what was proposed…")
    total = event.data["images"] + (affected(event, work).count() if "at" in event.data else 0)
    while send_next(event, work, job.payload["said"]):
        job.progress(event.data["images"], total, "Asking people again…")
    return {"images": event.data["images"]}


def forget_next(event: Event) -> bool:
    """Forget some of what was proposed before a change; tells whether there was any."""
    assert event.project is not None
    with transaction.atomic():
        classes.lock(event.project)
        return not changes.is_undone(event) and bool(proposing.forget(event.project, CHUNK, event.created_at))


def send_next(event: Event, work: Work, said: str) -> bool:
    """Send the next chunk back; tells whether to go on."""
    project = event.project
    assert project is not None
    with transaction.atomic():
        classes.lock(project)
        event.refresh_from_db(fields=["data"])
        if "at" not in event.data or changes.is_undone(event):
            return False
        items = list(affected(event, work).values_list("id", flat=True)[:CHUNK])
        if not items:
            all_sent(event, said)
            return False
        event.data["images"] += relabeling.send_back(project, event, items, hinted=work.hinted)
        event.data["at"] = items[-1]
        event.save(update_fields=["data"])
        return True


# Taking that back


def stop(event: Event) -> None:
    """Send no more images back. The project is locked, so no chunk is under way."""
    event.refresh_from_db(fields=["data"])
    job = Job.objects.filter(key=f"{SEND_BACK}:{event.pk}").first()
    if job is None or "at" not in event.data:
        return
    jobs.cancel(job)
    Job.objects.filter(pk=job.pk, state=Job.State.FAILED).update(state=Job.State.CANCELLED)
    all_sent(event, job.payload["said"])


def take_back(event: Event, undone: Event) -> None:
    """Let the labels that a change withdrew count again, at once or by a job."""
    project = event.project
    assert project is not None
    undone.data |= {"images": 0, "at": 0}
    items = list(sent(event, undone).values_list("item_id", flat=True)[: AT_ONCE + 1])
    if len(items) > AT_ONCE:
        payload = {"event": undone.pk, "undoes": event.pk, "said": undone.data["said"]}
        jobs.enqueue(
            PUT_BACK,
            project,
            payload,
            key=f"{PUT_BACK}:{undone.pk}",
            total=event.data["images"],
            created_by=undone.actor,
        )
        undone.data["said"] += f" {LABELS_RETURN}"
        undone.save(update_fields=["data"])
        return
    undone.data["images"] = relabeling.put_back(event, items)
    all_back(event, undone, undone.data["said"])


def sent(event: Event, undone: Event) -> Any:
    """Return what still has to be put back, in the order of its images."""
    return event.relabelings.filter(item_id__gt=undone.data["at"]).order_by("item_id")


def all_back(event: Event, undone: Event, said: str) -> None:
    """Say in an event of how many images the labels count again."""
    away, back = event.data["images"], undone.data["images"]
    if back == away:
        words = "All labels count again."
    else:
        words = f"The labels of {back:,} of {away:,} images count again; the others have new ones."
    undone.data["said"] = f"{said} {words}"
    del undone.data["at"]
    undone.save(update_fields=["data"])


@jobs.handler(PUT_BACK, cluster="quick", priority=1)
def put_all_back(job: jobs.RunningJob) -> dict[str, Any]:
    """Put the images of a change back, chunk by chunk."""
    undone = Event.objects.select_related("project").get(pk=job.payload["event"])
    event = Event.objects.select_related("project").get(pk=job.payload["undoes"])
    done = 0
    while items := put_next(event, undone, job.payload["said"]):
        done += items
        job.progress(done, event.data["images"], "Putting the labels back…")
    return {"images": undone.data["images"]}


def put_next(event: Event, undone: Event, said: str) -> int:
    """Put the next chunk back; returns of how many images, 0 at the end."""
    assert event.project is not None
    with transaction.atomic():
        classes.lock(event.project)
        undone.refresh_from_db(fields=["data"])
        if "at" not in undone.data:
            return 0
        items = list(sent(event, undone).values_list("item_id", flat=True)[:CHUNK])
        if not items:
            all_back(event, undone, said)
            return 0
        undone.data["images"] += relabeling.put_back(event, items)
        undone.data["at"] = items[-1]
        undone.save(update_fields=["data"])
        return len(items)
