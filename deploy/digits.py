"""The sample project: scikit-learn's real handwritten digits, written out as image files."""

import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64
# In this order each digit's key is the digit itself, zero last.
NAMES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero")


def write(folder: Path) -> tuple[Path, Path]:
    """Write the images and a file with the right answers; returns both paths. Does so only once."""
    images, truth = folder / "digits", folder / "digits-truth.json"
    if truth.exists():
        return images, truth
    from sklearn.datasets import load_digits  # takes a second to load

    digits = load_digits()
    order = list(range(len(digits.images)))
    random.Random(0).shuffle(order)
    images.mkdir(parents=True, exist_ok=True)
    answers = {}
    for number, index in enumerate(order):
        name = f"digit-{number:04}.png"
        ink = np.clip(255 - digits.images[index] * (255 / 16), 0, 255).astype(np.uint8)
        Image.fromarray(ink).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(images / name)
        answers[name] = NAMES[digits.target[index] - 1]
    truth.write_text(json.dumps(answers))
    return images, truth
