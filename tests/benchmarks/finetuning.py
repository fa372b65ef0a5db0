"""What fine-tuning is worth: the frozen backbone's head against tuned networks, by number of labels.

    python -m tests.benchmarks.finetuning --data ../shared/data [--labels 500 1000 2000]

Prints one JSON line per number of labels: accuracy on 3,000 other images of CIFAR-10 of the head on frozen
features, of a network tuned on four fifths of the labels with its own head, and of a new head on what that
network makes of the images, as the product uses it; the gain that three folds predict, and the seconds.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from tests.benchmarks import datasets

TESTED = 3_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=int, nargs="+", default=[500, 1_000, 2_000])
    parser.add_argument("--backbone", default="bundled")
    parser.add_argument("--epochs", type=int, default=0, help="default: as the product does")
    parser.add_argument("--rate", type=float, default=0, help="default: as the product does")
    given = parser.parse_args()
    datasets.set_up()
    photos = datasets.cifar10(given.data)
    if photos is None:
        raise SystemExit("cifar10.zip is missing.")
    photos = photos.some(max(given.labels) + TESTED)
    for labels in given.labels:
        print(json.dumps(compared(photos, labels, given)), flush=True)


def compared(photos: datasets.Photos, labels: int, given: argparse.Namespace) -> dict[str, float]:
    from mlassist import embedding, finetuning, heads, lessons
    from mlassist.backbones import loading, tuning

    epochs = given.epochs or finetuning.EPOCHS
    tuning.RATE = given.rate or tuning.RATE
    backbone = loading.load(given.backbone)
    open_file = datasets.decoder(backbone.side)
    pictures = np.stack([backbone.prepare(open_file(file)) for file in photos.files])
    train, test = np.arange(labels), np.arange(len(photos) - TESTED, len(photos))
    truth = photos.truth
    one_hot = np.eye(truth.max() + 1, dtype=np.float32)[truth]

    def head_on(vectors: np.ndarray) -> heads.Fit:
        return heads.train(vectors[train], [(int(each),) for each in truth[train]], vectors)

    def right(probabilities: np.ndarray) -> float:
        return round(float((probabilities.argmax(1) == truth[test]).mean()), 4)

    def vectors_of(network: loading.Backbone) -> np.ndarray:
        parts = (pictures[at : at + embedding.BATCH] for at in range(0, len(pictures), embedding.BATCH))
        return np.concatenate([network.embed(part) for part in parts])

    frozen_vectors = vectors_of(backbone)
    frozen = head_on(frozen_vectors)
    folds = heads.assign_folds(one_hot[train], False, 0)
    started = time.monotonic()
    students, gains = [], []
    for fold in range(finetuning.FOLDS_TRIED):
        student = tuning.Tuning(
            backbone,
            pictures,
            one_hot,
            np.flatnonzero(folds != fold),
            epochs=epochs,
            multilabel=False,
            seed=fold,
        )
        for _ in range(epochs):
            student.learn()
        held = np.flatnonzero(folds == fold)
        tuned = lessons.rightness(student.probabilities(held), one_hot[held], False)
        gains.append(tuned - lessons.rightness(frozen.out_of_fold[held], one_hot[held], False))
        students.append(student)
    seconds = time.monotonic() - started
    first = students[0]
    network = first.network.to(backbone.dtype).eval()
    again = loading.Backbone(
        "tuned", "", network, backbone.recipe, backbone.dimension, backbone.dtype, backbone.device
    )
    tuned_vectors = vectors_of(again)
    network.float()
    difference = np.concatenate(gains)
    return {
        "labels": labels,
        "frozen": right(frozen.head.probabilities(frozen_vectors[test])),
        "tuned_network": right(first.probabilities(test)),
        "tuned_backbone": right(head_on(tuned_vectors).head.probabilities(tuned_vectors[test])),
        "predicted_gain": round(float(difference.mean()), 4),
        "standard_error": round(float(difference.std(ddof=1) / np.sqrt(len(difference))), 4),
        "epochs": epochs,
        "rate": tuning.RATE,
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    main()
