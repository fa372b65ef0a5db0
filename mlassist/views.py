"""Models, runs and certificates: the pages, and the part of the API that is about them."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import extensions, permissions
from labeling.models import Project
from labeling.views import SignedIn
from mlassist import loop
from mlassist.models import Certificate, Run

extensions.register_panel("mlassist/_panels.html")


def models(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "review")
    return render(request, "mlassist/models.html", models_facts(project))


def models_live(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "review")
    return render(request, "mlassist/_models.html", models_facts(project))


def models_facts(project: Project) -> dict[str, Any]:
    return {
        "project": project,
        "facts": extensions.facts(project),
        "versions": project.model_versions.order_by("-number")[:20],
        "runs": project.runs.order_by("-id")[:40],
    }


def run_log(request: SignedIn, project_id: int, run_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "review")
    run = project.runs.filter(pk=run_id).first()
    if run is None:
        raise Http404
    return render(request, "mlassist/run.html", {"project": project, "run": run})


@require_POST
def train(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    try:
        loop.train_now(project, request.user)
    except loop.TrainingRefused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "A training is on its way. It shows up here as it starts.")
    return redirect("models", project.pk)


def certificate(request: SignedIn, project_id: int) -> HttpResponse:
    """Show the newest certificate, or the attempt that the address names."""
    project = permissions.project_or_404(request.user, project_id, "see")
    attempts = list(project.certificates.select_related("model_version").order_by("-attempt"))
    asked = request.GET.get("attempt", "")
    named = [each for each in attempts if str(each.attempt) == asked]
    best = named or [each for each in attempts if each.state == "valid"] or attempts
    chosen = best[0] if best else None
    context: dict[str, Any] = {
        "project": project,
        "certificate": chosen,
        "earlier": [each for each in attempts if each != chosen],
        "outlook": extensions.facts(project).get("certificate_outlook") or {},
    }
    if chosen is not None:
        context |= {"curve": curve_of(chosen), "audits": audits_of(chosen), "left_out": left_out(chosen)}
    return render(request, "mlassist/certificate.html", context)


def curve_of(certificate: Certificate) -> list[dict[str, float]]:
    """Return the tested thresholds as points of precision over coverage."""
    return [
        {**step, "precision": 1 - step["errors"] / step["n"], "low": 1 - step["bound"]}
        for step in certificate.evidence.get("steps", [])
        if step["n"]
    ]


def left_out(certificate: Certificate) -> list[tuple[str, str]]:
    """Return the classes that the certificate does not cover, each with the reason."""
    names = dict(certificate.project.classes.values_list("id", "name"))
    return [(names[int(pk)], reason) for pk, reason in certificate.evidence.get("blocked", {}).items()]


def audits_of(certificate: Certificate) -> dict[str, float]:
    counts = certificate.audits.aggregate(
        asked=Count("id"),
        answered=Count("id", filter=~Q(right=None)),
        wrong=Count("id", filter=Q(right=False)),
    )
    return {**counts, "share": counts["wrong"] / counts["answered"] if counts["answered"] else 0.0}


class Runs(APIView):
    @extend_schema(operation_id="runs_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the model's steps with progress and metrics, newest first."""
        project = permissions.project_or_404(request.user, project_id, "see")
        return Response({"results": [run_shape(each) for each in project.runs.order_by("-id")[:100]]})

    @extend_schema(operation_id="runs_create", request=dict, responses={202: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Train now."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        try:
            job = loop.train_now(project, request.user)  # type: ignore[arg-type]
        except loop.TrainingRefused as error:
            raise ValidationError(str(error)) from error
        return Response({"job": job.pk, "kind": "training", "state": job.state}, status=202)


class Certificates(APIView):
    @extend_schema(operation_id="certificates_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List all attempts to certify, with their evidence, newest first."""
        project = permissions.project_or_404(request.user, project_id, "see")
        return Response(
            {"results": [certificate_shape(each) for each in project.certificates.order_by("-attempt")]}
        )


def run_shape(run: Run) -> dict[str, Any]:
    fields = ("id", "kind", "state", "done", "total", "metrics", "started_at", "finished_at")
    return {name: getattr(run, name) for name in fields}


def certificate_shape(certificate: Certificate) -> dict[str, Any]:
    fields = (
        "id", "attempt", "state", "sentence", "target_error", "confidence", "alpha", "threshold", "n",
        "errors", "bound", "coverage", "n_validation", "evidence", "created_at", "withdrawn_at", "reason",
    )  # fmt: skip
    return {name: getattr(certificate, name) for name in fields}
