"""Automatic labels written under a certificate, some of them to be asked again."""

from collections.abc import Sequence

from django.db import IntegrityError

from labeling import suggestions
from labeling.models import Project
from labeling.suggestions import AutoLabel
from mlassist import auditing
from mlassist.models import Certificate


def accept(project: Project, certificate: Certificate, labels: Sequence[AutoLabel]) -> int:
    """Write labels that a certificate covers, and draw its audits; returns how many were written."""
    if not certificate.promises_enough(project):
        return 0  # the manager asks for more than was certified
    try:
        written = suggestions.accept(
            project,
            labels,
            model_version=certificate.model_version.number,
            certificate=certificate.pk,
            threshold=certificate.threshold or 0.0,
        )
    except IntegrityError:
        if Certificate.objects.filter(pk=certificate.pk, state=Certificate.State.VALID).exists():
            raise
        return 0  # it was withdrawn meanwhile, and what it had labeled taken back
    if written:
        auditing.draw(certificate)
    return written
