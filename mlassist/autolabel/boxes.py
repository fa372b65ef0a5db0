"""Objects like a few boxes: windows of the bundled network's maps, at the examples' sizes. Needs torch."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from mlassist.autolabel import windows
from mlassist.autolabel.calibration import Line
from mlassist.autolabel.thresholds import FLOOR
from mlassist.autolabel.windows import GRID, Stencil, Template, Usual
from mlassist.backbones.recipe import OWN

STRIDE = 8
MAPS = (1, 2)  # of the four: strides 8 and 16
CHANNELS = 8  # principal directions of the maps
LARGEST = 600_000  # pixels of an image as it is looked at
LOCATIONS = 20_000  # of maps, from which directions are measured
WINDOWS = 4_000  # from which is measured what is usual
PEAKS = 60  # best windows of an image that are looked at
SHIFTS = (-0.06, 0.0, 0.06)  # of an example's size: nobody draws the same box twice

Picture = np.ndarray  # (height, width, 3) uint8
Box = Sequence[float]


class Maps:
    """The network's maps of an image at any size, side by side and as far as they tell places apart."""

    def __init__(self, stages: nn.Module) -> None:
        self.stages = stages.eval()
        self.mean = torch.zeros(1, 1, 1, 1)
        self.turn: torch.Tensor | None = None

    @torch.inference_mode()
    def raw(self, picture: Picture, scale: float) -> tuple[torch.Tensor, float]:
        """Return ((channels, high, wide), how many times as large the image was looked at)."""
        height, width = picture.shape[:2]
        scale = min(scale, float(np.sqrt(LARGEST / (height * width))))
        size = max(32, round(height * scale)), max(32, round(width * scale))
        pixels = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
        mean = 255 * torch.tensor(OWN.mean).view(1, 3, 1, 1)
        deviation = 255 * torch.tensor(OWN.deviation).view(1, 3, 1, 1)
        small = functional.interpolate(
            (pixels - mean) / deviation, size, mode="bilinear", antialias=True, align_corners=False
        )
        found = self.stages(small)
        first = found[MAPS[0]]
        same = [functional.interpolate(found[at], first.shape[-2:], mode="bilinear") for at in MAPS]
        return functional.normalize(torch.cat(same, 1))[0], scale

    def learn(self, pictures: Sequence[Picture], scale: float) -> None:
        """Learn the directions in which places differ most, on some images."""
        rows = torch.cat([self.raw(each, scale)[0].flatten(1).T for each in pictures])
        chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:LOCATIONS]
        rows = rows[chosen]
        mean = rows.mean(0)
        values, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        self.mean = mean.view(1, -1, 1, 1)
        self.turn = vectors[:, -CHANNELS:] / values[-CHANNELS:].clamp_min(1e-6).sqrt()

    @torch.inference_mode()
    def turned(self, picture: Picture, scale: float) -> tuple[torch.Tensor, float]:
        """Return the map in those directions, (1, CHANNELS, high, wide), and the scale."""
        assert self.turn is not None
        raw, real = self.raw(picture, scale)
        return torch.einsum("nchw,cd->ndhw", raw[None] - self.mean, self.turn), real


class NoWindow(Exception):
    """The images are too small for what is looked for."""


@dataclass(frozen=True, slots=True)
class Looked:
    """An image with the maps that were made of it so far: classes share them."""

    maps: Maps
    picture: Picture
    known: dict[int, tuple[torch.Tensor, float]] = field(default_factory=dict)  # by power

    def at(self, power: int) -> tuple[torch.Tensor, float]:
        if power not in self.known:
            self.known[power] = self.maps.turned(self.picture, windows.STEP**power)
        return self.known[power]


def cells(found: torch.Tensor, cell: tuple[int, int]) -> torch.Tensor:
    """Return the mean of the cell that begins at each place."""
    return functional.avg_pool2d(found, cell, stride=1)


