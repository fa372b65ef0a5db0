"""What to make of the bundled network's maps: which stages, pooled, rooted, whitened, seen how large.

    python -m tests.benchmarks.recipe --data ../shared/data

Starts from the recipe in use, changes one factor at a time, then combines the changes that helped, and at
last sees the best combination at every size with and without its mirror image, which is what costs time.
Each recipe is a line of JSON: `probe` has the accuracies of linear probes and `purity` those of ten
neighbours, `probe_gain` and `purity_gain` the mean difference to the recipe in use, `milliseconds` the time
for one image from file to vector on all cores. The last line ranks them all by `probe_gain`; `pareto` has
those that no other beats in both gain and time.

Whitening learns its axes from all images of a data set, and from no label. The images of CIFAR-10 that
tests.benchmarks.backbone tests with are left out, so that its figures are not those that chose the recipe;
the other sets are too small for that. Blood cells are few: a difference below 0.01 there means nothing.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import datasets
from tests.benchmarks.backbone import DATA, rounded, say
from tests.benchmarks.datasets import Photos

TIMED = 1_024
REPEATS = 3
SEEDS, SPLITS = 2, 5  # of the probes: many recipes are compared
BEST = 10
COMBINED = 3  # factors whose changes are combined in all ways
Cost = tuple[int, bool]  # side and whether mirrored, which alone decide the time
KINDS = ("mean", "max", "cubic")  # cubic: the generalised mean with p = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """A recipe: from maps to vectors."""

    stages: tuple[int, ...]
    cells: int  # pooled as a whole (1), or in each field of a grid of so many rows and columns
    pooling: tuple[str, ...]
    power: float  # of every feature, its sign kept
    whitening: tuple[int, bool] | None  # axes kept, and whether small ones are held back
    mirrored: bool
    side: int


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of a choice."""

    choice: Choice
    dimension: int
    milliseconds: float
    probe: dict[str, float]
    purity: dict[str, float]

    def gain(self, over: "Row") -> float:
        return float(np.mean([self.probe[name] - over.probe[name] for name in self.probe]))

    def purity_gain(self, over: "Row") -> float:
        return float(np.mean([self.purity[name] - over.purity[name] for name in self.purity]))


@dataclass(frozen=True, slots=True)
class Trial:
    """A data set, and its probes by name."""

    photos: Photos
    probes: dict[str, Callable[[np.ndarray], float]]


# One factor each: fields of Choice with their values. The value in use is tried once.
FACTORS: dict[str, list[dict[str, Any]]] = {
    "stages": [
        {"stages": (4,), "cells": 1},
        {"stages": (3, 4), "cells": 1},
        {"stages": (2, 3, 4), "cells": 1},
        {"stages": (4,), "cells": 2},
    ],
    "pooling": [{"pooling": each} for each in (("mean",), ("mean", "max"), ("cubic",))],
    "power": [{"power": each} for each in (1.0, 0.5, 0.25)],
    "whitening": [{"whitening": each} for each in (None, *itertools.product((128, 256), (False, True)))],
    "mirrored": [{"mirrored": each} for each in (False, True)],
    "side": [{"side": each} for each in (64, 80, 96, 112, 128)],
}
COSTLY = ("mirrored", "side")


