"""The order of the queue: pre-labels, groups of look-alikes, then the rest by what teaches most."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_noop

from clustering import index
from labeling import answers, suggestions
from labeling.models import Annotation, LabelClass, ObjectCheck, Project, QueueEntry
from labeling.suggestions import Placement
from mlassist import heads
from mlassist.attempts import being_proved
from mlassist.autolabel import proposing
from mlassist.grids import clustered, in_groups, same_pictures
from mlassist.heads import labelwise
from mlassist.pool import Pool
from mlassist.predictions import Open, chosen
from mlassist.runs import Step
from mlassist.strategies import rare, regimes, typical
from mlassist.strategies.regimes import Batch, Reason
from mlassist.strategies.situation import Situation
from mlassist.trained import Trained

# Priorities below -1 belong to items that people sent back; the rest of the pool is above 0.
FIRST_IN_LINE = -0.5
PLACE = 1e-6
LAST = 2.0  # a margin is one at the most
UNSURE = 0.3  # margin
FAR = 5  # percentile of the similarity to labels, below which an image looks new
PROMPTED = 5_000  # images that come next: until there is a newer model, nobody gets farther
PROMPTED_SHARE = 0.75
COMPARED = 2_000  # open images that tell how similar is usual

UNSURE_WHY = gettext_noop("the model is unsure")
NEW_WHY = gettext_noop("looks like nothing labeled yet")
TYPICAL_WHY = gettext_noop("typical of many")
RANDOM_WHY = gettext_noop("picked at random")
RARE_WHY = gettext_noop("may be a rare class")
CERTIFIED_WHY = gettext_noop("certified")
WHYS = {
    Reason.TYPICAL: TYPICAL_WHY,
    Reason.UNSURE: UNSURE_WHY,
    Reason.RARE: RARE_WHY,
    Reason.RANDOM: RANDOM_WHY,
}


def place(
    project: Project,
    pool: Pool,
    trained: Trained,
    left: Open,
    under: np.ndarray,
    being_drawn: np.ndarray,
    step: Step,
) -> dict[str, int]:
    """Order the queue anew: pre-labels, then groups, then the rest by what teaches most.

    `under` (n,) has the id of the certificate that each item's proposal rests on, 0 without one;
    `being_drawn` (n,) marks images that blind labels are asked for.
    """
    free = ~np.isin(left.items, sent_back(project))
    placements: list[Placement] = []
    certified = (under > 0) & free
    placements += prelabeled(left, np.where(certified, under, 0))
    # Labeled in bulk, the easy ones would leave a region that is harder than what was drawn from it.
    waiting = free & ~certified & (being_drawn | being_proved(project, pool.features[left.rows]))
    placements += [Placement(item, "manual", LAST, None, None, "") for item in left.items[waiting].tolist()]
    asked_for = free & ~certified & ~waiting & still_proposed(project, left)
    alike, grouped = clustered(project, pool, trained, left, free & ~certified & ~waiting & ~asked_for)
    placements += alike
    manual = np.flatnonzero(free & ~certified & ~grouped & ~waiting & ~asked_for)
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


def auto_labeled(project: Project) -> np.ndarray:
    """Return the items that wait for somebody to confirm what a model was asked to propose."""
    waiting = QueueEntry.objects.filter(project=project, kind="prelabeled", certificate=None)
    return np.fromiter(waiting.values_list("item_id", flat=True), np.int64)


def still_proposed(project: Project, left: Open) -> np.ndarray:
    """Return (n,) which items somebody had proposals made for of which this model says the same."""
    entries = QueueEntry.objects.filter(project=project, kind="prelabeled", certificate=None)
    groups = dict(entries.filter(why=proposing.WHY).values_list("item_id", "group"))
    if not groups:
        return np.zeros(len(left.items), bool)
    said = zip(left.items.tolist(), chosen(left.seen), strict=True)
    return np.array(
        [bool(classes) and groups.get(item) == proposing.group_of(sorted(classes)) for item, classes in said],
        bool,
    )


def refused(project: Project) -> np.ndarray:
    """Return the items sent back because an answer was wrong: no certificate speaks for them any more.

    What a withdrawn certificate sent back is not among them, unless a person refused it, or an object on it,
    as well.
    """
    mine = Annotation.objects.filter(item=OuterRef("item"))
    rejected = ObjectCheck.objects.filter(item=OuterRef("item"), state=ObjectCheck.State.REJECTED)
    waiting = QueueEntry.objects.filter(project=project, priority__lte=-1).filter(
        ~Exists(mine.filter(withdrawal=Annotation.Withdrawal.CERTIFICATE))
        | Exists(mine.filter(withdrawal=Annotation.Withdrawal.REJECTED))
        | Exists(rejected)
    )
    return np.fromiter(waiting.values_list("item_id", flat=True), np.int64)


def prelabeled(left: Open, under: np.ndarray) -> Iterator[Placement]:
    """Yield placements on pages of one proposed answer each, surest first."""
    answers_of: dict[tuple[int, ...], int] = {}
    for place, classes in enumerate(chosen(left.seen)):
        if under[place]:
            one = classes[0] if len(classes) == 1 else None
            group = one or -1 - answers_of.setdefault(tuple(classes), len(answers_of))
            priority = 1 - float(left.seen.confidence[place])
            yield Placement(
                int(left.items[place]), "prelabeled", priority, group, one, CERTIFIED_WHY, int(under[place])
            )


def single(project: Project, pool: Pool, trained: Trained, left: Open, manual: np.ndarray) -> list[Placement]:
    """Place the rest: a batch of what teaches most, each with its reason, then all others by margin."""
    if not len(manual):
        return []
    rows, margin = left.rows[manual], left.seen.margin[manual]
    classes, targets = labels_of(project, trained.labels, trained.head.classes)
    predicted = np.searchsorted(classes, trained.head.classes)[left.seen.top[manual]]
    density = typical.typicality(index.graph(project, pool.features).cosines)
    situation = Situation(pool.features, density, rows, trained.rows, targets, margin, predicted)
    count = int(np.clip(len(trained.rows) // 2, 60, 500))
    first = regimes.with_a_model(situation, count, trained.version.number)
    placements = [
        Placement(int(pool.ids[row]), "manual", FIRST_IN_LINE + rank * PLACE, None, None, why)
        for rank, (row, why) in enumerate(zip(first.rows, whys(situation, first), strict=True))
    ]
    for place in np.flatnonzero(~np.isin(rows, first.rows)):
        why = UNSURE_WHY if margin[place] < UNSURE else ""
        priority = float(margin[place])
        placements.append(Placement(int(left.items[manual[place]]), "manual", priority, None, None, why))
    if trained.head.multilabel:
        return ticked(pool, trained, sorted(placements, key=lambda each: each.priority))
    return placements


def ticked(pool: Pool, trained: Trained, placements: list[Placement]) -> list[Placement]:
    """Have the labels that the model is sure of ticked beforehand on what comes next in the queue.

    A fixed part of the images is asked without: what the model is held to must not have been prompted.
    """
    rows = np.flatnonzero(trained.unprompted)
    if len(rows) < heads.CALIBRATABLE or not trained.cross_validated:
        return placements
    classes = trained.head.classes
    truth = heads.one_hot([trained.labels[row] for row in rows], classes).astype(bool)
    lower, upper = labelwise.thresholds(trained.out_of_fold[rows], truth)
    prompted = [at for at, each in enumerate(placements[:PROMPTED]) if is_prompted(each.item)]
    of, known = pool.find(np.array([placements[at].item for at in prompted], np.int64))
    likely, doubtful = labelwise.split(trained.head.probabilities(pool.features[of]), lower, upper)
    for at, ticks, marks in zip(known.tolist(), likely, doubtful, strict=True):
        if ticks.any():
            placements[prompted[at]] = replace(
                placements[prompted[at]], likely=classes[ticks].tolist(), doubtful=classes[marks].tolist()
            )
    return placements


def is_prompted(item: int) -> bool:
    """Tell whether labels may be ticked on an image, by a draw of its own that is always the same."""
    return random.Random(item).random() < PROMPTED_SHARE


def whys(situation: Situation, batch: Batch) -> Iterator[str]:
    """Yield why each image of a batch is asked, in words for labelers."""
    place_of = np.full(len(situation.features), -1)
    place_of[situation.open] = np.arange(len(situation.open))
    places = place_of[batch.rows]
    rare_classes = rare.classes(situation.label_counts)
    for reason, place, is_new in zip(
        batch.reasons, places, unlike_labels(situation, batch.rows), strict=True
    ):
        if reason != Reason.UNSURE:
            yield WHYS[reason]
        elif is_new:
            yield NEW_WHY
        elif situation.margin[place] < UNSURE:
            yield UNSURE_WHY
        else:  # the balance over predicted classes has picked it
            yield RARE_WHY if situation.predicted[place] in rare_classes else ""


def unlike_labels(situation: Situation, rows: np.ndarray) -> np.ndarray:
    """Return which rows are farther from any label than nearly all of the open images are."""
    features = situation.features
    others = np.random.default_rng(0).choice(
        situation.open, min(len(situation.open), COMPARED), replace=False
    )
    cosines, _ = index.search(features[situation.labeled], features[np.concatenate([rows, others])], 1)
    own, usual = cosines[: len(rows), 0], cosines[len(rows) :, 0]
    return own < np.percentile(usual, FAR)


def labels_of(
    project: Project, labels: Sequence[tuple[int, ...]], classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (class ids, targets of the labels) of the project's classes in use and those given."""
    in_use = LabelClass.objects.filter(project=project, retired_at=None).values_list("id", flat=True)
    every = np.union1d(np.array(list(in_use), np.int64), classes)
    return every, heads.one_hot(labels, every).astype(bool)


