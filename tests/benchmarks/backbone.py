"""How good and how fast a backbone is: what a linear probe and neighbours make of its vectors.

    python -m tests.benchmarks.backbone --data ../shared/data --backbone bundled

What an archive that is missing from --data would have measured is null. The last line is one JSON object:

val_top1          of the bundled network with the head of its pre-training, on tiny_imagenet.zip's val/, one
                  view of each image at the network's own side; null for other backbones
cifar10_1000      accuracy of a linear probe with so many labels on 5,000 other images, mean of three draws
cifar10_25000     the same with all labels
cifar10_knn       share of the ten nearest neighbours that are of the same class
digits            accuracy on half of scikit-learn's handwritten digits with 500 of the others labeled
bccd_presence     which cells occur in an image of bccd.zip, told by the other half of the images
nuclei_vs_bccd    accuracy in telling two microscopes apart, likewise
images_per_s      files of cifar10.zip to vectors: decoding, scaling and the network on all cores
forward_per_s     the network alone, on images that are decoded already
megabytes         of the weights as stored
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import datasets
from tests.benchmarks.datasets import Photos

DATA = Path("../shared/data")
TIMED = 2_048
REPEATS = 3


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


def vectors_of(backbone: Any, photos: Photos) -> tuple[np.ndarray, float]:
    """Return the product's embedding of each image, and images per second from files to vectors."""
    from mlassist import embedding

    started = time.perf_counter()
    parts = [part for _, _, part in embedding.embed(backbone, photos.files, datasets.decoder(backbone.side))]
    return np.concatenate(parts), len(photos) / (time.perf_counter() - started)


def forward_rate(backbone: Any, photos: Photos) -> float:
    """Return images per second of the network alone, the median of a few passes."""
    from mlassist import embedding

    opened = datasets.decoder(backbone.side)
    pixels = np.stack([backbone.prepare(opened(file)) for file in photos.files[:TIMED]])
    rates = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        list(
            embedding.in_lanes(
                lambda rows: backbone.embed(pixels[rows.start : rows.stop]),
                len(pixels),
                backbone.use_one_thread,
            )
        )
        rates.append(len(pixels) / (time.perf_counter() - started))
    return statistics.median(rates)


def top1(photos: Photos) -> float:
    """Return the share of images whose class is the bundled network's first guess."""
    import torch

    from mlassist import embedding
    from mlassist.backbones import loading

    classifier, side = loading.bundled_classifier()
    # In full precision: in bfloat16 two of so many classes often get the same score.
    network = loading.Backbone(
        "bundled", "", classifier.eval(), loading.Recipe(side), len(photos.classes), torch.float32, "cpu"
    )

    def guess(rows: range) -> np.ndarray:
        pixels = np.stack([network.prepare(datasets.open_any(photos.files[row])) for row in rows])
        with torch.inference_mode():
            return classifier(network.pixels(pixels)).argmax(1).numpy()

    guessed = np.concatenate(list(embedding.in_lanes(guess, len(photos), network.use_one_thread)))
    return float((guessed == photos.truth).mean())


def measure(name: str, data: Path, quick: bool) -> dict[str, Any]:
    from mlassist.backbones import catalog, loading
    from tests.benchmarks import probes

    try:
        backbone = loading.load(name)
    except loading.CannotLoad as error:
        sys.exit(str(error))
    photos = datasets.cifar10(data, 60 if quick else None)
    digits = datasets.digits()
    figures: dict[str, Any] = {"backbone": name, "quick": quick, "val_top1": None}

    tiny = datasets.tiny_imagenet(data, 1 if quick else None) if name == "bundled" else None
    if tiny is not None:
        say("what the network was trained for")
        figures["val_top1"] = top1(tiny)

    say("speed")
    vectors_of(backbone, digits.some(128))  # the first batches warm up
    timed = digits if photos is None else photos
    vectors, rate = vectors_of(backbone, timed)
    forward = forward_rate(backbone, timed)

    say("photos")
    figures |= {"cifar10_1000": None, "cifar10_25000": None, "cifar10_knn": None}
    if photos is not None:
        figures["cifar10_1000"] = probes.learning(vectors, photos.truth, 1_000)
        figures["cifar10_25000"] = probes.learning(vectors, photos.truth, 25_000, seeds=1)
        figures["cifar10_knn"] = probes.purity(vectors, photos.truth)

    say("digits")
    vectors, _ = vectors_of(backbone, digits)
    figures["digits"] = probes.split_accuracy(vectors, digits.truth, digits.group, 500)

    say("microscopes")
    figures["bccd_presence"] = over(
        backbone,
        datasets.blood(data),
        lambda seen, cells: probes.presence(seen, cells.truth, cells.classes, cells.group),
    )
    figures["nuclei_vs_bccd"] = over(
        backbone,
        datasets.nuclei_or_blood(data),
        lambda seen, cells: probes.split_accuracy(seen, cells.truth, cells.group),
    )
    return figures | {
        "images_per_s": rate,
        "forward_per_s": forward,
        "megabytes": catalog.find(name).megabytes,
        "dimension": backbone.dimension,
        "side": backbone.side,
        "device": backbone.device,
    }


def over(backbone: Any, photos: Photos | None, probe: Callable[[np.ndarray, Photos], Any]) -> Any:
    """Return what a probe finds in the vectors of some images; None without images."""
    return None if photos is None else probe(vectors_of(backbone, photos)[0], photos)


def rounded(value: Any) -> Any:
    """Shorten all figures to what they are worth."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return round(value, 1 if value > 10 else 4) if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the archives")
    parser.add_argument(
        "--backbone", default="bundled", help="name of an offer in mlassist.backbones.catalog"
    )
    parser.add_argument("--quick", action="store_true", help="few images: shows that it works, and no more")
    options = parser.parse_args()
    datasets.set_up()
    print(json.dumps(rounded(measure(options.backbone, options.data, options.quick))))


if __name__ == "__main__":
    main()
