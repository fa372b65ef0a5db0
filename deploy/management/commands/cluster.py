import os
import signal
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from deploy import processes
from deploy.supervisor import Supervisor
from labeling.jobs import CLUSTERS
from labeling.tether import die_with_parent


class Command(BaseCommand):
    help = "Run a worker cluster, and start it again when it dies or no longer answers."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=CLUSTERS)
        parser.add_argument(
            "--unguarded",
            action="store_true",
            help="only the workers, for a supervisor that looks after them",
        )

    def handle(self, *args: Any, name: str, unguarded: bool, **options: Any) -> None:
        if not unguarded:
            Supervisor([processes.cluster(name)]).run()
            return
        # Workers, pusher and monitor would live on without guard when the process above them is
        # killed. SIGTERM, so that a worker still gives its job back.
        os.register_at_fork(after_in_child=lambda: die_with_parent(signal.SIGTERM))
        call_command("qcluster")  # returns when the workers run; this process ends with the sentinel
        # Its own handler waits for the sentinel to wake up, for ever if the signal got there first.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
