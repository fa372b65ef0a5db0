"""Teaching a detector: its head alone on kept maps in minutes, then everything together.

A head that fits already keeps the first steps from spoiling what pre-training has learned (LP-FT, Kumar et
al. 2022, arXiv 2202.10054). Batch norms are folded into the convolutions before, so that a few images cannot
upset their statistics.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mlassist.backbones.lanes import Lanes
from mlassist.backbones.loading import has_bfloat16
from mlassist.backbones.recipe import DEVIATION, MEAN
from mlassist.detectors.network import Detector, normalised, padded
from mlassist.detectors.scaling import MOST_PIXELS
from mlassist.detectors.views import GREY, Example, pieces, targets, view
from mlassist.detectors.zoo import Pretrained

BATCH = 8
VIEW_SIDE = 384
HEAD_RATE = 1e-3  # of AdamW while the backbone rests
TUNING_RATE = 5e-4  # of the head while it does not
BACKBONE_FACTOR = 0.2  # of the head's rate
WEIGHT_DECAY = 0.05
CLIP = 10.0
AVERAGED = 0.998  # of the running mean of all weights, which is what is used
WARM_UP = 60  # steps
GROUPS_OF_HEAD = 2  # of weights: those that decay, and those that do not
KEEP_EVERY = 60.0  # seconds between checkpoints
MOST_KEPT_BYTES = 3_000_000_000  # of maps
FEWEST_VIEWS, VIEWS_EACH, MOST_VIEWS = 1_600, 30, 8_000
FEWEST_TUNED, TUNED_EACH, MOST_TUNED = 2_400, 30, 16_000

Report = Callable[[int, int, float], None]  # (steps done, in all, mean loss of late)
Finder = Detector | Pretrained


@dataclass(frozen=True, slots=True)
class Plan:
    """How many steps the head learns by itself, and how many everything learns together."""

    head: int
    tuning: int

    @classmethod
    def of(cls, examples: int, *, tuned: bool, share: float = 1.0) -> "Plan":
        """Return the usual plan for so many images; `share` of it for a comparison."""
        head = min(max(VIEWS_EACH * examples, FEWEST_VIEWS), MOST_VIEWS)
        tuning = min(max(TUNED_EACH * examples, FEWEST_TUNED), MOST_TUNED) if tuned else 0
        return cls(round(share * head / BATCH), round(share * tuning / BATCH))

    @property
    def steps(self) -> int:
        return self.head + self.tuning


class Average:
    """The running mean of a network's weights (EMA)."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.weights = {name: each.detach().clone() for name, each in network.state_dict().items()}
        self.steps = 0

    @torch.no_grad()
    def add(self, network: torch.nn.Module) -> None:
        self.steps += 1
        decay = min(AVERAGED, (1 + self.steps) / (10 + self.steps))
        for name, each in network.state_dict().items():
            if each.is_floating_point():
                self.weights[name].lerp_(each, 1 - decay)


