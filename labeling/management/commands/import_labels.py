from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.management.base import CommandError, CommandParser

from labeling import label_imports
from labeling.classes import ProjectRefused
from labeling.formats.incoming import READINGS
from labeling.importing import ImportRefused
from labeling.management.base import LoupeCommand, find_project, find_user
from labeling.models import LabelImport


class Command(LoupeCommand):
    help = (
        "Take labels in from a file: checked first, with a report of what fits. It can be undone on the page."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument("file", type=Path, help="a file of labels; of several, a ZIP archive")
        parser.add_argument("--format", default="", choices=list(READINGS), help="else told from the file")
        parser.add_argument(
            "--as",
            dest="mode",
            default=LabelImport.Mode.LABELS.value,
            choices=LabelImport.Mode.values,
            help="final labels, or suggestions for people to confirm",
        )
        parser.add_argument("--check-only", action="store_true", help="print the report, and change nothing")
        parser.add_argument("--by", metavar="EMAIL", help="in whose name; else nobody's")

    def handle(
        self,
        *args: Any,
        project: str,
        file: Path,
        mode: str,
        check_only: bool,
        by: str | None,
        **options: Any,
    ) -> None:
        target, user = find_project(project), find_user(by)
        if not file.is_file():
            raise CommandError(f"There is no file {file}.")
        try:
            with file.open("rb") as opened:
                sent = UploadedFile(opened, file.name, size=file.stat().st_size)
                given = label_imports.receive(target, [sent], user, format_name=options["format"])
            self.check_labels(given)
            if check_only:
                label_imports.discard(given)
            else:
                self.take_labels(given, mode, user)
        except (ImportRefused, ProjectRefused) as refusal:
            raise CommandError(str(refusal)) from None
