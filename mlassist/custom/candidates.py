"""Candidates for classes of whole images: heads, on the features of one backbone or another. For workers."""

import time
import uuid
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from labeling import answers
from labeling.answers import Answers
from labeling.models import Item, Project
from mlassist import embedding, finetuning, heads, lessons, survey, training
from mlassist.autolabel import examples
from mlassist.backbones import catalog
from mlassist.custom import held_out, recipes, ways, workplaces
from mlassist.custom.recipes import Recipe
from mlassist.models import BackboneOffer, Candidate, TunedBackbone
from mlassist.pool import Pool, store_head
from mlassist.predictions import Predictions, chosen
from mlassist.runs import Step
from mlassist.training import Learned, NothingToLearn

OTHERS = 500  # unlabeled images that tell how features are spread

Found = list[dict[str, object]]


def make(candidate: Candidate, step: Step) -> None:
    """Train a candidate, and note what it is worth and costs. Raises NothingToLearn."""
    project = candidate.custom_model.project
    began = time.monotonic()
    given = answers.training(project)
    recipe = recipes.of(candidate)
    if candidate.way == ways.TUNED:
        candidate.backbone = tune(candidate, given, recipe, step)
    learned = learn(candidate, given, recipe, step)
    candidate.seconds = time.monotonic() - began
    head = learned.fit.head
    right = rightness(learned)
    candidate.right = right
    candidate.metrics = {
        **held_out.figures(right),
        "head": head.kind,
        "loss": round(learned.fit.loss, 4),
        "labels": len(learned.rows),
    }
    offer = BackboneOffer.objects.filter(name=candidate.backbone).first()
    candidate.pace = offer.images_per_second if offer else None
    candidate.megabytes = offer.megabytes if offer else None
    candidate.model = store_head(project, head, uuid.uuid4().hex)


def learn(candidate: Candidate, given: Answers, recipe: Recipe, step: Step) -> Learned:
    project, backbone = candidate.custom_model.project, candidate.backbone
    if backbone != project.backbone:
        others = examples.presentable(project).values_list("pk", flat=True)[:OTHERS]
        pool = looked_at(project, backbone, np.union1d(given.items, np.array(others, np.int64)), step)
        return training.learn(project, pool, given, recipe, step.say, backbone=backbone)
    pool = Pool.of(project)
    graph = partial(training.neighbours, project, pool)
    fit = partial(training.learn, project, pool, given, say=step.say, backbone=backbone, graph=graph)
    if candidate.way == ways.OTHER_HEAD:
        candidate.kind = other_family(fit(recipe=Recipe(classes=recipe.classes)))
        recipe = recipes.of(candidate)
    return fit(recipe=recipe)


def other_family(learned: Learned) -> str:
    """Return the best kind of head that the winner is neither of nor made of, as a mixture is of two."""
    winner = learned.fit.head.kind
    families: dict[str, float] = {}
    for each in learned.fit.candidates:
        family = heads.family_of(str(each["name"]))
        families[family] = min(float(each["loss"]), families.get(family, np.inf))
    own = heads.family_of(winner)
    apart = {family: loss for family, loss in families.items() if family not in winner and family != own}
    left = apart or {family: loss for family, loss in families.items() if family != own}
    if not left:
        raise NothingToLearn("There is one kind of head only that can learn from these labels.")
    return min(left, key=lambda family: left[family])


def rightness(learned: Learned) -> dict[str, float]:
    """Return 1 or 0 by item for each label that was held out and given without a proposal."""
    seen = Predictions.from_probabilities(learned.fit.head, learned.fit.out_of_fold)
    right = ~seen.wrong(learned.labels)
    judged = np.flatnonzero(learned.unprompted)
    return {str(int(learned.items[at])): float(right[at]) for at in judged}


def looked_at(project: Project, backbone: str, items: np.ndarray, step: Step | None = None) -> Pool:
    """Return what a backbone that is not the project's makes of some images; unreadable ones are left out."""
    from mlassist.backbones import loading

    survey.look_at(catalog.find(backbone))  # so that it can be chosen, and its speed is known
    network = loading.load(backbone)
    rows = list(Item.objects.select_related("source").filter(pk__in=items.tolist()).order_by("pk"))
    ids: list[int] = []
    vectors = [np.empty((0, network.dimension), np.float32)]
    for embedded, _, made in embedding.embed_items(network, rows):
        ids += embedded
        vectors.append(made)
        if step is not None:
            step.progress(len(ids), len(rows))
    order = np.array(ids, np.int64)
    return Pool(order, np.concatenate(vectors), np.argsort(order))


