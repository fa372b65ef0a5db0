"""Later imports and the certificates from before them: which may use one, and how far the others are."""

from typing import Any

import numpy as np
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.formats import date_format

from labeling.models import DataSource, Item, Project, QueueEntry
from mlassist.models import Certificate, ImportCheck, RegionDraw

ALL_BUT_FEW = 0.95  # of the items asked blind: the rest may be skipped or in somebody's hands
SHARE = 0.2  # of the answers, while an import is being proved

INHERITING = (ImportCheck.State.ALIKE, ImportCheck.State.PROVED)


def later(certificate: Certificate) -> QuerySet[DataSource]:
    """Return the imports that came after a certificate's images."""
    return DataSource.objects.filter(project=certificate.project_id, created_at__gt=certificate.created_at)


def excluded(certificate: Certificate, items: np.ndarray) -> np.ndarray:
    """Return which items a certificate does not speak for, (n,): imports inherit it only once they pass.

    What has come to lie in a source since, after the certificate or after the source had passed, waits for
    the next certificate: nobody has compared it.
    """
    checks = ImportCheck.objects.filter(certificate=certificate, state__in=INHERITING)
    compared = checks.filter(source=OuterRef("source"), created_at__gte=OuterRef("created_at"))
    fresh = Item.objects.filter(project=certificate.project_id, created_at__gt=certificate.created_at)
    theirs = fresh.filter(~Exists(compared)).values_list("id", flat=True)
    return np.isin(items, np.fromiter(theirs.iterator(10_000), np.int64))


def being_proved(project: Project) -> QuerySet[ImportCheck]:
    """Return the imports that are asked blind, because they look different."""
    return ImportCheck.objects.filter(
        certificate__project=project,
        certificate__state=Certificate.State.VALID,
        state=ImportCheck.State.DIFFERENT,
        needed__gt=0,
        certificate__model_version__backbone=project.backbone,
    ).select_related("source", "certificate")


def items_being_proved(certificate: Certificate) -> np.ndarray:
    """Return the items of imports that are being proved for a certificate."""
    proved = being_proved(certificate.project).filter(certificate=certificate)
    theirs = Item.objects.filter(source__in=list(proved.values_list("source", flat=True)))
    return np.fromiter(theirs.values_list("id", flat=True), np.int64)


def drawn(check: ImportCheck) -> QuerySet[RegionDraw]:
    """Return an import's own blind draw from the part that the certificate covers."""
    return RegionDraw.objects.filter(certificate=check.certificate_id, item__source=check.source_id)


def progress(check: ImportCheck) -> tuple[int, int]:
    """Return (answered or put aside, drawn)."""
    mine = drawn(check)
    count = mine.count()
    return count - QueueEntry.objects.filter(item__in=mine.values("item"), kind="validation").count(), count


def is_answered(check: ImportCheck) -> bool:
    answered, count = progress(check)
    return answered >= ALL_BUT_FEW * count


def are_answered(project: Project) -> bool:
    """Tell whether an import's own blind labels are there and only have to be judged."""
    return any(is_answered(check) for check in being_proved(project))


def told(project: Project) -> list[dict[str, Any]]:
    """Return {state, sentence, why, blind, errors, needed, …} for the imports that look different."""
    checks = ImportCheck.objects.filter(
        certificate__project=project, certificate__state=Certificate.State.VALID
    ).exclude(state=ImportCheck.State.ALIKE)
    return [fact(check) for check in checks.select_related("source").order_by("-source__created_at")]


def fact(check: ImportCheck) -> dict[str, Any]:
    """Return what is known of an import, with a sentence for people."""
    fields = (
        "state", "why", "images", "score_distance", "score_p", "nearness_distance", "nearness_p", "errors",
        "needed",
    )  # fmt: skip
    blind = progress(check)[0] if check.needed else check.blind
    return {
        "source": check.source_id,
        "name": check.source.name,
        "imported_at": check.source.created_at,
        **{name: getattr(check, name) for name in fields},
        "blind": blind,
        "sentence": sentence(check, blind),
    }


def may_inherit(told: dict[str, Any]) -> bool:
    """Tell whether the certificate covers what is told of an import, or may still come to."""
    return told["state"] in INHERITING or told["needed"] > 0


def sentence(check: ImportCheck, blind: int) -> str:
    """Say how an import stands, in plain words."""
    name = f"The import of {date_format(check.source.created_at, 'j F')} ({check.source.name})"
    if check.state == ImportCheck.State.PROVED:
        return (
            f"{name} looks different, but the certificate holds there too: of {blind} blind labels of its"
            f" own, {check.errors} were wrong."
        )
    if check.state == ImportCheck.State.ALIKE:
        return f"{name} looks like the images before, so the certificate covers it."
    different = f"{name} looks different: {check.why}."
    if check.state == ImportCheck.State.FAILED:
        return f"{different} Of {blind} blind labels, {check.errors} were wrong, so people label it."
    if check.needed:
        return f"{different} {blind} of about {check.needed} blind labels until the certificate covers it."
    return f"{different} It has too few images for a proof of its own, so people label it."
