"""The order of the queue: pre-labels, groups of look-alikes, then the rest by what teaches most."""

from collections.abc import Iterator

import numpy as np

from clustering import index
from labeling import answers, suggestions
from labeling.models import Project, QueueEntry
from labeling.suggestions import Placement
from mlassist.certifying import being_proved
from mlassist.grids import clustered, in_groups, same_pictures
from mlassist.pool import Pool
from mlassist.predictions import Open, chosen
from mlassist.runs import Step
from mlassist.strategies import exploring, typical, uncertain
from mlassist.trained import Trained

# Priorities below -1 belong to items that people sent back; the rest of the pool is above 0.
FIRST_IN_LINE = -0.5
PLACE = 1e-6
LAST = 2.0  # a margin is one at the most
UNSURE = 0.3  # margin
FAR = 5  # percentile of the similarity to labels, below which an image looks new

UNSURE_WHY = "the model is unsure"
NEW_WHY = "looks like nothing labeled yet"
TYPICAL_WHY = "typical of many"
RANDOM_WHY = "picked at random"
CERTIFIED_WHY = "certified"


def place(
    project: Project, pool: Pool, trained: Trained, left: Open, certified: np.ndarray, step: Step
) -> dict[str, int]:
    """Order the queue anew: pre-labels, then groups, then the rest by what teaches most."""
    free = ~np.isin(left.items, sent_back(project))
    placements: list[Placement] = []
    certified = certified & free
    placements += prelabeled(left, certified)
    # Labeled in bulk, the easy ones would leave a region that is harder than what was drawn from it.
    waiting = free & ~certified & being_proved(project, pool.features[left.rows])
    placements += [Placement(item, "manual", LAST, None, None, "") for item in left.items[waiting].tolist()]
    alike, grouped = clustered(project, pool, trained, left, free & ~certified & ~waiting)
    placements += alike
    manual = np.flatnonzero(free & ~certified & ~grouped & ~waiting)
    placements += single(project, pool, trained, left, manual)
    moved = suggestions.order_queue(project, placements)
    step.say(
        f"{int(certified.sum())} certified pre-labels, {int(grouped.sum())} images in groups of look-alikes,"
        f" {len(manual)} one by one; {moved} queue entries moved"
    )
    return {
        "prelabeled": int(certified.sum()),
        "grouped": int(grouped.sum()),
        "manual": len(manual),
    }


def sent_back(project: Project) -> np.ndarray:
    """Return the items that people sent back: they are asked one by one, and first."""
    waiting = QueueEntry.objects.filter(project=project, priority__lte=-1)
    return np.fromiter(waiting.values_list("item_id", flat=True), np.int64)


def prelabeled(left: Open, certified: np.ndarray) -> Iterator[Placement]:
    """Yield placements on pages of one proposed answer each, surest first."""
    answers_of: dict[tuple[int, ...], int] = {}
    for place, classes in enumerate(chosen(left.seen)):
        if certified[place]:
            one = classes[0] if len(classes) == 1 else None
            group = one or -1 - answers_of.setdefault(tuple(classes), len(answers_of))
            priority = 1 - float(left.seen.confidence[place])
            yield Placement(int(left.items[place]), "prelabeled", priority, group, one, CERTIFIED_WHY)


def single(project: Project, pool: Pool, trained: Trained, left: Open, manual: np.ndarray) -> list[Placement]:
    """Place the rest: a varied batch of what the model is least sure of, random picks, then by margin."""
    if not len(manual):
        return []
    seed = trained.version.number
    margin = left.seen.margin[manual]
    features = pool.features[left.rows[manual]]
    counts = np.array([sum(int(label) in row for row in trained.labels) for label in trained.head.classes])
    batch = int(np.clip(len(trained.rows) // 2, 60, 500))
    first = uncertain.order(features, margin, left.seen.top[manual], counts, batch, seed)
    others = np.setdiff1d(np.arange(len(manual)), first)
    first, at_random = exploring.mix_in(first, others, seed)
    likeness = (features[first] @ pool.features[trained.rows[-5_000:]].T).max(1)
    far = likeness <= np.percentile(likeness, FAR)
    placements = []
    for rank, (row, random_pick, is_far) in enumerate(zip(first, at_random, far, strict=True)):
        why = RANDOM_WHY if random_pick else NEW_WHY if is_far else UNSURE_WHY if margin[row] < UNSURE else ""
        place = FIRST_IN_LINE + rank * PLACE
        placements.append(Placement(int(left.items[manual[row]]), "manual", place, None, None, why))
    for row in np.setdiff1d(others, first):
        why = UNSURE_WHY if margin[row] < UNSURE else ""
        placements.append(
            Placement(int(left.items[manual[row]]), "manual", float(margin[row]), None, None, why)
        )
    return placements


def place_typical(project: Project, pool: Pool) -> int:
    """Order the queue before there is a model; returns how many items got a place."""
    items = answers.unlabeled(project)
    rows, known = pool.find(items)
    if not len(rows):
        return 0
    graph = index.graph(project, pool.features)
    eligible = np.zeros(len(pool), bool)
    eligible[rows] = ~np.isin(items[known], sent_back(project))
    twins = same_pictures(pool, graph, eligible, *pool.labeled(project, answers.training(project)))
    for each, _ in twins:
        eligible[each.rows] = False
    alone = np.flatnonzero(eligible)
    count = int(np.clip(len(alone) // 5, 20, 200))
    density = typical.typicality(graph.cosines)[alone]
    chosen_rows = alone[typical.order(pool.features[alone], density, count, project.seed % 2**31)]
    placements = list(in_groups(project, pool, twins))
    placements += (
        Placement(item, "manual", FIRST_IN_LINE + rank * PLACE, None, None, TYPICAL_WHY)
        for rank, item in enumerate(pool.ids[chosen_rows].tolist())
    )
    return suggestions.order_queue(project, placements)
