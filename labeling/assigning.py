"""Giving a part of what waits to one person or one team, who alone is handed it until that ends.

Assigned is only what nobody has answered or holds yet; with its first answer an image waits for everybody
again, since nobody answers twice. What is asked blind (validation, audits, known answers) is never assigned:
a draw whose items only some people answer measures those people. An assignment ends by itself when nobody is
left who could be handed its images.

Locks are taken in the order entries by item, then the assignment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from labeling import announcing
from labeling.meanings import family
from labeling.models import (
    AssignedItem,
    Assignment,
    Event,
    LabelClass,
    Membership,
    Project,
    ProjectTeam,
    QueueEntry,
    Team,
    TeamMember,
    User,
)
from labeling.refusals import Refused

MOST_NAMES = 10_000
By = Assignment.By


class AssignmentRefused(Refused):
    """Why something was not assigned, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Part:
    """Which of the waiting items: of a proposed class, listed ones, those of a pattern of names, or a share.

    `listed` has ids, file names or paths; `name` may hold * and ?; `share` is above 0 and up to 1.
    """

    label_class: LabelClass | None = None
    listed: tuple[str, ...] = ()
    name: str = ""
    share: float = 0.0

    @property
    def by(self) -> str:
        if self.label_class is not None:
            return By.CLASS
        if self.listed:
            return By.LIST
        return By.NAME if self.name else By.SHARE

    @property
    def said(self) -> str:
        if self.label_class is not None:
            return f"proposed as {self.label_class.name}"[:200]
        if self.listed:
            return "from a list"
        return f"named {self.name}"[:200] if self.name else f"{100 * self.share:g} % of what waited"


@dataclass(frozen=True, slots=True)
class Made:
    """A new assignment, how many items it has, and which of the listed names fit nothing that waits."""

    assignment: Assignment
    count: int
    unknown: tuple[str, ...] = ()


# Who is handed what


def of(project: Project, labeler: User) -> list[int]:
    """Return the assignments whose items somebody is handed, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id FROM labeling_assignment s
            WHERE s.project_id = %(project)s AND s.ended_at IS NULL
            AND (s.labeler_id = %(labeler)s OR EXISTS (
                SELECT 1 FROM labeling_teammember m
                WHERE m.team_id = s.team_id AND m.user_id = %(labeler)s AND m.left_at IS NULL))
            ORDER BY s.id
            """,
            {"project": project.pk, "labeler": labeler.pk},
        )
        return [pk for (pk,) in cursor.fetchall()]


def open_to(project: Project, labeler: User) -> Q:
    """Return the condition for entries that somebody may hold: what is assigned to them, or to nobody."""
    return Q(assignment=None) | Q(assignment__in=of(project, labeler))


def audience(assignment: Assignment) -> set[int]:
    """Return the people who can be handed what is assigned."""
    members = Membership.objects.filter(project=assignment.project_id, is_active=True, user__is_active=True)
    if assignment.team_id is None:
        members = members.filter(user=assignment.labeler_id)
    else:
        inside = TeamMember.objects.filter(team=assignment.team_id, user=OuterRef("user"), left_at=None)
        members = members.filter(Exists(inside))
    return set(members.values_list("user_id", flat=True))


# Assigning


def assign(
    project: Project, by: User, part: Part, *, labeler: User | None = None, team: Team | None = None
) -> Made:
    """Give a part of what waits to one person or one team, and tell them. Raises AssignmentRefused.

    Passed over is what somebody holds or has answered, what is assigned already, and what is asked blind.
    """
    with transaction.atomic():
        alone(project.pk)
        assignment = Assignment(
            project=project, labeler=labeler, team=team, by=part.by, said=part.said, created_by=by
        )
        refuse_nobody(assignment)
        items, unknown = choose(project, part)
        if not items:
            raise AssignmentRefused(
                "No image that waits fits this. Images that somebody holds, that are assigned already, or "
                "that are asked blind are passed over."
            )
        assignment.save()
        hold(assignment, items)
        record("assign", assignment, by, count=len(items))
        tell(assignment, by, len(items))
    return Made(assignment, len(items), unknown)


def alone(project: int) -> None:
    """Let nobody else give images of a project to anybody until the end of the transaction.

    Else two could give the same one, which both have seen to be nobody's.
    """
    Project.objects.select_for_update(no_key=True).get(pk=project)


def refuse_nobody(assignment: Assignment) -> None:
    """Refuse what nobody would be handed. Raises AssignmentRefused."""
    team = assignment.team
    if (assignment.labeler is None) == (team is None):
        raise AssignmentRefused("Choose one person or one team.")
    if team is not None and not ProjectTeam.objects.filter(project=assignment.project_id, team=team).exists():
        raise AssignmentRefused(f"{team.name} does not work in this project.")
    if not audience(assignment):
        who = team.name if team else assignment.labeler.label  # type: ignore[union-attr]
        raise AssignmentRefused(f"{who} cannot label in this project now.")


