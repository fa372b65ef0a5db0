"""A custom model in a process of its own: train the candidates, then let them speak of the same images.

    python -m mlassist.custom.work --job 12

A candidate that is done is never trained again: a killed process goes on with the next one.
"""

import argparse
import logging
import os
import shutil
import sys
from types import ModuleType

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

if __name__ == "__main__":
    import django

    django.setup()

import numpy as np
from django.db import OperationalError, transaction
from django.utils import timezone

from labeling.models import Item, Job
from mlassist import runs
from mlassist.autolabel import examples
from mlassist.custom import candidates, differing, workplaces
from mlassist.models import Candidate, CustomModel, Round, Run

ROUNDS = 5
COMPARED, COMPARED_SHAPES = 200, 40  # images among which those are sought on which candidates differ

log = logging.getLogger(__name__)


class NoCandidate(Exception):
    """Why there is nothing to choose from, in a sentence for people."""


def do(job: Job) -> None:
    made = CustomModel.objects.select_related("project").get(pk=job.payload["custom_model"])
    todo = list(made.candidates.filter(model="", problem=""))
    before = made.candidates.count() - len(todo)
    for done, candidate in enumerate(todo, before):
        candidate.custom_model = made
        Job.objects.filter(pk=job.pk).update(done=done, total=before + len(todo))
        train(candidate, job)
    compare(made)


def train(candidate: Candidate, job: Job) -> None:
    """Train a candidate as a visible run; what it cannot learn is noted, and the others go on."""
    made = candidate.custom_model
    maker = module_of(made)
    try:
        with runs.recorded(made.project, job, Run.Kind.CANDIDATE, total=1) as step:
            Job.objects.filter(pk=job.pk).update(message=candidate.title)
            step.say(candidate.title)
            maker.make(candidate, step)
            step.metrics = {"head": candidate.title, **candidate.metrics}
    except OperationalError:
        raise
    except Exception as error:
        log.exception("Candidate %s could not be trained.", candidate.pk)
        candidate.problem = str(error) or type(error).__name__
    candidate.save()
    shutil.rmtree(workplaces.of(candidate), ignore_errors=True)


def module_of(made: CustomModel) -> ModuleType:
    """Return the module that trains a project's kind of candidates, and looks at images with them."""
    if made.project.is_classification:
        return candidates
    from mlassist.custom import detectors

    return detectors


def compare(made: CustomModel) -> None:
    """Find the images on which the candidates differ most, and keep what each says there."""
    ready = list(made.candidates.exclude(model=""))
    if not ready:
        problems = " ".join(dict.fromkeys(each.problem for each in made.candidates.all()))
        raise NoCandidate(f"None of the candidates could be trained. {problems}")
    said: dict[int, dict[int, candidates.Found]] = {}
    if len(ready) > 1:
        most = COMPARED if made.project.is_classification else COMPARED_SHAPES
        waiting = examples.presentable(made.project).filter(state=Item.State.UNLABELED)
        items = list(waiting.values_list("pk", flat=True)[:most])
        for candidate in ready:
            candidate.custom_model = made
            for item, found in module_of(made).look(candidate, items):
                said.setdefault(item, {})[candidate.pk] = found
    heard = {item: each for item, each in said.items() if len(each) == len(ready)}
    with transaction.atomic():
        Round.objects.bulk_create(
            Round(
                custom_model=made,
                number=number,
                item_id=item,
                order=shuffled([each.pk for each in ready], made.pk, number),
                found={str(candidate): found for candidate, found in heard[item].items()},
            )
            for number, item in enumerate(differing.most_different(heard, ROUNDS), 1)
        )
        CustomModel.objects.filter(pk=made.pk).update(compared_at=timezone.now())


def shuffled(ids: list[int], *seed: int) -> list[int]:
    """Return ids in another order in each round: nobody is to know a candidate by its place."""
    return [ids[at] for at in np.random.default_rng(seed).permutation(len(ids))]


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the candidates of a custom model.")
    parser.add_argument("--job", type=int, required=True)
    job = Job.objects.select_related("project").get(pk=parser.parse_args().job)
    runs.end_when_told()
    try:
        do(job)
    except NoCandidate as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main()
