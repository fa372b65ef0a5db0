"""Fine-tuning a backbone on a project's labels: the head alone first, then everything together.

A head that fits already keeps the first steps from spoiling what pre-training has learned (LP-FT, Kumar
et al. 2022, arXiv 2202.10054). Batch norms are folded into the convolutions before, so that a few hundred
images cannot upset their statistics.
"""

import copy
import io
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import nn
from torch.nn import functional

from mlassist.backbones.lanes import Lanes
from mlassist.backbones.loading import Backbone
from mlassist.backbones.photos import Cropper
from mlassist.heads import sigmoid, softmax
from mlassist.heads.logistic import one_vs_rest, softmax_regression

BATCH = 32
RATE = 3e-4  # of Adam for the network; the head learns three times as fast
HEAD_FACTOR = 3
WEIGHT_DECAY = 0.05
WARM_UP = 0.1
SMALLEST_CROP = 0.4
STRENGTH = 3.0  # inverse regularisation of the first head
LOOK = 128  # images at a time where nothing is learned


class Tuning:
    """One network while it is tuned; it can be put away and taken up again between batches.

    `images` (n, side, side, 3) uint8 as the backbone prepares them, `targets` (n, classes) of 0 and 1;
    only the rows in `learned` are learned from. `sign_of_life` is called all the time and may raise.
    """

    def __init__(
        self,
        backbone: Backbone,
        images: np.ndarray,
        targets: np.ndarray,
        learned: np.ndarray,
        *,
        epochs: int,
        multilabel: bool,
        seed: int,
        sign_of_life: Callable[[], None] = lambda: None,
    ) -> None:
        self.epochs = epochs
        self.backbone, self.images, self.targets, self.learned = backbone, images, targets, learned
        self.multilabel, self.seed = multilabel, seed
        self.sign_of_life = sign_of_life
        self.epoch = 0
        self.losses: list[float] = []  # of the epoch in hand, one per batch done
        self.network = copy.deepcopy(backbone.network).float().requires_grad_()
        self.head = nn.Linear(backbone.dimension, targets.shape[1]).to(backbone.device)
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self.network.parameters(), "lr": RATE},
                {"params": self.head.parameters(), "lr": HEAD_FACTOR * RATE},
            ],
            weight_decay=WEIGHT_DECAY,
        )
        self.rates = [group["lr"] for group in self.optimizer.param_groups]

    def fit_head(self) -> None:
        """Fit the head on the network as it is: the first half of LP-FT."""
        features = self.features(self.learned)
        fit = one_vs_rest if self.multilabel else softmax_regression
        weights, bias = fit(features, self.targets[self.learned], STRENGTH)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weights.T.astype(np.float32)))
            self.head.bias.copy_(torch.from_numpy(bias.astype(np.float32)))

    def learn(self, ends: float = math.inf) -> float | None:
        """Finish an epoch; returns its mean loss, or None if the time of `ends` came before its end."""
        if not self.epoch and not self.losses:
            self.fit_head()
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.learned)
        batches = np.array_split(order, max(1, len(order) // BATCH))
        with Cropper() as cropper, Lanes(self.backbone.device) as lanes:
            while len(self.losses) < len(batches):
                self.sign_of_life()
                self.losses.append(
                    self.step(cropper, lanes, batches[len(self.losses)], len(self.losses) / len(batches))
                )
                if time.monotonic() >= ends and len(self.losses) < len(batches):
                    return None
        loss = float(np.mean(self.losses))
        self.epoch, self.losses = self.epoch + 1, []
        return loss

    def step(self, cropper: Cropper, lanes: Lanes, rows: np.ndarray, way: float) -> float:
        """Learn from one batch, `way` through the epoch."""
        self.set_rate((self.epoch + way) / self.epochs)
        rng = np.random.default_rng([self.seed, self.epoch, len(self.losses)])
        views = cropper.crops(self.images, rows, self.backbone.side, SMALLEST_CROP, rng)
        pixels = self.backbone.pixels(views.permute(0, 2, 3, 1).numpy()).float()
        wanted = torch.from_numpy(self.targets[rows]).to(self.backbone.device)
        self.optimizer.zero_grad()
        loss = lanes.learn(len(rows), partial(self.mean_loss, pixels, wanted))
        self.optimizer.step()
        return loss

    def set_rate(self, progress: float) -> None:
        factor = (
            progress / WARM_UP
            if progress < WARM_UP
            else 0.5 + 0.5 * math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))
        )
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * max(factor, 1e-3)

    def mean_loss(self, pixels: torch.Tensor, wanted: torch.Tensor, part: slice) -> torch.Tensor:
        with torch.autocast(self.backbone.device, torch.bfloat16, self.backbone.dtype == torch.bfloat16):
            features = self.network(pixels[part])
        scores = self.head(features.float())
        if self.multilabel:
            return functional.binary_cross_entropy_with_logits(scores, wanted[part]) * wanted.shape[1]
        return functional.cross_entropy(scores, wanted[part])

    @torch.inference_mode()
    def features(self, rows: np.ndarray) -> np.ndarray:
        parts = []
        for at in range(0, len(rows), LOOK):
            self.sign_of_life()
            pixels = self.backbone.pixels(self.images[rows[at : at + LOOK]]).float()
            with torch.autocast(self.backbone.device, torch.bfloat16, self.backbone.dtype == torch.bfloat16):
                parts.append(self.network(pixels).float().cpu().numpy())
        return np.concatenate(parts)

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Return (n, classes) float32: summing to one for one class each, one by one for several."""
        weights, bias = (each.detach().cpu().numpy() for each in (self.head.weight, self.head.bias))
        return (sigmoid if self.multilabel else softmax)(self.features(rows) @ weights.T + bias)

    def state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "losses": self.losses,
            "network": self.network.state_dict(),
            "head": self.head.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.epoch, self.losses = state["epoch"], state["losses"]
        self.network.load_state_dict(state["network"])
        self.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])

    def to_bytes(self) -> bytes:
        """Return the network as a weight file that notes its base."""
        weights = {
            name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
            for name, tensor in self.network.state_dict().items()
        }
        return save(weights, metadata={"settings": json.dumps({"base": self.backbone.name})})


@dataclass(slots=True)
class Trial:
    """How far a comparison is: folds done, the rows held with how right each was, the network in hand."""

    fold: int = 0
    rows: list[np.ndarray] = field(default_factory=list)
    right: list[np.ndarray] = field(default_factory=list)
    student: dict[str, Any] | None = None

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        rows, right = ([each.tolist() for each in some] for some in (self.rows, self.right))
        torch.save({"fold": self.fold, "rows": rows, "right": right, "student": self.student}, buffer)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Trial":
        kept = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        rows, right = ([np.array(each) for each in kept[name]] for name in ("rows", "right"))
        return cls(kept["fold"], rows, right, kept["student"])
