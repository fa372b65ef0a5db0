"""A project's embedded images in memory, and rows looked up by item id."""

from dataclasses import dataclass

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from clustering import embeddings
from labeling.answers import UNDECIDED, Answers
from labeling.models import LabelClass, Project
from mlassist.heads import Head
from mlassist.models import ModelVersion


@dataclass(frozen=True, slots=True)
class Pool:
    """Item ids and their features; `sorter` sorts the ids."""

    ids: np.ndarray
    features: np.ndarray
    sorter: np.ndarray

    @classmethod
    def of(cls, project: Project, backbone: str | None = None) -> "Pool":
        """Load what a backbone makes of the project's images; its own, unless another is named."""
        ids, features = embeddings.load(project, backbone)
        return cls(ids, features, np.argsort(ids))

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (rows, positions in `items`) of the items that have an embedding."""
        if not len(self.ids) or not len(items):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        place = np.minimum(np.searchsorted(self.ids, items, sorter=self.sorter), len(self.ids) - 1)
        rows = self.sorter[place]
        known = np.flatnonzero(self.ids[rows] == items)
        return rows[known], known

    def labeled(self, project: Project, answers: Answers) -> tuple[np.ndarray, list[tuple[int, ...]]]:
        """Return rows and classes of the answers that can be learned from or judged by.

        In a multi-label project no class is an answer too. What is undecided stays so.
        """
        multilabel = project.task_type == Project.TaskType.MULTILABEL
        in_use = set(LabelClass.objects.filter(project=project, retired_at=None).values_list("id", flat=True))
        rows, known = self.find(answers.items)
        usable, labels = [], []
        for row, place in zip(rows, known, strict=True):
            given = answers.labels[place]
            classes = given if given == UNDECIDED else tuple(label for label in given if label in in_use)
            if multilabel or len(classes) == 1:
                usable.append(row)
                labels.append(classes)
        return np.array(usable, np.int64), labels


def store_head(project: Project, head: Head, name: str) -> str:
    return default_storage.save(f"heads/{project.pk}/{name}.npz", ContentFile(head.to_bytes()))


def load_head(version: ModelVersion) -> Head:
    with default_storage.open(version.head) as stored:
        return Head.from_bytes(stored.read())
