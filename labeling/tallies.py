"""Reading the counts that triggers keep, and adding up what has come together."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from labeling import jobs
from labeling.models import Project, Tally

LOOSE = 500  # rows of a project that are worth adding up


@dataclass(frozen=True, slots=True)
class Total:
    """How many there are, and the sum of a figure's amount (seconds, agreement) of those that have one."""

    count: int = 0
    amount: float = 0.0
    measured: int = 0

    @property
    def mean(self) -> float | None:
        return self.amount / self.measured if self.measured else None


def of(project: Project, figure: str, since: datetime | None = None) -> dict[str, Total]:
    """Return what there is of a figure, by key; `since`: only what was made from then on."""
    rows = Tally.objects.filter(project=project, figure=figure)
    return {key: total for (key,), total in summed(rows, since, "key").items()}


def of_parts(project: Project, figure: str) -> dict[str, Total]:
    """Return what there is of a figure, by part, whatever its key."""
    rows = Tally.objects.filter(project=project, figure=figure)
    return {part: total for (part,), total in summed(rows, None, "part").items()}


def by_part(project: Project, figure: str, since: datetime | None = None) -> dict[tuple[Any, ...], Total]:
    """Return what there is of a figure, by (key, part)."""
    return summed(Tally.objects.filter(project=project, figure=figure), since, "key", "part")


def summed(rows: QuerySet[Tally], since: datetime | None, *by: str) -> dict[tuple[Any, ...], Total]:
    if since is not None:
        rows = rows.filter(at__gte=since)
    sums = rows.values_list(*by).annotate(Sum("count"), Sum("amount"), Sum("measured")).order_by()
    found: dict[tuple[Any, ...], Total] = {}
    for *key, count, amount, measured in sums:
        if count:
            found[tuple(key)] = Total(int(count), amount, int(measured))
    return found


def recount_classes(project: Project) -> None:
    """Count labels by class anew: what their classes count as has changed."""
    with transaction.atomic():
        alone(project)
        with connection.cursor() as cursor:
            # One statement, one snapshot: what is committed after it adds rows of its own.
            cursor.execute(
                """
                WITH gone AS (DELETE FROM labeling_tally WHERE project_id = %(project)s AND figure = 'class')
                INSERT INTO labeling_tally (project_id, figure, key, count, merged)
                SELECT %(project)s, 'class', coalesce(c.means_id, c.id)::text, count(DISTINCT i.id), true
                FROM labeling_item i
                JOIN labeling_region r ON r.annotation_id = i.current_annotation_id
                JOIN labeling_labelclass c ON c.id = r.label_class_id
                WHERE i.project_id = %(project)s AND i.state = 'labeled' GROUP BY 3
                """,
                {"project": project.pk},
            )


def alone(project: Project) -> None:
    """Let nobody else add up a project's rows until the end of the transaction: they would count twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('labeling_tally'), %s)", [project.pk % 2**31])


@jobs.periodic(30)
def merge() -> None:
    """Add up the rows of projects that have many: seconds of the last hour, then minutes, hours, days."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT project_id FROM labeling_tally WHERE NOT merged GROUP BY 1 HAVING count(*) >= %s", [LOOSE]
        )
        projects = [pk for (pk,) in cursor.fetchall()]
    for project in Project.objects.filter(pk__in=projects):
        merge_one(project)


def merge_one(project: Project) -> None:
    with transaction.atomic():
        alone(project)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                WITH gone AS (DELETE FROM labeling_tally WHERE project_id = %s RETURNING *)
                INSERT INTO labeling_tally
                    (project_id, figure, key, part, at, count, amount, measured, merged)
                SELECT project_id, figure, key, part, date_trunc(CASE
                        WHEN at > now() - interval '1 hour' THEN 'second'
                        WHEN at > now() - interval '2 days' THEN 'minute'
                        WHEN at > now() - interval '14 days' THEN 'hour' ELSE 'day' END, at, 'UTC'),
                    sum(count), sum(amount), sum(measured), true
                FROM gone GROUP BY 1, 2, 3, 4, 5
                HAVING sum(count) <> 0 OR sum(measured) <> 0
                """,
                [project.pk],
            )
