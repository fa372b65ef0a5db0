"""How good people are, and their labels, measured after each training: by each other and by the model.

A model that was not taught an image is one more opinion on it (CROWDLAB). Where people give three answers to
an image and fifty each, their own confusions are known better than any model (Dawid-Skene). Sets of classes
and drawn objects are compared with those of others alone.
"""

from dataclasses import dataclass

import numpy as np

from labeling import answers, concord, worker_quality
from labeling.models import Project, WorkerQuality
from labeling.worker_quality import Measured
from mlassist import crowd
from mlassist.pool import Pool
from mlassist.trained import Trained

MANY_ANSWERS, MANY_ITEMS = 3, 50  # per item and per labeler, from which confusion matrices can be told


@dataclass(frozen=True, slots=True)
class Labels:
    """Items that people have answered with how sure one can be of the label that most likely is right."""

    items: np.ndarray
    quality: np.ndarray

    def of(self, items: np.ndarray) -> np.ndarray:
        """Return the quality of some items' labels, 1 for those of which nothing is known."""
        if not len(self.items):
            return np.ones(len(items))
        place = np.minimum(np.searchsorted(self.items, items), len(self.items) - 1)
        return np.where(self.items[place] == items, self.quality[place], 1.0)


NONE = Labels(np.empty(0, np.int64), np.empty(0))


def people(project: Project, pool: Pool, trained: Trained) -> Labels:
    """Measure the people of a project and keep that; returns how sure one can be of each item's label."""
    if project.task_type != Project.TaskType.MULTICLASS or not trained.cross_validated:
        concord.measure(project, concord.answers_by_item(project))
        return NONE
    items, labelers, votes, probabilities, current = votes_of(project, pool, trained)
    if not len(votes):
        return NONE
    found = crowd.crowdlab(votes, probabilities)
    if (votes.counts > 1).sum() >= concord.FEWEST_SHARED:
        method, best = WorkerQuality.Method.CROWDLAB, found
        if votes.counts.mean() >= MANY_ANSWERS and votes.given.min() >= MANY_ITEMS:
            method, best = WorkerQuality.Method.DAWID_SKENE, crowd.dawid_skene(votes)
        given = votes.given
        worker_quality.store(
            project,
            [
                Measured(int(labeler), float(best.quality[at]), int(given[at]), method)
                for at, labeler in enumerate(labelers)
            ],
        )
    return Labels(items, found.chances[np.arange(votes.items), current])


Gathered = tuple[np.ndarray, np.ndarray, crowd.Votes, np.ndarray, np.ndarray]


def votes_of(project: Project, pool: Pool, trained: Trained) -> Gathered:
    """Return (items, labelers, votes, held-out probabilities, columns of the labels that count).

    Left out are images without an embedding, and classes that the model does not know.
    """
    classes = trained.head.classes
    opinions = answers.opinions(project)
    one = np.array([len(said) == 1 for said in opinions.labels], bool)
    said = np.array([said[0] if said else 0 for said in opinions.labels], np.int64)
    known = one & np.isin(said, classes)
    place = pool.find(opinions.items)[1]
    known &= np.isin(np.arange(len(said)), place)
    items, inverse = np.unique(opinions.items[known], return_inverse=True)
    labelers, who = np.unique(opinions.labelers[known], return_inverse=True)
    label = np.searchsorted(classes, said[known])
    votes = crowd.Votes.of(inverse, who, label, len(items), len(labelers), len(classes))
    row_of = pool.find(items)[0]
    probabilities = trained.head.probabilities(pool.features[row_of])
    taught = {int(row): at for at, row in enumerate(trained.rows)}
    for at, row in enumerate(row_of.tolist()):
        if row in taught:
            probabilities[at] = trained.out_of_fold[taught[row]]
    current = crowd.majority(votes, probabilities).consensus if len(votes) else np.empty(0, np.int64)
    return items, labelers, votes, probabilities, current
