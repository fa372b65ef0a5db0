import os
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling import importing, label_imports, reading, sources
from labeling.management.base import LoupeCommand, find_project, find_user
from labeling.models import DataSource, LabelImport, Project, User

# Credentials come from the environment: arguments are seen by everybody who lists processes.
VARIABLES = {
    f"LOUPE_SOURCE_{name.upper()}": name
    for name in ("key", "secret", "token", "account_key", "sas", "service_account")
}


class Command(LoupeCommand):
    help = (
        "Import the images of a folder or archive of this machine, a bucket or a list of addresses, and read"
        f" them. Credentials of a bucket are read from the environment: {', '.join(VARIABLES)}."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument(
            "path",
            help="folder, ZIP or TAR archive, or an address like s3://bucket/**; folders are read with those"
            " in them",
        )
        parser.add_argument("--every-page", action="store_true", help="an image of each page of a TIFF")
        parser.add_argument("--endpoint", default="", help="of S3 that is not Amazon's")
        parser.add_argument("--region", default="", help="of S3")
        parser.add_argument("--account", default="", help="of Azure")
        parser.add_argument(
            "--refresh", default="", choices=DataSource.Refresh.values, help="how often to look again"
        )
        parser.add_argument(
            "--labels-from-folders",
            action="store_true",
            help="label the project's images by the names of their folders; this can be undone",
        )
        parser.add_argument("--by", metavar="EMAIL", help="in whose name; else nobody's")

    def handle(
        self, *args: Any, project: str, path: str, labels_from_folders: bool, by: str | None, **options: Any
    ) -> None:
        target, user, started = find_project(project), find_user(by), time.monotonic()
        if labels_from_folders and not target.is_classification:
            raise CommandError(label_imports.FOLDERS_SAY_TOO_LITTLE)
        try:
            source = self.added(target, path, user, options)
        except importing.ImportRefused as refusal:
            raise CommandError(str(refusal)) from None
        self.work_off(source.project, "refresh", source=source.pk)
        self.work_off(source.project, "unpack", source=source.pk)
        self.stdout.write(f"{source.items.count():,} files found in {time.monotonic() - started:.1f} s.")
        self.work_off(source.project, "import", source=source.pk)
        if labels_from_folders:
            self.label_by_folders(target, user)
        self.report(source, time.monotonic() - started)

    def added(self, project: Project, path: str, by: User | None, options: dict[str, Any]) -> DataSource:
        """Add what an argument names as a source. Raises ImportRefused."""
        of_addresses = {name: options[name] for name in ("endpoint", "region", "account", "refresh")}
        if "://" in path:
            secrets = {name: os.environ.get(variable, "") for variable, name in VARIABLES.items()}
            given = {"address": path, "every_page": options["every_page"], **of_addresses, **secrets}
            return sources.add(project, given, by)
        for name, value in of_addresses.items():
            if value:
                raise CommandError(f"--{name} is for an address such as s3://bucket/**, not for a path.")
        return importing.add_path(project, path, by, every_page=options["every_page"])

    def label_by_folders(self, project: Project, by: User | None) -> None:
        """Label images by their folders, as the page of label imports does it."""
        given = label_imports.from_folders(project, by)
        self.work_off(project, label_imports.CHECK, label_import=given.pk)
        given.refresh_from_db()
        if given.state == LabelImport.State.UNREADABLE:
            raise CommandError("None of the images lies in a folder that could name its class.")
        self.stdout.write("Labels from folders:")
        self.take_labels(given, LabelImport.Mode.LABELS, by)

    def report(self, source: DataSource, seconds: float) -> None:
        counts = reading.summary(source)
        good = counts["read"] - counts["duplicates"] - counts["broken"]
        self.stdout.write(f"{good:,} images ready after {seconds:.1f} s.")
        for word, count in (
            ("duplicates", counts["duplicates"]),
            ("damaged", counts["broken"]),
            ("refused", counts["refused"]),
        ):
            if count:
                self.stdout.write(f"{count:,} {word}.")
        for problem in reading.problems(source, 10):
            self.stdout.write(f"  {problem['name']}: {problem['reason']}")