FREE = """
    FROM labeling_queueentry e JOIN labeling_item i ON i.id = e.item_id {join}
    WHERE e.project_id = %(project)s AND e.assignment_id IS NULL AND e.open_slots = e.needed
    AND e.kind NOT IN ('validation', 'audit', 'gold')
    AND NOT EXISTS (SELECT 1 FROM labeling_assigneditem a WHERE a.item_id = e.item_id AND a.is_open)
    AND NOT EXISTS (SELECT 1 FROM labeling_annotation x
        WHERE x.item_id = e.item_id AND x.labeler_id IS NOT NULL AND x.withdrawn_at IS NULL)
"""
FILE_NAME = "regexp_replace(i.path, '^.*/', '')"
# Uniform and always the same for an item, but not in the order in which items are asked or drawn.
STIR = "i.draw * 99991 - floor(i.draw * 99991)"


def choose(project: Project, part: Part) -> tuple[list[int], tuple[str, ...]]:
    """Lock the entries of a part; returns their items, and the listed names that none has."""
    params: dict[str, Any] = {"project": project.pk}
    join = condition = ""
    if part.label_class is not None:
        join = "JOIN labeling_suggestion s ON s.item_id = e.item_id"
        condition = " AND s.top_class_id = ANY(%(classes)s)"
        params["classes"] = family(part.label_class.pk)
    elif part.listed:
        return choose_listed(project, part.listed[:MOST_NAMES])
    elif part.name:
        condition = " AND i.path LIKE %(name)s"
        params["name"] = pattern(part.name)
    else:
        if not 0 < part.share <= 1:
            raise AssignmentRefused("A share is more than 0 % and at most 100 %.")
        params["most"] = max(1, round(part.share * assignable(project)))
        condition = f" ORDER BY {STIR}, i.id LIMIT %(most)s"
    with connection.cursor() as cursor:
        cursor.execute("SELECT e.item_id" + FREE.format(join=join) + condition, params)
        return lock([pk for (pk,) in cursor.fetchall()]), ()


def assignable(project: Project) -> int:
    """Count what waits and is not asked blind, assigned or not: what a share is of."""
    waiting = QueueEntry.objects.filter(project=project)
    return waiting.exclude(kind__in=("validation", "audit", "gold")).count()


def choose_listed(project: Project, listed: Sequence[str]) -> tuple[list[int], tuple[str, ...]]:
    """Lock the entries of items by id, path or file name; also returns what fits none."""
    wanted = list(dict.fromkeys(each.strip() for each in listed if each.strip()))
    numbers = [int(each) for each in wanted if each.isdecimal() and len(each) <= 18]
    condition = f"""
        AND (i.id = ANY(%(numbers)s) OR i.path = ANY(%(names)s) OR {FILE_NAME} = ANY(%(names)s))
    """
    params: dict[str, Any] = {"project": project.pk, "numbers": numbers, "names": wanted}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT i.id, i.path, {FILE_NAME}" + FREE.format(join="") + condition, params)
        rows = cursor.fetchall()
    known = {str(pk) for pk, _, _ in rows} | {path for _, path, _ in rows} | {name for _, _, name in rows}
    return lock([pk for pk, _, _ in rows]), tuple(each for each in wanted if each not in known)


def pattern(name: str) -> str:
    """Turn * and ? into what LIKE means by them; without either, the text may stand anywhere."""
    escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    if "*" not in name and "?" not in name:
        return f"%{escaped}%"
    return escaped.replace("*", "%").replace("?", "_")


def lock(items: Sequence[int]) -> list[int]:
    """Lock the entries that nobody has taken meanwhile; returns their items."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT e.item_id FROM labeling_queueentry e
            WHERE e.item_id = ANY(%s) AND e.assignment_id IS NULL AND e.open_slots = e.needed
            AND e.kind NOT IN ('validation', 'audit', 'gold')
            ORDER BY e.item_id FOR UPDATE SKIP LOCKED
            """,
            [list(items)],
        )
        return [pk for (pk,) in cursor.fetchall()]


def hold(assignment: Assignment, items: Sequence[int]) -> None:
    """Make items those of an assignment; their entries are locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_assigneditem (assignment_id, item_id, is_open)
            SELECT %s, item, true FROM unnest(%s::bigint[]) AS w(item) ORDER BY item
            """,
            [assignment.pk, list(items)],
        )
        cursor.execute(
            "UPDATE labeling_queueentry SET assignment_id = %s WHERE item_id = ANY(%s)",
            [assignment.pk, list(items)],
        )


def tell(assignment: Assignment, by: User, count: int) -> None:
    """Tell those who are handed the images, but for who has assigned them."""
    people = audience(assignment) - {by.pk}
    announcing.announce(
        "assigned",
        assignment.project,
        by,
        to=dict.fromkeys(people, 1),
        count=count,
        who=by.label,
        team=assignment.team.name if assignment.team else "",
    )


# Changing and ending


