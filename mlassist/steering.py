"""What a manager can steer: what a promise would bring before it is made, and classes left to people.

Read by the web process: no arrays.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Avg

from labeling import validation
from labeling.models import Annotation, Event, Item, LabelClass, Project, User
from mlassist import batches, versions
from mlassist.models import Certificate, ModelVersion, WithheldClass

PROMISING = 0.8  # times the target: how near to it the expected error may come
ASSUMED_SECONDS = 2.5  # for a label, before there is a pace
Curve = list[tuple[float, float]]  # (share of the pool, error expected among it), surest first


@dataclass(frozen=True, slots=True)
class Preview:
    """What a promise would bring with the model of today; `coverage` is empty before there is one.

    `certified`: the share of the images for which a valid certificate promises as much already.
    """

    blind_labels: int
    blind_labels_needed: int
    coverage: float | None
    images: int
    hours: float
    certified: float | None


def preview(project: Project, promise: str, target_error: float, confidence: float) -> Preview:
    """Return what could be certified, predicted from the training labels of the newest model."""
    newest = versions.newest(project)
    curve: Curve = newest.metrics.get("expected_error", []) if newest else []
    whole = promise == Project.Promise.WHOLE_SET
    is_known = bool(curve or withheld(project)) and newest is not None
    coverage = reach(curve, target_error, whole_set=whole) if is_known else None
    images = likely_taken(project, coverage or 0.0)
    pace = seconds_per_label(project) or ASSUMED_SECONDS
    valid = Certificate.objects.filter(project=project, state=Certificate.State.VALID).first()
    if valid is not None and not valid.promises(promise, target_error, confidence):
        valid = None
    return Preview(
        blind_labels=blind_labels(project),
        blind_labels_needed=validation.goal(target_error, confidence),
        coverage=coverage,
        images=images,
        hours=images * pace / 3600,
        certified=valid.coverage if valid is not None else None,
    )


def likely_taken(project: Project, share: float) -> int:
    """Return how many waiting images a model is likely to take that may label a share of all images.

    The blind draw is for people, and of the surest images it has labeled some already. So are imports that
    look different and cannot be proved by themselves.
    """
    for_people = [each["source"] for each in batches.told(project) if not batches.may_inherit(each)]
    unlabeled = Item.objects.filter(project=project, state=Item.State.UNLABELED).exclude(
        source__in=for_people
    )
    waiting = unlabeled.filter(draw__gte=project.validation_rate).count()
    taken = Annotation.objects.filter(project=project, source="auto", withdrawn_at=None).count()
    return max(0, round(share * (waiting + taken)) - taken)


def reach(curve: Curve, target_error: float, *, whole_set: bool) -> float:
    """Return the largest share of the pool whose expected error is well within the target.

    Of the whole set, only the labels of that share can be wrong.
    """
    allowed = PROMISING * target_error
    good = [share for share, error in curve if (share * error if whole_set else error) <= allowed]
    return max(good, default=0.0)


def blind_labels(project: Project) -> int:
    """Count the labels of the uniform draw, those for a proof of a part left out."""
    drawn = Annotation.objects.filter(project=project, kind="validation", withdrawn_at=None)
    blind = drawn.filter(item__draw__lt=project.validation_rate)
    return blind.filter(counted=True, skipped=False).values("item").distinct().count()


def has_enough_blind_labels(project: Project, version: ModelVersion) -> bool:
    """Tell whether the blind labels that alone were missing for an attempt have come since a model."""
    outlook = version.metrics.get("outlook") or {}
    if not outlook.get("in_sight"):
        return False
    before: int = version.metrics["blind_labels"]
    return before < outlook["needed"] <= blind_labels(project)


def seconds_per_label(project: Project) -> float | None:
    """Return what a label by a person takes in the mean; None before there is one."""
    given = Annotation.objects.filter(project=project, labeler__isnull=False, withdrawn_at=None)
    found: float | None = given.aggregate(seconds=Avg("seconds"))["seconds"]
    return found


def withheld(project: Project) -> set[int]:
    """Return the ids of the classes that are left to people."""
    return set(WithheldClass.objects.filter(project=project).values_list("label_class_id", flat=True))


def set_withheld(project: Project, label_class: LabelClass, by: User, *, is_withheld: bool) -> None:
    """Leave a class to people, or let the model label it again; labels that it has given stay."""
    with transaction.atomic():
        if is_withheld:
            changed = WithheldClass.objects.get_or_create(
                label_class=label_class, defaults={"project": project, "created_by": by}
            )[1]
        else:
            changed = bool(WithheldClass.objects.filter(label_class=label_class).delete()[0])
        if changed:
            Event.record("settings", project, by, withheld={label_class.name: is_withheld})
