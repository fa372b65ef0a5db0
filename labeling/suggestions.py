"""The one door through which models write: suggestions, queue order, auto labels, audits."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_noop

from labeling import checks, columns, proposing, queue
from labeling.models import Annotation, Item, Listing, ObjectCheck, Project, QueueEntry, Suggestion

CHUNK = 5_000
Row = TypeVar("Row")
MODEL_KINDS = ("manual", "clustered", "prelabeled")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model proposes for an item; `regions` are {class, confidence, bbox?, polygon?}."""

    item: int
    regions: list[dict[str, object]]
    top_class: int | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an item stands in the queue; lower `priority` comes first.

    `certificate` is the id of the one that its proposal rests on. An item that is asked one by one may have
    `likely` classes ticked beforehand, and `doubtful` ones marked.
    """

    item: int
    kind: str
    priority: float
    group: int | None
    proposed_class: int | None
    why: str
    certificate: int | None = None
    likely: list[int] | None = None
    doubtful: list[int] | None = None


PLACED = attrgetter(
    "item", "kind", "priority", "group", "proposed_class", "why", "certificate", "likely", "doubtful"
)


@dataclass(frozen=True, slots=True)
class AutoLabel:
    """What a model says of an item; `regions` are {class, bbox?, polygon?}."""

    item: int
    regions: Sequence[Mapping[str, Any]]
    confidence: float


@dataclass(frozen=True, slots=True)
class AskedObject:
    """An object of an item's proposal that people may check by its crop; `bbox` is [x, y, width, height].

    `group` holds look-alikes of one class; lower `priority` comes first, also within it.
    """

    item: int
    label_class: int
    bbox: list[float]
    confidence: float
    group: int
    priority: float


def store(project: Project, model_version: int, proposals: Iterable[Proposal]) -> int:
    """Replace the suggestions of the items named; returns how many.

    What people have said of objects by their crops holds for the new proposals too.
    """
    count = 0
    for chunk in chunks(proposals):
        with transaction.atomic(), connection.cursor() as cursor:
            rows = ((each.item, json.dumps(each.regions), each.top_class, each.confidence) for each in chunk)
            send(cursor, "item bigint, regions jsonb, top bigint, confidence float8", rows)
            cursor.execute(
                """
                INSERT INTO labeling_suggestion
                    (item_id, project_id, model_version, regions, top_class_id, confidence, created_at)
                SELECT item, %s, %s, regions, top, confidence, now() FROM sent ORDER BY item
                ON CONFLICT (item_id) DO UPDATE SET
                    model_version = excluded.model_version, regions = excluded.regions,
                    top_class_id = excluded.top_class_id, confidence = excluded.confidence,
                    created_at = excluded.created_at
                """,
                [project.pk, model_version],
            )
            if not project.is_classification:
                checks.write_into_proposals([each.item for each in chunk])
        count += len(chunk)
    return count


def take_back(project: Project, model_versions: Collection[int], items: Collection[int] | None = None) -> int:
    """Propose no more what some models have said, of the items named or of all; returns of how many.

    What is on a screen stays there, and so does what people have answered.
    """
    said = Suggestion.objects.filter(project=project, model_version__in=list(model_versions))
    if items is not None:
        said = said.filter(item__in=list(items))
    with transaction.atomic():
        mine = list(said.values_list("item_id", flat=True))
        waiting = QueueEntry.objects.filter(
            project=project, item__in=mine, kind="prelabeled", certificate=None, open_slots=F("needed")
        )
        locked = waiting.select_for_update(skip_locked=True).order_by("item_id").values_list("pk", flat=True)
        proposing.ask_singly(QueueEntry.objects.filter(pk__in=list(locked)))
        said.filter(item__in=mine).delete()
    return len(mine)


def propose_imported(project: Project, answers: Mapping[int, int]) -> None:
    """Show answers from a file to whoever is asked about their items, until these are answered.

    `answers` are annotations by item that do not count. They come before what a model says, whose rounds
    replace each other, and are never taken for it. Nothing is shown where people are asked blind.
    """
    waiting = QueueEntry.objects.select_for_update().filter(
        project=project, item__in=list(answers), kind__in=MODEL_KINDS, hint=None
    )
    entries = list(waiting.order_by("item_id"))
    for each in entries:
        each.hint_id = answers[each.item_id]
    columns.write(entries, ["hint"])


def set_label_errors(
    project: Project, scores: Mapping[int, float], instead: Mapping[int, int] = MappingProxyType({})
) -> int:
    """Say how well the label of items fits what a model says of them, held out; returns how many changed.

    The lower, the likelier it is wrong. `instead` has the class that the model says where it is another.
    Items that are not named have no score any more. What is being labeled at this moment is passed over.
    """
    changed = 0
    rows = ((item, float(score), instead.get(item)) for item, score in sorted(scores.items()))
    for chunk in chunks(rows):
        with transaction.atomic(), connection.cursor() as cursor:
            send(cursor, "item bigint, score float8, instead bigint", chunk)
            cursor.execute(
                """
                WITH free AS (
                    SELECT sent.* FROM labeling_listing l JOIN sent ON sent.item = l.item_id
                    WHERE l.project_id = %s
                    AND (l.label_error, l.model_class) IS DISTINCT FROM (sent.score, sent.instead)
                    ORDER BY l.item_id FOR UPDATE OF l SKIP LOCKED
                )
                UPDATE labeling_listing l SET label_error = f.score, model_class = f.instead
                FROM free f WHERE l.item_id = f.item
                """,
                [project.pk],
            )
            changed += cursor.rowcount
    known = Listing.objects.filter(project=project, label_error__isnull=False)
    gone = [item for item in known.values_list("item_id", flat=True) if item not in scores]
    for some in chunks(gone):
        changed += Listing.objects.filter(item__in=some).update(label_error=None, model_class=None)
    return changed


def ask_about_objects(project: Project, model_version: int, objects: Iterable[AskedObject]) -> int:
    """Replace the objects that wait to be checked by those of the newest round; returns how many.

    Those on a screen stay until their lease ends, and so long nobody is asked about the same images. What
    people have looked at before is not asked again. Where several people are to answer, each by themselves,
    nothing is asked: a check would speak for all of them.
    """
    asked = list(objects) if project.labels_per_item == 1 else []
    items = {each.item for each in asked}
    with transaction.atomic():
        waiting = ObjectCheck.objects.filter(project=project, state=ObjectCheck.State.WAITING)
        unheld = waiting.exclude(held_until__gte=timezone.now()).select_for_update(skip_locked=True)
        ObjectCheck.objects.filter(pk__in=list(unheld.values_list("id", flat=True))).delete()
        # In this order: what is answered in between is found by one or the other.
        held = set(waiting.filter(item__in=items).values_list("item_id", flat=True))
        said = checks.said_of(items)
        fresh = [
            ObjectCheck(
                project=project,
                item_id=each.item,
                model_version=model_version,
                label_class_id=each.label_class,
                bbox=each.bbox,
                confidence=each.confidence,
                group=each.group,
                priority=each.priority,
            )
            for each in asked
            if each.item not in held and not checks.last_word(each.label_class, each.bbox, said[each.item])
        ]
        ObjectCheck.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def send(cursor: CursorWrapper, columns: str, rows: Iterable[Sequence[object]]) -> None:
    """Give the database rows as the temporary table `sent`, until the end of the transaction.

    Half a million rows a round: as objects they would take minutes, as arrays three times as long.
    """
    cursor.execute("DROP TABLE IF EXISTS sent")
    cursor.execute(f"CREATE TEMPORARY TABLE sent ({columns}) ON COMMIT DROP")
    with cursor.copy("COPY sent FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def order_queue(project: Project, placements: Iterable[Placement]) -> int:
    """Move entries within the queue; returns how many moved.

    Entries that are held, or that ask for validation, audit, gold or review, stay as they are.
    """
    moved = 0
    for chunk in chunks(placements):
        with transaction.atomic(), connection.cursor() as cursor:
            send(
                cursor,
                "item bigint, kind text, priority float8, grp bigint, proposed bigint, why text,"
                " certificate bigint, likely bigint[], doubtful bigint[]",
                map(PLACED, chunk),
            )
            # Locked rows are on somebody's screen: leaving them alone also rules out deadlocks.
            cursor.execute(
                """
                WITH free AS (
                    SELECT sent.* FROM labeling_queueentry e JOIN sent ON sent.item = e.item_id
                    WHERE e.project_id = %s AND e.open_slots = e.needed AND e.kind = ANY(%s)
                    ORDER BY e.item_id FOR UPDATE OF e SKIP LOCKED
                )
                UPDATE labeling_queueentry e
                SET kind = f.kind, priority = f.priority, "group" = f.grp, proposed_class_id = f.proposed,
                    why = f.why, certificate = f.certificate, likely = f.likely,
                    doubtful = f.doubtful
                FROM free f WHERE e.item_id = f.item
                """,
                [project.pk, list(MODEL_KINDS)],
            )
            moved += cursor.rowcount
    return moved


def accept(
    project: Project, labels: Iterable[AutoLabel], *, model_version: int, certificate: int, threshold: float
) -> int:
    """Write auto labels for items that nobody holds or has labeled; returns how many were written.

    The database refuses them unless the certificate is valid at that moment.
    """
    written = 0
    for chunk in chunks(labels):
        with transaction.atomic():
            free = set(
                QueueEntry.objects.select_for_update(skip_locked=True)
                .filter(
                    project=project,
                    item__in=[each.item for each in chunk],
                    kind__in=MODEL_KINDS,
                    item__state="unlabeled",
                    open_slots=project.labels_per_item,
                    needed=project.labels_per_item,
                )
                .order_by("item_id")
                .values_list("item_id", flat=True)
            )
            taken = [each for each in chunk if each.item in free]
            annotations = write_auto_labels(project, taken, model_version, certificate, threshold)
            queue.finish(annotations)
            written += len(taken)
    return written


def write_auto_labels(
    project: Project, labels: list[AutoLabel], model_version: int, certificate: int, threshold: float
) -> dict[int, int]:
    """Write annotations with their regions; returns the annotation of each item."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO labeling_annotation
                (project_id, item_id, uuid, source, kind, skipped, skip_reason, counted, suggestion_visible,
                 model_version, certificate, confidence, threshold, created_at, withdrawal)
            SELECT %s, w.item, gen_random_uuid(), 'auto', '', false, '', true, false, %s,
                %s, w.confidence, %s, now(), ''
            FROM unnest(%s::bigint[], %s::float8[]) AS w(item, confidence)
            RETURNING item_id, id
            """,
            [
                project.pk,
                model_version,
                certificate,
                threshold,
                [each.item for each in labels],
                [each.confidence for each in labels],
            ],
        )
        annotations = dict(cursor.fetchall())
        rows = [(annotations[each.item], region) for each in labels for region in each.regions]
        cursor.execute(
            """
            INSERT INTO labeling_region (annotation_id, label_class_id, bbox, polygon, origin)
            SELECT *, 'accepted' FROM unnest(%s::bigint[], %s::bigint[], %s::jsonb[], %s::jsonb[])
            """,
            [
                [annotation for annotation, _ in rows],
                [region["class"] for _, region in rows],
                [as_json(region.get("bbox")) for _, region in rows],
                [as_json(region.get("polygon")) for _, region in rows],
            ],
        )
    return annotations


def as_json(geometry: object) -> str | None:
    return None if geometry is None else json.dumps(geometry)


def count_auto_labels(project: Project) -> int:
    """Count the automatic labels that stand."""
    return Annotation.objects.filter(project=project, source="auto", withdrawn_at=None).count()


def shown_under(project: Project, certificate: int) -> QuerySet[QueueEntry]:
    """Return what waits in the queue as certified, and is on nobody's screen."""
    return QueueEntry.objects.filter(
        project=project, certificate=certificate, kind="prelabeled", open_slots=F("needed")
    )


