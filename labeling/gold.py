"""Gold: images whose answer is known, mixed among a labeler's images to measure how often they are right.

Nothing depends on an answer but what is known of its labeler: the image keeps its label, the queue knows
nothing of it, and no model learns from it or is judged by it. Who is asked cannot tell it from others.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from labeling import agreement
from labeling.answers import classes_of, regions_of
from labeling.meanings import Meanings
from labeling.models import Annotation, Decoy, Event, GoldItem, Item, Listing, Page, Project, Review, User
from labeling.refusals import Refused

FIRST = 50  # images of a labeler in a project, of which more are known ones
SHARE_FIRST, SHARE_LATER = 0.2, 0.04
HARD = 0.3  # of those that are chosen for a manager: people, or the model, found them hard
AGREED = 3  # people who say the same without a reviewer
CHOOSE = 50  # that are added at a press of a button
POOL = 200  # known images that a project should have
MOST_LOOKED_AT = 20_000  # candidates that a choice is made among
FEWEST_TO_RETIRE = 3  # good labelers who were asked


class GoldRefused(Refused):
    """Why an image cannot be a known one, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Known:
    """A known image, and how often it was asked about and missed."""

    row: GoldItem
    asked: int
    missed: int

    @property
    def pk(self) -> int:
        return self.row.pk

    @property
    def retired_at(self) -> datetime | None:
        return self.row.retired_at


# The pool


def add(project: Project, items: Iterable[int], by: User) -> list[int]:
    """Make labeled items known ones, with their labels as the truth; returns those that were not yet.

    Raises GoldRefused.
    """
    wanted = sorted(set(items))
    with transaction.atomic():
        labeled = Item.objects.select_for_update(no_key=True).filter(
            project=project, pk__in=wanted, state=Item.State.LABELED, current_annotation__isnull=False
        )
        truths = dict(labeled.order_by("id").values_list("id", "current_annotation_id"))
        if len(truths) != len(wanted):
            raise GoldRefused("Only an image that is labeled can be a known one: its label is the truth.")
        kept = set(serving(project).filter(pk__in=wanted).values_list("pk", flat=True))
        fresh = [item for item in wanted if item not in kept]
        GoldItem.objects.filter(pk__in=fresh).delete()
        GoldItem.objects.bulk_create(
            GoldItem(item_id=item, project=project, truth_id=truths[item], added_by=by) for item in fresh
        )
        if fresh:
            Event.record("gold_added", project, by, items=fresh[:1_000], count=len(fresh))
    return fresh


def remove(project: Project, items: Iterable[int], by: User) -> list[int]:
    """Take items out of the pool, with what people said of them; returns which."""
    gone = sorted(GoldItem.objects.filter(project=project, pk__in=list(items)).values_list("pk", flat=True))
    with transaction.atomic():
        GoldItem.objects.filter(pk__in=gone).delete()
        if gone:
            Event.record("gold_removed", project, by, items=gone[:1_000], count=len(gone))
    return gone


def serving(project: Project) -> QuerySet[GoldItem]:
    """Return the known images that can be asked about: their truth is still their label."""
    return GoldItem.objects.filter(
        project=project,
        retired_at=None,
        item__state=Item.State.LABELED,
        item__current_annotation=F("truth"),
        truth__withdrawn_at=None,
    )


def pool(project: Project) -> list["Known"]:
    """Return the known images with how often they were missed: retired ones first, then by misses."""
    said = {
        item: (asked, missed)
        for item, asked, missed in Decoy.objects.filter(gold__project=project, found__isnull=False)
        .values_list("gold")
        .annotate(asked=Count("id"), missed=Count("id", filter=Q(found=False)))
    }
    rows = GoldItem.objects.filter(project=project).select_related("item", "added_by")
    rows = rows.prefetch_related("truth__regions__label_class__means")
    found = [Known(each, *said.get(each.pk, (0, 0))) for each in rows.order_by("-created_at", "-pk")]
    return sorted(found, key=lambda each: (each.retired_at is None, -each.missed))


