"""Exports as tests ask for them: answered, fetched, read again."""

import uuid
from pathlib import Path

from django.core.files.storage import default_storage
from pycocotools.coco import COCO

from labeling import queue, submission
from labeling.formats import catalog
from labeling.formats.files import Archive
from labeling.formats.records import Picture, Problem
from labeling.models import Job, Project, User
from tests import factories


def read_back(path: Path) -> COCO:
    """Load with pycocotools, as users do."""
    return COCO(str(path))


def draw_all(project: Project, labeler: User) -> None:
    """Answer every image of `make_scenes` with the shapes that it holds."""
    while page := queue.claim(project, labeler, 1):
        item = page.claims.get().item
        regions = tuple(
            submission.RegionInput(each["class"], each.get("bbox"), each.get("polygon"))
            for each in factories.true_regions(item)
        )
        submission.submit(page, labeler, [submission.Answer(item.pk, uuid.uuid4(), regions)])


def fetched(job: Job, folder: Path) -> Path:
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    path = folder / f"{job.pk}-{Path(job.result['name']).name}"
    path.write_bytes(default_storage.open(job.result["name"]).read())
    return path


def pictures_of(job: Job, folder: Path) -> list[Picture]:
    """Return the images of a ZIP archive that was exported."""
    with Archive(fetched(job, folder)) as files:
        records = list(catalog.FORMATS[job.payload["format"]].read(files))
    assert not [each for each in records if isinstance(each, Problem)]
    return [each for each in records if isinstance(each, Picture)]
