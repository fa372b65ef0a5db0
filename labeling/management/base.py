"""What Loupe's commands share: a database that is up to date, and projects by id or name."""

import time
from collections.abc import Sequence
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from labeling import jobs, label_applying, label_classes, label_imports, reports
from labeling.formats.incoming import READINGS
from labeling.models import Job, LabelImport, Project, User

PRINTED = 20  # problems, and images that were left alone
WHY = {"held": "on somebody’s screen just then", "kept": "labeled or answered already"}
MIGRATION_LOCK = 0x10C9F


class LoupeCommand(BaseCommand):
    """A command that works on its own, before `up` ever ran."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        migrate()
        return super().execute(*args, **options)

    def work_off(self, project: Project, kind: str, **payload: int) -> None:
        """Wait until jobs of a kind are done, doing their work here where no worker does it."""
        parts = Job.objects.filter(project=project, kind=kind, payload__contains=payload)
        while waiting := parts.filter(state__in=Job.UNFINISHED).order_by("id").first():
            if not help_with(waiting):
                time.sleep(0.2)
        failed = parts.filter(state__in=(Job.State.FAILED, Job.State.CANCELLED)).first()
        if failed:
            raise CommandError(f"The import did not finish: {failed.error or failed.state}")

    def take_labels(self, given: LabelImport, mode: str, by: User | None) -> None:
        """Take labels in as the page of label imports does it, and print what came of it."""
        label_imports.apply(given, by, mode=mode, wanted={})
        self.work_off(given.project, label_imports.APPLY, label_import=given.pk)
        given.refresh_from_db()
        added = given.project.classes.filter(pk__in=given.added, retired_at=None)
        if names := [each.name for each in added.order_by("position")]:
            self.stdout.write(f"Classes added: {', '.join(names)}.")
        counts = label_applying.outcomes(given)
        self.write_lines(reports.outcome_lines(given, counts))
        for each in label_applying.left_alone(given)[:PRINTED]:
            self.stdout.write(f"    {each['path']}: {WHY[each['why']]}")

    def check_labels(self, given: LabelImport) -> None:
        """Wait for the report of a file of labels, and print it."""
        self.work_off(given.project, label_imports.CHECK, label_import=given.pk)
        given.refresh_from_db()
        if given.state == LabelImport.State.UNREADABLE:
            raise CommandError(given.report["error"])
        if given.format in READINGS:
            self.stdout.write(f"{given.name}: {READINGS[given.format].title}")
        self.write_lines(reports.lines(given))
        for each in given.report["list"][:PRINTED]:
            self.stdout.write(f"    {each['place']}: {each['said']}")
        for line in label_classes.proposed(given):
            known = line.known.name if line.known else "a new class"
            became = known if line.choice is not None else "left out"
            self.stdout.write(f"  class {line.name}: {line.images:,} images, {became}")

    def write_lines(self, lines: Sequence[reports.Line]) -> None:
        for each in lines:
            self.stdout.write(f"  {each.count:,} {each.words}")


def migrate() -> None:
    """Bring the tables up to date; of two processes that start at once, one does it."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        call_command("migrate", interactive=False, verbosity=0)
        cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])


def find_project(given: str) -> Project:
    """Return a project by id or name, or end the command with a sentence."""
    living = Project.objects.filter(deleted_at=None)
    by_id = living.filter(pk=int(given)) if given.isdecimal() else living.none()
    project = by_id.first() or living.filter(name__iexact=given).first()
    if project is None:
        names = ", ".join(f"{each.name} ({each.pk})" for each in living.order_by("name")[:20])
        raise CommandError(f"There is no project {given!r}. There is: {names or 'none yet'}.")
    return project


def help_with(job: Job) -> bool:
    """Do the next waiting job of a job's cluster here, so that nothing waits for `up` to run."""
    if job.state != Job.State.QUEUED:
        return False
    jobs.run(job.pk)
    return True


def find_user(email: str | None) -> User | None:
    """Return the account in whose name something is done, None for nobody's, or end with a sentence."""
    user = User.objects.filter(email__iexact=email).first() if email else None
    if email and user is None:
        raise CommandError(f"There is no account {email!r}.")
    return user
