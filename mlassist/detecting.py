"""One round for boxes and outlines, in a process of its own: teach, validate, look at the pool.

    python -m mlassist.detecting --job 12

What is done of a long teaching is kept, so that a killed process goes on where it was, with the answers that
were there when it began.
"""

import argparse
import json
import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

if __name__ == "__main__":
    import django

    django.setup()

import torch
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from labeling import answers, concord, images
from labeling.answers import Answers
from labeling.models import Item, Job, LabelClass, Project
from mlassist import crops, doubting, embedding, loop, meanings, objects, runs, versions
from mlassist.autolabel import untaught
from mlassist.autolabel.looking import CannotLook
from mlassist.backbones import loading
from mlassist.backbones.loading import bundled_stages
from mlassist.custom import recipes
from mlassist.custom.recipes import Recipe
from mlassist.detectors import catalog, storing, teaching
from mlassist.detectors.looking import Seen
from mlassist.detectors.storing import HeldOut, Ready
from mlassist.detectors.teaching import Labeled, Lesson, Rival, Taught
from mlassist.models import ModelVersion, Run
from mlassist.runs import Step
from mlassist.triggers import withdrawn_answers

MOST_IMAGES = 3_000  # taught from at once, so that their pixels fit into memory
AT_A_TIME = 64  # images that are looked at between two queries
TUNED_FROM = 100  # images: before, the next model comes soon and the head alone is there in minutes
BACKBONE = "bundled"
NOTE = "answers.json"  # in the folder of a teaching: what it began with


class NothingToLearn(Exception):
    """Why no detector can be made, in a sentence for people."""


def do_round(job: Job) -> None:
    """Teach a detector if there is something new, judge it on the blind answers, and let it propose."""
    project = job.project
    assert project is not None
    version = versions.newest(project)
    if version is None or is_worth_teaching(project, version, job):
        with runs.recorded(project, job, Run.Kind.TRAINING, total=1) as step:
            version = teach(project, step)
    ready = load(version)
    with runs.recorded(project, job, Run.Kind.VALIDATION, total=1, version=version) as step:
        blind = objects.judge(project, version, ready, look_at, step)
        concord.measure(project, concord.answers_by_item(project))
    with runs.recorded(project, job, Run.Kind.INFERENCE, total=1, version=version) as step:
        objects.propose(project, version, ready, blind, look_at, load, step)
        crops.ask(project, version, partial(embed_crops, project), step)


def is_worth_teaching(project: Project, version: ModelVersion, job: Job) -> bool:
    """Tell whether to teach anew: it takes minutes, and another target or a few answers need no new model."""
    if job.pk and Run.objects.filter(job=job, kind=Run.Kind.TRAINING, state=Run.State.DONE).exists():
        return False  # it was interrupted afterwards
    if job.created_by_id is not None:  # somebody asked for it
        return objects.has_news(project, version)
    if meanings.is_outdated(version):
        return True
    return loop.news(project, version) >= loop.step_after(project, version)


def teach(project: Project, step: Step) -> ModelVersion:
    """Teach a detector from all answers that may be learned from, and keep it as a model version."""
    withdrawn, meaning = withdrawn_answers(project), meanings.today(project)
    recipe = recipes.in_use(project)
    given = answers.training(project)
    classes = classes_of(project, recipe)
    folder = runs.workplace(project)
    given = as_begun(folder, given, classes, step.row.job_id)
    material = Material.of(project, given, classes, recipe, step.say)
    begin(folder, given, material.annotations, classes, recipe, step.row.job_id)
    lesson = lesson_of(project, material, classes, recipe, folder)
    if not recipe.family and not recipe.classes:  # else all models are made like the chosen one
        lesson = replace(lesson, rival=untaught.compete(project, material, classes, folder, look_at, step))
    taught = teaching.teach(lesson, step.say, step.progress)
    step.metrics = measures(taught, material.items)
    if recipe.title:
        step.metrics["chosen"] = recipe.title
    name = store(project, taught, classes, material.items)
    version = versions.add(
        project,
        given,
        backbone=BACKBONE,
        head=name,
        classes=classes,
        metrics=step.metrics,
        withdrawn=withdrawn,
        embedded=objects.readable(project),
        meaning=meaning,
    )
    step.row.model_version = version
    step.say(f"Model {version.number}: {taught.kind}")
    if taught.seen:
        items = [material.items[place] for place in taught.places]
        truth = [material.labeled.truth[place] for place in taught.places]
        doubting.rank_objects(project, items, [each.found for each in taught.seen], truth)
    shutil.rmtree(folder, ignore_errors=True)
    return version


