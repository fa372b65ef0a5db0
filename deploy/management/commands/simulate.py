import time
from typing import Any

import requests
from django.core.management.base import CommandError, CommandParser

from deploy import simulation, webserver
from deploy.crowd import gather
from deploy.truth import NoTruth, known_answers
from labeling.management.base import LoupeCommand, find_project


class Command(LoupeCommand):
    help = "Let simulated people label a project over the HTTP API, from known answers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument(
            "--truth", required=True, metavar="folders|FILE.json", help="where the right answers come from"
        )
        parser.add_argument(
            "--labels", type=int, metavar="N", help="stop after so many; else when nothing is left"
        )
        parser.add_argument("--labelers", type=int, default=1, metavar="K")
        parser.add_argument("--error", type=float, default=0.0, metavar="RATE", help="share of wrong answers")
        parser.add_argument(
            "--rate", type=float, metavar="LABELS/S", help="of all together; else as fast as it goes"
        )
        parser.add_argument("--seed", type=int, default=0)

    def handle(self, *args: Any, **options: Any) -> None:
        project = find_project(options["project"])
        if not 0 <= options["error"] < 1:
            raise CommandError("--error is a share between 0 and 1.")
        started = time.monotonic()
        tally = simulation.Tally(wanted=options["labels"])
        try:
            truth = known_answers(project, options["truth"])
            with webserver.running() as address:
                crowd = gather(
                    project,
                    truth,
                    tally,
                    address,
                    labelers=options["labelers"],
                    error=options["error"],
                    rate=options["rate"],
                    seed=options["seed"],
                )
                crowd.start()
                crowd.join()
        except (NoTruth, simulation.SimulationFailed, requests.RequestException) as failure:
            raise CommandError(str(failure)) from None
        self.report(tally, options["labelers"], time.monotonic() - started)

    def report(self, tally: simulation.Tally, labelers: int, seconds: float) -> None:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in tally.by_kind.most_common())
        self.stdout.write(
            f"{tally.answers:,} answers by {labelers} people in {seconds:.0f} s "
            f"({kinds or 'nothing was left'}); {tally.exceptions:,} proposals marked as exceptions, "
            f"{tally.mistakes:,} wrong on purpose, {tally.decided:,} disputes decided by a reviewer."
        )
