"""Heads: the small part that is trained per project on frozen, L2-normalised features.

Several kinds compete on their out-of-fold loss; all end as one linear map, so that storing and
applying them is the same. Labels are lists of columns: one for multi-class, any number for multi-label.
"""

from mlassist.heads.choosing import NO_CLASS, Fit, family_of, train
from mlassist.heads.folds import assign_folds, one_hot
from mlassist.heads.judging import CALIBRATABLE, UNCALIBRATED
from mlassist.heads.linear import Head, sigmoid, softmax
from mlassist.heads.propagation import Neighbours

__all__ = [
    "CALIBRATABLE",
    "NO_CLASS",
    "UNCALIBRATED",
    "Fit",
    "Head",
    "Neighbours",
    "assign_folds",
    "family_of",
    "one_hot",
    "sigmoid",
    "softmax",
    "train",
]
