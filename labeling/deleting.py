"""Deleting a project: out of everybody's sight at once, and emptied by a job, however large it is.

Its row stays, without anything in it: the name is never used again, what the audit log says of it stays true,
and those who worked there can be told why it is gone. So do its events and its memberships. Everything else
goes chunk by chunk, files before the rows that name them, so that a job that was killed goes on where it was.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from labeling import extensions, jobs, leavings, statistics, workforce
from labeling.classes import ProjectRefused
from labeling.models import Annotation, DataSource, Event, Item, Job, LabelClass, Membership, Project, User

EMPTY = "empty_project"
KEPT: tuple[type[models.Model], ...] = (Event, Membership)
CHUNK = 500  # images, with all that is said of them
ROWS = 2_000  # of anything else
PATIENCE = timedelta(hours=1)  # until what has failed is tried again
LATE = timedelta(days=1)  # during which what was begun before may still write
OTHER_NAME = "This is not the name of the project. Type it as it stands: {name}"


def delete(project: Project, by: User | None, name: str) -> None:
    """Take a project out of sight for good, and have it emptied. Raises ProjectRefused for another name.

    What runs for it stops first; what people have on screen they are told about when they send it.
    """
    if " ".join(name.split()) != project.name:
        raise ProjectRefused(OTHER_NAME.format(name=project.name), "name")
    with transaction.atomic():
        rows = Project.objects.select_for_update().filter(pk=project.pk, deleted_at=None)
        images = sum(statistics.items_by_state(project).values())
        if not rows.update(deleted_at=timezone.now(), state=Project.State.PAUSED):
            return  # somebody else was faster
        Event.record("delete", project, by, images=images)
        for invitation in workforce.open_ones().filter(project=project).select_related("project", "team"):
            workforce.close(invitation)
        begin(project)


def begin(project: Project) -> None:
    """Stop what runs for a deleted project; when nothing does, queue what empties it."""
    for job in running(project):
        jobs.cancel(job)
    if Job.objects.filter(project=project, state__in=Job.UNFINISHED).exists():
        return
    lately = timezone.now() - PATIENCE
    ended = (Job.State.FAILED, Job.State.CANCELLED)
    if not Job.objects.filter(project=project, kind=EMPTY, state__in=ended, finished_at__gt=lately).exists():
        jobs.enqueue(EMPTY, project)


def running(project: Project) -> models.QuerySet[Job]:
    """Return the work that a deletion stops."""
    return Job.objects.filter(project=project, state__in=Job.UNFINISHED).exclude(kind=EMPTY)


@jobs.periodic(10)
def go_on() -> None:
    """Empty deleted projects: those for which something ran, and what a crash has left."""
    came_late().update(emptied_at=None)
    for project in Project.objects.filter(deleted_at__isnull=False, emptied_at=None):
        begin(project)


def came_late() -> models.QuerySet[Project]:
    """Return the emptied projects that have something again: of an upload, say, that went on for minutes."""
    rows: list[models.QuerySet[Any]] = [Job.objects.filter(project=OuterRef("pk")).exclude(kind=EMPTY)]
    for model, field in owned_by(Project):
        if model is not Job and model not in KEPT:
            rows.append(model.objects.filter(**{field: OuterRef("pk")}))
    has_any = reduce(or_, (Q(Exists(each)) for each in rows))
    return Project.objects.filter(has_any, emptied_at__gt=timezone.now() - LATE)


@jobs.handler(EMPTY, cluster="quick", priority=9)
def empty(job: jobs.RunningJob) -> dict[str, Any]:
    """Remove the files and rows of a deleted project, but for what says that it was there."""
    project = job.project
    assert project is not None
    assert project.deleted_at is not None
    total = Item.objects.filter(project=project).count()
    job.progress(0, total, "Deleting files…")
    extensions.emptying(project)
    leavings.remove(project, lambda: job.progress(0))
    done = 0
    while not is_empty(project, job.row):
        for removed in remove_items(project):
            done += removed
            job.progress(done, max(done, total), "Deleting images…")
        for _ in remove_rest(project, job.row):
            job.progress(done, max(done, total), "Deleting the rest…")
    return {"images": done}


def remove_items(project: Project) -> Iterator[int]:
    """Delete the images of a project with all that was said of them; yields how many went."""
    while items := list(Item.objects.filter(project=project).order_by("id")[:CHUNK]):
        leavings.remove_pictures(project, items)
        remove_chunk([each.pk for each in items])
        yield len(items)


def remove_chunk(items: list[int]) -> None:
    with transaction.atomic():
        # An item that is labeled keeps its label, and of two with the same content one is the duplicate: so
        # say these constraints, and nothing of what is removed.
        Item.objects.filter(Q(pk__in=items) | Q(duplicate_of__in=items)).update(
            state=Item.State.REMOVED, current_annotation=None
        )
        for model, field in owned_by(Item):
            if model is not Annotation:
                model.objects.filter(**{f"{field}__in": items}).delete()
        Annotation.objects.filter(item__in=items).delete()
        Item.objects.filter(pk__in=items).delete()


def remove_rest(project: Project, own: Job) -> Iterator[int]:
    """Delete what else belongs to a project; yields how many rows went."""
    project.classes.update(parent=None, merged_into=None, means=None)  # they hold each other
    for rows in rest_of(project, own):
        while chunk := list(rows.order_by("pk").values_list("pk", flat=True)[:ROWS]):
            rows.filter(pk__in=chunk).delete()
            yield len(chunk)


def rest_of(project: Project, own: Job) -> Iterator[models.QuerySet[Any]]:
    """Return the rows of a project, by table: classes last but for where the images come from."""
    last = (LabelClass, DataSource)
    found = [each for each in owned_by(Project) if each[0] not in (*KEPT, Item)]
    for model, field in sorted(found, key=lambda each: each[0] in last):
        rows = model.objects.filter(**{field: project})
        yield rows.exclude(pk=own.pk) if model is Job else rows


def is_empty(project: Project, own: Job) -> bool:
    """Tell whether nothing is left, and note it so; what comes later nevertheless, `go_on` sees."""
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        if project.items.exists() or any(rows.exists() for rows in rest_of(project, own)):
            return False
        if Project.objects.filter(pk=project.pk, emptied_at=None).update(emptied_at=timezone.now()):
            Event.record("emptied", project)
    return True


def owned_by(model: type[models.Model]) -> list[tuple[type[Any], str]]:
    """Return the tables of all apps whose rows go with one of a model's, with the field that names it."""
    return [
        (each, field.name)
        for each in apps.get_models()
        for field in each._meta.concrete_fields  # noqa: SLF001  # documented, for all its name
        if isinstance(field, models.ForeignKey)
        and field.remote_field.model is model
        and each is not model
        and field.remote_field.on_delete is models.CASCADE
    ]
