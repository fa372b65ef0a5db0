"""Certificates on labels of their own: a region is chosen, asked blind, and judged when the answers are in.

The model version that the region belongs to stays the one that is judged, whatever is trained meanwhile.
"""

from typing import TYPE_CHECKING

import numpy as np
from django.db import transaction

from labeling import suggestions
from labeling.models import Project, QueueEntry
from mlassist import second_looks
from mlassist.models import Certificate, ModelVersion, RegionDraw
from mlassist.runs import Step

if TYPE_CHECKING:
    from mlassist.certificates.regions import Region

SHARE = 0.3  # of the answers, while a proof is open
ALL_BUT_FEW = 0.95  # of the items drawn: the rest may be skipped or in somebody's hands
WORTH = 3.0  # times as many images in the region as it takes labels to prove it
FEWEST_LABELS = 100  # to train with: earlier, the next model is much better than this one


def open_one(project: Project) -> Certificate | None:
    return Certificate.objects.filter(project=project, state=Certificate.State.OPEN).first()


def progress(certificate: Certificate) -> tuple[int, int]:
    """Return (answered or put aside, drawn)."""
    drawn = RegionDraw.objects.filter(certificate=certificate)
    waiting = QueueEntry.objects.filter(item__in=drawn.values("item"), kind="validation").count()
    count = drawn.count()
    return count - waiting, count


def is_complete(project: Project) -> bool:
    certificate = open_one(project)
    if certificate is None:
        return False
    done, drawn = progress(certificate)
    return done >= ALL_BUT_FEW * drawn and not second_looks.waiting(project, certificate)


def is_too_early(version: ModelVersion) -> bool:
    return version.labels < FEWEST_LABELS


def begin(
    project: Project,
    certificate: Certificate,
    region: "Region",
    candidates: np.ndarray,
    wanted: int,
) -> bool:
    """Draw items from the region and write the attempt down; returns whether there were enough of them.

    `certificate` is unsaved, with all but its evidence; `candidates` are the unlabeled items in the region.
    """
    shuffled = np.random.default_rng().permutation(candidates)[: 4 * wanted].tolist()
    with transaction.atomic():
        probability = wanted / max(len(candidates), 1)
        drawn = suggestions.ask_blind(project, shuffled, wanted, probability=probability)
        if len(drawn) < wanted:
            transaction.set_rollback(True)
            return False
        certificate.evidence |= {
            "region": {
                "thresholds": region.ladder.thresholds.tolist(),
                "coverages": region.ladder.coverages.tolist(),
                "expected": [round(each, 4) for each in region.expected.tolist()],
                "drawn": len(drawn),
                "share_before": project.validation_share,
            }
        }
        certificate.save()
        RegionDraw.objects.bulk_create(RegionDraw(certificate=certificate, item_id=item) for item in drawn)
    suggestions.set_validation_share(project, SHARE)
    return True


def release(project: Project, certificate: Certificate) -> None:
    """Give back the items that were drawn and not answered, and ask as few blind as before."""
    drawn = RegionDraw.objects.filter(certificate=certificate).values_list("item_id", flat=True)
    suggestions.stop_asking_blind(project, list(drawn))
    suggestions.set_validation_share(project, certificate.evidence["region"]["share_before"])


def say_begun(step: Step, certificate: Certificate) -> None:
    region = certificate.evidence["region"]
    step.say(
        f"Certificate attempt {certificate.attempt} begins: {region['drawn']} images are asked blind, out of"
        f" the surest {region['coverages'][-1]:.0%}"
    )
