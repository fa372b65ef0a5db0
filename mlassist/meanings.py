"""What becomes of what was learned and certified when labels come to mean something else."""

from labeling import extensions
from labeling.models import Project
from mlassist import proving
from mlassist.models import Certificate, ModelVersion

ENDED = "Classes were changed since it was proved."


def today(project: Project) -> int:
    """Return how often labels have changed what they mean by now."""
    return Project.objects.values_list("meaning", flat=True).get(pk=project.pk)


def is_outdated(version: ModelVersion) -> bool:
    """Tell whether labels meant something else when a model learned from them."""
    return version.meaning != today(version.project)


@extensions.register_meaning
def end_certificates(project: Project, why: str) -> None:
    """Let no certificate from before label any more; what it has labeled stays, and goes on being audited.

    In the transaction of the change: labels that are being written come before it, or are refused.
    """
    reason = f"{ENDED} {why}"
    mine = Certificate.objects.filter(project=project)
    mine.filter(state=Certificate.State.SUPERSEDED, reason="").update(reason=reason)
    mine.filter(state=Certificate.State.VALID).update(state=Certificate.State.SUPERSEDED, reason=reason)
    proof = proving.open_one(project)
    if proof is not None:
        mine.filter(pk=proof.pk).update(state=Certificate.State.REFUSED, reason=reason)
        proving.release(project, proof)


@extensions.register_standing
def standing(project: Project) -> set[int]:
    """Return the certificates that labels may rest on: a superseded one is kept to."""
    states = (Certificate.State.VALID, Certificate.State.SUPERSEDED)
    found = Certificate.objects.filter(project=project, state__in=states)
    return set(found.values_list("id", flat=True))
