"""A model version fresh from training, with what cross-validation found."""

from dataclasses import dataclass

import numpy as np

from mlassist import heads
from mlassist.heads import Head
from mlassist.models import ModelVersion
from mlassist.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Trained:
    """A model version with its out-of-fold probabilities for the training rows.

    `unprompted` (n,) marks the labels that people gave without seeing a proposal.
    """

    version: ModelVersion
    head: Head
    out_of_fold: np.ndarray
    rows: np.ndarray
    labels: list[tuple[int, ...]]
    unprompted: np.ndarray

    @property
    def cross_validated(self) -> bool:
        """Whether any label was held out; with one of each class, the head has seen all that it is asked."""
        targets = heads.one_hot(self.labels, self.head.classes)
        return bool(heads.assign_folds(targets, self.head.multilabel, seed=0).any())

    @property
    def unprompted_predictions(self) -> Predictions:
        """What the model says, out of fold, of images that people labeled by themselves."""
        return Predictions.from_probabilities(self.head, self.out_of_fold[self.unprompted])

    @property
    def unprompted_labels(self) -> list[tuple[int, ...]]:
        return [label for label, own in zip(self.labels, self.unprompted, strict=True) if own]
