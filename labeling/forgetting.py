"""Files that nobody may see any more: those that were sent here go once copies hide what is in them, and
copies and sealed originals go with the import that is taken back.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from django.core.files.storage import default_storage
from django.db import transaction

from labeling import faces, images, masked, registering, storing
from labeling.models import DataSource, Item, MaskedImage, Project

TAKEN_BACK = "Its import was taken back."
CHUNK = 200  # images whose files are deleted while nobody else settles what images show


def forget_plain(source: DataSource) -> None:
    """Delete the files of a source that were sent here, once no image of it waits to be read from them.

    What is damaged goes, too: there may be a face in it. Folders of the server and buckets are not Loupe's.
    """
    project = Project.objects.get(pk=source.project_id)
    if not source.hides_faces or not storing.is_held(source) or project.is_hiding_faces:
        return
    if not registering.unread(source).exists() and not registering.is_being_read(source):
        transaction.on_commit(partial(delete, Path(source.location)))


def delete(place: Path) -> None:
    """Delete a file, or the files of a folder but for those that are sources of their own."""
    if not place.is_dir():
        place.unlink(missing_ok=True)
        storing.let_go()
        return
    inside = DataSource.objects.filter(location__startswith=f"{place}/")
    others = set(inside.values_list("location", flat=True))
    for folder, _, names in os.walk(place, topdown=False):
        for each in names:
            if str(Path(folder, each)) not in others:
                Path(folder, each).unlink(missing_ok=True)
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def forget_copies(source: DataSource) -> None:
    """Delete copies and sealed originals of images that were taken back, but for what another image shows."""
    project = Project.objects.get(pk=source.project_id)
    if not project.faces or project.is_hiding_faces:
        return
    gone = MaskedImage.objects.filter(project=project, item__source=source, item__reason=TAKEN_BACK)
    last = 0
    while rows := list(gone.filter(pk__gt=last).select_related("item").order_by("pk")[:CHUNK]):
        with transaction.atomic():
            faces.lock_contents(project)
            forget_unused(project, [(row.item, row.original_sha256) for row in rows])
        last = rows[-1].pk


def forget_read(project: Project, found: Sequence[images.ReadImage | str]) -> None:
    """Delete what reading has made in vain, of images that were taken back meanwhile or are known already."""
    forget_unused(
        project,
        [
            (Item(sha256=each.sha256, width=each.width, height=each.height, format=each.format), original)
            for each in found
            if not isinstance(each, str) and each.masked and (original := each.masked.original_sha256)
        ],
    )


def forget_unused(project: Project, made: Sequence[tuple[Item, str]]) -> None:
    """Delete copies and originals that no image has, given both by content, while nobody else settles any.

    What is being read may be the same picture: whoever settles it looks whether its files are there.
    """
    standing = Item.objects.filter(project=project, duplicate_of=None).exclude(reason=TAKEN_BACK)
    shown = standing.filter(sha256__in=[item.sha256 for item, _ in made])
    same = MaskedImage.objects.filter(project=project, original_sha256__in=[original for _, original in made])
    used = {
        *shown.values_list("sha256", flat=True),
        *same.filter(item__in=standing).values_list("original_sha256", flat=True),
    }
    same.exclude(original_sha256__in=used).update(is_sealed=False)
    for item, original in made:
        if item.sha256 not in used:
            faces.delete_copy(project, item)
        if original not in used:
            default_storage.delete(masked.original_name(project.pk, original))
