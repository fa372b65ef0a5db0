"""Audits while they happen: which labels are asked again, and when what comes of it ends a certificate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, F, Max, Q, QuerySet
from django.utils import timezone

from labeling import answers, columns, suggestions, workforce
from labeling.models import Annotation
from labeling.submission import UNDO_WITHIN
from mlassist import audits, proving, second_looks
from mlassist.models import Audit, Certificate

DAY = timedelta(days=1)
WEEK = timedelta(days=7)  # for a reviewer to decide where people do not agree


def made_under(certificate: Certificate) -> QuerySet[Annotation]:
    """Return the labels that rest on a certificate: auto labels, and proposals that a person confirmed."""
    return Annotation.objects.filter(
        Q(source="auto") | Q(kind="prelabeled", agreed=True, counted=True),
        project=certificate.project,
        certificate=certificate.pk,
        withdrawn_at=None,
    )


def draw(certificate: Certificate) -> int:
    """Draw labels made under a certificate evenly, as many as are due, to be asked again; returns how many.

    A confirmed one is for somebody else than who confirmed it, and not before it can no longer be undone.
    """
    asked = certificate.audits.aggregate(
        count=Count("id"),
        waiting=Count("id", filter=Q(answer=None, item__entry__isnull=False)),  # not what was skipped
        last=Max("created_at"),
    )
    now = timezone.now()
    rested = asked["last"] is None or asked["last"] < now - DAY
    wanted = audits.due(made_under(certificate).count(), asked["count"], asked["waiting"], rested=rested)
    if not wanted:
        return 0
    people = workforce.at_work(certificate.project)
    standing = made_under(certificate).filter(
        Q(source="auto") | Q(created_at__lt=now - UNDO_WITHIN),
        item__state="labeled",
        item__current_annotation=F("id"),
        item__entry=None,
    )
    standing = standing.exclude(item__in=certificate.audits.values("item"))
    if len(people) < 2:
        standing = standing.exclude(labeler__in=people)
    count = standing.count()
    drawn = dict(standing.order_by("?").values_list("item_id", "id")[:wanted])
    if not drawn:
        return 0
    probability = len(drawn) / count
    items = suggestions.ask_again(certificate.project, list(drawn), probability=probability)
    Audit.objects.bulk_create(
        Audit(certificate=certificate, item_id=item, label_id=drawn[item], probability=probability)
        for item in items
    )
    return len(items)


def objection(certificate: Certificate) -> str | None:
    """Take in what people have answered; returns why the certificate must be withdrawn, None if it holds."""
    if not (take_back(certificate) + take_answers(certificate) + settle(certificate)):
        return None
    # What is not settled speaks neither against a certificate here nor for it in its summary.
    losses = losses_of(certificate, unsettled=0.0)
    if audits.alarm(losses, certificate.held_to) < audits.ALARM:
        return None
    wrong = sum(loss > 0 for loss in losses)
    return f"The audit contradicts it: of {len(losses)} labels asked again, {wrong} were wrong."


def take_back(certificate: Certificate) -> int:
    """Forget answers that their labelers have undone or corrected; returns how many."""
    gone = ("undone", "corrected")
    return certificate.audits.filter(answer__withdrawal__in=gone).update(answer=None, loss=None)


def take_answers(certificate: Certificate) -> int:
    """Note first answers, and have some of those about auto labels looked at again; returns how many came.

    What was skipped is never settled: nobody has said that the label is wrong, nor that it is right. Where
    a reviewer has rejected a label before its audit was answered, what people say then is the answer.
    """
    open_ones = certificate.audits.filter(answer=None)
    rejected = open_ones.filter(label__withdrawal=Annotation.Withdrawal.REJECTED)
    given = Annotation.objects.filter(
        Q(kind="audit", item__in=open_ones.values("item")) | Q(item__in=rejected.values("item")),
        project=certificate.project,
        labeler__isnull=False,
        withdrawn_at=None,
        counted=True,
    ).order_by("-id")
    first = dict(given.values_list("item_id", "id"))
    skipped = set(given.filter(skipped=True).values_list("id", flat=True))
    if not first:
        return 0
    answered = list(open_ones.filter(item__in=first).select_related("label"))
    for each in answered:
        each.answer_id = first[each.item_id]
    columns.write(answered, ["answer"])
    if not certificate.project.is_classification:
        return len(answered)  # two drawings always differ a little: a second opinion would settle nothing
    automatic = [
        each
        for each in answered
        if each.label.source == Annotation.Source.AUTO and each.answer_id not in skipped
    ]
    agreed = {
        each.answer_id: loss == 0
        for each, loss in zip(
            automatic,
            compared([(each.label_id, each.answer_id) for each in automatic], strict=True),
            strict=True,
        )
        if each.answer_id is not None
    }
    second_looks.ask(certificate.project, agreed, certificate)
    return len(answered)


def settle(certificate: Certificate) -> int:
    """Judge labels by what people say of them once nobody looks at them any more; returns how many.

    Who never comes must not keep an alarm quiet: after a day without another opinion the first answer counts,
    and after a week without a reviewer's decision a label is wrong.
    """
    now = timezone.now()
    answered = certificate.audits.filter(loss=None, answer__isnull=False)
    undecided = answered.filter(item__state="needs_review", answer__created_at__lt=now - WEEK)
    late = list(undecided.values_list("id", flat=True))
    Audit.objects.filter(pk__in=late).update(loss=1.0)
    done = list(
        answered.filter(item__state="labeled", item__current_annotation__labeler__isnull=False)
        .filter(Q(item__entry=None) | Q(answer__created_at__lt=now - second_looks.PATIENCE))
        .select_related("item")
    )
    pairs = [(each.label_id, each.item.current_annotation_id or 0) for each in done]
    for each, loss in zip(done, compared(pairs, strict=certificate.is_strict), strict=True):
        each.loss = loss
    columns.write(done, ["loss"])
    return len(done) + len(late)


def compared(pairs: Sequence[tuple[int, int | None]], *, strict: bool) -> list[float]:
    """Return the loss of each (label, answer)."""
    known = [each for pair in pairs for each in pair if each]
    if answers.have_shapes(known):
        return compared_shapes(pairs, strict=strict)
    classes = answers.classes_of(each for pair in pairs for each in pair if each is not None)
    return [proving.loss(classes[label], classes[answer or 0], strict) for label, answer in pairs]


def compared_shapes(pairs: Sequence[tuple[int, int | None]], *, strict: bool) -> list[float]:
    """Return what the objects of each (label, answer) differ by: 1 - F1, or 0 and 1."""
    # Here: the web process reads audits too, and has no need of what compares shapes.
    from mlassist.detectors import matching
    from mlassist.detectors.shapes import Shapes

    regions = answers.regions_of(each for pair in pairs for each in pair if each)
    classes = sorted({region["class"] for some in regions.values() for region in some})
    return [
        matching.loss(
            Shapes.of_regions(regions[label], classes),
            Shapes.of_regions(regions[answer or 0], classes),
            strict=strict,
        )
        for label, answer in pairs
    ]


def losses_of(certificate: Certificate, *, unsettled: float) -> list[float]:
    """Return the losses in the order of the first answers, with a value for what is not settled."""
    known = certificate.audits.exclude(answer=None).order_by("answer_id").values_list("loss", flat=True)
    return [unsettled if loss is None else loss for loss in known]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the audit of a certificate has found so far.

    `at_most` is the smallest error rate that it has excluded by itself; `evidence` (1 to 20) is what speaks
    against the promise.
    """

    asked: int
    answered: int
    wrong: int
    confirmed_asked: int
    confirmed_wrong: int
    unsettled: int
    share: float
    at_most: float
    proved: bool
    evidence: float
    limit: float


def summary(certificate: Certificate) -> Summary:
    """Sum up an audit; what is not settled counts as wrong where it speaks for the certificate."""
    confirmed = ~Q(label__source="auto")
    wrong = Q(loss__gt=0)
    counts = certificate.audits.aggregate(
        asked=Count("id"),
        answered=Count("id", filter=Q(answer__isnull=False)),
        unsettled=Count("id", filter=Q(answer__isnull=False, loss=None)),
        wrong=Count("id", filter=wrong),
        confirmed_asked=Count("id", filter=confirmed),
        confirmed_wrong=Count("id", filter=confirmed & wrong),
    )
    strict = losses_of(certificate, unsettled=1.0)
    settled = counts["answered"] - counts["unsettled"]
    at_most = audits.excluded_above(strict, certificate.confidence)
    return Summary(
        **counts,
        share=counts["wrong"] / settled if settled else 0.0,
        at_most=at_most,
        proved=at_most <= certificate.held_to,
        evidence=audits.alarm(losses_of(certificate, unsettled=0.0), certificate.held_to),
        limit=audits.ALARM,
    )
