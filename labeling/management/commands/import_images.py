import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from labeling import importing, label_imports, reading, sources
from labeling.management.base import LoupeCommand, find_project, help_with
from labeling.models import DataSource, ImportedLabel, Job, LabelImport, Project, User


class Command(LoupeCommand):
    help = "Import the images of a folder of this machine, a ZIP archive or a public bucket, and read them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument(
            "path",
            help="folder, .zip file, or an address like s3://bucket/**; folders are read with those in them",
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
        target, started = find_project(project), time.monotonic()
        user = User.objects.filter(email__iexact=by).first() if by else None
        if by and user is None:
            raise CommandError(f"There is no account {by!r}.")
        if labels_from_folders and not target.is_classification:
            raise CommandError(label_imports.FOLDERS_SAY_TOO_LITTLE)
        try:
            if "://" in path:
                source = sources.add(target, {"address": path}, user)
            else:
                source = importing.add_path(target, path, user)
        except importing.ImportRefused as refusal:
            raise CommandError(str(refusal)) from None
        self.work_off(source.project, "refresh", source=source.pk)
        self.work_off(source.project, "unpack", source=source.pk)
        self.stdout.write(f"{source.items.count():,} files found in {time.monotonic() - started:.1f} s.")
        self.work_off(source.project, "import", source=source.pk)
        if labels_from_folders:
            self.take_labels(target, user)
        self.report(source, time.monotonic() - started)

    def take_labels(self, project: Project, by: User | None) -> None:
        """Label images by their folders, as the page of label imports does it."""
        given = label_imports.from_folders(project, by)
        self.work_off(project, label_imports.CHECK, label_import=given.pk)
        given.refresh_from_db()
        if given.state == LabelImport.State.UNREADABLE:
            raise CommandError("None of the images lies in a folder that could name its class.")
        label_imports.apply(given, by, mode=LabelImport.Mode.LABELS, wanted={})
        self.work_off(project, label_imports.APPLY, label_import=given.pk)
        count = given.labels.filter(outcome=ImportedLabel.Outcome.LABEL).count()
        self.stdout.write(f"{count:,} images labeled by their folders.")

    def work_off(self, project: Project, kind: str, **payload: int) -> None:
        """Wait until jobs of a kind are done, doing their work here where no worker does it."""
        parts = Job.objects.filter(project=project, kind=kind, payload__contains=payload)
        while waiting := parts.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING)).order_by("id").first():
            if not help_with(waiting):
                time.sleep(0.2)
        failed = parts.filter(state__in=(Job.State.FAILED, Job.State.CANCELLED)).first()
        if failed:
            raise CommandError(f"The import did not finish: {failed.error or failed.state}")

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