class Eyes:
    """The bundled network; what it sees is kept per data set, size and direction."""

    def __init__(self) -> None:
        import torch

        from mlassist.backbones import loading

        self.dtype = torch.bfloat16 if loading.has_bfloat16("cpu") else torch.float32
        stages = loading.bundled_stages()
        self.network = stages.to(memory_format=torch.channels_last).to(dtype=self.dtype).eval()
        self.seen: dict[tuple[str, int, bool], dict[tuple[int, int, str], np.ndarray]] = {}

    def backbone(self, side: int) -> Any:
        """Return what prepares pixels as the product does, at any size."""
        from mlassist.backbones import loading

        return loading.Backbone("bundled", "", self.network, loading.Recipe(side), 0, self.dtype, "cpu")

    def look(self, name: str, photos: Photos, side: int, mirrored: bool) -> dict[tuple[int, int, str], Any]:
        """Return (n, width) float16 by (stage, cells, kind of pooling), computed once."""
        from mlassist import embedding

        key = (name, side, mirrored)
        if key not in self.seen:
            backbone, opened = self.backbone(side), datasets.decoder(side)

            def work(rows: range) -> dict[tuple[int, int, str], np.ndarray]:
                pixels = np.stack([backbone.prepare(opened(photos.files[row])) for row in rows])
                return self.pooled(backbone, pixels[:, :, ::-1].copy() if mirrored else pixels)

            parts = list(embedding.in_lanes(work, len(photos), backbone.use_one_thread))
            self.seen[key] = {block: np.concatenate([part[block] for part in parts]) for block in parts[0]}
        return self.seen[key]

    def pooled(self, backbone: Any, pixels: np.ndarray) -> dict[tuple[int, int, str], np.ndarray]:
        """Pool the maps of a batch in every way that a choice may ask for."""
        import torch

        found = {}
        with torch.inference_mode():
            maps = self.network(backbone.pixels(pixels))
            for stage, cells in ((2, 1), (3, 1), (4, 1), (4, 2)):
                for kind in KINDS:
                    block = pool(maps[stage - 1].float(), kind, cells).flatten(1)
                    found[stage, cells, kind] = block.half().numpy()
        return found

    def vectors(self, name: str, photos: Photos, choice: Choice) -> np.ndarray:
        """Return one row of length one per image."""
        views = [
            self.look(name, photos, choice.side, view) for view in ((False, True)[: 1 + choice.mirrored])
        ]
        total = np.zeros(1, np.float32)
        for view in views:
            blocks = [view[stage, choice.cells, kind] for stage in choice.stages for kind in choice.pooling]
            features = np.concatenate(blocks, 1).astype(np.float32)
            total = total + of_length_one(np.sign(features) * np.abs(features) ** choice.power)
        merged = of_length_one(total)
        return merged if choice.whitening is None else whitened(merged, *choice.whitening)

    def milliseconds(self, photos: Photos, factors: dict[str, list[dict[str, Any]]]) -> dict[Cost, float]:
        """Return the time per image from file to pooled maps on all cores, for every (side, mirrored).

        They take turns, so that what slows the machine for a while slows all; the first turn warms up.
        """
        import torch

        from mlassist import embedding

        def work(rows: range, side: int, mirrored: bool) -> None:
            backbone, opened = self.backbone(side), datasets.decoder(side)
            pixels = np.stack([backbone.prepare(opened(photos.files[row])) for row in rows])
            both = np.concatenate([pixels, pixels[:, :, ::-1]]) if mirrored else pixels
            with torch.inference_mode():
                for each in self.network(backbone.pixels(both)):
                    each.mean((2, 3))

        sides = {value["side"] for value in factors["side"]} | {in_use().side}
        taken: dict[Cost, list[float]] = {
            cost: [] for cost in itertools.product(sorted(sides), (False, True))
        }
        for _ in range(1 + REPEATS):
            for (side, mirrored), turns in taken.items():
                at_this = partial(work, side=side, mirrored=mirrored)
                started = time.perf_counter()
                list(embedding.in_lanes(at_this, len(photos), self.backbone(side).use_one_thread))
                turns.append(1e3 * (time.perf_counter() - started) / len(photos))
        return {cost: statistics.median(turns[1:]) for cost, turns in taken.items()}


def pool(maps: Any, kind: str, cells: int) -> Any:
    """Return (n, width, cells, cells)."""
    from torch.nn import functional

    if kind == "max":
        return functional.adaptive_max_pool2d(maps, cells)
    if kind == "cubic":
        return functional.adaptive_avg_pool2d(maps.clamp(min=0) ** 3, cells) ** (1 / 3)
    return functional.adaptive_avg_pool2d(maps, cells)


