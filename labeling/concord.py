"""How much the people of a project agree: counted by a job, kept as a report that pages read.

Counted are answers that stand, that people gave without seeing a proposal: one that is shown makes people
agree with it, and so with each other.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import combinations
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from labeling import agreement, jobs, kappa, worker_quality
from labeling.answers import regions_of
from labeling.models import AgreementReport, Disagreement, Job, Project, WorkerQuality
from labeling.worker_quality import Measured

FRESH = timedelta(seconds=30)
PATIENT = 20  # times as long as a count took, until the next one
DIGITS = 4
FEWEST_SHARED = 10  # items with several answers from which people can be measured
CHUNK = 5_000

ANSWERS = """
    SELECT a.item_id, a.id, a.labeler_id, a.created_at, ARRAY(
        SELECT DISTINCT coalesce(c.means_id, c.id) FROM labeling_region r
        JOIN labeling_labelclass c ON c.id = r.label_class_id WHERE r.annotation_id = a.id ORDER BY 1
    )
    FROM labeling_annotation a
    WHERE a.item_id IN (
        SELECT item_id FROM labeling_annotation WHERE project_id = %(project)s AND labeler_id IS NOT NULL
        AND withdrawn_at IS NULL AND NOT skipped AND NOT suggestion_visible GROUP BY 1 HAVING count(*) > 1
    ) AND a.labeler_id IS NOT NULL AND a.withdrawn_at IS NULL AND NOT a.skipped AND NOT a.suggestion_visible
    ORDER BY a.item_id, a.labeler_id
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What one person said of an item; `classes` are sorted."""

    labeler: int
    annotation: int
    classes: tuple[int, ...]
    week: date


@dataclass(slots=True)
class Pair:
    """What two people said of the same items."""

    answers: list[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=list)
    alike: list[float] = field(default_factory=list)
    overlaps: list[float] = field(default_factory=list)
    disagreed: int = 0


def report_of(project: Project) -> tuple[AgreementReport | None, bool]:
    """Return the newest report, and whether a newer one is being counted; asks for one where that is due."""
    report = AgreementReport.objects.filter(project=project).first()
    if report is not None:
        rest = max(FRESH, timedelta(seconds=PATIENT * report.seconds))
        if timezone.now() - report.counted_at < rest:
            return report, False
    waiting = Job.objects.filter(project=project, kind="agreement", state__in=("queued", "running"))
    if not waiting.exists():
        jobs.enqueue("agreement", project)
    return report, True


@jobs.handler("agreement", cluster="quick", priority=-2)
def count(job: jobs.RunningJob) -> dict[str, Any]:
    """Count how much people agree, and keep that."""
    project = job.project
    assert project is not None
    recount(project)
    return {}


def recount(project: Project) -> AgreementReport:
    """Count how much the people of a project agree, and replace what was counted before."""
    started, now = time.monotonic(), timezone.now()
    items = answers_by_item(project)
    data, disagreements = counted(project, items)
    if project.assist_mode == Project.AssistMode.OFF:  # else a training does, which knows more
        measure(project, items)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        Disagreement.objects.filter(project=project).delete()
        Disagreement.objects.bulk_create(disagreements, batch_size=CHUNK)
        report, _ = AgreementReport.objects.update_or_create(
            project=project,
            defaults={"data": data, "seconds": time.monotonic() - started, "counted_at": now},
        )
    return report


def measure(project: Project, items: dict[int, list[Said]]) -> None:
    """Measure people by how alike their answers are to those of others, and keep that."""
    if len(items) < FEWEST_SHARED:
        return
    alike: dict[int, list[float]] = defaultdict(list)
    for _, one, other, likeness, *_ in compared(project, items):
        for each in (one, other):
            alike[each.labeler].append(likeness)
    worker_quality.store(
        project,
        [
            Measured(labeler, float(np.mean(each)), len(each), WorkerQuality.Method.AGREEMENT)
            for labeler, each in alike.items()
        ],
    )


def answers_by_item(project: Project) -> dict[int, list[Said]]:
    """Return what people said of the items that several of them answered."""
    found: dict[int, list[Said]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, {"project": project.pk})
        for item, annotation, labeler, at, classes in cursor.fetchall():
            day = at.date()
            monday = day - timedelta(days=day.weekday())
            found[item].append(Said(labeler, annotation, tuple(classes), monday))
    return found


def counted(project: Project, items: dict[int, list[Said]]) -> tuple[dict[str, Any], list[Disagreement]]:
    """Return the report's figures, and who disagrees about what."""
    pairs: dict[tuple[int, int], Pair] = defaultdict(Pair)
    weekly: dict[date, list[float]] = defaultdict(list)
    disagreements = []
    for item, one, other, alike, overlaps, differ in compared(project, items):
        weekly[max(each.week for each in items[item])].append(alike)
        pair = pairs[one.labeler, other.labeler]
        pair.answers.append((one.classes, other.classes))
        pair.alike.append(alike)
        pair.overlaps += overlaps
        if differ is not None:
            pair.disagreed += 1
            week = max(one.week, other.week)
            disagreements.append(
                Disagreement(
                    project=project,
                    item_id=item,
                    one_id=one.labeler,
                    other_id=other.labeler,
                    week=week,
                    classes=differ,
                )
            )
    data = {
        "items": len(items),
        "answers": sum(map(len, items.values())),
        "disputed": len({each.item_id for each in disagreements}),
        "alpha": rounded(kappa.alpha([[each.classes for each in said] for said in items.values()])),
        "alike": mean([alike for pair in pairs.values() for alike in pair.alike]),
        "overlap": mean([shared for pair in pairs.values() for shared in pair.overlaps]),
        "pairs": [pair_row(who, pair) for who, pair in sorted(pairs.items())],
        "classes": class_rows(items, disagreements),
        "weeks": week_rows(items, disagreements, weekly),
    }
    return data, disagreements