def choose(project: Project, count: int, by: User, chance: random.Random | None = None) -> list[int]:
    """Add images that were adjudicated: most of them drawn evenly, some among those that are hard.

    Adjudicated are those that a reviewer decided or approved, and those on which three people agree. Returns
    the items that were added.
    """
    chance = chance or random.Random()
    known, hard = candidates(project)
    some_hard = chance.sample(hard, min(len(hard), round(HARD * count)))
    rest = sorted(set(known) - set(some_hard))
    chosen = some_hard + chance.sample(rest, min(len(rest), count - len(some_hard)))
    return add(project, chosen, by)


def candidates(project: Project) -> tuple[list[int], list[int]]:
    """Return the adjudicated items that are not in the pool yet, and those among them that are hard.

    Hard are those on which people did not agree, and those that the model would label otherwise or is not
    sure of.
    """
    with connection.cursor() as cursor:
        among = f"{APPROVED} UNION {AGREED_ON}"
        cursor.execute(f"{adjudicated(among)} ORDER BY random() LIMIT {MOST_LOOKED_AT}", asked(project))
        rows = cursor.fetchall()
    return [item for item, _ in rows], [item for item, is_hard in rows if is_hard]


def can_choose(project: Project) -> bool:
    """Tell whether there is an adjudicated item that is not in the pool yet."""
    approved = Listing.objects.filter(project=project, reviewed=True, state=Item.State.LABELED)
    if approved.filter(item__gold=None).exists():
        return True
    with connection.cursor() as cursor:  # which has to count all answers
        cursor.execute(f"{adjudicated(AGREED_ON)} LIMIT 1", asked(project))
        return cursor.fetchone() is not None


def asked(project: Project) -> dict[str, int]:
    return {"project": project.pk, "agreed": AGREED}


APPROVED = "SELECT l.item_id FROM labeling_listing l WHERE l.project_id = %(project)s AND l.reviewed"
AGREED_ON = """
    SELECT a.item_id FROM labeling_annotation a WHERE a.project_id = %(project)s
    AND a.withdrawn_at IS NULL AND NOT a.skipped AND a.labeler_id IS NOT NULL
    GROUP BY a.item_id HAVING count(*) >= %(agreed)s
"""


def adjudicated(among: str) -> str:
    """Return the query of adjudicated items and whether they are hard, among items of another query."""
    return f"WITH settled AS ({among}) {ADJUDICATED}"


ADJUDICATED = """
    SELECT i.id, coalesce(o.others, 0) > 0 OR coalesce(s.confidence < 0.7, false)
        OR EXISTS (SELECT 1 FROM labeling_review v WHERE v.annotation_id = t.id AND v.undone_at IS NULL
            AND (v.before IS NULL OR v.before->>'state' = 'needs_review'))
    FROM settled
    JOIN labeling_item i ON i.id = settled.item_id
    JOIN labeling_annotation t ON t.id = i.current_annotation_id AND t.withdrawn_at IS NULL
    LEFT JOIN labeling_suggestion s ON s.item_id = i.id
    LEFT JOIN LATERAL (
        SELECT count(*) AS answers,
            count(*) FILTER (WHERE said.classes IS DISTINCT FROM truth.classes) AS others
        FROM labeling_annotation a
        CROSS JOIN LATERAL (SELECT array_agg(DISTINCT coalesce(c.means_id, c.id)) AS classes
            FROM labeling_region r JOIN labeling_labelclass c ON c.id = r.label_class_id
            WHERE r.annotation_id = a.id) said
        CROSS JOIN LATERAL (SELECT array_agg(DISTINCT coalesce(c.means_id, c.id)) AS classes
            FROM labeling_region r JOIN labeling_labelclass c ON c.id = r.label_class_id
            WHERE r.annotation_id = t.id) truth
        WHERE a.item_id = i.id AND a.withdrawn_at IS NULL AND NOT a.skipped AND a.labeler_id IS NOT NULL
    ) o ON true
    WHERE i.state = 'labeled'
    AND NOT EXISTS (SELECT 1 FROM labeling_golditem g WHERE g.item_id = i.id)
    AND (
        EXISTS (SELECT 1 FROM labeling_review v
            WHERE v.annotation_id = t.id AND v.verdict = 'approve' AND v.undone_at IS NULL)
        OR o.answers - o.others >= %(agreed)s
    )
"""


# Asking


