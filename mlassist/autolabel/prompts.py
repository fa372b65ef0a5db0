"""What a model of images and words is told to look for. Pure."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

# A class is the mean of what a text encoder makes of each: a few of those that came with CLIP.
TEMPLATES = (
    "a photo of a {}.",
    "a photo of the {}.",
    "a close-up photo of a {}.",
    "a bright photo of a {}.",
    "a dark photo of a {}.",
    "a blurry photo of a {}.",
    "a photo of a small {}.",
    "{}.",
)
BETWEEN = ";"  # prompts of one class
LONGEST = 2_000


def alternatives(prompt: str) -> list[str]:
    """Return the prompts that a person gave for a class, each once: separated by semicolons or lines."""
    parts = [" ".join(part.split()) for line in prompt.splitlines() for part in line.split(BETWEEN)]
    return list(dict.fromkeys(part for part in parts if part))


def sentences(prompt: str) -> list[str]:
    """Return what a text encoder reads for a class. What is a sentence already is left as it is."""
    found: list[str] = []
    for each in alternatives(prompt):
        if each.endswith((".", "!", "?")):
            found.append(each)
        else:
            found += [template.format(each) for template in TEMPLATES]
    return found


def mean_directions(vectors: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Return the direction of each class, (classes, dimension); its sentences follow each other."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    ends = np.cumsum(counts).tolist()
    means = np.stack([unit[start:end].mean(0) for start, end in pairwise([0, *ends])])
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
