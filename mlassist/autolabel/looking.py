"""Models ready to look at images, whatever they are. For workers: what needs torch is imported here late."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from django.core.files.storage import default_storage

from clustering import embeddings, index
from labeling import answers
from labeling.models import Item, Project
from mlassist import heads
from mlassist.autolabel import calibration, engines, examples, prototypes, sentences, thresholds
from mlassist.heads import Head, propagation
from mlassist.models import Trial
from mlassist.pool import Pool, load_head
from mlassist.training import prompted

Region = dict[str, Any]
Found = list[Region] | None  # None where the image cannot be read


class CannotLook(Exception):
    """Why a model cannot be used here, in a sentence for people."""


class Engine(Protocol):
    """A model as the page and the run use it. It says all that it finds, down to `thresholds.FLOOR`."""

    def look(self, items: Sequence[int]) -> Iterator[tuple[int, Found]]:
        """Yield (item id, what is found there), in any order; images that it cannot know are left out."""
        ...

    def to_bytes(self) -> bytes:
        """Return what is to be kept of it, so that it is the same later; empty where its name says all."""
        ...


class Locating(Engine, Protocol):
    """A model of boxes or outlines."""

    takes_all_cores: bool  # for one image; others look at one image on each

    def find(self, picture: np.ndarray) -> list[Region]:
        """Return regions {class, confidence, bbox | polygon} of pixels (h, w, 3) uint8."""
        ...

    def boxes(self, picture: np.ndarray) -> list[Region]:
        """Return the same before outlines are drawn."""
        ...


@dataclass(frozen=True, slots=True)
class Seeing:
    """A head on what a backbone makes of images, of which the project has no embeddings."""

    head: Head
    backbone: str

    def look(self, items: Sequence[int]) -> Iterator[tuple[int, Found]]:
        from mlassist import embedding
        from mlassist.backbones import loading

        try:
            network = loading.load(self.backbone)
        except loading.CannotLoad as error:
            raise CannotLook(str(error)) from error
        rows = list(Item.objects.select_related("source").filter(pk__in=list(items)))
        for seen, unreadable, vectors in embedding.embed_items(network, rows):
            for item, chances in zip(seen, self.head.probabilities(vectors), strict=True):
                yield item, regions_of(chances, self.head.classes)
            yield from ((item, None) for item in unreadable)

    def to_bytes(self) -> bytes:
        return self.head.to_bytes()


@dataclass(frozen=True, slots=True)
class Scored:
    """A head on embeddings that the project has of its images; where there is none yet, it looks itself."""

    head: Head
    pool: Pool
    backbone: str

    def look(self, items: Sequence[int]) -> Iterator[tuple[int, Found]]:
        wanted = np.array(items, np.int64)
        rows, known = self.pool.find(wanted)
        chances = self.head.probabilities(self.pool.features[rows])
        for item, row in zip(wanted[known].tolist(), chances, strict=True):
            yield item, regions_of(row, self.head.classes)
        if len(known) < len(wanted):
            yield from Seeing(self.head, self.backbone).look(np.delete(wanted, known).tolist())

    def to_bytes(self) -> bytes:
        return self.head.to_bytes()

    def spread(self, items: np.ndarray) -> dict[int, list[int]]:
        """Return how many of some images have each class with each confidence."""
        rows, _ = self.pool.find(items)
        chances = self.head.probabilities(self.pool.features[rows])
        return thresholds.spread(chances, self.head.classes.tolist(), exclusive=not self.head.multilabel)


def regions_of(chances: np.ndarray, classes: np.ndarray) -> list[Region]:
    """Return classes of a whole image with their confidence, the surest first."""
    order = np.argsort(-chances, kind="stable")
    return [
        {"class": int(classes[column]), "confidence": round(float(chances[column]), 4)}
        for column in order
        if chances[column] >= thresholds.FLOOR
    ]


_ready: dict[tuple[int, ...], Engine] = {}  # by trial and what is seen of its images: the last one


def ready(trial: Trial) -> Engine:
    """Return the model of a trial, the same each time. Raises CannotLook."""
    key = (trial.pk, *seen_so_far(trial.project))
    if key not in _ready:
        _ready.clear()
        _ready[key] = load(trial, model_of(trial)) if trial.model else make(trial)
    return _ready[key]


def seen_so_far(project: Project) -> tuple[int, ...]:
    """Return what tells apart the embeddings that a project has at different times."""
    if not project.is_classification:
        return ()
    return embeddings.set_of(project).pk, embeddings.count(project)


def model_of(trial: Trial) -> bytes:
    """Return what was kept of a trial's model."""
    with default_storage.open(trial.model) as stored:
        return stored.read()


