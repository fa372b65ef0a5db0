"""Groups of look-alikes as pages: which images, in which order, with which class proposed for all."""

import numpy as np
from django.db import transaction

from clustering import groups, index
from clustering.models import Group
from labeling.models import Project
from labeling.suggestions import Placement
from mlassist import heads
from mlassist.pool import Pool
from mlassist.predictions import Open
from mlassist.trained import Trained

ALIKE_WHY = "look alike"


def clustered(
    project: Project, pool: Pool, trained: Trained, left: Open, free: np.ndarray
) -> tuple[list[Placement], np.ndarray]:
    """Form groups of look-alikes; returns their placements and which of the open items are in one."""
    grouped = np.zeros(len(left.items), bool)
    seen = left.seen
    found: list[groups.LookAlikes] = []
    if (
        trained.unprompted.sum() >= heads.CALIBRATABLE
    ):  # a confidence that nothing has calibrated means little
        graph = index.graph(project, pool.features)
        predicted, confidence = np.full(len(pool), -1), np.zeros(len(pool), np.float32)
        eligible = np.zeros(len(pool), bool)
        predicted[left.rows], confidence[left.rows] = seen.top, seen.confidence
        eligible[left.rows] = free & (seen.sizes == 1)
        floor = floor_of(pool, trained)
        found = groups.form(graph.rows, graph.cosines, predicted, confidence, eligible, floor)
    where = np.full(len(pool), -1)
    where[left.rows] = np.arange(len(left.rows))
    with transaction.atomic():
        Group.objects.filter(project=project).delete()
        kept = Group.objects.bulk_create(
            Group(
                project=project,
                proposed_class_id=int(seen.classes[each.column]),
                size=len(each.rows),
                similarity=each.similarity,
            )
            for each in found
        )
    placements = []
    for rank, (group, each) in enumerate(zip(kept, found, strict=True)):
        for position, place in enumerate(where[each.rows]):
            grouped[place] = True
            priority = rank + position / 100
            placements.append(
                Placement(
                    int(left.items[place]),
                    "clustered",
                    priority,
                    group.pk,
                    group.proposed_class_id,
                    ALIKE_WHY,
                )
            )
    return placements, grouped


def floor_of(pool: Pool, trained: Trained) -> float:
    """Return the cosine from which look-alikes agree, by labels that no proposal has led to."""
    labels = trained.unprompted_labels
    usable = np.array([len(classes) == 1 for classes in labels], bool)
    truth = np.searchsorted(trained.head.classes, np.array([classes[0] for classes in labels], np.int64))
    rows = trained.rows[trained.unprompted]
    return groups.cosine_floor(
        pool.features[rows[usable]], trained.unprompted_predictions.top[usable], truth[usable]
    )
