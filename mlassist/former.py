"""Former backbones: what a network is called after other weights have taken its name.

A set of embeddings and the models made on it belong to one network. When the file behind a name is replaced,
they go on under a name of their own, and to all else it is as if the project had changed its backbone.
"""

import logging
import uuid

from django.db import transaction

from clustering.models import EmbeddingSet
from labeling.models import Event, Job, Project
from mlassist.models import Certificate, ModelVersion

LONGEST_PART = 71  # of the name, which leaves room for what tells networks apart

log = logging.getLogger(__name__)


def supersede(project: Project, why: str) -> None:
    """End the certificate that holds: it speaks for models on another backbone."""
    Certificate.objects.filter(project=project, state=Certificate.State.VALID).update(
        state=Certificate.State.SUPERSEDED,
        reason=(
            f"{why} The labels given under this certificate stay; the new model has to earn one of its own."
        ),
    )


def make_way(name: str, weights: str) -> None:
    """Tell all projects that a backbone's weights have this fingerprint."""
    others = EmbeddingSet.objects.filter(backbone=name, project__deleted_at=None).exclude(weights=weights)
    for project in others.values_list("project", flat=True):
        with transaction.atomic():
            rename(Project.objects.select_for_update(no_key=True).get(pk=project), name, weights)


def rename(locked: Project, name: str, weights: str) -> bool:
    """Rename what a project has of a network whose name other weights have taken.

    Returns whether there was anything. The caller has locked the project's row.
    """
    old = EmbeddingSet.objects.filter(project=locked, backbone=name).exclude(weights=weights).first()
    if old is None or not old.shards.exists():
        return False
    former = former_name(locked, name, old.weights)
    EmbeddingSet.objects.filter(pk=old.pk).update(backbone=former)
    ModelVersion.objects.filter(project=locked, backbone=name).update(backbone=former)
    for order in Job.objects.filter(
        project=locked, kind="order", state=Job.State.DONE, payload__backbone=name
    ):
        Job.objects.filter(pk=order.pk).update(payload={**order.payload, "backbone": former})
    if locked.backbone == name:
        supersede(locked, "The weights of the backbone were replaced.")
        Event.record("backbone_adopted", locked, backbone=name, instead_of=former)
    log.info("The weights of %s were replaced; project %s looks at its images anew.", name, locked.pk)
    return True


def former_name(project: Project, name: str, weights: str) -> str:
    """Return a name for the network with this fingerprint, which may be unknown."""
    wanted = f"{name[:LONGEST_PART]}~{weights[:8] or 'before'}"
    sets = EmbeddingSet.objects.filter(project=project, backbone=wanted)
    versions = ModelVersion.objects.filter(project=project, backbone=wanted)
    is_taken = sets.exists() or versions.exists()  # weights may come back and be replaced once more
    return f"{name[:LONGEST_PART]}~{uuid.uuid4().hex[:8]}" if is_taken else wanted
