import random
import time
from typing import Any

import requests
from django.core.management.base import CommandError, CommandParser

from deploy import simulation, webserver
from deploy.truth import NoTruth, known_answers
from labeling.management.base import LoupeCommand, find_project
from labeling.models import ApiToken, Membership, Project, User


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
                crowd = gather(project, truth, tally, address, **choose(options))
                crowd.start()
                crowd.join()
        except (NoTruth, simulation.SimulationFailed, requests.RequestException) as failure:
            raise CommandError(str(failure)) from None
        self.report(tally, options["labelers"], time.monotonic() - started)

    def report(self, tally: simulation.Tally, labelers: int, seconds: float) -> None:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in tally.by_kind.most_common())
        self.stdout.write(
            f"{tally.answers:,} answers by {labelers} people in {seconds:.0f} s ({kinds or 'nothing was left'}); "
            f"{tally.exceptions:,} proposals marked as exceptions, {tally.mistakes:,} wrong on purpose."
        )


def choose(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("labelers", "error", "rate", "seed")}


def gather(
    project: Project,
    truth: simulation.Truth,
    tally: simulation.Tally,
    address: str,
    *,
    labelers: int,
    error: float,
    rate: float | None,
    seed: int,
) -> simulation.Crowd:
    """Make the simulated people members of the project, each with a token, and put them together."""
    classes = list(project.classes.filter(retired_at=None).values_list("id", flat=True))
    people = [person(project, number + 1) for number in range(labelers)]
    return simulation.Crowd(
        [
            simulation.Labeler(
                simulation.Client(address, token_for(user), project.pk),
                truth,
                classes,
                tally,
                error=error,
                rate=rate / labelers if rate else None,
                chance=random.Random(f"{seed}-{number}"),
            )
            for number, user in enumerate(people)
        ]
    )


def person(project: Project, number: int) -> User:
    user, is_new = User.objects.get_or_create(
        email=f"simulated-{number}@loupe.invalid", defaults={"name": f"Simulated labeler {number}"}
    )
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    Membership.objects.get_or_create(project=project, user=user, defaults={"role": Membership.Role.LABELER})
    return user


def token_for(user: User) -> str:
    """Return a fresh token; those of earlier simulations end."""
    ApiToken.objects.filter(user=user, name="simulation").delete()
    return ApiToken.issue(user, "simulation")