def place_typical(project: Project, pool: Pool) -> int:
    """Order the queue before there is a model; returns how many items got a place."""
    rows, _ = pool.find(answers.unlabeled(project))
    if not len(rows):
        return 0
    graph = index.graph(project, pool.features)
    labeled, labels = pool.labeled(project, answers.training(project))
    eligible = np.zeros(len(pool), bool)
    eligible[rows] = ~np.isin(pool.ids[rows], np.concatenate([sent_back(project), auto_labeled(project)]))
    twins = same_pictures(pool, graph, eligible, labeled, labels)
    for each, _ in twins:
        eligible[each.rows] = False
    alone = np.flatnonzero(eligible)
    placements = list(in_groups(project, pool, twins))
    if not len(alone):
        return suggestions.order_queue(project, placements)
    _, targets = labels_of(project, labels, np.empty(0, np.int64))
    density = typical.typicality(graph.cosines)
    situation = Situation.without_model(pool.features, density, alone, labeled, targets)
    count = int(np.clip(len(alone) // 5, 20, 200))
    batch = regimes.before_a_model(situation, count, project.seed % 2**31)
    placements += (
        Placement(int(pool.ids[row]), "manual", FIRST_IN_LINE + rank * PLACE, None, None, WHYS[reason])
        for rank, (row, reason) in enumerate(zip(batch.rows, batch.reasons, strict=True))
    )
    return suggestions.order_queue(project, placements)
