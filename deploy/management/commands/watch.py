import time
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from labeling import jobs

SECONDS_BETWEEN_TICKS = 0.5
SECONDS_BETWEEN_TRIES = 5.0


class Command(BaseCommand):
    help = (
        "Run the watchdog: takes up jobs of dead workers and starts what is due. One works, others stand by."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            try:
                is_ours = jobs.is_watchdog()
            except DatabaseError:
                close_old_connections()
                is_ours = False
            if is_ours:
                jobs.tick()
            time.sleep(SECONDS_BETWEEN_TICKS if is_ours else SECONDS_BETWEEN_TRIES)