Compared = tuple[int, Said, Said, float, list[float], list[int] | None]


def compared(project: Project, items: dict[int, list[Said]]) -> Iterator[Compared]:
    """Yield each two answers to an item: how alike they are, overlaps of objects, and classes that differ."""
    rule = project.agreement_rule
    for numbers in chunks(list(items)):
        drawn: dict[int, list[dict[str, Any]]] = {}
        if not project.is_classification:
            drawn = regions_of(each.annotation for number in numbers for each in items[number])
        for number in numbers:
            for one, other in combinations(items[number], 2):
                if project.is_classification:
                    alike = agreement.classes_alike(one.classes, other.classes)
                    differ = sorted(set(one.classes) ^ set(other.classes))
                    yield number, one, other, alike, [], differ if alike < 1 else None
                    continue
                objects = drawn[one.annotation], drawn[other.annotation]
                found = agreement.matched(*objects, rule.overlap)
                total = len(objects[0]) + len(objects[1])
                alike = 2 * len(found) / total if total else 1.0
                left = unmatched(objects, found) if alike < rule.match - agreement.CLOSE else None
                yield number, one, other, alike, [shared for *_, shared in found], left


def unmatched(
    objects: tuple[list[dict[str, Any]], list[dict[str, Any]]], found: Sequence[tuple[int, int, float]]
) -> list[int]:
    """Return the classes of the objects that only one of two people drew."""
    taken = ({at for at, *_ in found}, {to for _, to, _ in found})
    return sorted(
        {
            each["class"]
            for side in (0, 1)
            for place, each in enumerate(objects[side])
            if place not in taken[side]
        }
    )


def pair_row(who: tuple[int, int], pair: Pair) -> dict[str, Any]:
    return {
        "one": who[0],
        "other": who[1],
        "items": len(pair.alike),
        "disagreed": pair.disagreed,
        "kappa": rounded(kappa.kappa(pair.answers)),
        "alike": mean(pair.alike),
        "overlap": mean(pair.overlaps),
    }


def class_rows(items: dict[int, list[Said]], disagreements: list[Disagreement]) -> list[dict[str, Any]]:
    """Return how much people agree on each class: on whether an image has it."""
    answers = np.array([len(said) for said in items.values()])
    saying: dict[int, Counter[int]] = defaultdict(Counter)
    for unit, said in enumerate(items.values()):
        for each in said:
            for label in each.classes:
                saying[label][unit] += 1
    disputed: dict[int, set[int]] = defaultdict(set)
    for row in disagreements:
        for label in row.classes:
            disputed[label].add(row.item_id)
    rows = []
    for label, counts in sorted(saying.items()):
        yes = np.zeros(len(answers))
        yes[list(counts)] = list(counts.values())
        rows.append(
            {
                "class": label,
                "items": len(counts),
                "disagreed": len(disputed[label]),
                "alpha": rounded(kappa.binary_alpha(yes, answers)),
            }
        )
    return rows


def week_rows(
    items: dict[int, list[Said]],
    disagreements: list[Disagreement],
    weekly: dict[date, list[float]],
) -> list[dict[str, Any]]:
    """Return how much people agreed week by week; an item belongs to that of its newest answer."""
    by_week: dict[date, list[list[tuple[int, ...]]]] = defaultdict(list)
    for said in items.values():
        by_week[max(each.week for each in said)].append([each.classes for each in said])
    disputed: dict[date, set[int]] = defaultdict(set)
    for row in disagreements:
        disputed[row.week].add(row.item_id)
    return [
        {
            "week": week.isoformat(),
            "items": len(answers),
            "disagreed": len(disputed[week]),
            "alpha": rounded(kappa.alpha(answers)),
            "alike": mean(weekly[week]),
        }
        for week, answers in sorted(by_week.items())
    ]


def mean(numbers: Sequence[float]) -> float | None:
    return rounded(float(np.mean(numbers))) if numbers else None


def rounded(number: float | None) -> float | None:
    return None if number is None else round(number, DIGITS)


def chunks(numbers: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(numbers), CHUNK):
        yield numbers[at : at + CHUNK]


# The columns of each table as a file.
TABLES = {
    "pairs": ("one", "other", "items", "disagreed", "kappa", "alike", "overlap"),
    "classes": ("class", "items", "disagreed", "alpha"),
    "weeks": ("week", "items", "disagreed", "alpha", "alike"),
}