def take_off_pages(project: Project, certificate: int) -> None:
    """Show nothing as certified any more by a certificate; what is on a screen stays there."""
    proposing.ask_singly(shown_under(project, certificate))


def is_shown(project: Project, certificate: int) -> bool:
    """Tell whether anything waits in the queue as certified by a certificate."""
    return shown_under(project, certificate).exists()


def withdraw(project: Project, certificate: int) -> int:
    """Send a certificate's auto labels back to people, least sure first; returns how many.

    What people have answered stays: labels that they confirmed, and those of audited items, right or wrong.
    Nothing is shown as certified by it any more.
    """
    now = timezone.now()
    with transaction.atomic():
        take_off_pages(project, certificate)
        labels = list(
            Annotation.objects.select_for_update()
            .filter(project=project, certificate=certificate, source="auto", withdrawn_at=None)
            .order_by("id")
        )
        Annotation.objects.filter(pk__in=[label.pk for label in labels]).update(
            withdrawn_at=now, withdrawal=Annotation.Withdrawal.CERTIFICATE
        )
        confidence = {label.pk: label.confidence or 0.0 for label in labels}
        # Not their keys: who claims one for an audit at this moment would wait for this, and this for them.
        mine = Item.objects.select_for_update(no_key=True).filter(current_annotation__in=confidence)
        items = list(mine.order_by("id"))
        Item.objects.filter(pk__in=[item.pk for item in items]).update(
            state="unlabeled", current_annotation=None
        )
        QueueEntry.objects.bulk_create(
            [
                QueueEntry(
                    item=item,
                    project=project,
                    kind="manual",
                    priority=-2 + confidence[item.current_annotation_id or 0],
                    needed=project.labels_per_item,
                    open_slots=project.labels_per_item,
                    why=gettext_noop("its automatic label was withdrawn"),
                )
                for item in items
            ],
            # An audit may be open for the item; it asks for the same answer.
            ignore_conflicts=True,
        )
    return len(labels)


