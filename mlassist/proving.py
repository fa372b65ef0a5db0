"""Certificates on labels of their own: a region is chosen, asked blind, and judged when the answers are in.

The model version that the region belongs to stays the one that is judged, whatever is trained meanwhile.
Evidence that suffices for the whole region ends the asking early; for that it has half of the attempt's
budget, and the test of the region's parts at the end the other half.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef

from labeling import answers, suggestions
from labeling.models import Annotation, Project, QueueEntry
from mlassist import second_looks
from mlassist.certificates import sequential
from mlassist.models import Certificate, ModelVersion, RegionDraw
from mlassist.runs import Step

if TYPE_CHECKING:
    from mlassist.certificates.regions import Region

SHARE, MOST_SHARE = 0.3, 0.9  # of the answers, while a proof is open
ALL_BUT_FEW = 0.95  # of the items drawn: the rest may be skipped or in somebody's hands
EARLY = 0.5  # of the attempt's budget, for ending early
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
    """Tell whether the open proof can be judged: its labels are in, or suffice already.

    One that was judged and waits for a reviewer can be judged again when one has decided something.
    """
    certificate = open_one(project)
    if certificate is None:
        return False
    done, drawn = progress(certificate)
    if second_looks.waiting(project, certificate) or answers.blind_again(project):
        return False
    in_dispute = second_looks.disputed(project, certificate)
    if in_dispute and in_dispute == set(certificate.evidence.get("in_dispute", ())):
        return False
    return done >= ALL_BUT_FEW * drawn or is_proved_early(certificate)


def is_proved_early(certificate: Certificate) -> bool:
    given = judged(certificate)
    grown = sequential.evidence(given.losses, certificate.target_error)
    return len(grown) > 0 and float(grown.max()) >= 1 / (EARLY * certificate.alpha)


@dataclass(frozen=True, slots=True)
class Judged:
    """The answered draws of a proof in the order of their answers: ids, scores, losses, proposed class ids.

    `undecided` counts those that people skipped or do not agree on.
    """

    items: list[int]
    scores: np.ndarray
    losses: np.ndarray
    answers: list[tuple[int, ...]]
    undecided: int

    def if_right(self, items: Collection[int]) -> "Judged":
        """Return the same with no loss on some of the items."""
        return replace(self, losses=np.where(np.isin(self.items, list(items)), 0.0, self.losses))


def judged(certificate: Certificate) -> Judged:
    """Return what people have answered of a proof's draws so far, or until it was put off."""
    own = RegionDraw.objects.filter(certificate=certificate, item__created_at__lte=certificate.created_at)
    if "put_off" in certificate.evidence:
        own = own.filter(item__in=certificate.evidence["put_off"])
    draws = {each.item_id: each for each in own}
    given = answers.blind(certificate.project, list(draws))
    labels = dict(zip(given.items.tolist(), given.labels, strict=True))
    first = Annotation.objects.filter(item__in=labels, kind="validation").order_by("id")
    in_order = list(dict.fromkeys(first.values_list("item_id", flat=True)))
    said = [tuple(draws[item].answer) for item in in_order]
    losses = [
        loss(answer, labels[item], certificate.is_strict) for item, answer in zip(in_order, said, strict=True)
    ]
    undecided = sum(labels[item] == answers.UNDECIDED for item in in_order)
    return Judged(
        in_order, np.array([draws[item].score for item in in_order]), np.array(losses), said, undecided
    )


def loss(answer: Sequence[int], label: Sequence[int], strict: bool) -> float:
    """Return 1 - F1 of two sets of classes, or 0 or 1."""
    if set(answer) == set(label):
        return 0.0
    together = len(set(answer) & set(label))
    return 1.0 if strict else 1 - 2 * together / (len(answer) + len(label))


def is_too_early(version: ModelVersion) -> bool:
    return version.labels < FEWEST_LABELS


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items of a region with what the model says of them."""

    items: np.ndarray
    scores: np.ndarray
    answers: list[tuple[int, ...]]

    def draws(self, certificate: Certificate, chosen: Sequence[int]) -> list[RegionDraw]:
        place = {item: at for at, item in enumerate(self.items.tolist())}
        return [
            RegionDraw(
                certificate=certificate,
                item_id=item,
                score=float(self.scores[place[item]]),
                answer=list(self.answers[place[item]]),
            )
            for item in chosen
        ]


def begin(
    project: Project,
    certificate: Certificate,
    region: "Region",
    free: Candidates,
    given: Candidates,
    wanted: int,
) -> bool:
    """Draw items from the region and write the attempt down; returns whether there were enough of them.

    `certificate` is unsaved, with all but its evidence; `free` are the unlabeled items in the region.
    Those of the uniform draw that lie in it and are answered (`given`) count as well: they had no say in
    which region it is.
    """
    asked = max(0, math.ceil(wanted / ALL_BUT_FEW) - len(given.items))  # so that a few may be missing
    shuffled = np.random.default_rng().permutation(free.items)[: 4 * asked].tolist()
    with transaction.atomic():
        probability = asked / max(len(free.items), 1)
        drawn = suggestions.ask_blind(project, shuffled, asked, probability=probability)
        if len(drawn) < asked:
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
        RegionDraw.objects.bulk_create(
            free.draws(certificate, drawn) + given.draws(certificate, given.items.tolist())
        )
    # What lies in the region waits for the proof: where that is nearly all, little else is worth doing.
    of_what_waits = len(free.items) / max(1, len(answers.unlabeled(project)))
    suggestions.set_validation_share(project, min(max(SHARE, of_what_waits), MOST_SHARE))
    return True


def put_off(project: Project, certificate: Certificate, given: Judged, in_dispute: Collection[int]) -> None:
    """Let a proof wait until a reviewer has decided images that it depends on.

    Nothing more is asked for it: looked at again with ever more answers, it would be tested many times. The
    same answers with some errors fewer are one test, since what passes with an error passes without it.
    """
    certificate.evidence["in_dispute"] = sorted(in_dispute)
    certificate.evidence.setdefault("put_off", given.items)
    certificate.save(update_fields=["evidence"])
    release(project, certificate)


def release(project: Project, certificate: Certificate) -> None:
    """Give back the items that were drawn and not answered, and ask as few blind as before."""
    drawn = RegionDraw.objects.filter(certificate=certificate).values_list("item_id", flat=True)
    suggestions.stop_asking_blind(project, list(drawn))
    suggestions.set_validation_share(project, certificate.evidence["region"]["share_before"])


def release_left_over(project: Project) -> int:
    """Ask no more for proofs that are over, or whose certificate labels nothing more; returns how many.

    Outside of the uniform draw, only proofs ask blind.
    """
    live = RegionDraw.objects.filter(
        item=OuterRef("item"), certificate__state__in=(Certificate.State.OPEN, Certificate.State.VALID)
    )
    waiting = QueueEntry.objects.filter(
        ~Exists(live), project=project, kind="validation", item__draw__gte=project.validation_rate
    )
    items = list(waiting.values_list("item_id", flat=True))
    suggestions.stop_asking_blind(project, items)
    return len(items)


def say_begun(step: Step, certificate: Certificate) -> None:
    region = certificate.evidence["region"]
    step.say(
        f"Certificate attempt {certificate.attempt} begins: {region['drawn']} images are asked blind, out of"
        f" the surest {region['coverages'][-1]:.0%}"
    )
