"""Labels from files: received, checked before anything changes, then taken in, and taken back.

The work is done by jobs: label_checking.py looks at a file, label_applying.py writes and undoes. What a file
says waits in rows of its own until somebody decides.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from labeling import classes, importing, jobs, leavings, meanings
from labeling.classes import ClassInput
from labeling.formats.incoming import READINGS
from labeling.importing import ImportRefused
from labeling.models import Event, Job, LabelClass, LabelImport, Project, User

OWN_FOLDERS = "own_folders"  # the images' own, rather than a file
CHECK, APPLY, UNDO = "check_labels", "apply_labels", "undo_labels"
NEW = "new"
FOLDERS_SAY_TOO_LITTLE = "Folders name classes of whole images, and this project asks for more."
State = LabelImport.State
Wanted = Mapping[str, int | str | None]  # class of the file: id of the project's, "new", or None


@dataclass(frozen=True, slots=True)
class Proposed:
    """A class of a file, with the one of the project that it becomes unless somebody says otherwise.

    `choice` is an id, "new", or None: its name is that of a retired class.
    """

    name: str
    parent: str
    images: int
    regions: int
    choice: int | str | None
    known: LabelClass | None


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


def check_again(given: LabelImport, by: User | None, format_name: str = "") -> None:
    """Look at a file anew: as another format, or since there are more images. Raises ImportRefused."""
    if format_name and format_name not in READINGS:
        raise ImportRefused("There is no such format to read labels from.")
    with transaction.atomic():
        rows = LabelImport.objects.filter(pk=given.pk, state__in=(State.READY, State.UNREADABLE))
        wanted = given.format if given.format == OWN_FOLDERS else format_name
        if not rows.update(state=State.CHECKING, format=wanted):
            raise ImportRefused("These labels are taken in already, or are just being looked at.")
        enqueue(CHECK, given, by, uuid.uuid4().hex)


def discard(given: LabelImport) -> None:
    """Delete a file of labels of which nothing was taken in, and its report. Raises ImportRefused."""
    rows = LabelImport.objects.filter(pk=given.pk, state__in=(State.READY, State.UNREADABLE))
    if not rows.delete()[0]:
        raise ImportRefused("Only what was not taken in can be discarded. Undo it instead.")
    if given.location:
        leavings.remove_labels(given)


def proposed(given: LabelImport) -> list[Proposed]:
    """Return the classes of a file, each with the class of the project that has its name."""
    known = {each.name.lower(): each for each in given.project.classes.select_related("means")}
    today = meanings.of(given.project)
    found = []
    for each in given.classes:
        same = known.get(each["name"].lower())
        choice = today.offered(same.pk) if same else NEW
        found.append(Proposed(**each, choice=choice, known=same))
    return found


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
        locked = LabelImport.objects.select_for_update().get(pk=given.pk)
        if locked.state in (State.APPLYING, State.APPLIED) and locked.mode == mode:
            return go_on(locked, APPLY, by)
        if locked.state != State.READY:
            raise ImportRefused("These labels cannot be taken in now. Look at their report again.")
        mapping = mapped(locked, by, wanted)
        LabelImport.objects.filter(pk=locked.pk).update(
            state=State.APPLYING,
            mode=mode,
            answered=answered,
            takes_empty=takes_empty,
            mapping=mapping,
            applied_by=by,
            applied_at=timezone.now(),
        )
        return enqueue(APPLY, locked, by)


def mapped(given: LabelImport, by: User | None, wanted: Wanted) -> list[int | None]:
    """Return the class of the project for each of a file's, after adding new ones."""
    offered = set(classes.in_use(given.project).values_list("id", flat=True))
    found: list[int | str | None] = []
    theirs = proposed(given)
    names = {each.name: each for each in theirs}
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ImportRefused(f"The file has no class {unknown[0][:120]!r}.")
    for each in theirs:
        choice = wanted.get(each.name, each.choice)
        if choice == NEW and each.known is not None:
            choice = each.choice
        if isinstance(choice, int) and choice not in offered:
            raise ImportRefused(f"“{each.name}” shall become a class that this project does not have.")
        found.append(choice)
    added = add_new([each for each, choice in zip(theirs, found, strict=True) if choice == NEW], given, by)
    return [added[each.name] if choice == NEW else choice for each, choice in zip(theirs, found, strict=True)]  # type: ignore[misc]


def add_new(missing: Sequence[Proposed], given: LabelImport, by: User | None) -> dict[str, int]:
    """Add classes to the project, each after the one above it; returns their ids by name."""
    if not missing:
        return {}
    placed = {name.lower(): name for name in given.project.classes.values_list("name", flat=True)}
    inputs: list[ClassInput] = []
    names: list[str] = []
    left = list(missing)
    while left:
        lacking = {each.name.lower() for each in left}
        ready = [each for each in left if each.parent.lower() not in lacking] or left[:1]
        for each in ready:
            above = placed.get(each.parent.lower())
            inputs.append({"name": each.name, "parent": above} if above else each.name)
            names.append(each.name)
        placed |= {each.name.lower(): each.name for each in ready}
        left = [each for each in left if each not in ready]
    made = classes.add_classes(given.project, inputs)
    Event.record("add_classes", given.project, by, names=[each.name for each in made])
    return {name: label_class.pk for name, label_class in zip(names, made, strict=True)}


def undo(given: LabelImport, by: User | None) -> Job:
    """Take an import back as a job; what people changed or reviewed since stays. Raises ImportRefused."""
    with transaction.atomic():
        locked = LabelImport.objects.select_for_update().get(pk=given.pk)
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
