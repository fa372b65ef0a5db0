"""TAR archives as sources: their listing, and the job that unpacks those that are compressed.

What is unpacked is one plain archive, whose members are read at their places like those of any other.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from labeling import jobs, refreshing, registering, tarballs
from labeling.listing import Found
from labeling.models import DataSource, User

UNPACK = "unpack"


def files_of(archive: Path) -> Iterator[Found]:
    """Yield what lies in a plain archive. Raises tarballs.NoTar."""
    for path, size, byte_offset, problem in tarballs.members(archive):
        yield Found(path, size, byte_offset=byte_offset, problem=problem)


def begin(source: DataSource, by: User | None) -> DataSource:
    """Have a compressed archive unpacked and listed."""
    payload = {"source": source.pk, "packed": source.location}
    jobs.enqueue(UNPACK, source.project, payload, key=f"unpack:{source.pk}", created_by=by)
    return source


@jobs.handler(UNPACK, cluster="long", ended=refreshing.announce_failure)
def unpack(job: jobs.RunningJob) -> dict[str, Any]:
    """Unpack an archive within limits, then list it. One that was sent goes when it is unpacked."""
    source = DataSource.objects.select_related("project", "created_by").get(pk=job.payload["source"])
    packed = Path(job.payload["packed"])
    if source.listed_at is not None:  # it was killed just before its end
        clear(packed)
        return {"source": source.pk}
    plain = place_for(source)
    size = packed.stat().st_size
    try:
        tarballs.unpack(packed, plain, lambda done: job.progress(done, size, "Unpacking…"))
        with transaction.atomic():
            DataSource.objects.filter(pk=source.pk).update(location=str(plain))
            outcome = registering.take(source, files_of(plain), job.row.created_by)
    except tarballs.NoTar as error:
        plain.unlink(missing_ok=True)
        if source.hides_faces:
            clear(packed)
        raise jobs.JobFailed(f"{source.name} cannot be taken. {error}") from None
    except OSError as error:
        plain.unlink(missing_ok=True)
        raise jobs.JobFailed(f"{source.name} cannot be unpacked: {error.strerror}.") from error
    except registering.NothingThere:
        plain.unlink(missing_ok=True)
        raise jobs.JobFailed(f"There are no image files in {source.name}.") from None
    clear(packed)
    return {"source": source.pk, "files": outcome.files, "refused": outcome.refused}


def clear(packed: Path) -> None:
    """Delete an archive that was sent, once it is unpacked."""
    if is_ours(packed):
        packed.unlink(missing_ok=True)


def is_ours(place: Path) -> bool:
    """Tell whether a file was sent, rather than found on the server."""
    return place.is_relative_to(Path(settings.MEDIA_ROOT, "uploads").resolve())


def beside(packed: Path) -> Path:
    """Return where an archive that was sent is unpacked to: in a folder into which nothing can be sent."""
    return packed.parent.with_name("unpacked") / f"{packed.name}.tar"


def place_for(source: DataSource) -> Path:
    """Return where an archive is unpacked to, the same place each time."""
    packed = Path(source.location)
    if is_ours(packed):
        return beside(packed)
    folder = uuid.uuid5(uuid.NAMESPACE_URL, f"unpacked:{source.pk}").hex
    return Path(settings.MEDIA_ROOT, "uploads", folder, "archives", f"{source.pk}.tar").resolve()
