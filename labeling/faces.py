"""Faces hidden in images before anybody is shown one: what reading makes of a file, and its rows.

Who finds them is registered in `extensions`. The copy is made anew from pixels alone, also where nothing was
found: previews and positions that a file carries show what is in it, too.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils.translation import gettext as _
from PIL import Image

from labeling import decoding, extensions, images, leavings, masked, masking, storing
from labeling.decoding import BrokenImage
from labeling.models import Face, Item, MaskedImage, Project

DICOM = "Faces in DICOM images cannot be hidden, so this project takes none."
IN_BROWSERS = ("JPEG", "PNG", "WEBP")


def problem() -> str:
    """Return why faces cannot be found here, "" where they can."""
    finder = extensions.face_finder()
    return finder.problem() if finder else _("Faces cannot be hidden here: nothing is installed for it.")


def read(item: Item) -> images.ReadImage:
    """Make the copy of an item that hides its faces, and what is shown of it.

    Asks the database for nothing: its source has the project at hand. Raises BrokenImage.
    """
    finder = extensions.face_finder()
    assert finder is not None
    project, data = item.source.project, storing.read_original(item)
    if decoding.is_dicom(data):
        raise BrokenImage(DICOM)
    seen = decoding.look(data, page=item.page)
    original = images.content_of(data, item.page)
    found = tuple(finder.find(seen.image))
    is_sealed = project.originals == Project.Originals.KEEP and storing.is_held(item.source)
    if is_sealed:
        masked.seal(project.pk, original, data)
    kind = format_of(seen.format)
    digest = paint(project, seen.image, kind, [each.bbox for each in found], original)
    return images.ReadImage(
        digest,
        len(data),
        seen.image.width,
        seen.image.height,
        kind,
        seen.pages,
        masked=images.Masked(original, is_sealed, finder.name, found),
    )


def format_of(found: str) -> str:
    """Return the format of a copy: that of the file, of which a camera's pairs are JPEGs."""
    return found if found in masking.SAVED else "JPEG"


def paint(
    project: Project, image: Image.Image, kind: str, boxes: Sequence[masking.Box], original: str
) -> str:
    """Store the copy of an image that hides these boxes, and what is shown of it; returns its content's hash.

    Copies of different files are different contents, also where they look the same.
    """
    copy = masking.hide(image, boxes, project.faces)
    data = masking.encode(copy, kind)
    digest = hashlib.sha256(data + original.encode()).hexdigest()
    masked.write(masked.copy_name(project.pk, digest), data)
    images.derive(digest, copy, kind, shows_in_browsers=kind in IN_BROWSERS)
    return digest


def lock_contents(project: Project) -> None:
    """Let nobody else settle which items of a project have which content, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('labeling.settle'), %s)", [project.pk])


Read = images.ReadImage | str


def as_known(project: Project, found: Sequence[Read]) -> list[Read]:
    """Return what was read, where the project has it already with the content that it has there by now.

    Since it was read there, people may have hidden more of it, or less.
    """
    originals = [each.masked.original_sha256 for each in found if not isinstance(each, str) and each.masked]
    if not originals:
        return list(found)
    first = MaskedImage.objects.filter(
        project=project, original_sha256__in=originals, item__duplicate_of=None
    ).exclude(item__state=Item.State.REMOVED)
    now = dict(first.values_list("original_sha256", "item__sha256"))
    return [known(each, now) for each in found]


def known(found: Read, now: dict[str, str]) -> Read:
    if isinstance(found, str) or found.masked is None:
        return found
    return replace(found, sha256=now.get(found.masked.original_sha256, found.sha256))


def lack_files(project: Project, found: Sequence[Read]) -> bool:
    """Tell whether files of what was read went meanwhile, with an import of the same picture."""
    for each in found:
        if isinstance(each, str) or each.masked is None:
            continue
        needed = [masked.copy_name(project.pk, each.sha256)]
        if each.masked.is_sealed and project.originals == Project.Originals.KEEP:
            needed.append(masked.original_name(project.pk, each.masked.original_sha256))
        if not all(default_storage.exists(name) for name in needed):
            return True
    return False


def note(project: Project, rows: Sequence[tuple[Item, images.ReadImage]], now: datetime) -> None:
    """Write what was hidden in items. A duplicate hides what the item that it repeats hides by now."""
    made = [(item, each.masked) for item, each in rows if each.masked]
    keeps = Project.objects.filter(pk=project.pk, originals=Project.Originals.KEEP).exists()
    repeated = hidden_in([item.duplicate_of_id for item, _ in made if item.duplicate_of_id])
    MaskedImage.objects.bulk_create(
        [
            MaskedImage(
                item=item,
                project=project,
                original_sha256=each.original_sha256,
                is_sealed=each.is_sealed and keeps,
                found_by=each.found_by[:80],
                faces=len(repeated.get(item.duplicate_of_id or 0, each.faces)),
                masked_at=now,
            )
            for item, each in made
        ]
    )
    Face.objects.bulk_create(
        Face(item=item, x=x, y=y, width=wide, height=high, score=each.score)
        for item, found in made
        for each in repeated.get(item.duplicate_of_id or 0, found.faces)
        for x, y, wide, high in [each.bbox]
    )

    for _item, each in made:
        if each.is_sealed and not keeps:  # they were discarded meanwhile
            transaction.on_commit(
                partial(default_storage.delete, masked.original_name(project.pk, each.original_sha256))
            )


def hidden_in(items: Sequence[int]) -> dict[int, list[Face]]:
    """Return what is hidden in each of the items now."""
    found: dict[int, list[Face]] = {item: [] for item in items}
    if items:
        for face in Face.objects.filter(item__in=items, removed_at=None):
            found[face.item_id].append(face)
    return found


def forget_copy(project: Project, old: Item) -> None:
    """Delete a copy that no item has any more, and what was made from it for the screen."""
    if not Item.objects.filter(project=project, sha256=old.sha256).exists():
        delete_copy(project, old)


def delete_copy(project: Project, old: Item) -> None:
    """Delete a copy, and what was made from it unless another project shows the same."""
    default_storage.delete(masked.copy_name(project.pk, old.sha256))
    if leavings.had_by_others(project, [old.sha256]):
        return
    default_storage.delete(images.thumbnail_name(old.sha256))
    assert old.width is not None
    assert old.height is not None
    default_storage.delete(images.display_copy(old.sha256, old.width, old.height, old.format)[0])
    folder = f"crops/{old.sha256[:2]}"
    with suppress(FileNotFoundError):
        for name in default_storage.listdir(folder)[1]:
            if name.startswith(f"{old.sha256}-"):
                default_storage.delete(f"{folder}/{name}")
