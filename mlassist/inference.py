"""What a model does for people: proposals, pre-labels, groups, a better order, and auto labels."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from django.db import transaction

from clustering import groups, index
from clustering.models import Group
from labeling import answers, suggestions
from labeling.models import Project, QueueEntry
from labeling.suggestions import AutoLabel, Placement, Proposal
from mlassist import heads
from mlassist.certifying import being_proved, region
from mlassist.models import Audit, Certificate
from mlassist.pool import Pool
from mlassist.predictions import Predictions
from mlassist.runs import Step
from mlassist.strategies import exploring, typical, uncertain
from mlassist.trained import Trained

FIRST_IN_LINE = (
    -0.5
)  # priorities below -1 belong to items that people sent back; the rest of the pool is above 0
PLACE = 1e-6
LAST = 2.0  # a margin is one at the most
UNSURE = 0.3  # margin
FAR = 5  # percentile of the similarity to labels, below which an image looks new
AUDIT_SHARE, FEWEST_AUDITS = 0.02, 20

UNSURE_WHY = "the model is unsure"
NEW_WHY = "looks like nothing labeled yet"
TYPICAL_WHY = "typical of many"
RANDOM_WHY = "picked at random"
CERTIFIED_WHY = "certified"
ALIKE_WHY = "look alike"


@dataclass(slots=True)
class Open:
    """The unlabeled items of a pool with what the newest model says of them."""

    items: np.ndarray
    rows: np.ndarray
    seen: Predictions


def propose(project: Project, pool: Pool, trained: Trained, step: Step) -> None:
    """Store proposals for every unlabeled item, accept what is certified, and order the queue."""
    items = answers.unlabeled(project)
    rows, known = pool.find(items)
    left = Open(items[known], rows, Predictions.of(trained.head, pool.features[rows]))
    step.progress(0, len(rows))
    stored = suggestions.store(project, trained.version.number, proposals(left))
    step.say(f"{stored} proposals")
    step.progress(len(rows) // 2)
    certified, accepted = np.zeros(len(rows), bool), 0
    # A certificate speaks of what a model sees through its own backbone, and of nothing else.
    for each in Certificate.objects.filter(
        project=project, state__in=("valid", "superseded"), model_version__backbone=project.backbone
    ).order_by("attempt"):
        inside, theirs = region(each, pool.features[rows])
        certified |= inside & agreeing(left.seen, theirs)
        if each.state == Certificate.State.VALID and project.assist_mode == Project.AssistMode.ACCEPT:
            accepted = accept(project, each, left, inside, theirs)
            step.say(f"{accepted} auto labels under certificate {each.pk}")
    step.metrics = {"proposals": stored, "auto_labels": accepted}
    step.metrics |= place(project, pool, trained, left, certified, step)


def agreeing(one: Predictions, other: Predictions) -> np.ndarray:
    """Return where two models, maybe with different classes, give the same answer."""
    if one.multilabel:
        return np.array([set(a) == set(b) for a, b in zip(chosen(one), chosen(other), strict=True)], bool)
    return one.classes[one.top] == other.classes[other.top]


def chosen(seen: Predictions) -> Iterator[list[int]]:
    """Yield the class ids of each row's answer."""
    if not seen.multilabel:
        for label in seen.classes[seen.top].tolist():
            yield [label]
        return
    for row in seen.answer:
        yield seen.classes[row].tolist()


def proposals(left: Open) -> Iterator[Proposal]:
    seen = left.seen
    tops = seen.classes[seen.top].tolist()
    for place, (item, classes) in enumerate(zip(left.items.tolist(), chosen(seen), strict=True)):
        confidence = float(seen.confidence[place])
        sure = seen.probabilities[place][seen.answer[place]].tolist() if seen.multilabel else [confidence]
        regions: list[dict[str, object]] = [
            {"class": each, "confidence": round(p, 4)} for each, p in zip(classes, sure, strict=True)
        ]
        yield Proposal(item, regions, tops[place], confidence)


def accept(
    project: Project, certificate: Certificate, left: Open, inside: np.ndarray, theirs: Predictions
) -> int:
    """Write auto labels for what the certificate covers, and have some of them asked again."""
    if certificate.target_error > project.target_error or certificate.confidence < project.confidence:
        return 0  # the manager asks for more than was certified
    labels = [
        AutoLabel(item, classes, float(confidence))
        for item, classes, confidence, wanted in zip(
            left.items.tolist(), chosen(theirs), theirs.confidence, inside, strict=True
        )
        if wanted
    ]
    written = suggestions.accept(
        project,
        labels,
        model_version=certificate.model_version.number,
        certificate=certificate.pk,
        threshold=certificate.threshold or 0.0,
    )
    if written:
        audit(project, certificate, np.array([label.item for label in labels]))
    return written


def audit(project: Project, certificate: Certificate, items: np.ndarray) -> None:
    """Draw auto labels uniformly to be asked again, blind."""
    asked_before = Audit.objects.filter(certificate=certificate).count()
    count = min(len(items), max(FEWEST_AUDITS - asked_before, math.ceil(AUDIT_SHARE * len(items))))
    drawn = np.random.default_rng().choice(items, count, replace=False).tolist()
    with transaction.atomic():
        suggestions.ask_again(project, drawn, probability=count / len(items))
        asked = QueueEntry.objects.filter(item__in=drawn, kind="audit").values_list("item_id", flat=True)
        Audit.objects.bulk_create(
            (Audit(certificate=certificate, item_id=item) for item in asked), ignore_conflicts=True
        )


def place(
    project: Project, pool: Pool, trained: Trained, left: Open, certified: np.ndarray, step: Step
) -> dict[str, int]:
    """Order the queue anew: pre-labels, then groups, then the rest by what teaches most."""
    sent_back = set(
        QueueEntry.objects.filter(project=project, priority__lte=-1).values_list("item_id", flat=True)
    )
    free = np.array([item not in sent_back for item in left.items.tolist()], bool)
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


def prelabeled(left: Open, certified: np.ndarray) -> Iterator[Placement]:
    """Yield placements on pages of one proposed answer each, surest first."""
    answers_of: dict[tuple[int, ...], int] = {}
    for place, classes in enumerate(chosen(left.seen)):
        if certified[place]:
            one = classes[0] if len(classes) == 1 else None
            group = one or -1 - answers_of.setdefault(tuple(classes), len(answers_of))
            priority = 1 - float(left.seen.confidence[place])
            yield Placement(int(left.items[place]), "prelabeled", priority, group, one, CERTIFIED_WHY)


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
        eligible[left.rows] = free & (seen.answer.sum(1) == 1)
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
    density = typical.typicality(index.graph(project, pool.features).cosines)[rows]
    count = int(np.clip(len(rows) // 5, 20, 200))
    chosen_rows = typical.order(pool.features[rows], density, count, project.seed % 2**31)
    return suggestions.order_queue(
        project,
        (
            Placement(int(items[known[row]]), "manual", FIRST_IN_LINE + rank * PLACE, None, None, TYPICAL_WHY)
            for rank, row in enumerate(chosen_rows)
        ),
    )
