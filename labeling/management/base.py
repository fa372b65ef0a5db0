"""What Loupe's commands share: a database that is up to date, and projects by id or name."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from labeling import jobs
from labeling.models import Job, Project

MIGRATION_LOCK = 0x10C9F


class LoupeCommand(BaseCommand):
    """A command that works on its own, before `up` ever ran."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        migrate()
        return super().execute(*args, **options)


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
