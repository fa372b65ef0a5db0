"""Another backbone for a project: chosen, prepared beside the one in use, swapped in when it has seen all.

Until the swap everything goes on with the backbone in use. A choice is one column, `Project.next_backbone`:
the ticks of featurization and of the loop pull from it, so a crash anywhere loses nothing.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from clustering import embeddings
from clustering.models import EmbeddingSet
from labeling import jobs
from labeling.models import Event, Job, Project, User
from labeling.refusals import Refused
from mlassist import featurization, former, survey
from mlassist.models import BackboneOffer, Certificate, ChosenModel

KEPT = timedelta(days=1)  # a set that nobody needs, in case a change was cancelled by mistake

log = logging.getLogger(__name__)


class SwitchRefused(Refused):
    """Why a backbone cannot be chosen, in a sentence for people."""


def offers(project: Project) -> QuerySet[BackboneOffer]:
    """Return what a project may choose from: all but the networks that were fine-tuned for others."""
    others = Q(name__startswith="tuned/") & ~Q(name__startswith=f"tuned/{project.pk}/")
    return BackboneOffer.objects.exclude(others).order_by("title", "name")


def choose(project: Project, name: str, by: User | None) -> None:
    """Prepare another backbone; the one in use cancels a change. What a backbone has given up it tries again.

    Raises SwitchRefused.
    """
    with transaction.atomic():
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if name == locked.backbone:
            change(locked, "", by)
        else:
            refuse_unusable(locked, name)
            change(locked, name, by)
        # A model that was chosen by eye looks through its own backbone, and is given up with that.
        ChosenModel.objects.filter(project=locked).exclude(candidate__backbone=name).delete()
        featurization.retry(name, locked)
    project.next_backbone = locked.next_backbone


def refuse_unusable(project: Project, name: str) -> None:
    """Raise SwitchRefused when a project cannot have this backbone prepared, or go on with that."""
    if not project.is_classification:
        raise SwitchRefused("A backbone is chosen for classes of whole images only, not for this task type.")
    if project.assist_mode == Project.AssistMode.OFF:
        raise SwitchRefused("The model's help is switched off. Switch it on in the settings first.")
    if not name:
        raise SwitchRefused("Choose a backbone.")
    if not name.isprintable():  # PostgreSQL takes no zeros in a text
        raise SwitchRefused("No backbone is called that.")
    if name == project.next_backbone:
        return
    offer = offers(project).filter(name=name).first()
    if offer is None:
        raise SwitchRefused(f"There is no backbone called {name}.")
    if survey.is_being_measured(offer):
        raise SwitchRefused(f"{offer.title} is being measured. Choose it in a moment.")
    if offer.problem:
        raise SwitchRefused(f"{offer.title} cannot be used. {offer.problem}")


def change(locked: Project, name: str, by: User | None) -> None:
    """Write down what is to be prepared; an empty name ends a change under way."""
    if name == locked.next_backbone:
        return
    if name:
        Event.record("backbone_chosen", locked, by, backbone=name, instead_of=locked.backbone)
    else:
        Event.record("backbone_cancelled", locked, by, backbone=locked.next_backbone)
    locked.next_backbone = name
    locked.save(update_fields=["next_backbone"])


def adopt_ready() -> None:
    """Swap in every backbone that has seen all images of its project."""
    for project in Project.objects.filter(deleted_at=None).exclude(next_backbone=""):
        if project.assist_mode != Project.AssistMode.OFF:
            adopt(project)


def adopt(project: Project) -> bool:
    """Put the prepared backbone in the place of the one in use, unless something still stands in the way.

    A round reads the backbone when it starts and must end with the same one, so a swap waits for it.
    """
    with transaction.atomic():
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        new = locked.next_backbone
        if not new or is_learning(locked) or is_incomplete(locked, new):
            return False
        if is_unasked(locked) and is_certified(locked):
            change(locked, "", None)
            return False
        old = locked.backbone
        locked.backbone, locked.next_backbone = new, ""
        locked.save(update_fields=["backbone", "next_backbone"])
        former.supersede(locked, "The backbone was changed.")
        Event.record("backbone_adopted", locked, backbone=new, instead_of=old)
    project.backbone, project.next_backbone = new, ""
    log.info("Project %s looks through %s now, no longer through %s.", project.pk, new, old)
    return True


def is_unasked(project: Project) -> bool:
    """Tell whether nobody has chosen the backbone that is being prepared, but a fine-tuning did."""
    chosen = Event.objects.filter(project=project, verb="backbone_chosen").order_by("-id").first()
    return chosen is not None and chosen.actor_id is None


def is_certified(project: Project) -> bool:
    """Tell whether a certificate stands that a change of backbone would end, or is being proved."""
    states = (Certificate.State.VALID, Certificate.State.OPEN)
    return Certificate.objects.filter(project=project, state__in=states).exists()


def is_learning(project: Project) -> bool:
    rounds = Job.objects.filter(project=project, kind__in=("round", "objects", "order"))
    return rounds.filter(state__in=Job.UNFINISHED).exists()


def is_incomplete(project: Project, backbone: str) -> bool:
    """Tell whether a backbone has images of the project before it; the cheapest answer first."""
    return (
        featurization.running(project, backbone).exists()
        or embeddings.count_missing(project, backbone) > 0
        or bool(embeddings.missing(project, 1, backbone=backbone))
    )


def last_swap(project: Project) -> Event | None:
    return Event.objects.filter(project=project, verb="backbone_adopted").order_by("-id").first()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a change does not go on by itself: so many images have no embedding, for this reason."""

    images: int
    reason: str


