"""How good labelers were when they were measured: written by what measures them, read by pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from labeling.models import Membership, Project, WorkerQuality


@dataclass(frozen=True, slots=True)
class Measured:
    """The chance that a labeler is right, the answers that it rests on, and how it was found out."""

    labeler: int
    quality: float
    items: int
    method: str


def store(project: Project, measured: Sequence[Measured]) -> None:
    """Add a measurement of several labelers, all at the same time; what is as it was is left out."""
    now, before = timezone.now(), newest(project)
    measured = [each for each in measured if differs(each, before.get(each.labeler))]
    WorkerQuality.objects.bulk_create(
        WorkerQuality(
            project=project,
            labeler_id=each.labeler,
            quality=min(max(each.quality, 0.0), 1.0),
            items=each.items,
            method=each.method,
            at=now,
        )
        for each in measured
    )


def differs(one: Measured, before: WorkerQuality | None) -> bool:
    return before is None or (one.items, one.method) != (before.items, before.method)


def newest(project: Project) -> dict[int, WorkerQuality]:
    """Return the newest measurement of each member, by user."""
    members = Membership.objects.filter(project=project).values("user")
    rows = WorkerQuality.objects.filter(project=project, labeler__in=members)
    return {each.labeler_id: each for each in rows.order_by("labeler", "-at").distinct("labeler")}