# Fine-tuned


def tune(candidate: Candidate, given: Answers, recipe: Recipe, step: Step) -> str:
    """Fine-tune the backbone on four fifths of the labels; returns the name of what came of it.

    The other fifth stays unseen: it is what the candidate is measured on.
    """
    from mlassist.backbones import loading, tuning

    project = candidate.custom_model.project
    base = catalog.base_of(candidate.backbone)
    network = loading.load(base)
    items, targets, folds = as_begun(candidate, given, recipe, finetuning.most_labels(base))
    folder = workplaces.of(candidate)
    # A slice of the work does not end here, but a stop must be heard.
    pictures, readable = lessons.pictures(items, network, folder / "pictures.npy", lambda: None)
    rows = np.flatnonzero(readable & (folds != 0))
    multilabel = project.task_type == Project.TaskType.MULTILABEL
    student = tuning.Tuning(
        network, pictures, targets, rows, epochs=finetuning.EPOCHS, multilabel=multilabel, seed=0
    )
    checkpoint = folder / "student"
    if checkpoint.exists():
        student.restore(tuning.Trial.from_bytes(checkpoint.read_bytes()).student or {})
    while student.epoch < finetuning.EPOCHS:
        loss = student.learn()
        step.say(f"Epoch {student.epoch}: loss {loss:.3f}")
        step.progress(student.epoch, finetuning.EPOCHS)
        part = checkpoint.with_suffix(".part")
        part.write_bytes(tuning.Trial(student=student.state()).to_bytes())
        part.replace(checkpoint)
    note = folder / "name"  # the same after a restart, so that no other is left behind
    if not note.exists():
        note.write_text(f"tuned/{project.pk}/{step.row.pk}")
    name = note.read_text()
    TunedBackbone.objects.update_or_create(
        name=name, defaults={"project": project, "base": base, "learned_from": items[rows].tolist()}
    )
    default_storage.delete(catalog.stored_name(name))
    default_storage.save(catalog.stored_name(name), ContentFile(student.to_bytes()))
    survey.look_at(catalog.find(name))
    return name


def as_begun(
    candidate: Candidate, given: Answers, recipe: Recipe, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what is learned from, the same after a restart: people go on labeling meanwhile."""
    kept = workplaces.of(candidate) / "lesson.npz"
    if not kept.exists():
        part = kept.with_suffix(".part.npz")
        np.savez(part, *to_learn(candidate.custom_model.project, given, recipe, most))
        part.replace(kept)
    with np.load(kept) as begun:
        items, targets, folds = (begun[name] for name in begun.files)
    return items, targets, folds


def to_learn(
    project: Project, given: Answers, recipe: Recipe, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (items, targets, folds) of up to `most` answers. Raises NothingToLearn."""
    pool = Pool.of(project)
    rows, labels = lessons.drawn(project, pool, given, most)
    labels = recipe.seen(labels, answers.UNDECIDED)
    if project.task_type != Project.TaskType.MULTILABEL:
        labels = [each or (heads.NO_CLASS,) for each in labels]
    targets, folds = lessons.divided(project, labels)
    if not folds.max():
        raise NothingToLearn("Fine-tuning needs two classes or more, with several labels each.")
    return pool.ids[rows], targets, folds


# Looking


def look(candidate: Candidate, items: Sequence[int]) -> Iterator[tuple[int, Found]]:
    """Yield (item id, what a candidate says of it)."""
    project = candidate.custom_model.project
    wanted = np.array(items, np.int64)
    own = candidate.backbone == project.backbone
    pool = Pool.of(project) if own else looked_at(project, candidate.backbone, wanted)
    with default_storage.open(candidate.model) as stored:
        head = heads.Head.from_bytes(stored.read())
    rows, known = pool.find(wanted)
    seen = Predictions.of(head, pool.features[rows])
    for place, (at, classes) in enumerate(zip(known.tolist(), chosen(seen), strict=True)):
        sure = seen.sure[seen.starts[place] : seen.starts[place + 1]].tolist()
        yield items[at], [{"class": c, "confidence": round(p, 4)} for c, p in zip(classes, sure, strict=True)]