def obstacle(project: Project, name: str) -> Obstacle | None:
    """Return what keeps a backbone from looking at all images of a project."""
    if featurization.running(project, name).exists():
        return None
    failed = featurization.chunks_of(project, name).filter(state__in=(Job.State.FAILED, Job.State.CANCELLED))
    newest = failed.order_by("id").last()
    if newest is None:
        return None
    given_up = sum(len(payload["items"]) for payload in failed.values_list("payload", flat=True))
    return Obstacle(given_up, newest.error or "It was cancelled.")


# Sets that are no longer needed


@jobs.periodic(3_600)
def tidy() -> None:
    """Queue the deletion of sets that no project needs any more."""
    busy = Job.objects.filter(kind="forget_embeddings", state__in=Job.UNFINISHED)
    if not busy.exists() and any(not is_needed(each) for each in old_sets()):
        jobs.enqueue("forget_embeddings")


def old_sets() -> QuerySet[EmbeddingSet]:
    """Return sets that have not grown for a while, of backbones that their project has no use for now."""
    return (
        EmbeddingSet.objects.exclude(project__deleted_at=None, backbone=F("project__backbone"))
        .exclude(project__deleted_at=None, backbone=F("project__next_backbone"))
        .exclude(shards__created_at__gt=timezone.now() - KEPT)
        .filter(created_at__lt=timezone.now() - KEPT)
        .select_related("project")
        .order_by("id")
    )


def is_needed(embedding_set: EmbeddingSet) -> bool:
    """Tell whether a set serves its project: to go back to, or to know what a certificate has covered."""
    project, name = embedding_set.project, embedding_set.backbone
    if project.deleted_at is not None:
        return False
    last = last_swap(project)
    if last is not None and last.data["instead_of"] == name:
        return True
    return Certificate.objects.filter(
        project=project,
        model_version__backbone=name,
        state__in=(Certificate.State.VALID, Certificate.State.SUPERSEDED),
    ).exists()


@jobs.handler("forget_embeddings", cluster="quick", priority=9)
def forget(job: jobs.RunningJob) -> dict[str, Any]:
    """Delete the sets that no project needs any more, and their files."""
    deleted = 0
    for each in old_sets():
        with transaction.atomic():
            Project.objects.select_for_update(no_key=True).get(pk=each.project_id)
            # A manager may have chosen it again in the meantime.
            if old_sets().filter(pk=each.pk).exists() and not is_needed(each):
                embeddings.delete(each)
                deleted += 1
        job.progress(deleted)
    return {"sets": deleted}
