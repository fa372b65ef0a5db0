import json
import os
import secrets
import sys
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from deploy import postgres, processes, webserver
from deploy.story import ROLES, Story
from deploy.supervisor import Supervisor
from labeling.management.base import migrate

PORTS_TO_TRY = 20


class Command(BaseCommand):
    help = "Start everything on a sample project and watch it being labeled; then stay up to try it."

    def handle(self, *args: Any, **options: Any) -> None:
        port = self.port()
        # Read by the parts that are started below.
        os.environ["LOUPE_PORT"] = str(port)
        migrate()
        connection.close()
        log = settings.LOUPE_HOME / "loupe.log"
        self.say(f"Loupe starts with a sample project of real handwritten digits. Details go to {log}.")
        supervisor = Supervisor(processes.everything(log))
        story = Story(settings.LOUPE_HOME, webserver.local_address(port), self.password(), self.say)
        thread = threading.Thread(target=self.tell, args=(story, supervisor), daemon=True)
        supervisor.run(on_start=thread.start, on_check=postgres.heal)
        story.is_over.set()
        thread.join(timeout=10)
        if not story.succeeded:
            raise CommandError("Not every step of the demo happened.")

    def tell(self, story: Story, supervisor: Supervisor) -> None:
        story.play()
        if not story.succeeded or not sys.stdin.isatty():
            supervisor.stop()
            return
        self.say("")
        self.say(f"Now it is yours: {story.address}/")
        for role in ROLES:
            self.say(f"  {role:<9} {role}@example.com   {story.password}")
        self.say("Ctrl-C ends it; `make demo` goes on from here, `make clean-demo` forgets it.")

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def port(self) -> int:
        """Return LOUPE_PORT, or the next free port when nobody asked for a certain one."""
        tries = 1 if "LOUPE_PORT" in os.environ else PORTS_TO_TRY
        for port in range(settings.LOUPE_PORT, settings.LOUPE_PORT + tries):
            if webserver.is_free(port):
                return port
        raise CommandError(f"Port {settings.LOUPE_PORT} is taken. Choose another: LOUPE_PORT=8080 make demo")

    def password(self) -> str:
        """Return the password of this demo's accounts, made once."""
        kept = Path(settings.LOUPE_HOME) / "demo-password.json"
        if not kept.exists():
            kept.touch(mode=0o600)
            kept.write_text(json.dumps(secrets.token_urlsafe(9)))
        return str(json.loads(kept.read_text()))
