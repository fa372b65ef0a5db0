"""The order of the queue where boxes or outlines are asked for.

While few images are labeled, chance does: spread over the pool by clusters of embeddings, for no query
strategy is known to beat it there. Later the images come first on which the detector doubts most, spread
likewise.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from django.utils.translation import gettext_noop

from labeling import suggestions
from labeling.models import Project
from labeling.suggestions import Placement
from mlassist.models import Certificate, ModelVersion
from mlassist.ordering import CERTIFIED_WHY, FIRST_IN_LINE, PLACE, UNSURE_WHY, refused, sent_back
from mlassist.pool import Pool
from mlassist.runs import Step
from mlassist.strategies import clusters

if TYPE_CHECKING:
    from mlassist.objects import Surveyed

FEW = 200  # labeled images, below which chance decides
CANDIDATES = 5  # times the batch: how many doubtful images compete for a place
SPREAD_WHY = gettext_noop("picked to cover all images")


def place(
    project: Project,
    version: ModelVersion,
    surveyed: "Surveyed",
    certificate: Certificate | None,
    certified: Sequence[int],
    step: Step,
) -> dict[str, int]:
    """Order the queue: what is certified, then what teaches most, then the rest."""
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
    doubts = np.array([surveyed.doubts[at] for at in left])
    count = int(np.clip(version.labels // 2, 30, 500))
    few = version.labels < FEW
    pool = Pool.of(project)
    rows, known = pool.find(items)
    features = pool.features[rows]
    if few:
        picked = stratified(features, count, project.seed)
    else:
        picked = doubtful(features, doubts[known], count, version.number)
    first = known[picked]
    why = SPREAD_WHY if few else UNSURE_WHY
    placements += [
        Placement(int(items[at]), "manual", FIRST_IN_LINE + rank * PLACE, None, None, why)
        for rank, at in enumerate(first.tolist())
    ]
    chance = np.random.default_rng(project.seed % 2**32).random(len(items))
    placements += [
        Placement(
            int(items[at]), "manual", float(chance[at] if few else 1 / (1 + doubts[at])), None, None, ""
        )
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


def doubtful(features: np.ndarray, doubts: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the most doubtful row of each of as many clusters of doubtful rows as rows are wanted."""
    count = min(count, len(features))
    if not count:
        return np.empty(0, np.int64)
    candidates = np.argsort(-doubts, kind="stable")[: CANDIDATES * count]
    member = clusters.spherical(features[candidates], count, seed)
    _, first = np.unique(member, return_index=True)  # candidates come most doubtful first
    picked = np.sort(first)
    others = np.setdiff1d(np.arange(len(candidates)), picked)
    return candidates[np.concatenate([picked, others])[:count]]
