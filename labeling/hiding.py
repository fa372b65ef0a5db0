"""Having faces hidden in a project: begun once and for all, also where it has images already.

From the moment it begins, nobody is shown an image before its copy is there (`Item.is_withheld`), and nobody
labels until those from before have theirs. What Loupe itself holds of the originals goes as soon as no image
of a source waits for it. Buckets, and folders of the server, stay as they are.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling import (
    announcing,
    columns,
    exporting,
    extensions,
    face_boxes,
    faces,
    images,
    jobs,
    label_imports,
    leavings,
    reading,
    remote,
    storing,
)
from labeling.classes import ProjectRefused
from labeling.forgetting import forget_copies, forget_plain
from labeling.models import (
    Claim,
    Event,
    Item,
    Job,
    MaskedImage,
    Project,
    QueueEntry,
    User,
)

HIDE, DISCARD = "hide_faces", "discard_originals"
CHUNK = 16  # items settled in one transaction: each takes about a second
THREADS = 2

HIDING = ~Q(faces="") & Q(faces_hidden_at=None)  # projects in which images from before wait


@dataclass(frozen=True, slots=True)
class Stake:
    """What hiding faces changes for good in a project, in numbers."""

    images: int
    held: int  # files that were sent here, of which the plain ones go
    exports: int  # with images in them, which show faces
    labels: int  # files of labels, which may come with images
    scans: int  # DICOM images, in which no face can be hidden


def stake(project: Project) -> Stake:
    """Return what is there that shows faces now."""
    mine = Item.objects.filter(project=project)
    ours = [each.pk for each in project.sources.select_related("upload") if storing.is_held(each)]
    return Stake(
        mine.count(),
        mine.filter(source__in=ours).count(),
        exports_with_images(project).count(),
        label_imports.sent(project).count(),
        mine.filter(format="DICOM").exclude(state=Item.State.REMOVED).count(),
    )


def exports_with_images(project: Project) -> QuerySet[Job]:
    return Job.objects.filter(project=project, kind="export").filter(
        Q(payload__images="copy") | Q(payload__format="folders")
    )


def begin(project: Project, by: User, style: str, originals: str, name: str = "") -> None:
    """Have faces hidden from now on, and in the images that are there. Raises ProjectRefused.

    A project with images has to be named: it cannot be undone.
    """
    if problem := faces.problem():
        raise ProjectRefused(problem, "faces")
    with transaction.atomic():
        locked = Project.objects.select_for_update().get(pk=project.pk)
        if locked.faces:
            return
        before = stake(locked)
        if before.images:
            refuse_other_name(locked, name)
        locked.faces, locked.originals = style, originals
        locked.faces_hidden_at = None if before.images else timezone.now()
        locked.save(update_fields=["faces", "originals", "faces_hidden_at"])
        extensions.repainted(locked)
        forget_exports(locked)
        label_imports.forget_files(locked)
        Event.record(
            HIDE, locked, by, style=style, originals=originals, images=before.images, exports=before.exports
        )
        if before.images:
            jobs.enqueue(HIDE, locked, created_by=by, total=before.images)
    project.refresh_from_db(fields=["faces", "originals", "faces_hidden_at"])


def refuse_other_name(project: Project, name: str) -> None:
    if " ".join(name.split()) != project.name:
        text = _("This is not the name of the project. Type it as it stands: %(name)s")
        raise ProjectRefused(text % {"name": project.name}, "name")


def forget_exports(project: Project) -> None:
    """Delete exports that hold images as they were, and stop those that are being made."""
    for job in exports_with_images(project):
        if job.state in Job.UNFINISHED:
            jobs.cancel(job)  # at its end it sees that; one that was faster is done by now
            if job.state != Job.State.DONE:
                continue
        transaction.on_commit(partial(exporting.delete_files, job))
        Job.objects.filter(pk=job.pk).delete()


def announce_end(job: Job) -> None:
    """Tell the managers that people can label again, or that nobody can until one of them sees to it."""
    project = job.project
    assert project is not None
    if job.state == Job.State.CANCELLED:
        return  # somebody stopped it and knows
    now = face_boxes.totals(project)
    announcing.announce(
        "faces_hidden",
        project,
        key=f"faces:{job.pk}:{job.attempts}:{job.state}",
        images=now.images,
        faces=now.faces,
        unreadable=withheld(project).exclude(state=Item.State.REMOVED).count(),
        error=job.error if job.state == Job.State.FAILED else "",
    )


@jobs.handler(HIDE, cluster="long", ended=announce_end)
def hide(job: jobs.RunningJob) -> dict[str, Any]:
    """Hide faces in the images that were there before. Killed anywhere, it goes on with what is left."""
    project = job.project
    assert project is not None
    if problem := faces.problem():
        raise jobs.JobFailed(problem)
    job.progress(0, message="Clearing up…")
    leavings.remove_crops(project, lambda: job.progress(0))
    waiting = withheld(project)
    done, total, unreadable, last = 0, waiting.count(), 0, 0
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(waiting.filter(pk__gt=last).order_by("id")[:CHUNK]):
            project.refresh_from_db(fields=["faces", "originals"])
            for item in chunk:
                item.source.project = project
            try:
                found = list(pool.map(reading.look, chunk))
            except remote.Unreachable as error:
                raise jobs.JobFailed(str(error)) from None
            unreadable += settle(project, chunk, found)
            done, last = done + len(chunk), chunk[-1].pk
            job.progress(done, max(done, total), "Hiding faces…")
    Project.objects.filter(pk=project.pk).update(faces_hidden_at=timezone.now())
    for source in project.sources.select_related("upload"):
        forget_plain(source)
        forget_copies(source)
    return {"hidden": done - unreadable, "unreadable": unreadable}


def withheld(project: Project) -> QuerySet[Item]:
    """Return the images that were read before faces were hidden, and have no copy yet."""
    return Item.objects.filter(project=project, masked_at=None, read_at__isnull=False).select_related(
        "source__upload"
    )


def settle(project: Project, items: list[Item], found: list[images.ReadImage | str]) -> int:
    """Show copies from now on; returns how many items have none, since they cannot be read any more."""
    now, gone = timezone.now(), 0
    with transaction.atomic():
        faces.lock_contents(project)
        found = faces.as_known(project, found)
        mine = [item.pk for item in items]
        still = set(
            Item.objects.select_for_update(no_key=True).filter(pk__in=mine, masked_at=None)
            .order_by("id").values_list("id", flat=True)
        )  # fmt: skip
        hidden: list[tuple[Item, images.ReadImage]] = []
        for item, each in zip(items, found, strict=True):
            if item.pk not in still:
                continue
            if isinstance(each, str):
                lose(item, each)
                gone += 1
                continue
            shown = (item.sha256, item.width, item.height, item.format)
            item.sha256, item.format, item.window, item.masked_at = each.sha256, each.format, None, now
            hidden.append((item, each))
            old = Item(sha256=shown[0], width=shown[1], height=shown[2], format=shown[3])
            transaction.on_commit(partial(leavings.remove_pictures, project, [old]))
        columns.write([item for item, _ in hidden], ["sha256", "format", "window", "masked_at"])
        faces.note(project, hidden, now)
    return gone


def lose(item: Item, reason: str) -> None:
    """Ask nobody about an image that cannot be shown; a label that it has stays."""
    unlabeled = Item.objects.filter(pk=item.pk, state=Item.State.UNLABELED)
    if unlabeled.update(state=Item.State.BROKEN, reason=reason[:300]):
        Claim.objects.filter(item=item, state=Claim.State.LIVE).update(state=Claim.State.EXPIRED)
        QueueEntry.objects.filter(item=item).delete()


def work(project: Project) -> Job | None:
    """Return the job that hides faces in images from before, while they wait for it."""
    newest = Job.objects.filter(project=project, kind=HIDE).order_by("-id")
    return newest.first() if project.is_hiding_faces else None


def go_on(project: Project) -> None:
    """Try again what failed or was cancelled."""
    if (job := work(project)) is not None:
        jobs.retry(job)


def change_style(project: Project, by: User, style: str) -> None:
    """Hide what is hidden from now on in another way."""
    with transaction.atomic():
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if locked.faces and locked.faces != style:
            Event.record("face_style", locked, by, style=style, before=locked.faces)
            Project.objects.filter(pk=project.pk).update(faces=style)


def kept_originals(project: Project) -> int:
    return MaskedImage.objects.filter(project=project, is_sealed=True).count()


def discard(project: Project, by: User, name: str) -> None:
    """Delete the originals that are kept, and keep none any more. Raises ProjectRefused."""
    with transaction.atomic():
        locked = Project.objects.select_for_update().get(pk=project.pk)
        refuse_other_name(locked, name)
        if not locked.faces or locked.originals == Project.Originals.DISCARD:
            return
        Project.objects.filter(pk=project.pk).update(originals=Project.Originals.DISCARD)
        Event.record(DISCARD, locked, by, images=kept_originals(locked))
        jobs.enqueue(DISCARD, locked, created_by=by)


@jobs.handler(DISCARD, cluster="quick")
def discard_originals(job: jobs.RunningJob) -> dict[str, Any]:
    """Delete what is kept of originals; what is sealed meanwhile goes when it is settled."""
    project = job.project
    assert project is not None
    gone = MaskedImage.objects.filter(project=project).update(is_sealed=False)
    leavings.remove_folder(f"originals/{project.pk}")
    return {"images": gone}
