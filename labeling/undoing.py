"""Taking verdicts back: every item stands again as it did, where nobody has answered since."""

from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from labeling import extensions, notifications, review
from labeling.models import Claim, Item, Project, QueueEntry, Review, ReviewBatch, User


@dataclass(frozen=True, slots=True)
class Undone:
    """The items that stand as before, and those that do not, since they have changed meanwhile."""

    items: list[int]
    refused: list[int]

    @property
    def sentence(self) -> str:
        """Say what could not be put back; empty for nothing."""
        count = len(self.refused)
        if not count:
            return ""
        if count == 1:
            return "1 image was answered or changed since, and stays as it is."
        return f"{count:,} images were answered or changed since, and stay as they are."


def undo(batch: ReviewBatch, by: User) -> Undone:
    """Take a batch of verdicts back. Raises ReviewRefused when there is nothing to take back."""
    with transaction.atomic():
        locked = ReviewBatch.objects.select_for_update().get(pk=batch.pk)
        if locked.state == ReviewBatch.State.RUNNING:
            raise review.ReviewRefused("This is still being done. Wait for it to end.")
        if locked.state == ReviewBatch.State.UNDONE:
            raise review.ReviewRefused("This was taken back already.")
        given = Review.objects.filter(batch=locked, undone_at=None)
        wanted = list(given.order_by("item_id").values_list("item_id", flat=True))
        review.lock(locked.project, wanted, Item.State.values)
        items = untouched(locked)
        back = set(items)
        given.filter(item__in=items).update(undone_at=timezone.now())
        if locked.verdict == Review.Verdict.REJECT:
            counting = stand(locked, items)
            notifications.take_back(locked.project_id, "rejected", counting)
        restore(locked, items)
        refused = [item for item in wanted if item not in back]
        ReviewBatch.objects.filter(pk=locked.pk).update(
            state=ReviewBatch.State.UNDONE, undone_at=timezone.now()
        )
        review.record(locked.project, by, "undo_review", items, "", locked, verdict=locked.verdict)
    return Undone(items, refused)


def untouched(batch: ReviewBatch) -> list[int]:
    """Return the items of a batch that stand as it left them.

    An auto label comes back on a certificate that stands, or not at all.
    """
    stands = list(extensions.standing_certificates(batch.project))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.item_id FROM labeling_review v JOIN labeling_item i ON i.id = v.item_id
            WHERE v.batch_id = %(batch)s AND v.undone_at IS NULL
            AND i.state = CASE WHEN v.verdict = 'reject' THEN 'unlabeled'
                WHEN v.before->>'state' = 'skipped' THEN 'removed'
                WHEN v.before->>'state' = 'needs_review' THEN 'labeled' ELSE v.before->>'state' END
            AND (v.verdict = 'reject' OR i.current_annotation_id IS NOT DISTINCT FROM CASE
                WHEN v.before->>'state' = 'needs_review' THEN v.annotation_id
                ELSE (v.before->>'current')::bigint END)
            AND NOT EXISTS (SELECT 1 FROM labeling_annotation a
                WHERE a.item_id = v.item_id AND a.created_at >= v.created_at)
            AND NOT EXISTS (SELECT 1 FROM labeling_review later
                WHERE later.item_id = v.item_id AND later.id > v.id AND later.undone_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM labeling_annotation a
                WHERE v.verdict = 'reject' AND a.id = (v.before->>'current')::bigint AND a.source = 'auto'
                AND NOT a.certificate = ANY(%(stands)s::bigint[]))
            ORDER BY 1
            """,
            {"batch": batch.pk, "stands": stands},
        )
        return [item for (item,) in cursor.fetchall()]


def stand(batch: ReviewBatch, items: list[int]) -> dict[int, int]:
    """Let withdrawn answers stand again; returns how many of each labeler."""
    with connection.cursor() as cursor:
        # Looked up first: joined to what is rejected, of which the planner expects little, ten thousand took
        # five seconds.
        cursor.execute(
            """
            SELECT jsonb_array_elements_text(before->'withdrawn')::bigint FROM labeling_review
            WHERE batch_id = %s AND item_id = ANY(%s)
            """,
            [batch.pk, items],
        )
        withdrawn = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(
            """
            UPDATE labeling_annotation SET withdrawn_at = NULL, withdrawn_by_id = NULL, withdrawal = ''
            WHERE id = ANY(%s) AND withdrawal = 'rejected' RETURNING labeler_id, skipped
            """,
            [withdrawn],
        )
        counts: dict[int, int] = {}
        for labeler, skipped in cursor.fetchall():
            if labeler is not None and labeler != batch.reviewer_id and not skipped:
                counts[labeler] = counts.get(labeler, 0) + 1
    return counts


def restore(batch: ReviewBatch, items: list[int]) -> None:
    """Give items the state and the place in the queue that they had; leases that have not run out live on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE labeling_item i SET state = v.before->>'state', reason = v.before->>'reason',
                current_annotation_id = (v.before->>'current')::bigint
            FROM labeling_review v WHERE v.batch_id = %s AND v.item_id = i.id AND i.id = ANY(%s)
            """,
            [batch.pk, items],
        )
        if batch.verdict == Review.Verdict.APPROVE:
            cursor.execute("SELECT labeling_list(%s)", [items])
            # A decision ends an audit that waits, as a rejection ends whatever waits.
            ended = Review.objects.filter(batch=batch, before__state=Item.State.NEEDS_REVIEW)
            items = list(ended.filter(item__in=items).values_list("item_id", flat=True))
        Claim.objects.filter(item__in=items, state=Claim.State.LIVE).update(state=Claim.State.EXPIRED)
        QueueEntry.objects.filter(item__in=items).delete()
        cursor.execute(
            """
            WITH held AS (
                UPDATE labeling_claim c SET state = 'live' FROM labeling_review v
                WHERE v.batch_id = %(batch)s AND v.item_id = ANY(%(items)s) AND c.item_id = v.item_id
                AND v.before->'claims' @> to_jsonb(c.id) AND c.state = 'expired' AND c.expires_at > now()
                RETURNING c.item_id
            )
            INSERT INTO labeling_queueentry
            SELECT (jsonb_populate_record(NULL::labeling_queueentry, v.before->'entry' || jsonb_build_object(
                'open_slots', (v.before->'entry'->>'needed')::int
                    - (SELECT count(*) FROM held WHERE held.item_id = v.item_id)))).*
            FROM labeling_review v
            WHERE v.batch_id = %(batch)s AND v.item_id = ANY(%(items)s) AND v.before->'entry' <> 'null'
            """,
            {"batch": batch.pk, "items": items},
        )


def latest(project: Project, by: User) -> ReviewBatch | None:
    """Return the newest batch of somebody that stands."""
    mine = ReviewBatch.objects.filter(project=project, reviewer=by, state=ReviewBatch.State.DONE)
    return mine.order_by("-id").first()
