"""What a try of fine-tuning learns from and is compared on: labels, folds, pictures."""

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labeling import answers, images, jobs
from labeling.answers import Answers
from labeling.models import Item, Project
from mlassist import embedding

if TYPE_CHECKING:
    from mlassist.backbones.loading import Backbone
    from mlassist.pool import Pool

Labels = list[tuple[int, ...]]
PICTURES_AT_A_TIME = 64


@dataclass(slots=True)
class Lesson:
    """The same for all slices of a try.

    `frozen` (n,) is how right the frozen backbone's head is, out of fold; `judged` marks the rows to compare.
    """

    items: np.ndarray
    targets: np.ndarray
    folds: np.ndarray
    frozen: np.ndarray
    judged: np.ndarray

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(self, name) for name in self.__slots__})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Lesson":
        with np.load(io.BytesIO(data)) as arrays:
            return cls(**{name: arrays[name] for name in cls.__slots__})


def make(project: Project, most: int, folds_tried: int, learned_before: np.ndarray) -> Lesson:
    """Choose up to `most` labels to learn from, and measure the frozen backbone on them.

    Items `learned_before` by the backbone in use, and those labeled in sight of a proposal, are not judged.
    Raises JobFailed when there is too little to learn from.
    """
    # Here: SciPy has no place in the web process.
    from mlassist import heads, training
    from mlassist.pool import Pool

    pool = Pool.of(project)
    rows, labels = drawn(project, pool, answers.training(project), most)
    if not any(labels):
        raise jobs.JobFailed("No image that the backbone has looked at has a label with a class.")
    multilabel = project.task_type == Project.TaskType.MULTILABEL
    targets, folds = divided(project, labels)
    if folds.max() + 1 < folds_tried:
        raise jobs.JobFailed("Fine-tuning needs two classes or more, with several labels each.")
    fit = heads.train(
        pool.features[rows], labels, pool.features, multilabel=multilabel, seed=project.seed % 2**32
    )
    known = np.concatenate([training.prompted(project), learned_before])
    return Lesson(
        items=pool.ids[rows],
        targets=targets,
        folds=folds,
        frozen=rightness(fit.out_of_fold, targets, multilabel),
        judged=~np.isin(pool.ids[rows], known),
    )


def drawn(project: Project, pool: "Pool", given: Answers, most: int) -> tuple[np.ndarray, Labels]:
    """Draw up to `most` answers about images of a pool; returns (rows, labels)."""
    rows, labels = pool.labeled(project, given)
    rng = np.random.default_rng(project.seed % 2**32)
    chosen = np.sort(rng.permutation(len(rows))[:most])
    return rows[chosen], [labels[at] for at in chosen]


def divided(project: Project, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Return (targets, folds): a column for each class, and which part of the labels each belongs to."""
    from mlassist import heads

    targets = heads.one_hot(labels, np.unique([label for row in labels for label in row]))
    multilabel = project.task_type == Project.TaskType.MULTILABEL
    return targets, heads.assign_folds(targets, multilabel, int(project.seed % 2**32))


def rightness(probabilities: np.ndarray, targets: np.ndarray, multilabel: bool) -> np.ndarray:
    """Return (n,) the share of each row that is right: 0 or 1 for one class, per class for several."""
    if multilabel:
        return ((probabilities > 0.5) == (targets > 0.5)).mean(1)
    return (probabilities.argmax(1) == targets.argmax(1)).astype(float)


def pictures(
    wanted: np.ndarray, backbone: "Backbone", kept: Path, still_wanted: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures of wanted items as the backbone takes them, and which of them could be read.

    They are kept in a file. `still_wanted` is called now and then and may raise.
    """
    note = kept.with_suffix(".readable.npy")
    if not kept.exists():
        items = Item.objects.select_related("source").in_bulk(wanted.tolist())

        def picture(pk: int) -> np.ndarray | None:
            try:
                return backbone.prepare(images.open_upright(items[pk], at_least=backbone.side))
            except images.BrokenImage:
                return None

        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.part")
        shape = (len(wanted), backbone.side, backbone.side, 3)
        made = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        readable = np.zeros(len(wanted), bool)
        with ThreadPoolExecutor(embedding.cores()) as pool:
            for start in range(0, len(made), PICTURES_AT_A_TIME):
                still_wanted()
                chunk = wanted[start : start + PICTURES_AT_A_TIME].tolist()
                for at, pixels in enumerate(pool.map(picture, chunk), start):
                    if pixels is not None:
                        made[at], readable[at] = pixels, True
        made.flush()
        np.save(note, readable)
        part.replace(kept)
    return np.load(kept, mmap_mode="r"), np.load(note)
