"""CROWDLAB (Goh, Tkachenko and Mueller 2022, arXiv 2210.06812): a model as one more labeler.

The chance of a class is a weighted mean of what the model says, held out, and of what each labeler's answer
makes likely. Weights say how much better than always naming the most frequent class each of them is: a
labeler by agreeing with others, the model by agreeing with the consensus of several people.
"""

from dataclasses import dataclass

import numpy as np

from mlassist.crowd.votes import Finding, Votes, majority

LEAST = 1e-6
FEW = 5.0  # answers' worth of the mean agreement that each labeler begins with


@dataclass(frozen=True, slots=True)
class Weights:
    labelers: np.ndarray
    model: float
    likelihood: float  # of an answer to be the consensus


def crowdlab(votes: Votes, probabilities: np.ndarray) -> Finding:
    """Return the chance of each class of each item, (items, classes), and of each labeler to be right.

    `probabilities` are the model's, out of fold. Where no item has several answers, all labelers weigh the
    same, and the model as much as its agreement with them allows.
    """
    first = majority(votes, probabilities).consensus
    weights = weigh(votes, probabilities, first)
    chances = combined(votes, probabilities, weights)
    consensus = chances.argmax(1)
    # Once more, with a consensus that is better than the majority's.
    weights = weigh(votes, probabilities, consensus)
    chances = combined(votes, probabilities, weights)
    return Finding(chances, quality_of(votes, chances, weights))


def weigh(votes: Votes, probabilities: np.ndarray, consensus: np.ndarray) -> Weights:
    counts = votes.counts
    several = counts > 1
    judged = several if several.any() else np.ones(votes.items, bool)
    seen = probabilities.argmax(1)
    # Where nobody was asked twice, the model is all that answers can be compared with.
    truth = consensus if several.any() else seen
    right = (truth[votes.item] == votes.label)[judged[votes.item]]
    likelihood = float(np.clip(right.mean(), 1 / votes.classes + LEAST, 1 - LEAST))
    frequent = np.bincount(consensus, minlength=votes.classes).max() / votes.items
    chance = max(1 - frequent, LEAST)  # the error of always naming the most frequent class
    agreement = agreement_with_others(votes, likelihood)
    labelers = np.maximum(1 - (1 - agreement) / chance, LEAST)
    accuracy = float((seen == consensus)[judged].mean())
    model = max(1 - (1 - accuracy) / chance, LEAST) * float(np.sqrt(counts.mean()))
    return Weights(labelers, model, likelihood)


def agreement_with_others(votes: Votes, usual: float) -> np.ndarray:
    """Return how often each labeler says what another one says of the same item, drawn to the mean of all.

    Where nobody was asked about the same items it is the `usual` one.
    """
    others = votes.counts[votes.item] - 1
    same = votes.tally()[votes.item, votes.label] - 1
    met = np.bincount(votes.labeler, others, minlength=votes.labelers)
    agreed = np.bincount(votes.labeler, same, minlength=votes.labelers)
    mean = float(agreed.sum() / met.sum()) if met.sum() else usual
    return np.asarray((agreed + FEW * mean) / (met + FEW))


def combined(votes: Votes, probabilities: np.ndarray, weights: Weights) -> np.ndarray:
    """Return the weighted mean of the model's probabilities and those of the answers."""
    other = (1 - weights.likelihood) / max(votes.classes - 1, 1)
    own = weights.labelers[votes.labeler]
    total = np.bincount(votes.item, own, minlength=votes.items)[:, None]
    answers = other * total + (weights.likelihood - other) * votes.tally(own)
    return np.asarray((weights.model * probabilities + answers) / (weights.model + total))


def quality_of(votes: Votes, chances: np.ndarray, weights: Weights) -> np.ndarray:
    """Return how good each labeler is: how likely their answers are, and how often they are the consensus."""
    likely = votes.by_labeler(chances[votes.item, votes.label])
    agreed = (chances.argmax(1)[votes.item] == votes.label).astype(float)
    several = votes.by_labeler(agreed, votes.counts[votes.item] > 1)
    total = np.bincount(votes.item, weights.labelers[votes.labeler], minlength=votes.items).mean()
    share = weights.model / (weights.model + total)
    mixed = share * likely + (1 - share) * np.where(np.isnan(several), likely, several)
    return np.where(np.isnan(mixed), weights.likelihood, mixed)
