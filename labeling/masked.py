"""Where the copies lie in which faces are hidden, and the originals that are kept sealed.

Both are in folders of their project, named by content: bytes are read in threads that have an item and its
source at hand and must not ask the database.
"""

from collections.abc import Iterator

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from labeling import sealing
from labeling.decoding import BrokenImage
from labeling.models import Item

NOT_YET = "Faces in this image are not hidden yet. It is shown when they are."
GONE = "The copy of this image is no longer there: its import was taken back."


def copy_name(project_id: int, sha256: str) -> str:
    return f"masked/{project_id}/{sha256}"


def original_name(project_id: int, sha256: str) -> str:
    return f"originals/{project_id}/{sha256}"


def name_of(item: Item) -> str:
    """Return the name of an item's copy. Raises BrokenImage where there is none yet."""
    if item.masked_at is None:
        raise BrokenImage(NOT_YET)
    return copy_name(item.project_id, item.sha256)


def read(item: Item) -> bytes:
    """Return the copy that everybody is shown. Raises BrokenImage, OSError."""
    with opened(item) as stored:
        return stored.read()


def size(item: Item) -> int:
    """Return how many bytes the copy has. Raises BrokenImage, OSError."""
    try:
        return default_storage.size(name_of(item))
    except FileNotFoundError as error:
        raise BrokenImage(GONE) from error


def parts(item: Item, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of the copy from `start` to before `end`. Raises BrokenImage, OSError."""
    with opened(item) as stored:
        stored.seek(start)
        yield stored.read(end - start)


def opened(item: Item) -> File:
    try:
        return default_storage.open(name_of(item))
    except FileNotFoundError as error:
        raise BrokenImage(GONE) from error


def write(name: str, data: bytes) -> None:
    """Store a file unless it is there: its name says its content."""
    if not default_storage.exists(name):
        default_storage.save(name, ContentFile(data))


def seal(project_id: int, sha256: str, data: bytes) -> None:
    """Keep an original so that a copy of the storage alone shows nothing of it."""
    name = original_name(project_id, sha256)
    write(name, sealing.seal_file(data, name))


def unseal(project_id: int, sha256: str) -> bytes:
    """Return an original that is kept. Raises sealing.Unopened, OSError."""
    name = original_name(project_id, sha256)
    with default_storage.open(name) as stored:
        return sealing.unseal_file(stored.read(), name)
