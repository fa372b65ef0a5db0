"""One round of the loop in a process of its own: train, validate, infer. Needs no torch.

    python -m mlassist.training --job 12

A process of its own can be killed, cancelled or run out of memory without taking a worker along.
"""

import argparse
import logging
import os
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

if __name__ == "__main__":
    import django

    django.setup()

from django.db.models import Q

from clustering import index
from labeling import answers
from labeling.answers import Answers
from labeling.models import Annotation, Job, Project
from mlassist import doubting, heads, inference, meanings, ordering, runs, validation, versions
from mlassist.autolabel import rivals
from mlassist.custom import recipes
from mlassist.custom.recipes import Recipe
from mlassist.finetuning import learned_from
from mlassist.heads import propagation
from mlassist.models import Run
from mlassist.pool import Pool, store_head
from mlassist.trained import Trained
from mlassist.triggers import withdrawn_answers

IN_BULK = 0.9  # of a label that was looked at by itself

log = logging.getLogger(__name__)


class NothingToLearn(Exception):
    """Why no model can be made, in a sentence for people."""


def do_round(job: Job) -> None:
    """Train a head, judge it on the blind labels, and let it propose for the whole pool."""
    project = job.project
    assert project is not None
    pool = Pool.of(project)
    with runs.recorded(project, job, Run.Kind.TRAINING, total=2) as step:
        trained = train(project, pool, step)
    with runs.recorded(project, job, Run.Kind.VALIDATION, total=2, version=trained.version) as step:
        validation.judge(project, pool, trained, step)
        step.say(f"{doubting.rank(project, pool, trained)} labels looked at for likely errors")
    with runs.recorded(project, job, Run.Kind.INFERENCE, total=len(pool), version=trained.version) as step:
        inference.propose(project, pool, trained, step)


@dataclass(frozen=True, slots=True)
class Learned:
    """A head with the rows of the pool that it has learned from, their items and classes, and which of them
    may judge it.
    """

    fit: heads.Fit
    rows: np.ndarray
    items: np.ndarray
    labels: list[tuple[int, ...]]
    unprompted: np.ndarray


def train(project: Project, pool: Pool, step: runs.Step) -> Trained:
    """Fit the best head to all answers that may be learned from, and keep it as a model version.

    Where a model was chosen, the best of its kind.
    """
    withdrawn, meaning = withdrawn_answers(project), meanings.today(project)
    recipe = recipes.in_use(project)
    given = answers.training(project)
    graph = partial(neighbours, project, pool)
    learned = learn(project, pool, given, recipe, step.say, backbone=project.backbone, graph=graph)
    fit = learned.fit
    step.progress(1)
    step.metrics = {
        "labels": len(learned.rows),
        "head": fit.head.kind,
        "out_of_fold_accuracy": round(fit.accuracy, 4),
        "out_of_fold_loss": round(fit.loss, 4),
        "temperature": round(fit.head.temperature, 3),
        "candidates": fit.candidates,
        **({"chosen": recipe.title} if recipe.title else {}),
    }
    name = store_head(project, fit.head, uuid.uuid4().hex)
    version = versions.add(
        project,
        given,
        backbone=project.backbone,
        head=name,
        classes=fit.head.classes.tolist(),
        metrics=step.metrics,
        withdrawn=withdrawn,
        embedded=len(pool),
        meaning=meaning,
    )
    step.row.model_version = version
    step.say(f"Model {version.number}: {fit.head.kind}")
    return Trained(version, fit.head, fit.out_of_fold, learned.rows, learned.labels, learned.unprompted)


def learn(
    project: Project,
    pool: Pool,
    given: Answers,
    recipe: Recipe,
    say: Callable[[str], None],
    *,
    backbone: str,
    graph: Callable[[np.ndarray, int], heads.Neighbours | None] = lambda rows, classes: None,
) -> Learned:
    """Fit a head by a recipe to answers, on the features that `backbone` makes of the pool.

    Raises NothingToLearn.
    """
    multilabel = project.task_type == Project.TaskType.MULTILABEL
    rows, labels = pool.labeled(project, given)
    labels = recipe.seen(labels, answers.UNDECIDED)
    say(f"{len(given)} labels from people, {len(rows)} of them on the {len(pool)} embedded images")
    if not len(rows):
        raise NothingToLearn("None of the labels belongs to an image that the backbone has looked at yet.")
    if not any(labels):
        raise NothingToLearn("No image has a class yet. Label some to which a class applies.")
    if len(set(labels)) < 2 and not multilabel:
        raise NothingToLearn("All labels so far are of one class. Label some images of another class too.")
    # What a fine-tuned backbone has learned from looks easy to any head on it.
    easy = np.concatenate([prompted(project), learned_from(backbone), rivals.shown(project)])
    unprompted = ~np.isin(pool.ids[rows], easy)
    fit = heads.train(
        pool.features[rows],
        labels if multilabel else [each or (heads.NO_CLASS,) for each in labels],
        pool.features,
        graph=graph(rows, len(set(labels))),
        judged=unprompted,
        rival=rivals.head(project) if backbone == project.backbone and not recipe.classes else None,
        counts=np.where(np.isin(pool.ids[rows], in_bulk(project)), IN_BULK, 1.0),
        family=recipe.family,
        multilabel=multilabel,
        seed=project.seed % 2**32,
        report=say,
    )
    return Learned(fit, rows, pool.ids[rows], labels, unprompted)


def neighbours(project: Project, pool: Pool, rows: np.ndarray, classes: int) -> heads.Neighbours | None:
    """Return the graph over which the labels of `rows` can spread; None where that does not pay."""
    multilabel = project.task_type == Project.TaskType.MULTILABEL
    if multilabel or not propagation.pays(len(rows), classes, len(pool)):
        return None
    graph = index.graph(project, pool.features)
    return heads.Neighbours.of(graph.rows, graph.cosines, rows)


def prompted(project: Project) -> np.ndarray:
    """Return the items whose label a person gave while seeing a proposal, or together with look-alikes.

    Those are the easy ones.
    """
    shown = Annotation.objects.filter(
        Q(suggestion_visible=True) | Q(source=Annotation.Source.BULK),
        project=project,
        withdrawn_at=None,
        counted=True,
    )
    return np.fromiter(shown.values_list("item_id", flat=True), np.int64)


def in_bulk(project: Project) -> np.ndarray:
    """Return the items that a person labeled together with others, at a glance."""
    given = Annotation.objects.filter(
        project=project, source=Annotation.Source.BULK, withdrawn_at=None, counted=True
    )
    return np.fromiter(given.values_list("item_id", flat=True), np.int64)


def order_first(job: Job) -> None:
    """Order the queue before there is a model: typical images first."""
    project = job.project
    assert project is not None
    pool = Pool.of(project)
    placed = ordering.place_typical(project, pool)
    Job.objects.filter(pk=job.pk).update(done=placed, total=placed, message=f"Ordered {len(pool)} images")


def main() -> None:
    parser = argparse.ArgumentParser(description="Do one round of a project's learning loop.")
    parser.add_argument("--job", type=int, required=True)
    job = Job.objects.select_related("project").get(pk=parser.parse_args().job)
    runs.end_when_told()
    try:
        {"round": do_round, "order": order_first}[job.kind](job)
    except NothingToLearn as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