def of_length_one(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def whitened(rows: np.ndarray, keep: int, held_back: bool) -> np.ndarray:
    """Give the principal axes of the rows equal weight.

    Held back, an axis gets the less of it the further its variance is below the mean of all.
    """
    centred = rows - rows.mean(0)
    variances, axes = np.linalg.eigh(centred.T @ centred / len(rows))
    floor = variances.mean() if held_back else 1e-9
    best = slice(len(variances) - keep, None)
    return of_length_one(centred @ axes[:, best] / np.sqrt(np.maximum(variances[best], 0) + floor))


def trials(data: Path, quick: bool) -> dict[str, Trial]:
    """Return the data sets that are there, with their probes."""
    from tests.benchmarks import probes

    seeds, splits = (1, 1) if quick else (SEEDS, SPLITS)
    digits = datasets.digits()
    digits = digits.some(160) if quick else digits
    photos = datasets.cifar10(data, 24 if quick else None)
    cells, both = datasets.blood(data), datasets.nuclei_or_blood(data)
    found = {}
    if photos is not None:
        kept = photos.at(probes.for_learning(photos.truth))
        found["cifar10"] = Trial(
            kept, {"cifar10_1000": lambda seen: probes.learning(seen, kept.truth, 1_000, seeds)}
        )
    found["digits"] = Trial(
        digits,
        {"digits": lambda seen: probes.split_accuracy(seen, digits.truth, digits.group, 500, splits)},
    )
    if cells is not None:
        blood = cells.some(80) if quick else cells
        found["bccd"] = Trial(
            blood,
            {
                "bccd_presence": lambda seen: probes.presence(
                    seen, blood.truth, blood.classes, blood.group, splits
                )["mean_average_precision"]
            },
        )
    if both is not None:
        tiles = datasets.grey_tiles(both, 60 if quick else 800)
        found["tiles"] = Trial(
            tiles,
            {
                "nuclei_vs_bccd_tiles": lambda seen: probes.split_accuracy(
                    seen, tiles.truth, tiles.group, 100, splits
                )
            },
        )
    return found


def measure(eyes: Eyes, sets: dict[str, Trial], costs: dict[Cost, float], choice: Choice) -> Row:
    """Return the figures of one choice on all data sets."""
    from tests.benchmarks import probes

    accuracies: dict[str, float] = {}
    purities: dict[str, float] = {}
    dimension = 0
    for name, trial in sets.items():
        seen = eyes.vectors(name, trial.photos, choice)
        dimension = seen.shape[1]
        accuracies |= {each: probe(seen) for each, probe in trial.probes.items()}
        purities[name] = probes.purity(seen, trial.photos.truth)
    return Row(choice, dimension, costs[choice.side, choice.mirrored], accuracies, purities)


def in_use() -> Choice:
    """Return the product's recipe."""
    from mlassist.backbones import loading

    own = loading.OWN
    stages = tuple(range(5 - loading.OWN_STAGES, 5))
    return Choice(stages, 1, ("mean",), 0.5 if own.root else 1.0, None, False, own.side)


class Search:
    """Measures each choice once, and says so."""

    def __init__(self, measure: Callable[[Choice], Row], start: Choice) -> None:
        self.measure = measure
        self.rows: dict[Choice, Row] = {}
        self.start = start
        self.try_out(start, "in use")

    def try_out(self, choice: Choice, step: str) -> float:
        """Return the gain of a choice over the one in use."""
        if choice not in self.rows:
            self.rows[choice] = row = self.measure(choice)
            print(json.dumps({"step": step, **self.line(row)}), flush=True)
        return self.gain(choice)

    def gain(self, choice: Choice) -> float:
        return self.rows[choice].gain(self.rows[self.start])

    def line(self, row: Row) -> dict[str, Any]:
        start = self.rows[self.start]
        figures = {"probe_gain": row.gain(start), "purity_gain": row.purity_gain(start)}
        return rounded({**asdict(row.choice), **figures, **without_choice(row)})

    def run(self, factors: dict[str, list[dict[str, Any]]]) -> None:
        changes: dict[str, dict[str, Any]] = {}
        for factor, values in factors.items():
            changes[factor] = max(
                values, key=lambda value: self.try_out(replace(self.start, **value), factor)
            )
        helping = [
            factor
            for factor in factors
            if factor not in COSTLY and self.gain(replace(self.start, **changes[factor])) > 0
        ]
        helping.sort(key=lambda factor: -self.gain(replace(self.start, **changes[factor])))
        for count in range(2, COMBINED + 1):
            for several in itertools.combinations(helping[:COMBINED], count):
                together = {field: value for each in several for field, value in changes[each].items()}
                self.try_out(replace(self.start, **together), "+".join(several))
        best = max((choice for choice in self.rows if self.costs_as_the_start(choice)), key=self.gain)
        for pair in itertools.product(*(factors[factor] for factor in COSTLY)):
            seen = {field: value for each in pair for field, value in each.items()}
            self.try_out(replace(best, **seen), "+".join(COSTLY))

    def costs_as_the_start(self, choice: Choice) -> bool:
        return (choice.side, choice.mirrored) == (self.start.side, self.start.mirrored)

    def pareto(self) -> list[Row]:
        """Return rows that no other beats in both gain and time, the fastest first."""
        found: list[Row] = []
        for row in sorted(self.rows.values(), key=lambda row: (row.milliseconds, -self.gain(row.choice))):
            if not found or self.gain(row.choice) > self.gain(found[-1].choice):
                found.append(row)
        return found


def without_choice(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("dimension", "milliseconds", "probe", "purity")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the archives")
    parser.add_argument("--quick", action="store_true", help="few images: shows that it works, and no more")
    options = parser.parse_args()
    datasets.set_up()
    eyes, sets = Eyes(), trials(options.data, options.quick)
    say(", ".join(f"{len(trial.photos):,} images of {name}" for name, trial in sets.items()))
    factors = FACTORS
    if options.quick:
        few: dict[str, list[dict[str, Any]]] = {
            "whitening": [{"whitening": None}, {"whitening": (32, True)}],
            "side": [{"side": 64}],
        }
        factors = FACTORS | few
    timed = next(iter(sets.values())).photos.some(TIMED // 16 if options.quick else TIMED)
    costs = eyes.milliseconds(timed, factors)
    say("time per image measured; now what each recipe is worth")
    search = Search(lambda choice: measure(eyes, sets, costs, choice), in_use())
    search.run(factors)
    ranked = sorted(search.rows.values(), key=lambda row: -search.gain(row.choice))
    print(
        json.dumps(
            {
                "quick": options.quick,
                "in_use": search.line(search.rows[search.start]),
                "ranking": [search.line(row) for row in ranked[:BEST]],
                "pareto": [search.line(row) for row in search.pareto()],
            }
        )
    )


if __name__ == "__main__":
    main()
