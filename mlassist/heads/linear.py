"""A trained head: one linear map, whatever it was made by."""

import io
from dataclasses import dataclass

import numpy as np

CHUNK = 50_000

Linear = tuple[np.ndarray, np.ndarray]  # weights (dimension, classes), bias (classes)


@dataclass(frozen=True, slots=True)
class Head:
    """A linear map to class scores, and the temperature that makes probabilities of them.

    A last column without a class is for images of none of them: what it takes, the classes lack to one.
    """

    kind: str
    classes: np.ndarray  # class ids, in column order
    weights: np.ndarray
    bias: np.ndarray
    temperature: float
    multilabel: bool

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Return (n, classes) float32: summing to one for multi-class, or to less where an image may show
        none of the classes; one by one for multi-label.
        """
        squash = sigmoid if self.multilabel else softmax
        found = np.empty((len(features), len(self.classes)), np.float32)
        for start in range(0, len(features), CHUNK):
            part = slice(start, start + CHUNK)
            scores = np.asarray(features[part], np.float32) @ self.weights + self.bias
            found[part] = squash(scores / self.temperature)[:, : len(self.classes)]
        return found

    def to_bytes(self) -> bytes:
        buffer = io.BytesIO()
        np.savez(
            buffer,
            kind=self.kind,
            classes=self.classes,
            weights=self.weights,
            bias=self.bias,
            temperature=self.temperature,
            multilabel=self.multilabel,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Head":
        with np.load(io.BytesIO(data)) as stored:
            return cls(
                str(stored["kind"]),
                stored["classes"],
                stored["weights"],
                stored["bias"],
                float(stored["temperature"]),
                bool(stored["multilabel"]),
            )


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def sigmoid(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(scores, -60, 60)))
