"""Train the bundled backbone on labeled photos, on a processor or a graphics card.

    python -m mlassist.backbones.train --data tiny_imagenet.zip --out first.safetensors
    python -m mlassist.backbones.train --data tiny_imagenet.zip --out mlassist/weights/bundled.safetensors \\
        --start-from first.safetensors --epochs 22 --lr 0.015 --sizes 80 96 --mixed 0.5 --blend 0.7 --side 128

The archive holds train/CLASS/IMAGE and val/CLASS/IMAGE of one size. A checkpoint is kept beside `--out` after
every epoch; the same command picks up there after a stop or a kill, and goes on with the same images in the
same order. Weights differ by rounding from run to run, since threads add up in the order that chance gives.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from mlassist.backbones.bar import Bar
from mlassist.backbones.lanes import Lanes
from mlassist.backbones.muon import Muon
from mlassist.backbones.network import ARCHITECTURES
from mlassist.backbones.photos import FORMATS, Batch, NotPhotos, Photos, mixed, normalized
from mlassist.backbones.recipe import OWN

WARM_UP = 0.1
# Coarse images first cost a third. Random crops enlarge, so a network sees best at a size above its last.
SMALL_UNTIL, LARGE_FROM = 0.35, 0.85
ENLARGED = 8 / 7
GLIMPSE = 2_000
STATISTICS = 32  # batches


class OtherSettings(Exception):
    """A checkpoint of another run lies where this one would be kept."""


class TooFewPhotos(Exception):
    """There is not enough for a single step."""


@dataclass(frozen=True)
class Settings:
    """What decides the result; a checkpoint made with others is not continued."""

    architecture: str
    optimizer: str
    epochs: float
    batch: int
    lr: float
    momentum: float
    head_lr: float
    weight_decay: float
    smallest_crop: float
    seed: int
    sizes: tuple[int, int]
    mixed: float
    start_from: str
    data: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"ZIP archive of {FORMATS} images")
    parser.add_argument("--out", type=Path, required=True, help="weights to write, float16 safetensors")
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="loupe")
    parser.add_argument("--optimizer", choices=("muon", "sgd"), default="muon")
    parser.add_argument("--epochs", type=float, default=32, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=512, help="images in a step, default: %(default)s")
    parser.add_argument("--lr", type=float, help="default: 0.05 for muon, 0.5 per 256 images for sgd")
    parser.add_argument("--sizes", type=int, nargs=2, default=(64, 112), help="pixels, first and last")
    parser.add_argument("--mixed", type=float, default=0.0, help="share of batches in which images are mixed")
    parser.add_argument("--start-from", type=Path, help="weights of an earlier run")
    parser.add_argument("--blend", type=float, default=1.0, help="how far to go from --start-from to the end")
    parser.add_argument(
        "--side", type=int, help=f"pixels at which the weights are judged; Loupe uses them at {OWN.side}"
    )
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with Photos(given.data, given.out.with_suffix(".cache")) as photos:
            settings = settings_of(given, photos)
            report = train(settings, photos, given.out, given.start_from, given.blend, given.side)
    except (NotPhotos, OtherSettings, TooFewPhotos, OSError, BadZipFile) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{json.dumps(report)}\n")


def settings_of(given: argparse.Namespace, photos: Photos) -> Settings:
    rate = given.lr or (0.05 if given.optimizer == "muon" else 0.5 * given.batch / 256)
    return Settings(
        architecture=given.architecture,
        optimizer=given.optimizer,
        epochs=given.epochs,
        batch=given.batch,
        lr=rate,
        momentum=0.8 if given.optimizer == "muon" else 0.9,
        head_lr=0.1 * given.batch / 256 if given.optimizer == "muon" else rate,
        weight_decay=5e-4,
        smallest_crop=0.35,
        seed=given.seed,
        sizes=(given.sizes[0], given.sizes[1]),
        mixed=given.mixed,
        start_from=sha256(given.start_from.read_bytes()).hexdigest() if given.start_from else "",
        data=photos.identity,
    )


def train(
    settings: Settings,
    photos: Photos,
    out: Path,
    start_from: Path | None = None,
    blend: float = 1.0,
    side: int | None = None,
) -> dict[str, object]:
    """Train, keep a checkpoint per epoch, write the weights; returns the report.

    With a `blend` below one the weights lie between those at the start and at the end of the run, which
    generalise better than either (Wortsman et al. 2022, arXiv 2109.01903).
    """
    count = len(photos.labels["train"])
    batches = count // settings.batch
    steps = round(settings.epochs * batches)
    if not steps:
        raise TooFewPhotos(
            f"{count} images to train on, {settings.batch} in a batch and {settings.epochs:g} epochs make not"
            " a single step. Give more images or epochs, or a smaller --batch."
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(settings.seed)
    network = ARCHITECTURES[settings.architecture](num_classes=photos.classes)
    if start_from is not None:
        network.load_state_dict(load_file(start_from))
    network = network.to(memory_format=torch.channels_last).to(device)
    optimizers = optimizers_of(network, settings)
    rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    lanes = Lanes(device)
    checkpoint = out.with_suffix(".checkpoint")
    epoch, spent = resume(checkpoint, settings, network, optimizers)
    step = epoch * batches
    while step < steps:
        started = time.monotonic()
        bar = Bar(f"epoch {epoch + 1}/{math.ceil(settings.epochs)}", min(batches, steps - step))
        network.train()
        losses = []
        for at, batch in enumerate(epoch_of(settings, photos, epoch, step, steps)):
            factor = schedule(step / steps)
            for optimizer, base in zip(optimizers, rates, strict=True):
                for group, rate in zip(optimizer.param_groups, base, strict=True):
                    group["lr"] = rate * factor
            for optimizer in optimizers:
                optimizer.zero_grad()
            losses.append(lanes.learn(settings.batch, partial(mean_loss, network, batch.to(device))))
            for optimizer in optimizers:
                optimizer.step()
            step += 1
            bar.at(at + 1, f"{(at + 1) * settings.batch / (time.monotonic() - started):.0f} images/s")
        epoch += 1
        spent += time.monotonic() - started
        bar.end(
            f"loss {np.mean(losses):.3f}, "
            f"validation {top1(network, photos, size_at(settings, step / steps), GLIMPSE):.1%}, "
            f"{len(losses) * settings.batch / (time.monotonic() - started):.0f} images/s, "
            f"{spent / step * (steps - step) / 60:.0f} min left"
        )
        keep(checkpoint, settings, network, optimizers, epoch, spent)
    if start_from is not None and blend < 1:
        move_back(network, load_file(start_from), blend)
        measure_statistics(network, settings, photos)
    side = side or side_of(settings)
    report = {
        "architecture": settings.architecture,
        "optimizer": settings.optimizer,
        "epochs": settings.epochs,
        "minutes": round(spent / 60, 1),
        "device": device,
        "parameters": sum(weight.numel() for weight in network.parameters()),
        "blend": blend,
        "side": side,
        "val_top1": top1(network, photos, side),
    }
    write(network, out, asdict(settings), report)
    report["megabytes"] = round(out.stat().st_size / 1e6, 1)
    return report


def mean_loss(network: nn.Module, batch: Batch, part: slice) -> torch.Tensor:
    with torch.autocast(batch.images.device.type, torch.bfloat16):
        scores = network(normalized(batch.images[part], batch.light[part])).float()
    own = functional.cross_entropy(scores, batch.labels[part])
    if batch.share == 1:
        return own
    return batch.share * own + (1 - batch.share) * functional.cross_entropy(scores, batch.others[part])


@torch.no_grad()
def move_back(network: nn.Module, start: Mapping[str, torch.Tensor], blend: float) -> None:
    """Leave a network's weights this far on the way from those at the start."""
    for name, weight in network.state_dict().items():
        if weight.is_floating_point():
            weight.lerp_(start[name].to(weight), 1 - blend)