def draw(project: Project, labeler: User, images: int) -> GoldItem | None:
    """Return what to hide among the next `images` of a labeler; None mostly, and where nothing is left."""
    if not GoldItem.objects.filter(project=project, retired_at=None).exists():
        return None
    mine = Annotation.objects.filter(project=project, labeler=labeler, withdrawn_at=None)
    known = Decoy.objects.filter(page__project=project, page__labeler=labeler, gold__isnull=False)
    is_new = mine[:FIRST].count() + known[:FIRST].count() < FIRST
    if random.random() >= (SHARE_FIRST if is_new else SHARE_LATER) * images:
        return None
    return pick(project, labeler)


def pick(project: Project, labeler: User) -> GoldItem | None:
    """Return a known image that a labeler has had nothing to do with.

    They have not answered it, reviewed it, made it a known one, or had it before, hidden or not.
    """
    mine = Annotation.objects.filter(item=OuterRef("item"), labeler=labeler)
    reviewed = Review.objects.filter(item=OuterRef("item"), reviewer=labeler)
    shown = Decoy.objects.filter(known__item=OuterRef("item"), page__labeler=labeler)
    held = Page.objects.filter(claims__item=OuterRef("item"), labeler=labeler)
    fresh = serving(project).filter(item__entry=None).exclude(added_by=labeler)
    fresh = fresh.exclude(Exists(mine) | Exists(reviewed) | Exists(shown) | Exists(held))
    found = list(fresh.values_list("pk", flat=True)[:1_000])
    return GoldItem.objects.select_related("truth").get(pk=random.choice(found)) if found else None


# Judging


def is_right(project: Project, gold: GoldItem, today: Meanings, regions: Sequence[dict[str, Any]]) -> bool:
    """Tell whether an answer, {class, bbox? or polygon?}, is as good as the truth by the project's rule."""
    rule = project.agreement_rule
    if project.is_classification:
        said = [today.now(each["class"]) for each in regions]
        alike = agreement.classes_alike(said, classes_of([gold.truth_id])[gold.truth_id])
    else:
        now = [{**each, "class": today.now(each["class"])} for each in regions]
        alike = agreement.regions_alike(now, regions_of([gold.truth_id])[gold.truth_id], rule.overlap)
    return alike >= rule.match - agreement.CLOSE


def answers_of(project: Project, labelers: Iterable[int] | None = None) -> QuerySet[Decoy]:
    """Return the answers to known images that count, in their order."""
    found = Decoy.objects.filter(page__project=project, gold__retired_at=None, found__isnull=False)
    found = found.filter(gold__isnull=False).order_by("answered_at", "id")
    return found if labelers is None else found.filter(page__labeler__in=list(labelers))


def feedback(page: Page) -> list[dict[str, Any]]:
    """Return what the labeler of a submitted page may know by now: {item, right, regions that are}."""
    told = Decoy.objects.filter(page=page, told=True, gold__isnull=False).select_related("gold")
    found = []
    for each in told:
        assert each.gold is not None
        truth = each.gold.truth_id
        found.append({"item": each.gold_id, "right": each.found, "regions": regions_of([truth])[truth]})
    return found


def retire_if_misleading(gold: GoldItem) -> bool:
    """Retire a known image that most good labelers miss: its truth is wrong, or it shows no truth.

    Good is who was right about four in five other known images or more, and is not flagged.
    """
    said = dict(answers_of(gold.project).filter(gold=gold).values_list("page__labeler", "found"))
    if sum(not right for right in said.values()) < 2:
        return False
    others: dict[int, list[bool]] = {labeler: [] for labeler in said}
    elsewhere = answers_of(gold.project, said).exclude(gold=gold)
    for labeler, right in elsewhere.values_list("page__labeler", "found"):
        others[labeler].append(bool(right))
    good = [each for each, record in others.items() if len(record) >= 5 and sum(record) >= 0.8 * len(record)]
    misses = sum(not said[each] for each in good)
    if len(good) < FEWEST_TO_RETIRE or 2 * misses <= len(good):
        return False
    retired = GoldItem.objects.filter(pk=gold.pk, retired_at=None).update(retired_at=timezone.now())
    if retired:
        Event.record(
            "gold_retired", gold.project, None, items=[gold.pk], count=1, asked=len(good), missed=misses
        )
    return bool(retired)
