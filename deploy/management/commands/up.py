from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from deploy import postgres, processes, webserver
from deploy.supervisor import Supervisor
from labeling.management.base import migrate


class Command(BaseCommand):
    help = "Run everything on this machine: database, web, workers and watchdog. Ctrl-C ends it all."

    def handle(self, *args: Any, **options: Any) -> None:
        if not webserver.is_free(settings.LOUPE_PORT):
            raise CommandError(
                f"Port {settings.LOUPE_PORT} is taken. Choose another: LOUPE_PORT=8080 manage.py up"
            )
        migrate()
        connection.close()
        self.address = webserver.local_address()
        self.is_ready = False
        Supervisor(processes.everything()).run(on_tick=self.announce, on_check=postgres.heal)

    def announce(self) -> None:
        """Say `ready` once, when the web process answers."""
        if not self.is_ready and webserver.answers(self.address):
            self.is_ready = True
            self.stdout.write(f"ready: {self.address}/")
            self.stdout.flush()
