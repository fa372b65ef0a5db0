"""The files that belong to a project, to be deleted with it: those that another project needs stay.

Pictures are kept once under the hash of their content, whoever imported them. What lies in folders of the
server or in buckets was never Loupe's, and stays where it is.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage

from labeling import illustrations, images
from labeling.models import DataSource, InstructionPicture, Item, LabelImport, Project, Upload


def remove(project: Project, alive: Callable[[], None]) -> None:
    """Delete the files of a project but for its pictures."""
    remove_uploads(project)
    for folder in ("exports", "masked", "originals"):
        remove_folder(f"{folder}/{project.pk}")
    remove_illustrations(project)
    remove_crops(project, alive)


def remove_folder(folder: str) -> None:
    """Delete a folder of the storage that holds nothing but files."""
    try:
        names = default_storage.listdir(folder)[1]
    except FileNotFoundError:
        return
    for name in names:
        default_storage.delete(f"{folder}/{name}")
    default_storage.delete(folder)


def remove_uploads(project: Project) -> None:
    """Delete what was sent for a project; each upload has a folder of its own. Data sets stay."""
    root = Path(settings.MEDIA_ROOT, "uploads").resolve()
    others = DataSource.objects.exclude(project=project)
    data_sets = set(Upload.objects.filter(project=None).values_list("folder", flat=True))
    for location in project.sources.values_list("location", flat=True):
        place = Path(location)
        if not place.is_relative_to(root) or place == root:
            continue
        folder = root / place.relative_to(root).parts[0]
        if folder.name in data_sets:
            continue
        if not others.filter(location__startswith=str(folder)).exists():
            shutil.rmtree(folder, ignore_errors=True)
    for upload in project.uploads.all():
        shutil.rmtree(root / upload.folder, ignore_errors=True)
    for given in project.label_imports.exclude(location=""):
        remove_labels(given)


def remove_labels(given: LabelImport) -> None:
    """Delete the files of labels that were sent from a browser."""
    root = Path(settings.MEDIA_ROOT, "uploads").resolve()
    place = Path(given.location)
    if place.is_relative_to(root) and place != root:
        shutil.rmtree(root / place.relative_to(root).parts[0], ignore_errors=True)


def remove_illustrations(project: Project) -> None:
    mine = project.instruction_pictures.values_list("sha256", flat=True)
    others = InstructionPicture.objects.exclude(project=project).filter(sha256__in=mine)
    for sha256 in set(mine) - set(others.values_list("sha256", flat=True)):
        default_storage.delete(illustrations.stored_name(sha256))


def remove_pictures(project: Project, items: Sequence[Item]) -> None:
    """Delete what was made from images for the screen, unless another project has the same images."""
    contents = {each.sha256: each for each in items if each.sha256}
    for sha256 in set(contents) - had_by_others(project, contents):
        item = contents[sha256]
        default_storage.delete(images.thumbnail_name(sha256))
        default_storage.delete(images.display_copy(sha256, item.width or 0, item.height or 0, item.format)[0])


def remove_crops(project: Project, alive: Callable[[], None]) -> None:
    """Delete the crops of a project's objects: their names begin with the content that they are cut from."""
    if project.is_classification:
        return
    for number in range(256):
        folder = f"crops/{number:02x}"
        try:
            names = default_storage.listdir(folder)[1]
        except FileNotFoundError:
            continue
        contents = {name.partition("-")[0] for name in names}
        mine = set(Item.objects.filter(project=project, sha256__in=contents).values_list("sha256", flat=True))
        gone = mine - had_by_others(project, mine)
        for name in names:
            if name.partition("-")[0] in gone:
                default_storage.delete(f"{folder}/{name}")
        alive()


def had_by_others(project: Project, contents: Iterable[str]) -> set[str]:
    """Return which contents other projects have. Asked so that indexes answer, item by item."""
    others = list(Project.objects.exclude(pk=project.pk).values_list("pk", flat=True))
    same = Item.objects.filter(project__in=others, sha256__in=list(contents))
    used = same.filter(duplicate_of=None).exclude(sha256="").exclude(state=Item.State.REMOVED)
    removed = same.filter(state=Item.State.REMOVED)
    return {*used.values_list("sha256", flat=True), *removed.values_list("sha256", flat=True)}
