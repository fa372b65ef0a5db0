"""Verdicts on all that a filter chooses: at once up to some thousands, beyond that as a job."""

from dataclasses import asdict
from typing import Any

from labeling import gallery, jobs, review, undoing
from labeling.models import Job, Project, Review, ReviewBatch, User

AT_ONCE = 10_000
CHUNK = 2_000


def judge_all(
    project: Project, reviewer: User, verdict: str, filters: gallery.Filters, comment: str = ""
) -> tuple[review.Outcome, Job | None]:
    """Give a verdict on all that filters choose; returns what came of it, or the job that does it."""
    items = matching(project, filters, AT_ONCE + 1)
    if len(items) <= AT_ONCE:
        return review.judge(project, reviewer, verdict, items, comment), None
    batch = ReviewBatch.objects.create(
        project=project,
        reviewer=reviewer,
        verdict=verdict,
        comment=comment,
        state=ReviewBatch.State.RUNNING,
    )
    payload = {"batch": batch.pk, "filter": asdict(filters)}
    job = jobs.enqueue("review", project, payload, key=f"review:{batch.pk}", created_by=reviewer)
    return review.Outcome(batch), job


def matching(project: Project, filters: gallery.Filters, most: int | None = None) -> list[int]:
    chosen = gallery.select(project, filters).filter(state__in=review.REVIEWABLE)
    return list(chosen.order_by().values_list("id", flat=True)[:most])


@jobs.handler("review", cluster="quick", priority=-1)
def judge_by_job(job: jobs.RunningJob) -> dict[str, Any]:
    """Do a large batch chunk by chunk. After a crash, what has its verdict is passed over."""
    assert job.project is not None
    batch = ReviewBatch.objects.select_related("project", "reviewer").get(pk=job.payload["batch"])
    done = set(Review.objects.filter(batch=batch).values_list("item_id", flat=True))
    wanted = matching(job.project, gallery.stored(job.payload["filter"]))
    items = sorted(set(wanted) - done)
    looked_at: dict[int, str] = {}
    for at in range(0, len(items), CHUNK):
        job.progress(len(done) + at, len(done) + len(items))
        batch.refresh_from_db(fields=["count"])
        chunk = items[at : at + CHUNK]
        looked_at |= review.judge(
            job.project, batch.reviewer, batch.verdict, chunk, batch.comment, batch=batch
        ).looked_at
    ReviewBatch.objects.filter(pk=batch.pk).update(state=ReviewBatch.State.DONE)
    batch.refresh_from_db()
    return {"batch": batch.pk, "count": batch.count, "looked_at": len(looked_at)}


def undo(batch: ReviewBatch, by: User) -> tuple[undoing.Undone | None, Job | None]:
    """Take a batch back, at once or as a job. Raises ReviewRefused."""
    if batch.count <= AT_ONCE:
        return undoing.undo(batch, by), None
    return None, jobs.enqueue(
        "undo_review", batch.project, {"batch": batch.pk, "by": by.pk}, key=f"undo_review:{batch.pk}",
        created_by=by,
    )  # fmt: skip


@jobs.handler("undo_review", cluster="quick", priority=-1)
def undo_by_job(job: jobs.RunningJob) -> dict[str, Any]:
    batch = ReviewBatch.objects.select_related("project", "reviewer").get(pk=job.payload["batch"])
    if batch.state == ReviewBatch.State.UNDONE:  # before a crash
        return {"batch": batch.pk}
    undone = undoing.undo(batch, User.objects.get(pk=job.payload["by"]))
    return {"batch": batch.pk, "count": len(undone.items), "refused": len(undone.refused)}