def ask_again(project: Project, items: Sequence[int], *, probability: float) -> list[int]:
    """Ask people blind about items that are labeled; returns which.

    A label stays until the answer is there. Nobody who has answered an item gets it again, so a person's
    label is asked of somebody else. Items that are asked about already are passed over.
    """
    with transaction.atomic():
        free = list(
            Item.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
            .filter(project=project, pk__in=items, state="labeled", entry=None)
            .order_by("id")
            .values_list("id", flat=True)
        )
        QueueEntry.objects.bulk_create(
            QueueEntry(item_id=item, project=project, kind="audit", inclusion_probability=probability)
            for item in free
        )
    return free


def ask_blind(project: Project, items: Sequence[int], count: int, *, probability: float) -> list[int]:
    """Have people answer the first `count` of some items singly and unprompted; returns which.

    Items that somebody holds or has labeled in the meantime are passed over.
    """
    with transaction.atomic():
        free = set(
            QueueEntry.objects.select_for_update(skip_locked=True)
            .filter(project=project, item__in=items, kind__in=MODEL_KINDS, open_slots=F("needed"))
            .order_by("item_id")
            .values_list("item_id", flat=True)
        )
        drawn = [item for item in items if item in free][:count]
        QueueEntry.objects.filter(item__in=drawn).update(
            kind="validation",
            priority=-1.0,
            why="",
            likely=None,
            doubtful=None,
            hint=None,
            inclusion_probability=probability,
        )
    return drawn


def stop_asking_blind(project: Project, items: Sequence[int]) -> None:
    """Return items that nobody holds to where people label with a model's help."""
    waiting = QueueEntry.objects.filter(
        project=project, item__in=items, kind="validation", open_slots=F("needed")
    )
    # Two statements: where its counts of rows are old, PostgreSQL joins them in one by trying all pairs.
    drawn = list(waiting.filter(item__draw__gte=project.validation_rate).values_list("item_id", flat=True))
    waiting.filter(item__in=drawn).update(kind="manual", priority=1.0, inclusion_probability=None)


def set_validation_share(project: Project, share: float) -> None:
    """Set which share of coming answers goes to blind validation."""
    Project.objects.filter(pk=project.pk).update(validation_share=share)


def chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows in lists that one statement can carry."""
    rest = iter(rows)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
