"""The order of the queue where boxes or outlines are asked for.

Chance decides, spread over the pool by clusters of embeddings: the detector's own doubt was tried and did not
beat it (tests/benchmarks/detection_orders.py).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from django.utils.translation import gettext_noop

from labeling import suggestions
from labeling.models import Project
from labeling.suggestions import Placement
from mlassist.models import Certificate, ModelVersion
from mlassist.ordering import CERTIFIED_WHY, FIRST_IN_LINE, PLACE, refused, sent_back
from mlassist.pool import Pool
from mlassist.runs import Step
from mlassist.strategies import clusters

if TYPE_CHECKING:
    from mlassist.objects import Surveyed

SPREAD_WHY = gettext_noop("picked to cover all images")


def place(
    project: Project,
    version: ModelVersion,
    surveyed: "Surveyed",
    certificate: Certificate | None,
    certified: Sequence[int],
    step: Step,
) -> dict[str, int]:
    """Order the queue: what is certified, then a sample of all that waits, then the rest."""
    back = set(sent_back(project).tolist())
    no_more = set(refused(project).tolist())
    sure = {item for item in certified if item not in back and item not in no_more}
    placements = [
        Placement(item, "prelabeled", 1 - confidence, None, None, CERTIFIED_WHY, certificate.pk)
        for item, confidence in zip(surveyed.items, surveyed.confidences, strict=True)
        if item in sure and certificate is not None
    ]
    left = [at for at, item in enumerate(surveyed.items) if item not in sure and item not in back]
    items = np.array([surveyed.items[at] for at in left], np.int64)
    count = int(np.clip(version.labels // 2, 30, 500))
    pool = Pool.of(project)
    rows, known = pool.find(items)
    first = known[stratified(pool.features[rows], count, project.seed)]
    placements += [
        Placement(int(items[at]), "manual", FIRST_IN_LINE + rank * PLACE, None, None, SPREAD_WHY)
        for rank, at in enumerate(first.tolist())
    ]
    chance = np.random.default_rng(project.seed % 2**32).random(len(items))
    placements += [
        Placement(int(items[at]), "manual", float(chance[at]), None, None, "")
        for at in np.setdiff1d(np.arange(len(items)), first).tolist()
    ]
    moved = suggestions.order_queue(project, placements)
    step.say(f"{len(sure)} certified, {len(items)} to be drawn by people; {moved} queue entries moved")
    return {"prelabeled": len(sure), "manual": len(items)}


def stratified(features: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return rows picked at random, one from each of as many clusters as rows are wanted."""
    count = min(count, len(features))
    if not count:
        return np.empty(0, np.int64)
    member = clusters.spherical(features, count, seed)
    shuffled = np.random.default_rng(seed % 2**32).permutation(len(features))
    _, first = np.unique(member[shuffled], return_index=True)
    picked = shuffled[np.sort(first)]
    others = shuffled[~np.isin(shuffled, picked)]
    return np.concatenate([picked, others])[:count]
