import shutil
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import CommandError, CommandParser

from labeling import exporting
from labeling.gallery import Filters
from labeling.management.base import LoupeCommand, find_project, find_user, help_with
from labeling.models import Item, Job, Project

SOURCES = ("human", "person", "confirmed", "auto", "imported", "import")
PLAIN = ("state", "source", "name", "since", "until", "confidence_below", "confidence_above", "reviewed")


def shares_of(text: str) -> tuple[float, ...]:
    """Read the shares of train, val and test, in per cent."""
    return tuple(float(each) for each in text.split("/"))


def day(text: str) -> str:
    return text and date.fromisoformat(text).isoformat()


def class_of(project: Project, name: str) -> int:
    found = project.classes.filter(name__iexact=name).first()
    if found is None:
        raise CommandError(f"There is no class {name!r} in {project.name}.")
    return found.pk


def filters_of(project: Project, options: Mapping[str, Any]) -> Filters:
    """Return the filters of the gallery that options name, or end the command with a sentence."""
    labeler = find_user(options["labeler"])
    classes = [class_of(project, each) for each in options["classes"]]
    return Filters(
        classes=tuple(classes),
        labeler=labeler.pk if labeler else None,
        **{name: options[name] for name in PLAIN},
    )


class Command(LoupeCommand):
    help = "Write a project's labels to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument("--format", default="coco", choices=list(exporting.FORMATS))
        parser.add_argument("--images", default="", choices=list(exporting.IMAGES), help="left out as a rule")
        parser.add_argument(
            "--split", type=shares_of, default=(), metavar="80/10/10", help="train, val, test"
        )
        only = parser.add_argument_group("which labels", "all of them, unless narrowed")
        only.add_argument("--state", default="", choices=Item.State.values, help="of the images")
        only.add_argument(
            "--class", dest="classes", action="append", default=[], metavar="NAME", help="again for more"
        )
        only.add_argument("--labeler", metavar="EMAIL", help="whose label counts")
        only.add_argument("--source", default="", choices=SOURCES, help="who or what made the label")
        only.add_argument("--name", default="", help="part of a path")
        only.add_argument(
            "--since", default="", type=day, metavar="2026-11-23", help="labeled on it or later"
        )
        only.add_argument("--until", default="", type=day, metavar="2026-11-30", help="or before")
        only.add_argument("--confidence-below", type=float)
        only.add_argument("--confidence-above", type=float)
        only.add_argument("--reviewed", default="", choices=("yes", "no"))
        parser.add_argument("--out", required=True, type=Path, metavar="FILE")

    def handle(self, *args: Any, project: str, out: Path, **options: Any) -> None:
        if not out.resolve().parent.is_dir():
            raise CommandError(f"There is no folder {out.resolve().parent}.")
        choice = exporting.Choice(options["format"], options["images"], options["split"])
        of = find_project(project)
        try:
            job = exporting.start(of, None, choice, filters_of(of, options))
        except exporting.ExportRefused as error:
            raise CommandError(str(error)) from error
        while job.state in Job.UNFINISHED:
            if not help_with(job):
                time.sleep(0.1)
            job.refresh_from_db()
        if job.state != Job.State.DONE:
            raise CommandError(f"The export did not finish: {job.error or job.state}")
        # Under its own name only when it is whole.
        partial = out.with_name(f".{out.name}.part")
        with default_storage.open(job.result["name"]) as source, partial.open("wb") as target:
            shutil.copyfileobj(source, target)
        partial.replace(out)
        self.stdout.write(
            f"{job.result['images']:,} images with {job.result['annotations']:,} labels in {out}"
        )
        left_out = job.result["left_out"]
        for each in left_out["images"]:
            self.stderr.write(f"no copy of {each['file_name']}: {each['reason']}")
        if left_out["count"] > len(left_out["images"]):
            self.stderr.write(f"{left_out['count']:,} images have no copy; the archive names more of them")
