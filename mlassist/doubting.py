"""After each training, labels are ordered by how likely they are wrong, for reviewers to look at.

Only labels that were trained on, by predictions that have not seen them. Blind labels judge the model: put
right where it contradicts them, they would flatter it.
"""

from collections.abc import Sequence

import numpy as np

from labeling import suggestions
from labeling.models import Project
from mlassist import heads, label_errors
from mlassist.detectors.shapes import Shapes
from mlassist.pool import Pool
from mlassist.trained import Trained


def rank(project: Project, pool: Pool, trained: Trained) -> int:
    """Write the scores of labels down; returns how many changed."""
    if not trained.cross_validated:
        return 0
    targets = heads.one_hot(trained.labels, trained.head.classes)
    known = np.ones(len(targets), bool) if trained.head.multilabel else targets.any(1)
    items, targets = pool.ids[trained.rows[known]].tolist(), targets[known]
    said = trained.out_of_fold[known]
    if trained.head.multilabel:
        found = label_errors.of_label_sets(said, targets)
        wrong = np.where(targets > 0, 1 - said, said)
        worst, doubted = wrong.argmax(1), wrong.max(1) > 0.5
    else:
        suspicion = label_errors.of_classes(said, targets.argmax(1))
        found, worst, doubted = suspicion.score, suspicion.likely, suspicion.is_candidate
    classes = trained.head.classes[worst].tolist()
    instead = {item: each for item, each, is_so in zip(items, classes, doubted, strict=True) if is_so}
    return suggestions.set_label_errors(project, dict(zip(items, found.tolist(), strict=True)), instead)


def rank_objects(
    project: Project, items: Sequence[int], found: Sequence[Shapes], given: Sequence[Shapes]
) -> int:
    """Write down how likely the objects that people drew on images are wrong; returns how many changed.

    `found` is what a detector that has not seen the images finds there.
    """
    scores = label_errors.of_boxes(found, given).tolist()
    return suggestions.set_label_errors(project, dict(zip(items, scores, strict=True)), {})