@torch.no_grad()
def measure_statistics(network: nn.Module, settings: Settings, photos: Photos) -> None:
    """Take the means and variances of batch normalisation anew, which no blend of others fits."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all batches
    network.train()
    device = next(network.parameters()).device
    rng = np.random.default_rng(settings.seed)
    for _ in range(STATISTICS):
        rows = np.sort(rng.choice(len(photos.labels["train"]), min(256, settings.batch), replace=False))
        batch = photos.crops(rows, settings.sizes[1], settings.smallest_crop, rng).to(device.type)
        with torch.autocast(device.type, torch.bfloat16):
            network(normalized(batch.images, batch.light))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def write(
    network: nn.Module, out: Path, settings: Mapping[str, object], report: Mapping[str, object]
) -> None:
    """Write weights as float16 with a note of how they were made, whole or not at all."""
    weights = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    part = out.with_suffix(".part")
    save_file(weights, part, metadata={"settings": json.dumps(settings), "report": json.dumps(report)})
    part.replace(out)


def optimizers_of(network: nn.Module, settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon for every convolution but the first, gradient descent for the rest; or descent for all."""
    convolutions = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    hidden = convolutions[1:] if settings.optimizer == "muon" else []
    known = {id(weight) for weight in hidden}
    rest = [weight for weight in network.parameters() if id(weight) not in known]
    descent = torch.optim.SGD(
        [
            {"params": [w for w in rest if w.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [w for w in rest if w.ndim == 1], "weight_decay": 0.0},
        ],
        lr=settings.head_lr,
        momentum=0.9,
        nesterov=True,
    )
    return [descent, Muon(hidden, settings.lr, settings.momentum)] if hidden else [descent]


def schedule(progress: float) -> float:
    """One cycle: up, then straight down to nothing."""
    return progress / WARM_UP if progress < WARM_UP else (1 - progress) / (1 - WARM_UP)


def side_of(settings: Settings) -> int:
    """Return the side of images that the network sees best, in pixels."""
    return round(ENLARGED * settings.sizes[1] / 16) * 16


def size_at(settings: Settings, progress: float) -> int:
    """Return the side of the training images in pixels, a multiple of 16."""
    small, large = settings.sizes
    way = min(max((progress - SMALL_UNTIL) / (LARGE_FROM - SMALL_UNTIL), 0), 1)
    return round((small + (large - small) * way) / 16) * 16


def epoch_of(settings: Settings, photos: Photos, epoch: int, step: int, steps: int) -> Iterator[Batch]:
    """Yield an epoch's batches, the next one made while this one is learned from."""
    rng = np.random.default_rng([settings.seed, epoch])
    order = rng.permutation(len(photos.labels["train"]))
    count = min(len(order) // settings.batch, steps - step)

    def make(at: int) -> Batch:
        rows = np.sort(order[at * settings.batch : (at + 1) * settings.batch])
        size = size_at(settings, (step + at) / steps)
        batch = photos.crops(rows, size, settings.smallest_crop, rng)
        return mixed(batch, rng) if rng.random() < settings.mixed else batch

    with ThreadPoolExecutor(1) as ahead:
        jobs = (ahead.submit(make, at) for at in range(count))
        coming = next(jobs)
        for job in jobs:
            yield coming.result()
            coming = job
        yield coming.result()


@torch.inference_mode()
def top1(network: nn.Module, photos: Photos, side: int, count: int | None = None) -> float:
    """Return the share of validation images whose class is the first guess, on one view of each."""
    network.eval()
    device = next(network.parameters()).device
    rows = np.arange(len(photos.labels["val"]))
    if count:
        rows = rows[:: max(1, len(rows) // count)]
    hits = 0
    for at in range(0, len(rows), 250):
        part = rows[at : at + 250]
        pixels = torch.from_numpy(photos.images["val"][part]).permute(0, 3, 1, 2)
        pixels = functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)
        with torch.autocast(device.type, torch.bfloat16):
            scores = network(normalized(pixels.to(device)).contiguous(memory_format=torch.channels_last))
        hits += int((scores.argmax(1).cpu().numpy() == photos.labels["val"][part]).sum())
    return hits / len(rows)


def keep(
    checkpoint: Path,
    settings: Settings,
    network: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    epoch: int,
    spent: float,
) -> None:
    """Write a checkpoint that replaces the last one whole or not at all."""
    part = checkpoint.with_suffix(".checkpoint-part")
    torch.save(
        {
            "settings": asdict(settings),
            "network": network.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "epoch": epoch,
            "spent": spent,
        },
        part,
    )
    part.replace(checkpoint)


def resume(
    checkpoint: Path, settings: Settings, network: nn.Module, optimizers: list[torch.optim.Optimizer]
) -> tuple[int, float]:
    """Load the checkpoint if there is one; returns (epochs done, seconds spent)."""
    if not checkpoint.exists():
        return 0, 0.0
    kept = torch.load(checkpoint, map_location="cpu")
    wanted = asdict(settings)
    others = [name for name in wanted if kept["settings"].get(name) != wanted[name]]
    if others:
        raise OtherSettings(
            f"{checkpoint} was made with other settings ({', '.join(others)}). Delete it to start anew, or"
            " give the weights another name."
        )
    network.load_state_dict(kept["network"])
    for optimizer, state in zip(optimizers, kept["optimizers"], strict=True):
        optimizer.load_state_dict(state)
    sys.stderr.write(f"Going on after epoch {kept['epoch']}.\n")
    return kept["epoch"], kept["spent"]


if __name__ == "__main__":
    main()
