"""Taking in what a file of labels says, and taking it back: chunk by chunk, each done or not.

What became of an image's labels is written in their row in the transaction that does it. However often a
worker is killed, nothing is written twice and nothing is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet
from django.utils import timezone

from labeling import columns, jobs, label_classes, queue, review, suggestions
from labeling.label_checking import BLIND
from labeling.label_imports import APPLY, UNDO, State
from labeling.models import (
    Annotation,
    Event,
    GoldItem,
    ImportedLabel,
    Item,
    LabelImport,
    Project,
    QueueEntry,
    Region,
    Review,
    User,
)

CHUNK = 500  # images, about a second
SPACE = UUID("5f0c6c0e-0b3e-4a57-9a0d-6b9f0f3f6d11")  # of the ids of imported labels
Outcome = ImportedLabel.Outcome
WRITTEN = ImportedLabel.WRITTEN
ALONE = (Outcome.HELD, Outcome.KEPT)
NAMED = 200  # images that were left alone
Regions = list[dict[str, Any]]  # {class: id, bbox?, polygon?}
ENTRY = ("kind", "priority", "why", "inclusion_probability", "needed", "hint_id")


def outcomes(given: LabelImport) -> dict[str, int]:
    """Count what became of the images of a file."""
    rows = given.labels.exclude(outcome="").values_list("outcome").annotate(count=Count("id")).order_by()
    return dict(rows)


def left_alone(given: LabelImport) -> list[dict[str, Any]]:
    """Return the first images whose labels were kept out: first those that somebody had on screen."""
    rows = given.labels.filter(outcome__in=ALONE).order_by("outcome", "item__path")
    found = rows.values_list("item_id", "item__path", "outcome")[:NAMED]
    return [{"item": item, "path": path, "why": why} for item, path, why in found]


@jobs.handler(APPLY, cluster="quick", priority=0)
def apply(job: jobs.RunningJob) -> dict[str, Any]:
    """Take in all that is left of a file, and say so once."""
    pk = job.payload["label_import"]
    total = ImportedLabel.objects.filter(label_import=pk).count()
    while left := next_chunk(pk, State.APPLYING, take_in):
        job.progress(total - left, total, "Taking labels in…")
    given = LabelImport.objects.select_related("project", "applied_by").get(pk=pk)
    label_classes.take_away(given, given.applied_by)
    return outcomes(given)


@jobs.handler(UNDO, cluster="quick", priority=0)
def undo(job: jobs.RunningJob) -> dict[str, Any]:
    """Take back all of an import that nobody has touched since."""
    pk = job.payload["label_import"]
    total = ImportedLabel.objects.filter(label_import=pk, outcome__in=WRITTEN).count()
    by = User.objects.filter(pk=job.payload["by"]).first()
    while left := next_chunk(pk, State.UNDOING, lambda given: take_back(given, by)):
        job.progress(total - left, total, "Taking labels back…")
    given = LabelImport.objects.select_related("project").get(pk=pk)
    label_classes.take_away(given, by)
    return outcomes(given)


def next_chunk(pk: int, state: str, work: Any) -> int:
    """Do the next chunk of an import in a state; returns what is left with it, 0 when there was none.

    Its row is locked, so that a worker that is late does not do what another one does.
    """
    with transaction.atomic():
        given = LabelImport.objects.select_for_update().get(pk=pk)
        if given.state != state:
            return 0
        given.project = Project.objects.get(pk=given.project_id)
        left: int = work(given)
    return left


# Taking in


def take_in(given: LabelImport) -> int:
    waiting = given.labels.filter(outcome="")
    rows = list(waiting.order_by("item_id")[:CHUNK])
    if not rows:
        LabelImport.objects.filter(pk=given.pk).update(state=State.APPLIED)
        found = outcomes(given)
        Event.record(
            "import_labels",
            given.project,
            given.applied_by,
            label_import=given.pk,
            name=given.name,
            mode=given.mode,
            labels=found.get(Outcome.LABEL, 0),
            suggestions=found.get(Outcome.SUGGESTION, 0),
        )
        return 0
    wanted = {row.item_id: regions for row in rows if (regions := wanted_of(given, row)) is not None}
    review.lock(given.project, list(wanted), Item.State.values)
    how = {LabelImport.Mode.LABELS: as_labels, LabelImport.Mode.SUGGESTIONS: as_suggestions}
    groups = how[LabelImport.Mode(given.mode)](given, wanted)
    made = {outcome: write(given, outcome, items, rows, wanted) for outcome, items in groups.items()}
    settle(given, rows, made)
    became = {item: outcome for outcome, items in groups.items() for item in items}
    for row in rows:
        row.outcome = became.get(row.item_id, Outcome.LEFT_OUT)
        row.annotation_id = made.get(row.outcome, {}).get(row.item_id)
    columns.write(rows, ["outcome", "annotation", "entry"])
    return len(rows)


def wanted_of(given: LabelImport, row: ImportedLabel) -> Regions | None:
    """Return what an image shall get by the classes that were chosen, None where nothing is wanted.

    What a model said is never a label. An image whose classes are all left out is not said to be empty.
    """
    if row.is_prediction and given.mode == LabelImport.Mode.LABELS:
        return None
    if not row.regions:
        is_wanted = row.empty == "told" or (row.empty == "maybe" and given.takes_empty)
        return [] if is_wanted and given.mode == LabelImport.Mode.LABELS else None
    chosen: Regions = []
    for each in row.regions:
        label_class = given.mapping[each["class"]]
        region = {**each, "class": label_class}
        if label_class is not None and region not in chosen:
            chosen.append(region)
    if given.project.task_type == Project.TaskType.MULTICLASS:
        chosen = chosen[:1]
    return chosen or None


def as_labels(given: LabelImport, wanted: Mapping[int, Regions]) -> dict[str, list[int]]:
    """Tell which images get a label: those that nobody has labeled or has on screen."""
    open_ones = set(unanswered(wanted).values_list("id", flat=True))
    waiting = unanswered(wanted).filter(entry__open_slots=F("entry__needed"))
    free = set(waiting.values_list("id", flat=True))
    is_kept = given.answered == LabelImport.Answered.BESIDE
    others = [item for item in wanted if item not in open_ones]
    return {
        Outcome.LABEL: sorted(free),
        Outcome.HELD: sorted(open_ones - free),
        Outcome.BESIDE if is_kept else Outcome.KEPT: others,
    }


def as_suggestions(given: LabelImport, wanted: Mapping[int, Regions]) -> dict[str, list[int]]:
    """Tell which images get a suggestion: those that people are still asked about, and not blind."""
    open_ones = unanswered(wanted).filter(entry__isnull=False, entry__hint=None)
    blind = set(open_ones.filter(entry__kind__in=BLIND).values_list("id", flat=True))
    free = set(open_ones.exclude(pk__in=blind).values_list("id", flat=True))
    others = [item for item in wanted if item not in free | blind]
    return {Outcome.SUGGESTION: sorted(free), Outcome.BLIND: sorted(blind), Outcome.KEPT: others}


def unanswered(items: Iterable[int]) -> QuerySet[Item]:
    given = Annotation.objects.filter(
        item=OuterRef("pk"), labeler__isnull=False, counted=True, withdrawn_at=None
    )
    return Item.objects.filter(~Exists(given), pk__in=list(items), state=Item.State.UNLABELED)


def write(
    given: LabelImport,
    outcome: str,
    items: Sequence[int],
    rows: Sequence[ImportedLabel],
    wanted: Mapping[int, Regions],
) -> dict[int, int]:
    """Write the annotations that an outcome calls for; returns the one of each item."""
    if outcome not in WRITTEN or not items:
        return {}
    sure = {row.item_id: row.confidence for row in rows}
    made = Annotation.objects.bulk_create(
        Annotation(
            project=given.project,
            item_id=item,
            uuid=uuid5(SPACE, f"{given.pk}/{item}"),
            source=Annotation.Source.IMPORT,
            counted=outcome == Outcome.LABEL,
            confidence=sure[item] if outcome == Outcome.SUGGESTION else None,
        )
        for item in items
    )
    Region.objects.bulk_create(
        Region(
            annotation=annotation,
            label_class_id=each["class"],
            bbox=each.get("bbox"),
            polygon=each.get("polygon"),
        )
        for annotation in made
        for each in wanted[annotation.item_id]
    )
    return {annotation.item_id: annotation.pk for annotation in made}


def settle(given: LabelImport, rows: Sequence[ImportedLabel], made: Mapping[str, dict[int, int]]) -> None:
    """Let labels count, keeping how their images waited, and suggestions be shown."""
    labels = made.get(Outcome.LABEL, {})
    entries = {
        each["item_id"]: each for each in QueueEntry.objects.filter(item__in=labels).values("item_id", *ENTRY)
    }
    for row in rows:
        row.entry = entries.get(row.item_id)
    if labels:
        queue.finish(labels)
    suggestions.propose_imported(given.project, made.get(Outcome.SUGGESTION, {}))


# Taking back


def take_back(given: LabelImport, by: User | None) -> int:
    rows = list(given.labels.filter(outcome__in=WRITTEN).order_by("item_id")[:CHUNK])
    if not rows:
        LabelImport.objects.filter(pk=given.pk).update(state=State.UNDONE)
        found = outcomes(given)
        Event.record(
            "undo_import_labels",
            given.project,
            by,
            label_import=given.pk,
            name=given.name,
            count=found.get(Outcome.UNDONE, 0),
            kept=found.get(Outcome.CHANGED, 0),
        )
        return 0
    review.lock(given.project, [row.item_id for row in rows], Item.State.values)
    labels = {row.item_id: row.annotation_id for row in rows if row.outcome == Outcome.LABEL}
    standing = untouched(labels)
    for row in rows:
        is_kept = row.outcome == Outcome.LABEL and row.item_id not in standing
        row.outcome = Outcome.CHANGED if is_kept else Outcome.UNDONE
    gone = [row.annotation_id or 0 for row in rows if row.outcome == Outcome.UNDONE]
    Annotation.objects.filter(pk__in=gone, withdrawn_at=None).update(
        withdrawn_at=timezone.now(), withdrawn_by=by, withdrawal=Annotation.Withdrawal.UNDONE
    )
    QueueEntry.objects.filter(hint__in=gone).update(hint=None)
    Item.objects.filter(pk__in=standing).update(
        state=Item.State.UNLABELED, current_annotation=None, reason=""
    )
    ask_as_before(given.project, [row for row in rows if row.item_id in standing])
    columns.write(rows, ["outcome"])
    return len(rows)


def untouched(labels: Mapping[int, int | None]) -> set[int]:
    """Return the items whose imported label still counts, and that nobody has reviewed, answered or uses."""
    mine = Annotation.objects.filter(pk__in=[each or 0 for each in labels.values()], withdrawn_at=None)
    later = Annotation.objects.filter(item=OuterRef("item"), pk__gt=OuterRef("pk"), labeler__isnull=False)
    reviewed = Review.objects.filter(annotation=OuterRef("pk"), undone_at=None)
    gold = GoldItem.objects.filter(truth=OuterRef("pk"))
    standing = mine.filter(
        ~Exists(later),
        ~Exists(reviewed),
        ~Exists(gold),
        item__state=Item.State.LABELED,
        item__current_annotation=F("pk"),
        item__entry=None,
    )
    return set(standing.values_list("item_id", flat=True))


def ask_as_before(project: Project, rows: Sequence[ImportedLabel]) -> None:
    """Put items into the queue as they waited there; what a model had grouped is asked singly."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO labeling_queueentry (item_id, project_id, kind, priority, why, inclusion_probability,
                needed, open_slots, hint_id)
            SELECT %(item_id)s, %(project)s,
                CASE WHEN %(kind)s = 'validation' THEN 'validation' ELSE 'manual' END,
                %(priority)s, %(why)s, %(inclusion_probability)s, %(needed)s, %(needed)s,
                (SELECT id FROM labeling_annotation WHERE id = %(hint_id)s)
            """,
            [{**(row.entry or {}), "project": project.pk} for row in rows],
        )
