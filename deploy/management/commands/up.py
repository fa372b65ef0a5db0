import socket
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from deploy import processes
from deploy.supervisor import Supervisor
from labeling.management.base import migrate


class Command(BaseCommand):
    help = "Run everything on this machine: database, web, workers and watchdog. Ctrl-C ends it all."

    def handle(self, *args: Any, **options: Any) -> None:
        self.refuse_taken_port()
        migrate()
        connection.close()
        self.address = f"http://localhost:{settings.LOUPE_PORT}/"
        self.is_ready = False
        Supervisor(processes.everything()).run(on_tick=self.announce)

    def refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", settings.LOUPE_PORT))
            except OSError:
                raise CommandError(
                    f"Port {settings.LOUPE_PORT} is taken. Choose another: LOUPE_PORT=8080 python manage.py up"
                ) from None

    def announce(self) -> None:
        """Say `ready` once, when the web process answers."""
        if self.is_ready:
            return
        try:
            with urllib.request.urlopen(f"{self.address}healthz/", timeout=2) as answer:
                self.is_ready = answer.status == 200
        except (urllib.error.URLError, OSError):
            return
        if self.is_ready:
            self.stdout.write(f"ready: {self.address}")
            self.stdout.flush()
