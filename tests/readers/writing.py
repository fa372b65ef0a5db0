"""Write a project of each kind in every format, for readers that live in an environment of their own.

    python -m tests.readers.writing FOLDER

Archives are unpacked into FOLDER/PROJECT/FORMAT; FOLDER/PROJECT/truth.json has what was labeled.
"""

import json
import sys
import uuid
import zipfile
from pathlib import Path
from typing import Any

from tests.benchmarks.queue import loupe

SIZE = (160, 120)
SPLIT = (50, 25, 25)
IMAGES = {"multiclass": 16, "detection": 8, "segmentation": 8}


def main() -> None:
    folder = Path(sys.argv[1])
    with loupe():
        from django.conf import settings

        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        for task_type, count in IMAGES.items():
            make(folder / task_type, task_type, count)


def make(folder: Path, task_type: str, count: int) -> None:
    """Label a project as a person would, and export it."""
    from labeling import exporting, review
    from labeling.formats import catalog
    from tests import factories

    manager = factories.make_user(f"{task_type}@example.com")
    project = factories.make_project(manager=manager, task_type=task_type)
    if project.is_classification:
        factories.make_items(project, count)
        factories.answer_all(project, manager)
    else:
        factories.make_scenes(project, count, size=SIZE)
        draw(project, manager)
    name_by_number(project)
    folder.mkdir(parents=True)
    (folder / "truth.json").write_text(json.dumps(truth(project)))
    for form in catalog.offered(task_type):
        choice = exporting.Choice(form.name, "copy", SPLIT)
        report = exporting.write(project, review.Filters(), folder / "export.zip", choice)
        assert report["images"] == count, report
        with zipfile.ZipFile(folder / "export.zip") as archive:
            archive.extractall(folder / form.name)


def name_by_number(project: Any) -> None:
    """Let the name of each image be its number, by which readers tell which one they have."""
    for item in project.items.select_related("source"):
        place = Path(item.source.location, item.path)
        item.path = str(Path(item.path).with_name(f"{item.pk}.png"))
        place.rename(Path(item.source.location, item.path))
        item.save(update_fields=["path"])


def draw(project: Any, labeler: Any) -> None:
    """Answer every image with the shapes in it; the first polygon of each has a hole."""
    from labeling import queue, submission
    from tests import factories

    while page := queue.claim(project, labeler, 1):
        item = page.claims.get().item
        shapes = factories.true_regions(item)
        if "polygon" in shapes[0]:
            (ring,) = shapes[0]["polygon"]
            shapes[0]["polygon"] = [ring, smaller(ring)]
        regions = tuple(
            submission.RegionInput(each["class"], each.get("bbox"), each.get("polygon")) for each in shapes
        )
        submission.submit(page, labeler, [submission.Answer(item.pk, uuid.uuid4(), regions)])


def smaller(ring: list[float]) -> list[float]:
    """Return a ring of half the size around the same middle."""
    x, y = (sum(ring[at::2]) / len(ring) * 2 for at in (0, 1))
    return [(number + (x, y)[at % 2]) / 2 for at, number in enumerate(ring)]


def truth(project: Any) -> dict[str, Any]:
    """Return the classes in their order, and of each image its size and regions."""
    items = project.items.prefetch_related("current_annotation__regions__label_class").order_by("id")
    images = {
        str(item.pk): {
            "file_name": item.path,
            "size": [item.width, item.height],
            "regions": [
                {"class": each.label_class.name, "bbox": each.bbox, "polygon": each.polygon}
                for each in item.current_annotation.regions.order_by("id")
            ],
        }
        for item in items
    }
    return {"classes": [each.name for each in project.classes.all()], "images": images}


if __name__ == "__main__":
    main()
