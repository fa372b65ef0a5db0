"""Looking again what sources hold: by a button, through the API, or on a schedule."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labeling import announcing, jobs, listing, registering, remote
from labeling.models import DataSource, Event, Item, Job, User

REFRESH = "refresh"
EVERY = {DataSource.Refresh.HOURLY: timedelta(hours=1), DataSource.Refresh.DAILY: timedelta(days=1)}
PATIENCE = timedelta(hours=1)  # until a scheduled listing that has failed is tried again


class NotNow(Exception):
    """Why a source is not looked at now, in a sentence for people."""


def start(source: DataSource, by: User | None, *, again: bool = False) -> Job:
    """Queue a look at what a source holds; with `again`, also read anew what was changed or is damaged.

    Raises NotNow.
    """
    if not source.can_refresh and not again:
        raise NotNow(f"{source.name} is imported once and for all: nothing can come to lie there.")
    with transaction.atomic():
        locked = DataSource.objects.select_for_update(no_key=True).get(pk=source.pk)
        if is_under_way(locked):
            raise NotNow(f"{source.name} is being listed or read right now. Try again when that is done.")
        return jobs.enqueue(
            REFRESH, source.project, {"source": source.pk, "again": again}, created_by=by, priority=-1
        )


def is_under_way(source: DataSource) -> bool:
    """Tell whether a source is listed or read, or waits for it."""
    return under_way().filter(project=source.project_id, payload__source=source.pk).exists()


def under_way() -> Any:
    return Job.objects.filter(kind__in=(REFRESH, "unpack", "import"), state__in=Job.UNFINISHED)


@jobs.periodic(60)
def look() -> None:
    """Start what is due; what is still under way, or has just failed, waits."""
    now = timezone.now()
    for refresh, pause in EVERY.items():
        rows = DataSource.objects.filter(
            Q(listed_at=None) | Q(listed_at__lt=now - pause), refresh=refresh, project__deleted_at=None
        )
        for source in rows.select_related("project"):
            lately = Job.objects.filter(
                project=source.project_id, kind=REFRESH, payload__source=source.pk,
                state=Job.State.FAILED, finished_at__gt=now - PATIENCE,
            )  # fmt: skip
            if not lately.exists() and not is_under_way(source):
                start(source, None)


def announce_failure(job: Job) -> None:
    """Say that an import came to nothing, where it was the first look; later ones are seen beside it."""
    source = DataSource.objects.get(pk=job.payload["source"])
    if job.state != Job.State.FAILED or source.listed_at is not None:
        return
    announcing.announce(
        "import_done",
        source.project,
        source.created_by,
        key=f"import:{source.pk}:failed",
        to={source.created_by.pk: 1} if source.created_by else None,
        source=source.pk,
        name=source.name,
        images=0,
        broken=0,
        error=job.error,
    )


@jobs.handler(REFRESH, cluster="quick", ended=announce_failure)
def refresh(job: jobs.RunningJob) -> dict[str, Any]:
    """List a source, and write what is new there, gone or changed."""
    source = DataSource.objects.select_related("project", "created_by").get(pk=job.payload["source"])
    again = job.payload.get("again", False)
    batch = 0 if source.listed_at is None else job.row.pk
    if again:
        read_again(source, job.row.created_by)
    if not source.can_refresh:
        registering.queue_reading(source, job.row.created_by, batch)
        return {"source": source.pk}
    found = 0

    def alive(files: int | None = None) -> None:
        nonlocal found
        found = found if files is None else files
        job.progress(found, message=f"{found:,} files found")

    try:
        outcome = registering.take(
            source, files_of(source, alive), job.row.created_by, batch=batch, replaces=again, alive=alive
        )
    except registering.NothingThere:
        raise jobs.JobFailed(f"{source.name} lists no image files that its address means.") from None
    except (remote.Missing, remote.Unreachable) as error:
        raise jobs.JobFailed(str(error)) from None
    numbers = ("files", "new", "gone", "back", "changed", "refused")
    return {"source": source.pk, **{name: getattr(outcome, name) for name in numbers}}


def files_of(source: DataSource, alive: Callable[[], None] = lambda: None) -> Any:
    """Yield what a source lists. Raises remote.Missing where the folder or bucket itself is gone."""
    if source.is_remote:
        return remote.listed(source, alive)
    folder = Path(source.location)
    if not folder.is_dir():
        raise remote.Missing(f"There is no folder {folder} on this server any more.")
    return listing.walk(folder, source.options.get("pattern", ""))


def read_again(source: DataSource, by: User | None) -> None:
    """Forget that items were damaged, so that they are read once more."""
    broken = source.items.filter(state=Item.State.BROKEN, gone_at=None)
    with transaction.atomic():
        ids = list(broken.select_for_update(no_key=True).order_by("id").values_list("id", flat=True))
        Item.objects.filter(pk__in=ids).update(state=Item.State.UNLABELED, reason="")
        Event.record("read_again", source.project, by, source=source.pk, name=source.name, damaged=len(ids))