class Training:
    """A detector while it learns; `report` is called all the time and may raise."""

    def __init__(
        self,
        detector: Finder,
        examples: Sequence[Example],
        plan: Plan,
        *,
        seed: int,
        report: Report = lambda done, total, loss: None,
        checkpoint: Path | None = None,
    ) -> None:
        self.detector, self.plan, self.seed = detector, plan, seed
        self.examples = [piece for each in examples for piece in pieces(each, MOST_PIXELS)]
        self.report, self.checkpoint = report, checkpoint
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.half = has_bfloat16(self.device)
        self.masks = detector.has_masks
        self.step, self.late = 0, 0.0
        self.kept_at = time.monotonic()
        detector.to(memory_format=torch.channels_last).to(self.device)
        self.average = Average(detector)
        self.optimizer = self.optimizer_for(tuned=False)

    def run(self, *, keep: bool = False) -> Finder:
        """Learn to the end of the plan; returns the detector with the running mean of its weights.

        `keep` leaves the checkpoint where it is.
        """
        self.resume()
        with one_thread(), Lanes(self.device) as lanes:
            self.learn_head(lanes)
            self.tune(lanes)
        if self.checkpoint is not None and not keep:
            self.checkpoint.unlink(missing_ok=True)
        return self.averaged()

    def at_rest(self) -> Finder:
        """Teach the head by itself; returns a copy of the detector as it is then."""
        self.resume()
        with one_thread(), Lanes(self.device) as lanes:
            self.learn_head(lanes)
        return self.averaged()

    def averaged(self) -> Finder:
        copied = copy.deepcopy(self.detector)
        copied.load_state_dict(self.average.weights)
        return copied.eval()

    def learn_head(self, lanes: Lanes) -> None:
        if self.step >= self.plan.head:
            return
        assert isinstance(self.detector, Detector)
        self.detector.stages.requires_grad_(False)
        kept = Kept.of(self.detector, self.examples, self.autocast, lanes)
        while self.step < self.plan.head:
            rng = np.random.default_rng([self.seed, self.step])
            chosen = rng.integers(len(kept), size=BATCH)
            mean_loss = partial(self.loss_of_kept, kept, chosen)
            self.advance(lanes, mean_loss, HEAD_RATE, self.step / self.plan.head)

    def tune(self, lanes: Lanes) -> None:
        if not self.optimizer_is_for_tuning:
            self.optimizer = self.optimizer_for(tuned=True)
        side = min(VIEW_SIDE, *padded(largest(self.examples)))
        order: list[int] = []
        while self.step < self.plan.steps:
            rng = np.random.default_rng([self.seed, self.step])
            while len(order) < BATCH:
                order += rng.permutation(len(self.examples)).tolist()
            chosen, order = order[:BATCH], order[BATCH:]
            seeds = rng.integers(2**32, size=BATCH)
            mean_loss = partial(self.loss_of_views, chosen, seeds, side)
            done = (self.step - self.plan.head) / self.plan.tuning
            self.advance(lanes, mean_loss, TUNING_RATE, done)

    def advance(
        self, lanes: Lanes, mean_loss: Callable[[slice], torch.Tensor], rate: float, done: float
    ) -> None:
        start = 0 if self.step < self.plan.head else self.plan.head
        warm = min(1.0, (self.step - start + 1) / WARM_UP)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"] * warm * (0.5 + 0.5 * math.cos(math.pi * done) + 0.01)
        self.optimizer.zero_grad()
        loss = lanes.learn(BATCH, mean_loss)
        torch.nn.utils.clip_grad_norm_(self.learned, CLIP)
        self.optimizer.step()
        self.average.add(self.detector)
        self.step += 1
        self.late = loss if self.late == 0 else 0.95 * self.late + 0.05 * loss
        self.report(self.step, self.plan.steps, self.late)
        if self.checkpoint is not None and time.monotonic() - self.kept_at > KEEP_EVERY:
            self.keep()

    def loss_of_kept(self, kept: "Kept", chosen: np.ndarray, part: slice) -> torch.Tensor:
        losses = []
        for place in chosen[part]:
            maps, target, size = kept.maps[place], kept.targets[place], kept.sizes[place]
            with self.autocast():
                losses.append(kept.detector.loss([each.float() for each in maps], [target], size))
        return torch.stack(losses).mean()

    def loss_of_views(self, chosen: list[int], seeds: np.ndarray, side: int, part: slice) -> torch.Tensor:
        seen = [
            view(self.examples[place], side, np.random.default_rng(seed))
            for place, seed in zip(chosen[part], seeds[part], strict=True)
        ]
        pixels = torch.from_numpy(np.stack([each.pixels for each in seen])).permute(0, 3, 1, 2)
        wanted = [
            {name: each.to(self.device) for name, each in target.items()}
            for target in targets(seen, masks=self.masks)
        ]
        with self.autocast():
            return self.detector.loss_of(pixels.to(self.device), wanted)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device, torch.bfloat16, self.half)

    @property
    def learned(self) -> list[torch.nn.Parameter]:
        return [each for group in self.optimizer.param_groups for each in group["params"]]

    @property
    def optimizer_is_for_tuning(self) -> bool:
        return len(self.optimizer.param_groups) > GROUPS_OF_HEAD

    def optimizer_for(self, *, tuned: bool) -> torch.optim.Optimizer:
        self.detector.requires_grad_(True)
        head = self.detector.head
        groups: list[dict[str, Any]] = [
            {"params": [each for each in head if each.ndim > 1], "factor": 1.0},
            {"params": [each for each in head if each.ndim == 1], "factor": 1.0, "weight_decay": 0.0},
        ]
        if tuned:
            groups.append({"params": self.detector.body, "factor": BACKBONE_FACTOR})
        return torch.optim.AdamW(groups, lr=HEAD_RATE, weight_decay=WEIGHT_DECAY)

    def keep(self) -> None:
        """Write a checkpoint that replaces the last one whole or not at all."""
        assert self.checkpoint is not None
        part = self.checkpoint.with_suffix(".part")
        torch.save(
            {
                "plan": asdict(self.plan),
                "step": self.step,
                "late": self.late,
                "tuned": self.optimizer_is_for_tuning,
                "detector": self.detector.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "average": self.average.weights,
                "averaged": self.average.steps,
            },
            part,
        )
        part.replace(self.checkpoint)
        self.kept_at = time.monotonic()

    def resume(self) -> None:
        """Go on from the checkpoint of the same plan, if there is one."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        kept = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if kept["plan"] != asdict(self.plan):
            return
        self.step, self.late = kept["step"], kept["late"]
        self.detector.load_state_dict(kept["detector"])
        self.optimizer = self.optimizer_for(tuned=kept["tuned"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.average.weights, self.average.steps = kept["average"], kept["averaged"]


@dataclass(frozen=True, slots=True)
class Kept:
    """The maps of the resting backbone for each image and its mirror image, in float16."""

    detector: Detector
    maps: list[list[torch.Tensor]]
    targets: list[dict[str, torch.Tensor]]
    sizes: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.sizes)

    @classmethod
    def of(
        cls,
        detector: Detector,
        examples: Sequence[Example],
        autocast: Callable[[], torch.autocast],
        lanes: Lanes,
    ) -> "Kept":
        device = next(detector.parameters()).device
        most = MOST_KEPT_BYTES // bytes_of_maps(detector, largest(examples))
        views = [view for each in examples[: max(1, most // 2)] for view in (each, each.mirrored())]

        @torch.no_grad()
        def look(each: Example) -> tuple[list[torch.Tensor], dict[str, torch.Tensor], tuple[int, int]]:
            filled = filled_up(each)
            pixels = torch.from_numpy(filled.pixels).permute(2, 0, 1)[None].to(device)
            with autocast():
                maps = detector.maps(normalised(pixels, MEAN, DEVIATION))
            (target,) = targets([filled], masks=detector.has_masks)
            size = (filled.pixels.shape[0], filled.pixels.shape[1])
            return [one.half() for one in maps], {name: one.to(device) for name, one in target.items()}, size

        maps, wanted, sizes = zip(*lanes.pool.map(look, views), strict=True)
        return cls(detector, list(maps), list(wanted), list(sizes))


def bytes_of_maps(detector: Detector, size: tuple[int, int]) -> int:
    """Return about how many bytes the kept maps of an image of that size take."""
    pixels = size[0] * size[1]
    return 2 * sum(pixels * width // stride**2 for width, stride in detector.shape_of_maps)


@contextmanager
def one_thread() -> Iterator[None]:
    """Leave the cores to the lanes: what is left for this thread is too little to share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def filled_up(example: Example) -> Example:
    """Return an image with grey at its right and lower edge, so that all strides divide its sides."""
    height, width = example.pixels.shape[:2]
    full = padded((height, width))
    if full == (height, width):
        return example
    pixels = np.full((*full, 3), GREY, np.uint8)
    pixels[:height, :width] = example.pixels
    return Example(pixels, example.shapes)


def largest(examples: Sequence[Example]) -> tuple[int, int]:
    return max(each.pixels.shape[0] for each in examples), max(each.pixels.shape[1] for each in examples)


def untaught(stages: torch.nn.Module, classes: int, *, masks: bool, seed: int) -> Detector:
    """Return a detector on a copy of a backbone's stages, with a head that knows nothing."""
    torch.manual_seed(seed)
    with torch.no_grad():
        widths = [each.shape[1] for each in stages(torch.zeros(1, 3, 64, 64))]
    return Detector(copy.deepcopy(stages), widths, classes, masks=masks)
