"""What a whole project costs people until every image is done at 95 %: Loupe beside the usual ways.

    python -m tests.benchmarks.effort --data cifar10.zip --items 5000

Loupe is the running product (`manage.py up`), labeled over the HTTP API by somebody who knows the answers and
takes the time that people take; two members share the work, so that samples can be asked again. The other
ways are replayed on the same embeddings with the same heads, and the same times:

everything   a person labels every image by itself
confirm      Azure ML: after each model, images above the threshold whose sample accuracy is 95 % come with a
             proposal to confirm in grids; a person still sees every image
naive        Ground Truth's documented rule: a validation set of 20 % (10 % from 5,000 images), labels in
             batches, and after each all images above the lowest threshold with 95 % right are labeled

Seconds: 2.5 for an image by itself; in a grid 0.35 to look at one, and 2 more to correct it.
The last line is one JSON object: per way `seconds_per_item`, `by_hand` (share of images that a person labeled
alone or corrected) and `error` (share of wrong labels at the end); `ratio` is Loupe's time to everything's.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import loop
from tests.benchmarks.loop import Labeler, say

SINGLE, LOOK, CORRECT = 2.5, 0.35, 2.0
GOAL = 0.95
BATCH = 0.1  # of the images, between two models of the other ways
FEWEST_BATCH = 100
IDLE_LOOKS = 20


class Person(Labeler):
    """Labels as people do, and keeps the time."""

    seconds = 0.0
    by_hand = 0

    def submit(self, page: dict[str, Any], truth: dict[int, int]) -> None:
        items = page["items"]
        proposed = [self.proposal(item) for item in items]
        prompted = page["kind"] in ("clustered", "prelabeled")
        for item, proposal in zip(items, proposed, strict=True):
            right = prompted and proposal == truth[item["id"]]
            self.seconds += LOOK if right else LOOK + CORRECT if prompted else SINGLE
            self.by_hand += not right
        super().submit(page, truth)

    @staticmethod
    def proposal(item: dict[str, Any]) -> int | None:
        suggestion = item["suggestion"] or {}
        regions = suggestion.get("regions") or []
        return regions[0]["class"] if len(regions) == 1 else None

    def finish(self, truth: dict[int, int]) -> None:
        """Label until the queue stays empty."""
        looks = 0
        while looks < IDLE_LOOKS:
            page = self.call("POST", f"projects/{self.project}/pages/", json={"size": 9})
            if page is None:
                loop.wait_until(self.is_idle, "A training round", 300)
                time.sleep(0.5)
                looks += 1
                continue
            looks = 0
            self.submit(page, truth)
            self.let_it_train()

    def let_it_train(self) -> None:
        """Wait for whatever the loop has to do: people take longer for a page than a round takes."""
        super().let_it_train()
        if self.is_due():
            loop.wait_until(lambda: self.is_idle() and not self.is_due(), "A training round", 300)

    def is_due(self) -> bool:
        from labeling.models import Project
        from mlassist.loop import round_is_due
        from mlassist.versions import newest

        project = Project.objects.get(pk=self.project)
        version = newest(project)
        return version is not None and round_is_due(project, version)


def loupe(address: str, images: Path, target: float, promise: str) -> tuple[dict[str, Any], "Pool"]:
    """Let the product and its people finish a project; returns what it took, and its embeddings."""
    from labeling.models import Annotation, Item, Project
    from mlassist import pool as pools
    from mlassist.models import Run

    person = Person(address)
    person.open_project(images, target, "accept", promise)
    count = loop.wait_until(lambda: loop.is_embedded(person.look()), "The embedding of all images")
    truth = loop.truth_of(person.project)
    say(f"{count} images embedded; labeling until all are done")
    person.finish(truth)
    project = Project.objects.get(pk=person.project)
    items = dict(Item.objects.filter(project=project).values_list("id", "current_annotation"))
    labels = dict(
        Annotation.objects.filter(pk__in=filter(None, items.values())).values_list(
            "item_id", "regions__label_class"
        )
    )
    auto = Annotation.objects.filter(project=project, source="auto", withdrawn_at=None).count()
    say(f"pages by kind: {dict(person.by_kind)}; {auto} auto labels; {person.look()['items']}")
    for run in Run.objects.filter(project=project, kind=Run.Kind.VALIDATION).order_by("id"):
        for line in run.log.splitlines():
            if "ertificate" in line:
                say(f"run {run.pk}: {line}")
    seen = pools.Pool.of(project)
    return (
        {
            "seconds_per_item": person.seconds / len(items),
            "by_hand": person.by_hand / len(items),
            "error": sum(labels.get(item) != truth[item] for item in items) / len(items),
            "auto": auto / len(items),
        },
        Pool(seen.features, np.array([truth[item] for item in seen.ids.tolist()])),
    )


class Pool:
    """Embeddings with their right answers."""

    def __init__(self, features: np.ndarray, truth: np.ndarray) -> None:
        self.features, self.truth = features, truth

    def model(self, known: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (answers, confidence) for all images of the best head on known rows."""
        from mlassist import heads
        from mlassist.predictions import Predictions

        labels = [(int(label),) for label in self.truth[known]]
        fit = heads.train(self.features[known], labels, self.features, seed=seed)
        seen = Predictions.of(fit.head, self.features)
        return seen.classes[seen.top], seen.confidence


