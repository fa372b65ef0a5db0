import shutil
import time
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import CommandError, CommandParser

from labeling import exporting, review
from labeling.management.base import LoupeCommand, find_project, help_with
from labeling.models import Job


def shares_of(text: str) -> tuple[float, ...]:
    """Read the shares of train, val and test, in per cent."""
    return tuple(float(each) for each in text.split("/"))


class Command(LoupeCommand):
    help = "Write a project's labels to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument("--format", default="coco", choices=list(exporting.FORMATS))
        parser.add_argument("--images", default="", choices=list(exporting.IMAGES), help="left out as a rule")
        parser.add_argument(
            "--split", type=shares_of, default=(), metavar="80/10/10", help="train, val, test"
        )
        parser.add_argument("--out", required=True, type=Path, metavar="FILE")

    def handle(self, *args: Any, project: str, out: Path, **options: Any) -> None:
        if not out.resolve().parent.is_dir():
            raise CommandError(f"There is no folder {out.resolve().parent}.")
        choice = exporting.Choice(options["format"], options["images"], options["split"])
        try:
            job = exporting.start(find_project(project), None, choice, review.Filters())
        except exporting.ExportRefused as error:
            raise CommandError(str(error)) from error
        while job.state in (Job.State.QUEUED, Job.State.RUNNING):
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
