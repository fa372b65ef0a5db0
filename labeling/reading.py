"""Reading what was imported: size, hash, orientation, thumbnail. Damaged files become broken items."""

import logging
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from labeling import announcing, columns, face_boxes, faces, images, jobs, registering, remote, validation
from labeling.forgetting import forget_plain, forget_read
from labeling.listing import LONGEST_PATH
from labeling.models import DataSource, Item, Job, Project

CHUNK = 200  # items settled in one transaction
READERS, READERS_AFAR = 2, 12  # threads; who waits for the network needs no processor

log = logging.getLogger(__name__)


def announce_end(job: Job) -> None:
    """Tell whoever started an import, else the managers, once all of its parts have ended.

    Two parts may end at the same moment; the lock lets the second see the first. What later listings bring is
    shown where imports are, and not announced every hour.
    """
    source = DataSource.objects.select_for_update(no_key=True).get(pk=job.payload["source"])
    if registering.is_being_read(source):
        return
    forget_plain(source)
    if job.payload.get("batch"):
        return
    counts = summary(source)
    announcing.announce(
        "import_done",
        source.project,
        source.created_by,
        key=f"import:{source.pk}:{'failed' if counts['error'] else 'done'}",
        to={source.created_by.pk: 1} if source.created_by else None,
        source=source.pk,
        name=source.name,
        images=counts["read"] - counts["duplicates"],
        broken=counts["broken"],
        faces=face_boxes.count_in(source) if source.hides_faces else None,
        error=counts["error"],
    )


@jobs.handler("import", cluster="quick", ended=announce_end)
def read_part(job: jobs.RunningJob) -> dict[str, Any]:
    """Read a part of a source: size, hash, orientation, thumbnail.

    In order of draw, so that what is ready first is a fair sample. Settles a chunk at a time, so a
    restart goes on where it stopped.
    """
    source = DataSource.objects.select_related("project").get(pk=job.payload["source"])
    waiting = registering.unread(source).filter(draw__gte=job.payload["from"], draw__lt=job.payload["to"])
    done, total = job.row.done, job.row.done + waiting.count()
    outcome = Settled()
    try:
        while True:
            outcome.outdated = 0
            for settled in read_all(source, waiting):
                outcome.add(settled)
                done += settled.items
                job.progress(min(done, total), total)
            if not outcome.outdated:
                break
    except remote.Unreachable as error:
        raise jobs.JobFailed(f"{error} What was read stays; refresh to go on.") from None
    if outcome.pages:
        registering.queue_reading(source, job.row.created_by, job.row.pk)
    return {"source": source.pk, "broken": outcome.broken, "duplicates": outcome.duplicates}


def read_all(source: DataSource, waiting: QuerySet[Item]) -> Iterator["Settled"]:
    """Read images in order of draw, and settle a chunk while the next one is being read."""
    pool = ThreadPoolExecutor(READERS_AFAR if source.is_remote else READERS)
    try:
        before: tuple[list[Item], Iterator[images.ReadImage | str]] | None = None
        for chunk in in_chunks(waiting):
            prepare(source, chunk)
            looks = pool.map(look, chunk)
            if before is not None:
                yield settle(source.project, before[0], list(before[1]))
            before = chunk, looks
        if before is not None:
            yield settle(source.project, before[0], list(before[1]))
    finally:
        pool.shutdown(cancel_futures=True)


def in_chunks(waiting: QuerySet[Item]) -> Iterator[list[Item]]:
    """Choose what to read next; what was chosen before is not settled yet."""
    chunk: list[Item] = []
    last = 0.0
    while chunk := list(
        waiting.filter(draw__gte=last).exclude(pk__in=[each.pk for each in chunk]).order_by("draw")[:CHUNK]
    ):
        last = chunk[-1].draw
        yield chunk


def prepare(source: DataSource, chunk: list[Item]) -> None:
    """Give items their source, as it is now. Raises JobFailed where their faces cannot be hidden."""
    now = DataSource.objects.select_related("project", "upload").get(pk=source.pk)
    for item in chunk:
        item.source = now
    if now.hides_faces and (problem := faces.problem()):
        raise jobs.JobFailed(problem)


def look(item: Item) -> images.ReadImage | str:
    """Read one image; returns the reason when it is broken."""
    try:
        return faces.read(item) if item.source.hides_faces else images.read(item)
    except images.BrokenImage as error:
        return str(error)
    except OSError:
        raise  # our own storage failed, or the bucket, which is not the image's fault
    except Exception:
        log.exception("Item %s cannot be read.", item.pk)
        return "The image cannot be read."


@dataclass(slots=True)
class Settled:
    """What became of items that were read, in numbers."""

    items: int = 0
    broken: int = 0
    duplicates: int = 0
    pages: int = 0  # of TIFFs, which are items of their own now
    outdated: int = 0  # that are to be read once more: their faces are to be hidden by now, or a copy went

    def add(self, other: "Settled") -> None:
        self.items += other.items
        self.broken += other.broken
        self.duplicates += other.duplicates
        self.pages += other.pages
        self.outdated += other.outdated


WRITTEN = ["state", "reason", "sha256", "size_bytes", "format", "width", "height", "window", "read_at",
           "masked_at", "duplicate_of"]  # fmt: skip