def classes_of(project: Project, recipe: Recipe) -> list[int]:
    """Return the ids of the classes that a detector learns, in the project's order."""
    in_use = LabelClass.objects.filter(project=project, retired_at=None).order_by("position")
    return recipe.among(list(in_use.values_list("id", flat=True)))


@dataclass(frozen=True, slots=True)
class Material:
    """What a detector is taught from: images with what people drew, their items and answers."""

    labeled: Labeled
    items: list[int]
    annotations: list[int]

    @classmethod
    def of(
        cls,
        project: Project,
        given: Answers,
        classes: Sequence[int],
        recipe: Recipe,
        say: Callable[[str], None],
    ) -> "Material":
        """Read the images of answers, as many as fit into memory. Raises NothingToLearn."""
        rng = np.random.default_rng(project.seed % 2**32)
        chosen = np.sort(rng.permutation(len(given))[:MOST_IMAGES])
        truth = objects.drawn(project, given, classes)
        pictures = dict(read(given.items[chosen].tolist()))
        places = [at for at in chosen.tolist() if int(given.items[at]) in pictures]
        known = np.unique(np.concatenate([truth[at].classes for at in places] or [np.zeros(0, int)]))
        drawn = sum(len(truth[at]) for at in places)
        say(f"{len(places)} images with {drawn} objects of {len(known)} classes")
        if len(places) < teaching.FEWEST_IMAGES or not len(known):
            raise NothingToLearn(
                f"A detector needs {teaching.FEWEST_IMAGES} answered images with objects on some of them."
            )
        items = [int(given.items[at]) for at in places]
        labeled = Labeled.of([pictures[each] for each in items], [truth[at] for at in places], recipe.closer)
        return cls(labeled, items, given.annotations[places].tolist())


def lesson_of(
    project: Project, material: Material, classes: Sequence[int], recipe: Recipe, folder: Path
) -> Lesson:
    masks = project.task_type == Project.TaskType.SEGMENTATION
    return Lesson(
        material.labeled,
        len(classes),
        bundled_stages(),
        masks=masks,
        seed=project.seed % 2**31,
        tuned=len(material.items) >= TUNED_FROM or bool(recipe.family),
        pretrained=tuple(catalog.offers(masks=masks)),
        kind=recipe.family,
        folder=folder,
    )


def as_begun(folder: Path, given: Answers, classes: Sequence[int], job: int | None) -> Answers:
    """Return the answers that a job's interrupted teaching has begun with, as long as they all stand.

    People go on answering while a detector is taught: what came later is for the next one.
    """
    note = note_of(folder)
    if note.get("job") != job or note.get("classes") != list(classes):
        return given
    earlier = given.among(note["annotations"])
    return earlier if len(earlier) == len(note["annotations"]) else given


def begin(
    folder: Path, given: Answers, learned: list[int], classes: Sequence[int], recipe: Recipe, job: int | None
) -> None:
    """Note what is taught, and forget what is left of teaching anything else."""
    what = {
        "classes": list(classes),
        "annotations": given.annotations.tolist(),
        "learned": learned,
        "kind": recipe.family,
        "closer": recipe.closer,
    }
    before = note_of(folder)
    if {name: before.get(name) for name in what} != what:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "answers.part"
    part.write_text(json.dumps({"job": job, **what}))
    part.replace(folder / NOTE)


def note_of(folder: Path) -> dict[str, Any]:
    """Return what was noted when the teaching in a folder began, nothing when there is none."""
    try:
        found = json.loads((folder / NOTE).read_text())
    except (OSError, ValueError):
        return {}
    return dict(found)


def measures(taught: Taught, items: Sequence[int]) -> dict[str, object]:
    """Return what is told of a detector before blind answers have judged it."""
    count = len(taught.places) or len(items)
    found: dict[str, object] = {"labels": count, "head": taught.kind, "candidates": taught.candidates}
    if taught.quality is not None:
        found |= {"out_of_fold": asdict(taught.quality)}
        found |= {"out_of_fold_accuracy": round(1 - float(np.mean(taught.losses)), 4)}
    if isinstance(taught.finder, Rival):
        found |= {name: taught.finder.told[name] for name in ("engine", "trial")}
    return found