@dataclass(slots=True)
class Finder:
    """Looks for objects of each class by its template."""

    maps: Maps
    stencils: dict[int, Stencil]
    templates: dict[int, Template] = field(default_factory=dict)

    def find(self, picture: Picture) -> list[dict[str, Any]]:
        """Return regions {class, confidence, bbox}, down to the floor of what is told."""
        boxes, chances, labels = [np.zeros((0, 4))], [np.zeros(0)], []
        looked = Looked(self.maps, picture)
        for label, form in self.templates.items():
            found, scores = self.peaks(looked, label, form.weights, form.bias)
            boxes.append(found)
            chances.append(form.chances(scores))
            labels += [label] * len(found)
        every, sure = np.concatenate(boxes), np.concatenate(chances)
        told = windows.apart(every, sure)
        height, width = picture.shape[:2]
        return [
            {
                "class": labels[at],
                "confidence": round(float(sure[at]), 4),
                "bbox": windows.within(every[at], width, height),
            }
            for at in told.tolist()
            if sure[at] >= FLOOR
        ]

    def follow(self, lines: Mapping[int, Line]) -> None:
        """Be as sure from now on as people's drawings say."""
        for label, line in lines.items():
            form = self.templates[label]
            level = line.slope * form.level + line.level
            self.templates[label] = replace(form, slope=line.slope * form.slope, level=level)

    @torch.inference_mode()
    def peaks(
        self, looked: Looked, label: int, weights: np.ndarray, bias: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the best windows of an image for some weights, as boxes of objects, and their scores."""
        form = self.stencils[label]
        high, wide = form.side
        kernel = (
            torch.from_numpy(weights.astype(np.float32)).view(GRID, GRID, CHANNELS).permute(2, 0, 1)[None]
        )
        boxes, scores = [np.zeros((0, 4))], [np.zeros(0)]
        for power in form.powers:
            found, scale = looked.at(power)
            padded = functional.pad(found, [wide // 3, wide // 3, high // 3, high // 3])
            if padded.shape[2] < high or padded.shape[3] < wide:
                continue
            score = functional.conv2d(cells(padded, form.cell), kernel, dilation=form.cell)[0, 0] + bias
            best = score.flatten().topk(min(score.numel(), 10 * PEAKS)).indices.numpy()
            rows, columns = np.divmod(best, score.shape[1])
            centre = np.stack([columns + wide / 2 - wide // 3, rows + high / 2 - high // 3], 1)
            middle = centre * STRIDE / scale
            sizes = np.broadcast_to(np.array(form.size(scale, STRIDE)), middle.shape)
            boxes.append(np.concatenate([middle - sizes / 2, sizes], 1))
            scores.append(score.numpy()[rows, columns])
        every, told = np.concatenate(boxes), np.concatenate(scores)
        best = np.argsort(-told, kind="stable")[: 20 * PEAKS]
        kept = best[windows.apart(every[best], told[best])[: 4 * PEAKS]]
        return every[kept], told[kept]

    @torch.inference_mode()
    def describe(self, looked: Looked, label: int, box: Box) -> np.ndarray:
        """Return the window around a box, (cells * channels), also mirrored and shifted a little."""
        form = self.stencils[label]
        high, wide = form.cell
        x, y, width, height = box
        power = windows.power_of(form.cell, (width, height), STRIDE)
        found, scale = looked.at(power)
        pooled = cells(functional.pad(found, [GRID * wide] * 2 + [GRID * high] * 2), form.cell)[0]
        rows = []
        for right in SHIFTS:
            for down in SHIFTS:
                centre_x = (x + width * (0.5 + right)) * scale / STRIDE + GRID * wide
                centre_y = (y + height * (0.5 + down)) * scale / STRIDE + GRID * high
                left = int(
                    np.clip(round(centre_x - GRID * wide / 2), 0, pooled.shape[2] - (GRID - 1) * wide - 1)
                )
                top = int(
                    np.clip(round(centre_y - GRID * high / 2), 0, pooled.shape[1] - (GRID - 1) * high - 1)
                )
                window = pooled[:, top : top + GRID * high : high, left : left + GRID * wide : wide]
                window = window[:, :GRID, :GRID]
                rows += [window, window.flip(2), window.flip(1)]
        made = [each.permute(1, 2, 0).reshape(-1).numpy() for each in rows]
        plain = len(SHIFTS) ** 2 // 2 * 3
        return np.stack([made[plain], *made[:plain], *made[plain + 1 :]])

    @torch.inference_mode()
    def usual(self, pictures: Sequence[Looked], label: int) -> Usual:
        """Measure what windows of a class's form look like all over some images."""
        form = self.stencils[label]
        rng = np.random.default_rng(label)
        rows = []
        each_has = max(20, WINDOWS // max(1, len(pictures) * len(form.powers)))
        for looked in pictures:
            for power in form.powers:
                found, _ = looked.at(power)
                high, wide = form.cell
                free = found.shape[2] - GRID * high + 1, found.shape[3] - GRID * wide + 1
                if min(free) < 1:
                    continue
                pooled = cells(found, form.cell)[0]
                for _ in range(each_has):
                    top, left = int(rng.integers(free[0])), int(rng.integers(free[1]))
                    window = pooled[:, top::high, left::wide][:, :GRID, :GRID]
                    rows.append(window.permute(1, 2, 0).reshape(-1).numpy())
        if not rows:
            raise NoWindow
        return Usual.of(np.stack(rows))

    def to_bytes(self) -> bytes:
        assert self.maps.turn is not None
        noted = {
            str(label): {
                "stencil": asdict(self.stencils[label]),
                "bias": each.bias, "slope": each.slope, "level": each.level,
            }
            for label, each in self.templates.items()
        }  # fmt: skip
        arrays: dict[str, Any] = {f"weights{label}": each.weights for label, each in self.templates.items()}
        arrays |= {"mean": self.maps.mean.numpy(), "turn": self.maps.turn.numpy()}
        buffer = io.BytesIO()
        np.savez(buffer, noted=np.array(json.dumps(noted)), **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, stages: nn.Module) -> "Finder":
        with np.load(io.BytesIO(data)) as stored:
            noted = json.loads(str(stored["noted"]))
            maps = Maps(stages)
            maps.mean, maps.turn = torch.from_numpy(stored["mean"]), torch.from_numpy(stored["turn"])
            made = cls(maps, {})
            for label, each in noted.items():
                form = each["stencil"]
                made.stencils[int(label)] = Stencil(tuple(form["cell"]), form["powers"])
                made.templates[int(label)] = Template(
                    stored[f"weights{label}"], each["bias"], each["slope"], each["level"]
                )
        return made


@dataclass(frozen=True, slots=True)
class Shown:
    """An example: a class, an image, and a box on it."""

    label: int
    picture: Picture
    box: Box


def learn(
    stages: nn.Module,
    shown: Sequence[Shown],
    others: Sequence[Picture],
    sign_of_life: Callable[[], None] = lambda: None,
) -> Finder:
    """Return a finder of objects like those shown; `others` are images as they usually are."""
    by_class: dict[int, list[Shown]] = {}
    for each in shown:
        by_class.setdefault(each.label, []).append(each)
    forms = {
        label: Stencil.of(np.array([each.box for each in own], float), STRIDE)
        for label, own in by_class.items()
    }
    made = Finder(Maps(stages), forms)
    middle = round(np.mean([power for form in forms.values() for power in form.powers]))
    pictures = [*others, *{id(each.picture): each.picture for each in shown}.values()]
    made.maps.learn(pictures[:12], windows.STEP**middle)
    looked = {id(each): Looked(made.maps, each) for each in pictures}
    for label, own in by_class.items():
        usual = made.usual(list(looked.values()), label)
        sign_of_life()
        rows = [made.describe(looked[id(each.picture)], label, each.box) for each in own]
        weights, bias = usual.discriminant(np.concatenate(rows))
        peaks = [made.peaks(each, label, weights, bias)[1][:PEAKS] for each in looked.values()]
        sign_of_life()
        made.templates[label] = windows.template(usual, rows, np.concatenate(peaks))
    return made
