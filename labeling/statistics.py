"""The dashboard's figures. Every number is a count of rows, kept by `tallies`."""

from collections import Counter
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Aggregate, Count, Exists, F, FloatField, Max, Min, OuterRef, Q
from django.utils import timezone

from labeling import assigning, bias, effort, extensions, meanings, permissions, tallies
from labeling.limits import done_today as done_today
from labeling.limits import midnight
from labeling.models import Annotation, Claim, Decoy, Item, Project, QueueEntry, Recheck, Tally, User
from labeling.models.queueing import QueueKind
from labeling.review import ORIGINS
from labeling.tallies import Total

NONE = Total()


def overview(project: Project) -> dict[str, Any]:
    """Return all that the dashboard and the API say of a project."""
    return {
        "items": items_by_state(project),
        "queue": queue_by_kind(project),
        "labels_by_class": labels_by_class(project),
        "labels_by_origin": labels_by_origin(project),
        "labels_by_labeler": labels_by_labeler(project),
        "effort": effort.shape(project),
        "sway": bias.shape(project),
        **extensions.facts(project),
    }


def for_visitor(facts: dict[str, Any], user: Any, role: str | None) -> dict[str, Any]:
    """Leave out of an overview what somebody is not told: labelers how they, and others, are measured."""
    facts = facts | {"labels_by_labeler": seen_by(user, facts["labels_by_labeler"])}
    if permissions.may(role, "review"):
        return facts
    told = {name: each for name, each in facts.items() if name not in ("effort", "sway")}
    people = [
        {name: row[name] for name in ("id", "name", "count", "today")} for row in facts["labels_by_labeler"]
    ]
    return told | {"labels_by_labeler": people}


def items_by_state(project: Project) -> dict[str, int]:
    counts = tallies.of(project, Tally.Figure.STATE)
    return {state: counts.get(state, NONE).count for state in Item.State.values}


def queue_by_kind(project: Project) -> dict[str, int]:
    counts = tallies.of(project, Tally.Figure.QUEUE)
    return {kind: counts.get(kind, NONE).count for kind in QueueKind.values}


def images_by_class(project: Project) -> dict[int, int]:
    """Count labeled items per class id; with several classes per item the sum exceeds the items."""
    today = meanings.of(project)
    counts: Counter[int] = Counter()
    for key, total in tallies.of(project, Tally.Figure.CLASS).items():
        counts[today.now(int(key))] += total.count
    return dict(counts)


def labels_by_class(project: Project) -> list[dict[str, Any]]:
    """Count labeled items per class, with the names of those in use or in labels."""
    counts = images_by_class(project)
    return [
        {"id": each.pk, "name": each.name, "color": each.color, "count": counts.get(each.pk, 0)}
        for each in project.classes.all()
        if each.retired_at is None or counts.get(each.pk)
    ]


def labels_by_origin(project: Project) -> dict[str, int]:
    """Count labeled items by what their current label came from."""
    counts = tallies.of(project, Tally.Figure.ORIGIN)
    return {origin: counts.get(origin, NONE).count for origin in ORIGINS}


def labels_by_labeler(project: Project) -> list[dict[str, Any]]:
    """Count each person's answers that stand, in all and today.

    `seconds` is the mean for one that was given by hand, `confirmed_seconds` for a proposal that was
    accepted, by itself or in a grid; `rejected` are the answers that a reviewer took back, `last` is when
    about the newest came. Answers to gold items count, too: labelers see these figures, and would learn how
    many there were.
    """
    parts = tallies.by_part(project, Tally.Figure.LABELER)
    today = tallies.of(project, Tally.Figure.LABELER, midnight())
    rejected = dict(
        Annotation.objects.filter(
            project=project, withdrawal=Annotation.Withdrawal.REJECTED, labeler__isnull=False
        )
        .values_list("labeler")
        .annotate(Count("id"))
        .order_by()
    )
    known = Decoy.objects.filter(page__project=project, page__state="submitted", said=Decoy.Said.CLASSES)
    gold = {
        row["labeler"]: row
        for row in known.exclude(page__kind="clustered")
        .values(labeler=F("page__labeler"))
        .annotate(count=Count("id"), today=Count("id", filter=Q(answered_at__gte=midnight())))
    }
    people = User.objects.in_bulk({int(labeler) for labeler, _ in parts} | rejected.keys() | gold.keys())
    of_people = Tally.objects.filter(project=project, figure=Tally.Figure.LABELER)
    last = dict(of_people.values_list("key").annotate(Max("at")).order_by())
    rows = []
    for pk, person in people.items():
        hidden = gold.get(pk, {"count": 0, "today": 0})
        by_hand, confirmed = (parts.get((str(pk), origin), NONE) for origin in ("person", "confirmed"))
        rows.append(
            {
                "id": pk,
                "name": person.label,
                "count": by_hand.count + confirmed.count + hidden["count"],
                "today": today.get(str(pk), NONE).count + hidden["today"],
                "last": last.get(str(pk)),
                "seconds": by_hand.mean,
                "confirmed_seconds": confirmed.mean,
                "rejected": rejected.get(pk, 0),
            }
        )
    return sorted(rows, key=lambda row: -row["count"])


