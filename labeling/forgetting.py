"""Files that were sent here and that nobody may see any more: they go once copies hide what is in them."""

import os
from functools import partial
from pathlib import Path

from django.db import transaction

from labeling import registering, storing
from labeling.models import DataSource, Project


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