def make(trial: Trial) -> Engine:
    project = trial.project
    kind = trial.engine.partition("/")[0]
    if kind == engines.EXAMPLES and project.is_classification:
        return by_example(trial)
    if kind == engines.EXAMPLES:
        from mlassist.autolabel import located

        return located.by_example(trial)
    if kind == "version":
        return own_model(trial)
    if kind == "hub":
        return of_hub(trial)
    raise CannotLook(sentences.NO_SUCH_MODEL % {"name": trial.engine})


def load(trial: Trial, data: bytes) -> Engine:
    if not trial.project.is_classification and trial.engine.startswith("hub/"):
        return of_hub(trial, data)
    if not trial.project.is_classification:
        from mlassist.autolabel import located

        return located.load(trial, data)
    head = Head.from_bytes(data)
    if trial.engine.startswith("hub/"):
        from mlassist.autolabel import hub

        return hub.seen_by(head, trial.project, trial.engine)
    if trial.engine.startswith("version/"):
        return own_model(trial)
    return Scored(head, Pool.of(trial.project), trial.project.backbone)


def by_example(trial: Trial) -> Scored:
    """Return a head made of the examples that a trial has noted."""
    project = trial.project
    pool = Pool.of(project)
    labels: dict[int, tuple[int, ...]] = {}
    for each in trial.examples:
        labels[each["item"]] = (*labels.get(each["item"], ()), each["class"])
    rows, known = pool.find(np.array(list(labels), np.int64))
    given = [labels[list(labels)[at]] for at in known]
    if not given:
        raise CannotLook(sentences.NO_EXAMPLES)
    multilabel = project.task_type == Project.TaskType.MULTILABEL
    if not multilabel and any(len(set(each)) > 1 for each in given):
        raise CannotLook(sentences.TWO_CLASSES)
    try:
        head = prototypes.taught(
            pool.features[rows],
            given,
            pool.features,
            neighbours(project, pool, rows, given, multilabel=multilabel),
            multilabel=multilabel,
            seed=project.seed % 2**32,
        )
    except ValueError as error:
        raise CannotLook(str(error)) from error
    return Scored(as_sure_as_right(head, project, pool), pool, project.backbone)


def as_sure_as_right(head: Head, project: Project, pool: Pool) -> Head:
    """Return a head that is as sure as people's labels say it may be, where there are some.

    Those that it has seen, as an example or as a proposal of a model, do not tell.
    """
    given = answers.training(project).without(np.concatenate([examples.items(project), prompted(project)]))
    rows, labels = pool.labeled(project, given)
    return calibration.calibrated(head, pool.features[rows], labels)


def neighbours(
    project: Project, pool: Pool, rows: np.ndarray, labels: Sequence[tuple[int, ...]], *, multilabel: bool
) -> heads.Neighbours | None:
    """Return the graph over which few examples spread; None where that does not pay."""
    if multilabel or not propagation.pays(len(rows), len(set(labels)), len(pool)):
        return None
    graph = index.graph(project, pool.features)
    return heads.Neighbours.of(graph.rows, graph.cosines, rows)


def own_model(trial: Trial) -> Engine:
    """Return a model that the project's labels have taught."""
    try:
        version = engines.version_of(trial.project, trial.engine)
    except engines.NoSuchModel as error:
        raise CannotLook(str(error)) from error
    if trial.project.is_classification:
        return Scored(load_head(version), Pool.of(trial.project, version.backbone), version.backbone)
    from mlassist.autolabel import detected

    return detected.Taught(version)


def of_hub(trial: Trial, kept: bytes = b"") -> Engine:
    """Return a model of images and words that lies on this machine; `kept` is what was kept of a detector."""
    try:
        from mlassist.autolabel import hub
    except ImportError as error:
        raise CannotLook(sentences.NO_TRANSFORMERS) from error

    name = trial.engine.removeprefix("hub/")
    if trial.project.is_classification:
        return hub.classifier(trial, name)
    return hub.detector(trial, name, kept)


def timed(engine: Engine, items: Sequence[int]) -> tuple[list[tuple[int, Found]], float]:
    """Return what is found on images, and the seconds that each took."""
    began = time.monotonic()
    found = list(engine.look(items))
    return found, (time.monotonic() - began) / max(1, len(items))
