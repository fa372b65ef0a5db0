"""Candidates for boxes and outlines: detectors, each taught in its own way. Imports torch: workers only."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from django.core.files.storage import default_storage

from labeling import answers
from mlassist import detecting, meanings, objects
from mlassist.custom import held_out, recipes, workplaces
from mlassist.custom.candidates import Found
from mlassist.detectors import teaching
from mlassist.models import Candidate
from mlassist.runs import Step
from mlassist.triggers import withdrawn_answers

TIMED = 8  # images on which its pace is measured


def make(candidate: Candidate, step: Step) -> None:
    """Teach a candidate, and note what it is worth and costs. Raises NothingToLearn."""
    project = candidate.custom_model.project
    began = time.monotonic()
    recipe = recipes.of(candidate)
    withdrawn, meaning = withdrawn_answers(project), meanings.today(project)
    classes = detecting.classes_of(project, recipe)
    folder = workplaces.of(candidate)
    given = detecting.as_begun(folder, answers.training(project), classes, step.row.job_id)
    material = detecting.Material.of(project, given, classes, recipe, step.say)
    detecting.begin(folder, given, material.annotations, classes, recipe, step.row.job_id)
    lesson = detecting.lesson_of(project, material, classes, recipe, folder)
    taught = teaching.teach(lesson, step.say, step.progress)
    candidate.seconds = time.monotonic() - began
    candidate.model = detecting.store(project, taught, classes, material.items)
    candidate.megabytes = default_storage.size(candidate.model) / 1e6
    losses = zip(taught.places, taught.losses, strict=True)
    candidate.right = {str(material.items[place]): round(1 - loss, 4) for place, loss in losses}
    candidate.metrics = {
        **held_out.figures(candidate.right),
        **detecting.measures(taught, material.items),
        "ap50": None if taught.quality is None else round(taught.quality.ap50, 4),
        "classes": classes,
        "made_from": {
            "labels": len(given),
            "revision": given.revision,
            "withdrawn": withdrawn,
            "meaning": meaning,
            "embedded": objects.readable(project),
        },
    }
    if taught.quality is not None:
        candidate.metrics["out_of_fold"] = asdict(taught.quality)
    timed = time.monotonic()
    seen = list(look(candidate, material.items[:TIMED]))
    candidate.pace = len(seen) / (time.monotonic() - timed)


def look(candidate: Candidate, items: Sequence[int]) -> Iterator[tuple[int, Found]]:
    """Yield (item id, what a candidate shows of it)."""
    ready = detecting.stored(candidate.model)
    for item, seen in detecting.look_at(ready, items, lambda done: None):
        yield item, ready.regions(seen.found)
