"""Second opinions on blind answers, so that no single slip decides a certificate.

A person errs in some 3 % of answers, which makes a target of 2 % unprovable and an honest certificate fall.
So who contradicts the model where it is sure is not believed alone: somebody else is asked as well, blind,
then a third; two who agree decide, else a reviewer does.

Looked at for themselves, contradictions would favour the model: slips against it are put right, slips in
its favour are not. A slip in its favour hides an error of the model, in about that share of its errors in
which a person errs the same way (3 % of 5 % are 0.15 %, if all did). So a tenth of the agreements is looked
at again too; and once one of these is overturned, all of them are.

Labels to learn from that contradict the model where it is sure are looked at again as well, as soon as they
do: when an attempt pays is told by them, and slips among them would count as errors of the model. So are
those that the model and other people's record make doubtful (CROWDLAB), a few at a time: one label is enough
for most images, and a second one pays where the first is in doubt.

An attempt to certify waits a day at the most for opinions, and for a reviewer where people do not agree.
After that the first answers count as they are, which makes a contradiction an error. So is an image that
somebody skips, or that no reviewer has decided: left out, the hard ones would favour the model. Where only
one person works nothing is asked twice.
"""

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from labeling import suggestions, workforce
from labeling.models import Annotation, Item, Project, QueueEntry
from mlassist.models import Certificate, ModelVersion, RegionDraw, SecondLook

SHARE = 0.1  # of the answers that agree with the model
PATIENCE = timedelta(days=1)
AT_ONCE, FEWEST_AT_ONCE = 0.05, 10  # of the labels to learn from: how many are asked again in a round
WORTH_WAITING = 0.2  # of the errors that the target allows: answers in doubt that an attempt waits for


def ask(project: Project, given: Mapping[int, bool], certificate: Certificate | None = None) -> int:
    """Ask somebody else about blind answers, by annotation id: did it agree with the model? Returns how many.

    All that contradict are asked about, and a fixed share of the others. What was asked about is not again,
    nor is the answer that others, or a reviewer, have put in its place.
    """
    people = workforce.at_work(project)
    share = 1.0 if overturned(project, certificate).exists() else SHARE
    looked_at = SecondLook.objects.filter(item__project=project, first__withdrawn_at=None)
    fresh = Annotation.objects.filter(pk__in=given).exclude(item__in=looked_at.values("item"))
    asked = 0
    with transaction.atomic():
        for agreed, probability in ((False, 1.0), (True, share)):
            firsts = {
                item: first
                for first, item, labeler in fresh.values_list("id", "item_id", "labeler_id")
                if given[first] == agreed and people - {labeler} and chance(project, first) < probability
            }
            items = suggestions.ask_again(project, list(firsts), probability=probability)
            SecondLook.objects.bulk_create(
                SecondLook(
                    certificate=certificate,
                    item_id=item,
                    first_id=firsts[item],
                    agreed=agreed,
                    probability=probability,
                )
                for item in items
            )
            asked += len(items)
    return asked


def budget(labels: int) -> int:
    """Return how many labels to learn from may wait for a second opinion at a time, of so many."""
    return max(FEWEST_AT_ONCE, round(AT_ONCE * labels))


def ask_about_labels(project: Project, items: Sequence[int], *, at_once: int) -> int:
    """Ask somebody else about labels to learn from that only one person gave; returns about how many.

    The first of them, until `at_once` of the project's images wait to be asked again.
    """
    asked = QueueEntry.objects.filter(project=project, kind="audit")
    room = at_once - asked.filter(item__current_annotation__labeler__isnull=False).count()
    if room <= 0:
        return 0
    people = workforce.at_work(project)
    given = Annotation.objects.filter(
        project=project, item__in=items, counted=True, withdrawn_at=None, labeler__isnull=False
    )
    opinions: dict[int, set[int | None]] = {}
    for item, labeler in given.values_list("item_id", "labeler_id"):
        opinions.setdefault(item, set()).add(labeler)
    lone = [item for item in items if len(opinions.get(item, ())) == 1 and people - opinions[item]]
    return len(suggestions.ask_again(project, lone[:room], probability=1.0))


def chance(project: Project, annotation: int) -> float:
    """Return an answer's own draw in [0, 1), the same whenever it is asked for."""
    return random.Random(f"{project.seed}:{annotation}").random()


def overturned(project: Project, certificate: Certificate | None) -> QuerySet[SecondLook]:
    """Return the agreements with the model that others have overturned, two against one.

    One against one may be either's slip; it counts as an error until it is decided, and that is enough.
    """
    checked = SecondLook.objects.filter(item__project=project, certificate=certificate, agreed=True)
    own_slip = ("undone", "corrected")
    return (
        checked.filter(item__state="labeled")
        .exclude(item__current_annotation=F("first"))
        .exclude(first__withdrawal__in=own_slip)
    )


def waiting(project: Project, certificate: Certificate | None = None) -> int:
    """Count the opinions that an attempt still waits for."""
    return SecondLook.objects.filter(
        item__project=project,
        certificate=certificate,
        created_at__gt=timezone.now() - PATIENCE,
        item__entry__kind="audit",
    ).count()


def disputed(project: Project, certificate: Certificate | None = None) -> set[int]:
    """Return the blind images on which people do not agree, and for whose reviewer an attempt waits."""
    drawn = Q(draw__lt=project.validation_rate) if certificate is None else Q(pk__in=drawn_for(certificate))
    lately = Annotation.objects.filter(
        item=OuterRef("pk"), withdrawn_at=None, created_at__gt=timezone.now() - PATIENCE
    )
    found = Item.objects.filter(drawn, Exists(lately), project=project, state="needs_review")
    return set(found.values_list("id", flat=True))


def drawn_for(certificate: Certificate) -> QuerySet[RegionDraw, int]:
    return RegionDraw.objects.filter(certificate=certificate).values_list("item_id", flat=True)


def too_many(in_dispute: int, blind_labels: int, target: float) -> bool:
    """Tell whether disputed images among blind labels are worth waiting for a reviewer."""
    return in_dispute > WORTH_WAITING * target * blind_labels


def are_settled(project: Project, version: ModelVersion) -> bool:
    """Tell whether what an attempt on the newest model waited for has come, or has been waited for enough."""
    outlook = version.metrics.get("outlook") or {}
    if not outlook.get("waits") or waiting(project):
        return False
    blind_labels = version.metrics["validation_n"]
    return not too_many(len(disputed(project)), blind_labels, project.target_error)
