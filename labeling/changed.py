"""What differs between two exports of a project: images that came, went, or have other labels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from labeling.models import Item, Job, Project

PARTS = ("added", "removed", "relabeled")


@dataclass(frozen=True, slots=True)
class Index:
    """What an export has: per image, by number, a fingerprint of its labels, and where its classes end."""

    items: np.ndarray
    prints: np.ndarray
    ends: np.ndarray
    classes: np.ndarray

    def classes_at(self, place: int) -> list[int]:
        return self.classes[self.ends[place - 1] if place else 0 : self.ends[place]].tolist()


@dataclass(frozen=True, slots=True)
class Change:
    """An image with its classes in the one export and in the other; None where it is not in it."""

    item: int
    before: list[int] | None
    after: list[int] | None


class Changes:
    """What has changed from one export to another."""

    def __init__(self, before: Index, after: Index) -> None:
        self.before, self.after = before, after
        common, ours, theirs = np.intersect1d(before.items, after.items, return_indices=True)
        other = before.prints[ours] != after.prints[theirs]
        self.items = {
            "added": np.setdiff1d(after.items, before.items),
            "removed": np.setdiff1d(before.items, after.items),
            "relabeled": common[other],
        }
        self.unchanged = int(len(common) - other.sum())

    def counts(self) -> dict[str, int]:
        return {name: len(self.items[name]) for name in PARTS} | {"unchanged": self.unchanged}

    def part(self, name: str, after: int, most: int) -> list[Change]:
        """Return the next images of a part, those after a number."""
        found = self.items[name]
        start = np.searchsorted(found, after, side="right")
        return [self.change(item) for item in found[start : start + most].tolist()]

    def change(self, item: int) -> Change:
        return Change(item, has(self.before, item), has(self.after, item))

    def by_class(self) -> dict[int, tuple[int, int]]:
        """Return how many labels each class has in the one and in the other."""
        before, after = (Counter(each.classes.tolist()) for each in (self.before, self.after))
        return {key: (before[key], after[key]) for key in sorted(before.keys() | after.keys())}


def has(index: Index, item: int) -> list[int] | None:
    place = int(np.searchsorted(index.items, item))
    if place == len(index.items) or index.items[place] != item:
        return None
    return index.classes_at(place)


def load(job: Job) -> Index:
    with default_storage.open(job.result["index"]) as file, np.load(file) as found:
        return Index(found["items"], found["prints"], found["ends"], found["classes"])


def between(before: Job | None, after: Job) -> Changes:
    none = np.empty(0, np.int64)
    return Changes(load(before) if before else Index(none, none, none, none), load(after))


def comparable(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Return the exports that can be compared: those made before this was possible left no index."""
    return jobs.filter(state=Job.State.DONE, result__has_key="index")


def named(project: Project, changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return changes with the names of images and classes."""
    titles = dict(project.classes.values_list("id", "name"))
    paths = dict(Item.objects.filter(pk__in=[each.item for each in changes]).values_list("id", "path"))

    def said(classes: list[int] | None) -> list[str] | None:
        return None if classes is None else [titles[each] for each in classes]

    return [
        {
            "item": each.item,
            "file_name": paths.get(each.item, ""),
            "before": said(each.before),
            "after": said(each.after),
        }
        for each in changes
    ]
