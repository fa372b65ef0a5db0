"""The classes of a file of labels: what each becomes in the project, new ones, and taking these away again.

A class that an import added is retired where nothing came to be of it, and comes back with the next one.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from labeling import classes, meanings
from labeling.classes import ClassInput, ProjectRefused
from labeling.importing import ImportRefused
from labeling.models import Event, ImportedLabel, LabelClass, LabelImport, Project, Region, User

NEW = "new"
Wanted = dict[str, int | str | None]  # class of the file: id of the project's, "new", or None


@dataclass(frozen=True, slots=True)
class Proposed:
    """A class of a file, with the one of the project that it becomes unless somebody says otherwise.

    `free` counts its images without a label or an answer. `choice` is an id, "new", or None: its name is that
    of a retired class, or nothing of it would be taken in.
    """

    name: str
    parent: str
    images: int
    regions: int
    free: int
    choice: int | str | None
    known: LabelClass | None


def proposed(given: LabelImport, *, takes_all: bool = False) -> list[Proposed]:
    """Return the classes of a file, each with the class of the project that has its name.

    With `takes_all`, images that have a label are wanted, too.
    """
    dormant = {each.pk for each in taken_away(given.project)}
    theirs = given.project.classes.select_related("means")
    known = {each.name.lower(): each for each in theirs if each.pk not in dormant}
    today = meanings.of(given.project)
    found = []
    for each in given.classes:
        same, free = known.get(each["name"].lower()), each.get("free", each["images"])
        new = NEW if free or (takes_all and each["images"]) else None
        choice = today.offered(same.pk) if same else new
        found.append(Proposed(**{**each, "free": free}, choice=choice, known=same))
    return found


def mapped(
    given: LabelImport, by: User | None, wanted: Wanted, *, takes_all: bool
) -> tuple[list[int | None], list[int]]:
    """Return the class of the project for each of a file's, after adding new ones, and which these are."""
    offered = set(classes.in_use(given.project).values_list("id", flat=True))
    theirs = proposed(given, takes_all=takes_all)
    names = {each.name for each in theirs}
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ImportRefused(f"The file has no class {unknown[0][:120]!r}.")
    found: list[int | str | None] = []
    for each in theirs:
        choice = wanted.get(each.name, each.choice)
        if choice == NEW and each.known is not None:
            choice = each.choice
        if isinstance(choice, int) and choice not in offered:
            raise ImportRefused(f"“{each.name}” shall become a class that this project does not have.")
        found.append(choice)
    added = add_new([each for each, choice in zip(theirs, found, strict=True) if choice == NEW], given, by)
    ids = [added[each.name] if choice == NEW else choice for each, choice in zip(theirs, found, strict=True)]
    return ids, list(added.values())  # type: ignore[return-value]


def add_new(missing: Sequence[Proposed], given: LabelImport, by: User | None) -> dict[str, int]:
    """Add classes to the project, each after the one above it; returns their ids by name."""
    dormant = {each.name.lower(): each for each in taken_away(given.project)}
    back = {each.name: dormant[each.name.lower()] for each in missing if each.name.lower() in dormant}
    for label_class in back.values():
        classes.restore(label_class, by)
    placed = {name.lower(): name for name in given.project.classes.values_list("name", flat=True)}
    inputs: list[ClassInput] = []
    names: list[str] = []
    left = [each for each in missing if each.name not in back]
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
    if made:
        Event.record("add_classes", given.project, by, names=[each.name for each in made])
    new = dict(zip(names, made, strict=True))
    return {name: label_class.pk for name, label_class in (back | new).items()}


def taken_away(project: Project) -> list[LabelClass]:
    """Return the classes that imports have added, and that were taken away since nothing came of them."""
    added = {pk for each in project.label_imports.values_list("added", flat=True) for pk in each}
    retired = project.classes.filter(pk__in=added, merged_into=None).exclude(retired_at=None)
    return [each for each in retired if not is_used(each)]


def take_away(given: LabelImport, by: User | None) -> None:
    """Retire the classes that an import added and that nothing names: it took nothing in, or was undone."""
    with transaction.atomic():
        classes.lock(given.project)
        given.refresh_from_db()
        written = given.labels.filter(outcome__in=ImportedLabel.WRITTEN)
        is_over = given.state == LabelImport.State.UNDONE or (
            given.state == LabelImport.State.APPLIED and not written.exists()
        )
        if not is_over:
            return
        # Those below others first.
        for each in classes.in_use(given.project).filter(pk__in=given.added).order_by("-position"):
            if not is_used(each):
                # A project keeps its last class.
                with contextlib.suppress(ProjectRefused), transaction.atomic():
                    classes.retire(each, by)


def is_used(label_class: LabelClass) -> bool:
    """Tell whether anything that stands names a class."""
    return (
        Region.objects.filter(label_class=label_class, annotation__withdrawn_at=None).exists()
        or label_class.children.filter(retired_at=None).exists()
        or label_class.merged.exists()
    )
