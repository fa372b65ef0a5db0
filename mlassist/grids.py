"""Groups of look-alikes as pages: which images, in which order, with which class proposed for all."""

from collections.abc import Iterator, Sequence

import numpy as np
from django.db import transaction
from django.utils.translation import gettext_noop

from clustering import groups, index
from clustering.groups import LookAlikes
from clustering.models import Group
from labeling.models import Page, Project
from labeling.suggestions import Placement
from mlassist import heads
from mlassist.pool import Pool
from mlassist.predictions import Open, Predictions
from mlassist.trained import Trained

ALIKE_WHY = gettext_noop("look alike")
SAME_WHY = gettext_noop("same picture")
PLACE = 0.01  # in a group, which holds fewer than a hundred


def clustered(
    project: Project, pool: Pool, trained: Trained, left: Open, free: np.ndarray
) -> tuple[list[Placement], np.ndarray]:
    """Form groups of look-alikes; returns their placements and which of the open items are in one."""
    graph = index.graph(project, pool.features)
    eligible = np.zeros(len(pool), bool)
    eligible[left.rows] = free
    twins = same_pictures(pool, graph, eligible, trained.rows, trained.labels)
    for each, _ in twins:
        eligible[each.rows] = False
    purity, told = rightness(pool, trained, graph)
    one_class = np.zeros(len(pool), bool)
    one_class[left.rows] = left.seen.sizes == 1
    alike = groups.form(graph.rows, graph.cosines, told.top, purity, eligible & one_class)
    proposed = [(each, int(told.classes[each.column])) for each in alike if each.column is not None]
    placements = list(in_groups(project, pool, [*twins, *proposed]))
    return placements, np.isin(left.items, [each.item for each in placements])


def same_pictures(
    pool: Pool, graph: index.Graph, eligible: np.ndarray, rows: np.ndarray, labels: Sequence[tuple[int, ...]]
) -> list[tuple[LookAlikes, int | None]]:
    """Return groups that show the same picture, each with the class that a copy of it has from a person.

    `rows` and `labels` are what may be trained on: what blind labels say must not reach anybody.
    """
    copied = groups.copies(graph.rows, graph.cosines)
    found = groups.same_pictures(graph.rows, graph.cosines, copied, eligible)
    label_of = np.full(len(pool), -1)
    for row, classes in zip(rows, labels, strict=True):
        if len(classes) == 1:
            label_of[row] = classes[0]
    proposed: list[int | None] = []
    for each in found:
        given = label_of[graph.rows[each.rows][copied[each.rows]]]
        known = np.unique(given[given >= 0])
        proposed.append(int(known[0]) if len(known) == 1 else None)
    return list(zip(found, proposed, strict=True))


def rightness(pool: Pool, trained: Trained, graph: index.Graph) -> tuple[np.ndarray, Predictions]:
    """Return per row of the pool the measured chance that the model is right, and what it says.

    Measured on out-of-fold predictions of labels that no proposal has led to; zero where nothing measures it.
    """
    probabilities = trained.head.probabilities(pool.features)
    probabilities[trained.rows] = trained.out_of_fold
    told = Predictions.from_probabilities(trained.head, probabilities)
    support = groups.support(probabilities, told.confidence, graph.rows)
    curve = None
    if trained.unprompted.sum() >= heads.CALIBRATABLE and trained.cross_validated:
        seen = trained.unprompted_predictions
        judged = seen.sizes == 1
        right = ~seen.wrong(trained.unprompted_labels)
        rows = trained.rows[trained.unprompted]
        curve = groups.measured(support[rows[judged]], right[judged])
    return curve(support) if curve else np.zeros(len(pool)), told


def in_groups(
    project: Project, pool: Pool, found: Sequence[tuple[LookAlikes, int | None]]
) -> Iterator[Placement]:
    """Keep groups in place of those that nobody has been shown, and yield where their items stand."""
    with transaction.atomic():
        shown = Page.objects.filter(project=project, group__isnull=False).values("group")
        Group.objects.filter(project=project).exclude(pk__in=shown).delete()
        kept = Group.objects.bulk_create(
            Group(
                project=project,
                proposed_class_id=label,
                size=len(each.rows),
                similarity=each.similarity,
                purity=each.purity,
            )
            for each, label in found
        )
    for rank, (group, (each, label)) in enumerate(zip(kept, found, strict=True)):
        why = SAME_WHY if each.column is None else ALIKE_WHY
        for position, item in enumerate(pool.ids[each.rows].tolist()):
            yield Placement(item, "clustered", rank + position * PLACE, group.pk, label, why)