def seen_by(user: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return of rows by labeler what somebody may see: a vendor's people see theirs alone."""
    vendor = getattr(user, "vendor_id", None)
    if vendor is None:
        return rows
    theirs = set(User.objects.filter(vendor=vendor).values_list("pk", flat=True))
    return [row for row in rows if row["id"] in theirs]


def grids_by_labeler(project: Project, labeler: User | None = None) -> list[dict[str, Any]]:
    """Count what each person, or only one, was shown on grids of look-alikes, and how well it held.

    `taken_out` are the images whose proposal was refused; `seconds` is the median for an image; of
    `asked_again` images, another person's blind answer `agreed`; of `hidden` images of another class, they
    have `found` so many.
    """
    given = Annotation.objects.filter(project=project, kind="clustered", withdrawn_at=None)
    returned = Claim.objects.filter(project=project, state="returned", page__kind="clustered")
    checks = Recheck.objects.filter(project=project, first__kind="clustered", agreed__isnull=False)
    if labeler is not None:
        given, returned = given.filter(labeler=labeler), returned.filter(labeler=labeler)
        checks = checks.filter(first__labeler=labeler)
    decoys = Decoy.objects.filter(
        page__project=project, page__kind="clustered", found__isnull=False, known__withdrawn_at=None
    )
    hidden = {
        row["page__labeler"]: {"hidden": row["hidden"], "found": row["seen"]}
        for row in decoys.values("page__labeler").annotate(
            hidden=Count("id"), seen=Count("id", filter=Q(found=True))
        )
    }
    rows: dict[int, dict[str, Any]] = {}
    for row in given.values("labeler").annotate(
        images=Count("id"), taken_out=Count("id", filter=Q(agreed=False)), median=Median("seconds")
    ):
        rows[row["labeler"]] = {key: row[key] for key in ("images", "taken_out")} | {"seconds": row["median"]}
    for back in returned.values("labeler").annotate(count=Count("id")):
        mine = rows.setdefault(back["labeler"], {"images": 0, "taken_out": 0, "seconds": None})
        mine["images"] += back["count"]
        mine["taken_out"] += back["count"]
    checked = {
        row["first__labeler"]: {"asked_again": row["asked"], "agreed": row["same"]}
        for row in checks.values("first__labeler").annotate(
            asked=Count("id"), same=Count("id", filter=Q(agreed=True))
        )
    }
    return [
        {"id": person.pk, "name": person.label}
        | rows[person.pk]
        | {"taken_out_share": rows[person.pk]["taken_out"] / rows[person.pk]["images"]}
        | checked.get(person.pk, {"asked_again": 0, "agreed": 0})
        | hidden.get(person.pk, {"hidden": 0, "found": 0})
        for person in User.objects.filter(pk__in=rows).order_by("pk")
    ]


def crops_by_labeler(project: Project) -> list[dict[str, Any]]:
    """Count the crops of objects that each person has looked at and refused, and their seconds for each."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT labeler_id, sum(cardinality(checks)), sum(cardinality(exceptions)),
                sum(seconds) / sum(cardinality(checks)) FILTER (WHERE seconds IS NOT NULL)
            FROM labeling_checkpage WHERE project_id = %s AND answered_at IS NOT NULL GROUP BY 1 ORDER BY 1
            """,
            [project.pk],
        )
        rows = cursor.fetchall()
    people = User.objects.in_bulk([labeler for labeler, *_ in rows])
    return [
        {
            "id": labeler,
            "name": people[labeler].label,
            "crops": int(crops),
            "refused": int(refused),
            "refused_share": refused / crops,
            "seconds": seconds,
        }
        for labeler, crops, refused, seconds in rows
    ]


class Median(Aggregate):
    """The middle of a number over a group."""

    function, output_field = "PERCENTILE_CONT", FloatField()
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"


def waiting_for(project: Project, user: User, only_assigned: bool = False, most: int | None = None) -> int:
    """Count the items that could be handed out to somebody now; with `most`, no further than one more."""
    mine = assigning.of(project, user)
    scope = Q(assignment__in=mine) if only_assigned else Q(assignment=None) | Q(assignment__in=mine)
    answered = Annotation.objects.filter(item=OuterRef("item"), labeler=user, withdrawn_at=None)
    waiting = QueueEntry.objects.filter(scope, ~Exists(answered), project=project, open_slots__gt=0)
    return waiting.count() if most is None else waiting[: most + 1].count()


def progress_over_time(project: Project, points: int = 60) -> list[dict[str, Any]]:
    """Return the standing labels by origin up to each of some moments, for a chart."""
    made = Tally.objects.filter(project=project, figure=Tally.Figure.ORIGIN)
    first = made.aggregate(first=Min("at"))["first"]
    if first is None or not any(labels_by_origin(project).values()):
        return []
    width = max((timezone.now() - first).total_seconds() / points, 1e-6)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT
                least(%(points)s - 1, floor(extract(epoch FROM at - %(first)s) / %(width)s))::int,
                key, sum(count)
            FROM labeling_tally WHERE project_id = %(project)s AND figure = 'origin' GROUP BY 1, 2
            """,
            {"points": points, "first": first, "width": width, "project": project.pk},
        )
        rows = cursor.fetchall()
    totals = dict.fromkeys(ORIGINS, 0)
    series: list[dict[str, Any]] = []
    for bucket in range(points):
        for at, origin, count in rows:
            if at == bucket:
                totals[origin] += int(count)
        moment = datetime.fromtimestamp(first.timestamp() + (bucket + 1) * width, tz=first.tzinfo)
        series.append({"at": moment, **totals})
    return series