def change(
    assignment: Assignment, by: User, *, labeler: User | None = None, team: Team | None = None
) -> None:
    """Give what is left of an assignment to somebody else. Raises AssignmentRefused."""
    with transaction.atomic():
        now = Assignment.objects.select_for_update().get(pk=assignment.pk)
        if now.ended_at is not None:
            raise AssignmentRefused("This assignment has ended.")
        if (now.labeler, now.team) == (labeler, team):
            return
        now.labeler, now.team = labeler, team
        refuse_nobody(now)
        now.save(update_fields=["labeler", "team"])
        left = now.entries.count()
        record("reassign", now, by, count=left)
        if left:
            tell(now, by, left)


def end(assignment: Assignment, by: User | None) -> bool:
    """Let what is left of an assignment wait for everybody; returns whether it was not ended already."""
    with transaction.atomic():
        entries = QueueEntry.objects.filter(assignment=assignment)
        left = len(list(entries.select_for_update().order_by("item_id").values_list("item_id", flat=True)))
        # Waits for those who are making entries for it, and so sees them.
        now = Assignment.objects.select_for_update().get(pk=assignment.pk)
        if now.ended_at is not None:
            return False
        now.ended_at = timezone.now()
        now.save(update_fields=["ended_at"])
        now.items.filter(is_open=True).update(is_open=False)
        entries.update(assignment=None)
        record("end_assignment", now, by, count=left)
    return True


def resume(assignment: Assignment, by: User) -> int:
    """Take back the end of an assignment, for what nobody was given or has answered since; returns how many.

    Raises AssignmentRefused.
    """
    with transaction.atomic():
        alone(assignment.project_id)
        now = Assignment.objects.select_for_update().get(pk=assignment.pk)
        if now.ended_at is None:
            return 0
        refuse_nobody(now)
        now.ended_at = None
        now.save(update_fields=["ended_at"])
        taken = AssignedItem.objects.filter(item=OuterRef("item"), is_open=True)
        now.items.filter(~Exists(taken)).update(is_open=True)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT a.item_id FROM labeling_assigneditem a
                JOIN labeling_queueentry e ON e.item_id = a.item_id AND e.assignment_id IS NULL
                WHERE a.assignment_id = %s AND a.is_open AND NOT EXISTS (
                    SELECT 1 FROM labeling_annotation x WHERE x.item_id = e.item_id
                    AND x.labeler_id IS NOT NULL AND x.withdrawn_at IS NULL)
                """,
                [now.pk],
            )
            items = lock([pk for (pk,) in cursor.fetchall()])
        QueueEntry.objects.filter(item__in=items).update(assignment=now)
        record("resume_assignment", now, by, count=len(items))
    return len(items)


def end_what_nobody_gets(project: Project, by: User | None) -> list[Assignment]:
    """End the assignments of which nobody can be handed anything any more; returns them."""
    open_ones = Assignment.objects.filter(project=project, ended_at=None).select_related("project")
    ended = [each for each in open_ones.order_by("id") if not audience(each)]
    for each in ended:
        end(each, by)
    return ended


def record(verb: str, assignment: Assignment, by: User | None, *, count: int) -> None:
    fields: dict[str, Any] = {"team": assignment.team.name} if assignment.team else {}
    if assignment.labeler_id:
        fields["user"] = assignment.labeler_id
    Event.record(
        verb, assignment.project, by, assignment=assignment.pk, count=count, said=assignment.said, **fields
    )


# How far it is


def progress(project: Project) -> list[dict[str, Any]]:
    """Return the open assignments, the newest first, each with how far it is.

    Of its items, `left` wait for whom they are given to, `answered` have a standing answer of them, and
    `done` are labeled: one that asks several people is answered before it is done. `other` are put aside:
    skipped, in need of a review, or unreadable.
    """
    found = list(
        Assignment.objects.filter(project=project, ended_at=None)
        .select_related("labeler", "team", "created_by")
        .order_by("-id")
    )
    counts: dict[int, tuple[int, ...]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.id, count(*), count(e.item_id), count(*) FILTER (WHERE EXISTS (
                    SELECT 1 FROM labeling_annotation x
                    WHERE x.item_id = a.item_id AND x.withdrawn_at IS NULL
                    AND (x.labeler_id = s.labeler_id OR x.labeler_id IN (
                        SELECT m.user_id FROM labeling_teammember m WHERE m.team_id = s.team_id)))),
                count(*) FILTER (WHERE i.state = 'labeled'),
                count(*) FILTER (WHERE i.state NOT IN ('labeled', 'unlabeled'))
            FROM labeling_assignment s
            JOIN labeling_assigneditem a ON a.assignment_id = s.id AND a.is_open
            JOIN labeling_item i ON i.id = a.item_id
            LEFT JOIN labeling_queueentry e ON e.item_id = a.item_id AND e.assignment_id = s.id
            WHERE s.id = ANY(%s) GROUP BY 1
            """,
            [[each.pk for each in found]],
        )
        for pk, *numbers in cursor.fetchall():
            counts[pk] = tuple(numbers)
    names = ("total", "left", "answered", "done", "other")
    nothing = (0,) * len(names)
    return [
        {"assignment": each, **dict(zip(names, counts.get(each.pk, nothing), strict=True))} for each in found
    ]