def settle(project: Project, items: list[Item], found: Sequence[images.ReadImage | str]) -> Settled:
    """Write what reading found and open the queue for good items."""
    now, outcome = timezone.now(), Settled(len(items))
    with transaction.atomic():
        # Two readers must not both take the same content for the first of its kind.
        faces.lock_contents(project)
        if began_to_hide(items):
            return Settled(outdated=len(items))
        seen, found = found, faces.as_known(project, found)
        if faces.lack_files(project, found):
            return Settled(outdated=len(items))
        still = still_unread(items)
        hashes = [each.sha256 for each in found if not isinstance(each, str)]
        first: dict[str, Item] = {
            each.sha256: each
            for each in Item.objects.filter(project=project, sha256__in=hashes, duplicate_of=None)
            .exclude(state="removed")
            .only("sha256", "source_id", "gone_at")
        }
        good: list[int] = []
        written: list[Item] = []
        hidden: list[tuple[Item, images.ReadImage]] = []
        for item, each in zip(items, found, strict=True):
            if item.pk not in still:
                continue
            if isinstance(each, str):
                item.state, item.reason = Item.State.BROKEN, each
                outcome.broken += 1
                written.append(item)
                continue
            item.sha256, item.size_bytes, item.format = each.sha256, each.size_bytes, each.format
            item.width, item.height, item.read_at = each.width, each.height, now
            item.window, item.masked_at = each.window, now if each.masked else None
            original = first.setdefault(each.sha256, item)
            if original.gone_at is not None and original.source_id == item.source_id:
                move(original, item)
                continue
            if original.pk != item.pk:
                item.state, item.duplicate_of_id = Item.State.REMOVED, original.pk
                item.reason = "The same image is in the project already."
                outcome.duplicates += 1
            else:
                good.append(item.pk)
            written.append(item)
            hidden.append((item, each))
            if each.pages > 1 and item.source.every_page and not item.page:
                outcome.pages += add_pages(item, each.pages)
        columns.write(written, WRITTEN)
        faces.note(project, hidden, now)
        forget_read(project, seen)
        validation.add_entries(project, good)
    return outcome


def began_to_hide(items: list[Item]) -> bool:
    """Tell whether the project began to hide faces after items were read as they are."""
    source = items[0].source
    locked = DataSource.objects.select_for_update(no_key=True, of=("self",)).filter(pk=source.pk)
    return locked.values_list("hides_faces", flat=True).get() and not source.hides_faces


def still_unread(items: list[Item]) -> set[int]:
    """Return which items nobody else has settled since they were chosen."""
    rows = Item.objects.filter(pk__in=[each.pk for each in items], read_at=None, gone_at=None)
    return set(rows.exclude(state=Item.State.BROKEN).values_list("id", flat=True))


def move(original: Item, item: Item) -> None:
    """Let an item whose file is gone be the one under whose path the same content lies now."""
    Item.objects.filter(pk=item.pk).delete()
    Item.objects.filter(pk=original.pk).update(
        path=item.path, page=item.page, fingerprint=item.fingerprint, gone_at=None, changed_at=None
    )
    original.gone_at = None


def add_pages(item: Item, pages: int) -> int:
    """Make items of a TIFF's pages but for the first; returns how many there were not."""
    made = [
        Item(
            project_id=item.project_id,
            source_id=item.source_id,
            path=f"{item.path}#page={page + 1}",
            page=page,
            draw=random.Random(f"{item.project.seed}:{item.source_id}:{item.path}:{page}").random(),
            size_bytes=item.size_bytes,
            byte_offset=item.byte_offset,
            fingerprint=item.fingerprint,
        )
        for page in range(1, pages)
    ]
    known = Item.objects.filter(source=item.source_id, gone_at=None, path__in=[each.path for each in made])
    there = set(known.values_list("path", flat=True))
    fresh = [each for each in made if each.path not in there and len(each.path) <= LONGEST_PATH]
    Item.objects.bulk_create(fresh)
    return len(fresh)


def summary(source: DataSource) -> dict[str, Any]:
    """Count a source's rows: total, read, broken, duplicates, gone, changed, refused."""
    counts = source.items.aggregate(
        total=Count("id"),
        waiting=Count("id", filter=Q(read_at=None, gone_at=None) & ~Q(state="broken")),
        broken=Count("id", filter=Q(state="broken")),
        duplicates=Count("id", filter=Q(duplicate_of__isnull=False)),
        gone=Count("id", filter=Q(gone_at__isnull=False)),
        changed=Count("id", filter=Q(changed_at__isnull=False, gone_at=None)),
    )
    waiting = counts.pop("waiting")
    counts["read"] = counts["total"] - waiting
    return {
        "id": source.pk,
        "name": source.name,
        "kind": source.kind,
        "created_at": source.created_at,
        **counts,
        "refused": source.refused_count,
        "refresh": source.refresh,
        "listed_at": source.listed_at,
        "error": trouble(source, waiting),
    }


def trouble(source: DataSource, waiting: int) -> str:
    """Return why a source was not listed or read to its end, "" where it was or will be."""
    work = Job.objects.filter(project=source.project_id, payload__source=source.pk)
    listing = work.filter(kind__in=("refresh", "unpack")).order_by("-id").first()
    if listing is not None and listing.state == Job.State.FAILED:
        return listing.error
    if not waiting:
        return ""
    failed = work.filter(kind="import", state=Job.State.FAILED).order_by("-id")
    return failed.values_list("error", flat=True).first() or ""


def problems(source: DataSource, limit: int = 200) -> list[dict[str, str]]:
    """List a source's files that gave no item, each with the reason."""
    rows = source.items.filter(Q(state="broken") | Q(duplicate_of__isnull=False), gone_at=None)
    bad = [
        {"name": path, "reason": reason}
        for path, reason in rows.order_by("path").values_list("path", "reason")[:limit]
    ]
    return (source.refused + bad)[:limit]
