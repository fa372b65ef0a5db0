"""Dawid and Skene (1979): a confusion matrix for each labeler, by expectation maximisation.

Rows of the matrices have the prior Dirichlet(1 + 4·I), so that few answers say little against somebody.
"""

import numpy as np

from mlassist.crowd.votes import Finding, Votes, majority

DIAGONAL = 4.0
ROUNDS = 100
CONVERGED = 1e-5


def dawid_skene(votes: Votes, rounds: int = ROUNDS) -> Finding:
    """Return the chance of each class of each item, and of each labeler to be right."""
    chances = majority(votes).chances
    places = votes.labeler * votes.classes + votes.label
    prior = np.ones((votes.classes, votes.classes)) + DIAGONAL * np.eye(votes.classes)
    confusion = np.empty((votes.labelers, votes.classes, votes.classes))
    shares = np.empty(votes.classes)
    for _ in range(rounds):
        # Maximise: what each labeler says of each true class.
        said = np.zeros((votes.labelers * votes.classes, votes.classes))
        np.add.at(said, places, chances[votes.item])
        counts = said.reshape(votes.labelers, votes.classes, votes.classes).transpose(0, 2, 1) + prior
        confusion = counts / counts.sum(2, keepdims=True)
        shares = (chances.sum(0) + 1) / (votes.items + votes.classes)
        # Expect: what is true, given what was said.
        logs = np.tile(np.log(shares), (votes.items, 1))
        np.add.at(logs, votes.item, np.log(confusion[votes.labeler, :, votes.label]))
        fresh = np.exp(logs - logs.max(1, keepdims=True))
        fresh /= fresh.sum(1, keepdims=True)
        change = float(np.abs(fresh - chances).max(initial=0.0))
        chances = fresh
        if change < CONVERGED:
            break
    quality = np.einsum("lkk,k->l", confusion, shares)
    return Finding(chances, quality)
