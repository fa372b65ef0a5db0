"""The review queue: one label after the other, and what they prove."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from labeling import gallery, permissions, review, sampling
from labeling.api.shapes import whole_number, whole_numbers
from labeling.models import Project, User
from labeling.views import SignedIn
from labeling.views.data import told_of

RATES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def review_page(request: SignedIn, project_id: int) -> HttpResponse:
    """Show the next label that was drawn for review, and what reviews have proved so far."""
    project = permissions.project_or_404(request.user, project_id, "review")
    reasons = review.last_reasons(project, request.user)
    context = {"project": project, "reasons": reasons, "rates": RATES}
    return render(
        request, "data/review.html", context | next_one(project, request.user, []) | proved(project)
    )


def review_next(request: SignedIn, project_id: int) -> HttpResponse:
    """Show the next label alone, passing over some, or one that is named: its verdict was taken back."""
    project = permissions.project_or_404(request.user, project_id, "review")
    skipped = whole_numbers(request.GET.get("skip", ""))
    again = whole_number(request.GET.get("item", ""))
    context = {"project": project, "rates": RATES}
    found = next_one(project, request.user, skipped, again)
    return render(request, "data/_review.html", context | found | proved(project))


def next_one(project: Project, user: User, skipped: list[int], again: int | None = None) -> dict[str, Any]:
    found = [again] if again else [each.item for each in sampling.next_ones(project, user, skipped)]
    items = [each for each in gallery.load(found) if each.project_id == project.pk]
    item = items[0] if items else None
    waiting = {"waiting": sampling.waiting(project, user), "item": item}
    return waiting | (told_of(item) if item else {})


def proved(project: Project) -> dict[str, Any]:
    """Return the claims in words."""
    of_all, by_labeler = sampling.claims(project)
    return {
        "claim": of_all,
        "newcomers": 0 if of_all.reviewed else sampling.newcomers_reviewed(project),
        "sentences": [sampling.sentence(of_all, target) for target in sampling.TARGETS],
        "by_labeler": by_labeler,
    }
