"""Labels from files: received, checked before anything changes, then taken in, and taken back.

The work is done by jobs: label_checking.py looks at a file, label_applying.py writes and undoes. What a file
says waits in rows of its own until somebody decides.
"""

import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from labeling import classes, importing, jobs, label_classes, leavings
from labeling.formats.incoming import READINGS
from labeling.importing import ImportRefused
from labeling.label_classes import Wanted
from labeling.models import Job, LabelImport, Project, User

OWN_FOLDERS = LabelImport.OWN_FOLDERS
CHECK, APPLY, UNDO = "check_labels", "apply_labels", "undo_labels"
State = LabelImport.State
WAITING = (State.READY, State.UNREADABLE)
NOT_NOW = {
    State.CHECKING: "These labels are just being checked. Take them in when the report is there.",
    State.UNREADABLE: "These labels could not be read. Check them again, as another format.",
    State.APPLYING: "These labels are just being taken in.",
    State.APPLIED: "These labels are taken in already. Check the file again to take in what was left.",
    State.UNDOING: "These labels are just being taken back.",
    State.UNDONE: "These labels were taken back. Check the file again, and take in what comes of that.",
}
FORGOTTEN = (
    "The file was deleted when it was read, since this project hides faces and there may be images in it."
    " To have it checked again, send it again."
)
FOLDERS_SAY_TOO_LITTLE = "Folders name classes of whole images, and this project asks for more."


def receive(
    project: Project,
    files: Sequence[UploadedFile],
    by: User | None,
    *,
    paths: Sequence[str] = (),
    format_name: str = "",
) -> LabelImport:
    """Keep a file of labels, or the files of a folder, and have them checked. Raises ImportRefused."""
    if format_name and format_name not in READINGS:
        known = ", ".join(READINGS)
        raise ImportRefused(f"There is no format {format_name[:40]!r} to read labels from; there is {known}.")
    if not files:
        raise ImportRefused("Send a file of labels as `files`, or several with their `paths`.")
    if not any(file.size for file in files):
        raise ImportRefused("The file is empty.")
    folder = settings.MEDIA_ROOT / "uploads" / uuid.uuid4().hex
    place = folder / "labels"
    for number, file in enumerate(files):
        name = importing.safe_name(paths[number] if len(paths) == len(files) else file.name or "labels")
        importing.save_upload(file, place / importing.free_name(place, name))
    if len(files) == 1:
        name = importing.safe_name(files[0].name or "labels").rsplit("/", 1)[-1]
        place = next(each for each in place.rglob("*") if each.is_file())
    else:
        name = f"{len(files):,} files"
    return begin(project, by, name=name[:255], location=str(place), format=format_name)


def from_folders(project: Project, by: User | None) -> LabelImport:
    """Take the names of the folders that a project's images lie in for their classes, checked first."""
    if not project.is_classification:
        raise ImportRefused(FOLDERS_SAY_TOO_LITTLE)
    return begin(project, by, name="Folders of the images", format=OWN_FOLDERS)


def begin(project: Project, by: User | None, **fields: Any) -> LabelImport:
    with transaction.atomic():
        given = LabelImport.objects.create(project=project, created_by=by, **fields)
        enqueue(CHECK, given, by)
    return given


def enqueue(kind: str, given: LabelImport, by: User | None, turn: str = "") -> Job:
    """Queue a job, once however often it is asked for; `turn` tells one time from the next."""
    payload = {"label_import": given.pk, "by": by.pk if by else None}
    key = f"{kind}:{given.pk}:{turn}"
    return jobs.enqueue(kind, given.project, payload, key=key, created_by=by)


def check_again(given: LabelImport, by: User | None, format_name: str = "") -> LabelImport:
    """Look at a file anew: as another format, or since images or labels came or went. Raises ImportRefused.

    What was taken in or back already stays on record: its file becomes a new import, which is returned.
    """
    if format_name and format_name not in READINGS:
        raise ImportRefused("There is no such format to read labels from.")
    with transaction.atomic():
        locked = locked_or_refused(given)
        if locked.is_forgotten:
            raise ImportRefused(FORGOTTEN)
        if locked.state in (State.APPLIED, State.UNDONE):
            return anew(locked, by, format_name)
        if locked.state not in WAITING:
            raise ImportRefused("These labels are just being looked at, taken in or taken back.")
        locked.format = OWN_FOLDERS if locked.format == OWN_FOLDERS else format_name
        locked.state = State.CHECKING
        locked.save(update_fields=["state", "format"])
        enqueue(CHECK, locked, by, uuid.uuid4().hex)
    return locked


