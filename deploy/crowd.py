"""Simulated people as members of a project, each with a token."""

import random

from deploy import simulation
from labeling.models import ApiToken, Membership, Project, User


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
    """Make the simulated people members of the project, each with a token, and put them together.

    Of several who err, some will not agree, so a reviewer is with them.
    """
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
        ],
        reviewer(project, truth, tally, address) if error and labelers > 1 else None,
    )


def person(project: Project, number: int) -> User:
    return member(project, f"simulated-{number}", f"Simulated labeler {number}", Membership.Role.LABELER)


def reviewer(
    project: Project, truth: simulation.Truth, tally: simulation.Tally, address: str
) -> simulation.Reviewer:
    user = member(project, "simulated-reviewer", "Simulated reviewer", Membership.Role.REVIEWER)
    return simulation.Reviewer(simulation.Client(address, token_for(user), project.pk), truth, tally)


def member(project: Project, address: str, name: str, role: str) -> User:
    user, is_new = User.objects.get_or_create(email=f"{address}@loupe.invalid", defaults={"name": name})
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    Membership.objects.get_or_create(project=project, user=user, defaults={"role": role})
    return user


def token_for(user: User) -> str:
    """Return a fresh token; those of earlier simulations end."""
    ApiToken.objects.filter(user=user, name="simulation").delete()
    return ApiToken.issue(user, "simulation")