def store(project: Project, taught: Taught, classes: list[int], items: Sequence[int]) -> str:
    """Keep a detector as a file in storage; returns its name."""
    found, held = taught.finder, held_out(taught, items)
    if isinstance(found, Rival):
        data = storing.untaught_to_bytes(taught.kind, found.told, found.model, taught.scoring, classes, held)
    else:
        data = storing.to_bytes(taught.kind, found, taught.ruler, taught.scoring, classes, held)
    name = f"detectors/{project.pk}/{uuid.uuid4().hex}.safetensors"
    return default_storage.save(name, ContentFile(data))


def held_out(taught: Taught, items: Sequence[int]) -> HeldOut:
    """Return how each image fared while it was held out; nothing where too few were there for that."""
    return HeldOut(
        [items[place] for place in taught.places],
        [round(each, 4) for each in taught.losses],
        [round(taught.scoring.confidence(each), 4) for each in taught.seen],
        taught.strict,
    )


def load(version: ModelVersion) -> Ready:
    """Return a version ready to look. Raises CannotLook where what it looks by is no longer here."""
    data = contents(version.head)
    noted = storing.notes(data)
    if "untaught" not in noted:
        return storing.from_bytes(data, bundled_stages())
    model = storing.untaught_model(data)
    return storing.ready(noted, untaught.kept(version.project, noted["untaught"], model, noted["classes"]))


def stored(name: str) -> Ready:
    """Return a taught detector that lies in storage."""
    return storing.from_bytes(contents(name), bundled_stages())


def contents(name: str) -> bytes:
    with default_storage.open(name) as file:
        return file.read()


def read(items: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (item id, pixels) of those images that can be read."""
    rows = Item.objects.select_related("source").in_bulk(list(items))

    def pixels(pk: int) -> tuple[int, np.ndarray | None]:
        try:
            return pk, np.asarray(images.open_upright(rows[pk]))
        except images.BrokenImage:
            return pk, None

    with ThreadPoolExecutor(embedding.cores()) as pool:
        for pk, found in pool.map(pixels, items):
            if found is not None:
                yield pk, found


def look_at(
    ready: Ready, items: Sequence[int], sign_of_life: Callable[[int], None]
) -> Iterator[tuple[int, Seen]]:
    """Yield (item id, what a detector finds); unreadable images are left out."""
    rows = Item.objects.select_related("source")
    lanes = 1 if ready.look.takes_all_cores else embedding.cores()
    threads = embedding.cores() // lanes

    def one(item: Item) -> tuple[int, Seen | None]:
        try:
            return item.pk, ready.look.at(np.asarray(images.open_upright(item)))
        except images.BrokenImage:
            return item.pk, None

    done = 0
    with ThreadPoolExecutor(lanes, initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        for start in range(0, len(items), AT_A_TIME):
            chunk = rows.filter(pk__in=items[start : start + AT_A_TIME]).order_by("id")
            for pk, seen in pool.map(one, list(chunk)):
                done += 1
                sign_of_life(done)
                if seen is not None:
                    yield pk, seen


def embed_crops(project: Project, found: Sequence[crops.Candidate]) -> np.ndarray:
    """Return what the project's backbone makes of each object, zeros where its image cannot be read."""
    try:
        backbone = loading.load(project.backbone)
    except loading.CannotLoad:
        backbone = loading.load(BACKBONE)
    rows = Item.objects.select_related("source").in_bulk({each.item for each in found})

    # Objects of an image follow each other, and each lane is at another image.
    @lru_cache(maxsize=2 * embedding.cores())
    def picture(item: int) -> Image.Image:
        return images.open_upright(rows[item])

    def open_crop(at: int) -> Image.Image | None:
        try:
            whole = picture(found[at].item)
        except images.BrokenImage:
            return None
        seen = whole.crop(images.window(found[at].bbox, whole.width, whole.height))
        return seen.resize((backbone.side, backbone.side), Image.Resampling.BILINEAR, reducing_gap=2.0)

    vectors = np.zeros((len(found), backbone.dimension), np.float32)
    for places, _, made in embedding.embed(backbone, range(len(found)), open_crop):
        vectors[places] = made
    return vectors


def main() -> None:
    parser = argparse.ArgumentParser(description="Do one round of a project with boxes or outlines.")
    parser.add_argument("--job", type=int, required=True)
    job = Job.objects.select_related("project").get(pk=parser.parse_args().job)
    runs.end_when_told()
    try:
        do_round(job)
    except (NothingToLearn, CannotLook) as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