def locked_or_refused(given: LabelImport) -> LabelImport:
    """Return an import that nobody else changes meanwhile. Raises ImportRefused where it was discarded."""
    rows = LabelImport.objects.select_for_update(of=("self",)).select_related("project")
    locked = rows.filter(pk=given.pk).first()
    if locked is None:
        raise ImportRefused("These labels were discarded. Send the file again.")
    return locked


def anew(given: LabelImport, by: User | None, format_name: str) -> LabelImport:
    """Return an import of a file that was taken in or back before; of a repeated click, the same."""
    mine = given.project.label_imports.filter(location=given.location, pk__gt=given.pk)
    if not given.location:
        mine = mine.filter(format=OWN_FOLDERS)
    if waiting := mine.filter(state__in=(State.CHECKING, *WAITING)).order_by("id").last():
        return waiting if waiting.state == State.CHECKING else check_again(waiting, by, format_name)
    wanted = given.format if given.format == OWN_FOLDERS else format_name or given.format
    return begin(given.project, by, name=given.name, location=given.location, format=wanted)


def discard(given: LabelImport) -> None:
    """Delete a file of labels of which nothing was taken in, and its report. Raises ImportRefused."""
    if not LabelImport.objects.filter(pk=given.pk, state__in=WAITING).delete()[0]:
        raise ImportRefused("Only what was not taken in can be discarded. Undo it instead.")
    if given.location and not LabelImport.objects.filter(location=given.location).exists():
        leavings.remove_labels(given)


def sent(project: Project) -> QuerySet[LabelImport]:
    """Return the imports whose files were sent here, and were read."""
    root = Path(settings.MEDIA_ROOT, "uploads").resolve()
    return project.label_imports.filter(location__startswith=f"{root}/").exclude(state=State.CHECKING)


def forget_files(project: Project) -> None:
    """Delete files of labels that were read, where faces are hidden: there may be images among them."""
    waiting = project.label_imports.filter(state=State.CHECKING).values("location")
    for given in sent(project).exclude(location__in=waiting) if project.faces else ():
        transaction.on_commit(partial(leavings.remove_labels, given))
        LabelImport.objects.filter(pk=given.pk).update(location="")


def apply(
    given: LabelImport,
    by: User | None,
    *,
    mode: str,
    wanted: Wanted,
    answered: str = LabelImport.Answered.SKIP,
    takes_empty: bool = False,
) -> Job:
    """Take labels in as a job, adding the classes that are wanted. A repeat returns the same job.

    Raises ImportRefused, and ProjectRefused for a name that no class can have.
    """
    with transaction.atomic():
        classes.lock(given.project)
        locked = locked_or_refused(given)
        if locked.state in (State.APPLYING, State.APPLIED) and locked.mode == mode:
            return go_on(locked, APPLY, by)
        if locked.state != State.READY:
            raise ImportRefused(NOT_NOW[State(locked.state)])
        takes_all = answered == LabelImport.Answered.BESIDE
        mapping, added = label_classes.mapped(locked, by, wanted, takes_all=takes_all)
        LabelImport.objects.filter(pk=locked.pk).update(
            state=State.APPLYING,
            mode=mode,
            answered=answered,
            takes_empty=takes_empty,
            mapping=mapping,
            added=added,
            applied_by=by,
            applied_at=timezone.now(),
        )
        return enqueue(APPLY, locked, by)


def undo(given: LabelImport, by: User | None) -> Job:
    """Take an import back as a job; what people changed or reviewed since stays. Raises ImportRefused."""
    with transaction.atomic():
        locked = locked_or_refused(given)
        if locked.state == State.UNDOING:
            return go_on(locked, UNDO, by)
        if locked.state != State.APPLIED:
            raise ImportRefused("Only what was taken in, whole, can be undone.")
        LabelImport.objects.filter(pk=locked.pk).update(state=State.UNDOING)
        return enqueue(UNDO, locked, by)


def go_on(given: LabelImport, kind: str, by: User | None) -> Job:
    """Return the job of an import; one that has failed is tried again."""
    job = enqueue(kind, given, by)
    if job.state in (Job.State.FAILED, Job.State.CANCELLED):
        jobs.retry(job)
    return job


def job_of(given: LabelImport) -> Job | None:
    """Return the newest job of an import."""
    kinds = (CHECK, APPLY, UNDO)
    mine = Job.objects.filter(project=given.project_id, kind__in=kinds, payload__label_import=given.pk)
    return mine.order_by("-id").first()


def path_of(given: LabelImport) -> Path:
    return Path(given.location)