def lowest_threshold(right: np.ndarray, confidence: np.ndarray) -> float:
    """Return the lowest threshold above which the sample is right often enough; inf without one."""
    order = np.argsort(-confidence)
    rate = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(rate >= GOAL)
    return float(confidence[order][good[-1]]) if len(good) else np.inf


def replayed(pool: Pool, seed: int, *, accepts: bool) -> dict[str, Any]:
    """Finish a project by the naive rule, either labeling by itself or with a person who confirms."""
    rng = np.random.default_rng(seed)
    count = len(pool.truth)
    order = rng.permutation(count)
    validation = order[: round((0.2 if count < 5_000 else 0.1) * count)]
    labels, done = pool.truth.copy(), np.zeros(count, bool)
    done[validation] = True
    seconds, by_hand = SINGLE * len(validation), len(validation)
    learned = np.empty(0, int)
    batch = max(FEWEST_BATCH, round(BATCH * count))
    while not done.all():
        asked = rng.permutation(np.flatnonzero(~done))[:batch]
        done[asked] = True
        learned = np.append(learned, asked)
        seconds, by_hand = seconds + SINGLE * len(asked), by_hand + len(asked)
        said, confidence = pool.model(learned, seed)
        threshold = lowest_threshold(said[validation] == pool.truth[validation], confidence[validation])
        sure = np.flatnonzero(~done & (confidence >= threshold))
        done[sure] = True
        if accepts:
            labels[sure] = said[sure]
        else:
            wrong = int((said[sure] != pool.truth[sure]).sum())
            seconds, by_hand = seconds + LOOK * len(sure) + CORRECT * wrong, by_hand + wrong
    return {
        "seconds_per_item": seconds / count,
        "by_hand": by_hand / count,
        "error": float((labels != pool.truth).mean()),
    }


def mean_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="ZIP with one folder per class")
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--promise", choices=("each", "whole"), default="each", help="what Loupe promises")
    parser.add_argument("--seeds", type=int, default=3, help="replays of the other ways")
    parser.add_argument("--quick", action="store_true", help="400 images: shows that it works, and no more")
    options = parser.parse_args()
    if options.quick:
        options.items, options.seeds = min(options.items, 400), 1
    if options.data and not options.data.exists():
        sys.exit(f"There is no {options.data}.")
    home = Path(tempfile.mkdtemp(prefix="loupe-effort-"))
    try:
        with loop.services(home) as address:
            images = loop.choose(options.data, options.items, home)
            ours, pool = loupe(address, images, 1 - GOAL, options.promise)
            ways: dict[str, Callable[[int], dict[str, Any]]] = {
                "confirm": lambda seed: replayed(pool, seed, accepts=False),
                "naive": lambda seed: replayed(pool, seed, accepts=True),
            }
            found = {"loupe": ours, "everything": {"seconds_per_item": SINGLE, "by_hand": 1.0, "error": 0.0}}
            for name, way in ways.items():
                found[name] = mean_of([way(seed) for seed in range(options.seeds)])
                say(f"{name}: {found[name]}")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    line: dict[str, Any] = {
        "data": options.data.stem if options.data else "digits",
        "items": len(pool.truth),
        "promise": options.promise,
        "ratio": round(ours["seconds_per_item"] / SINGLE, 4),
    }
    line |= {name: {key: round(value, 4) for key, value in each.items()} for name, each in found.items()}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
