"""Models, runs and certificates: the pages, and the part of the API that is about them."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import extensions, permissions
from labeling.api.inputs import Input
from labeling.api.shapes import whole_number
from labeling.forms import SettingsForm
from labeling.models import Project
from labeling.views import SignedIn
from mlassist import (
    auditing,
    batches,
    choices,
    facts,
    finetuning,
    loop,
    notices,
    reports,
    steering,
    survey,
    switching,
    versions,
)
from mlassist.custom import recipes
from mlassist.models import Certificate, Run

extensions.register_panel("mlassist/_panels.html")
extensions.register_settings("mlassist/_preview_slot.html")
extensions.register_notices("mlassist/_notices.html")


def models(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "review")
    return render(request, "mlassist/models.html", models_facts(project))


def models_live(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "review")
    return render(request, "mlassist/_models.html", models_facts(project))


def models_facts(project: Project) -> dict[str, Any]:
    known = extensions.facts(project)
    made = list(versions.taught(project).order_by("-number")[:20])
    runs = list(project.runs.order_by("-id")[:40])
    return {
        "project": project,
        "facts": known,
        "backbones": choices.backbones(project, known["embedding"]["total"]),
        "tuning": choices.fine_tuning(project),
        "chosen": recipes.chosen_model(project),
        "versions": made,
        "report": reports.newest(project, made),
        "runs": runs,
        "titles": choices.titles([*(each.backbone for each in made), *(each.backbone for each in runs)]),
        "weights_folder": settings.LOUPE_WEIGHTS_DIR,
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


@require_POST
def choose_backbone(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    try:
        switching.choose(project, request.POST.get("name", ""), request.user)
    except switching.SwitchRefused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, choices.outcome(project))
    return redirect(f"{reverse('models', args=[project.pk])}#backbone")


@require_POST
def survey_backbones(request: SignedIn, project_id: int) -> HttpResponse:
    project = permissions.project_or_404(request.user, project_id, "manage")
    survey.look_again(request.user)
    messages.success(request, "Loupe looks at the backbones again. What it finds shows up here.")
    return redirect(f"{reverse('models', args=[project.pk])}#backbone")


@require_POST
def fine_tune(request: SignedIn, project_id: int) -> HttpResponse:
    """Try fine-tuning, or stop the try under way."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    if "stop" in request.POST:
        finetuning.cancel(project, request.user)
        messages.success(request, "Fine-tuning is stopped. The backbone stays as it is.")
    else:
        try:
            finetuning.start(project, request.user)
        except finetuning.TuningRefused as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Fine-tuning is on its way. The backbone in use works on meanwhile.")
    return redirect(f"{reverse('models', args=[project.pk])}#fine-tuning")


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
        context |= {
            "curve": curve_of(chosen),
            "audits": auditing.summary(chosen),
            "class_rows": class_rows(chosen),
            "imports": [batches.fact(each) for each in chosen.imports.select_related("source")],
        }
    return render(request, "mlassist/certificate.html", context)


def curve_of(certificate: Certificate) -> list[dict[str, float]]:
    """Return precision over coverage on the uniform blind labels, else at the tested thresholds."""
    return certificate.evidence.get("curve") or [
        {**step, "precision": 1 - step["errors"] / step["n"], "low": 1 - step["bound"]}
        for step in certificate.evidence.get("steps", [])
        if step["n"]
    ]


def class_rows(certificate: Certificate) -> list[dict[str, Any]]:
    """Return what the certificate covers of each class: images that the model says are it, and how many."""
    known = certificate.evidence.get("classes", {})
    blocked = certificate.evidence.get("blocked", {})
    withheld = steering.withheld(certificate.project)
    classes = certificate.project.classes.filter(retired_at=None)
    return [
        {
            "label_class": each,
            "reason": blocked.get(str(each.pk), ""),
            "withheld": each.pk in withheld,
            **known.get(str(each.pk), {"images": 0, "accepted": 0}),
        }
        for each in classes
    ]


@require_POST
def withhold(request: SignedIn, project_id: int) -> HttpResponse:
    """Leave a class to people, or let the model label it again."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    label_class = project.classes.filter(pk=whole_number(request.POST.get("class", "")) or 0).first()
    if label_class is None:
        messages.error(request, "Choose a class of this project.")
        return redirect(f"{reverse('certificate', args=[project.pk])}#classes")
    is_withheld = request.POST.get("withheld") == "1"
    steering.set_withheld(project, label_class, request.user, is_withheld=is_withheld)
    messages.success(
        request,
        f"“{label_class}” is left to people from now on."
        if is_withheld
        else f"The next certificate may cover “{label_class}” again.",
    )
    return redirect(f"{reverse('certificate', args=[project.pk])}#classes")


def preview(request: SignedIn, project_id: int) -> HttpResponse:
    """Say what the promise in a form would bring, before it is made."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    form = SettingsForm(request.GET)
    form.full_clean()
    given = form.cleaned_data
    if not {"promise", "target", "confidence"} <= given.keys():
        return HttpResponse(status=204)
    context = {
        "project": project,
        "mode": given.get("assist_mode"),
        "promise": given["promise"],
        "target_error": given["target"],
        "preview": steering.preview(project, given["promise"], given["target"], given["confidence"]),
    }
    return render(request, "mlassist/_preview.html", context)


@require_POST
def read_notice(request: SignedIn, project_id: int, certificate_id: int) -> HttpResponse:
    """Put away the notice of a withdrawal, for this manager."""
    project = permissions.project_or_404(request.user, project_id, "manage")
    withdrawn = project.certificates.filter(pk=certificate_id, state=Certificate.State.WITHDRAWN).first()
    if withdrawn is None:
        raise Http404
    notices.mark_read(withdrawn, request.user)
    return redirect("project", project.pk)


class RunInput(Input):
    kind = serializers.ChoiceField(
        choices=["training"],
        default="training",
        error_messages={
            "invalid_choice": "Only a training can be started here; fine-tuning has its own address."
        },
    )


class Runs(APIView):
    @extend_schema(operation_id="runs_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the model's steps with progress and metrics, newest first."""
        project = permissions.project_or_404(request.user, project_id, "see")
        return Response({"results": [run_shape(each) for each in project.runs.order_by("-id")[:100]]})

    @extend_schema(operation_id="runs_create", request=RunInput, responses={202: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Train now."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        RunInput(data=request.data).is_valid(raise_exception=True)
        job = loop.train_now(project, permissions.person(request))
        return Response({"job": job.pk, "kind": "training", "state": job.state}, status=202)


class BackboneInput(Input):
    name = serializers.CharField(max_length=80)


class Backbones(APIView):
    @extend_schema(operation_id="backbones_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the backbones with their measured speed; which is in use, which is being prepared, how far."""
        project = permissions.project_or_404(request.user, project_id, "review")
        return Response(backbones_shape(project))

    @extend_schema(operation_id="backbones_choose", request=BackboneInput, responses={202: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Prepare another backbone, which takes over by itself; the one in use cancels a change."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = BackboneInput(data=request.data)
        given.is_valid(raise_exception=True)
        switching.choose(project, given.validated_data["name"], permissions.person(request))
        return Response(backbones_shape(project), status=202)


class FineTuning(APIView):
    @extend_schema(operation_id="fine_tuning", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """Tell of the try under way, the result of the last one, and what keeps one from starting."""
        return Response(tuning_shape(permissions.project_or_404(request.user, project_id, "review")))

    @extend_schema(operation_id="fine_tuning_try", request=None, responses={202: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Try to fine-tune the backbone; it is adopted only if measurably better. One try at a time."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        finetuning.start(project, permissions.person(request))
        return Response(tuning_shape(project), status=202)

    @extend_schema(operation_id="fine_tuning_stop", responses={204: None})
    def delete(self, request: Request, project_id: int) -> Response:
        """Stop the try under way."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        finetuning.cancel(project, permissions.person(request))
        return Response(status=204)


class WithheldInput(Input):
    classes = serializers.ListField(child=serializers.IntegerField(), max_length=10_000)


class WithheldClasses(APIView):
    @extend_schema(operation_id="withheld_classes", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the ids of the classes that are left to people, however sure the model is."""
        project = permissions.project_or_404(request.user, project_id, "see")
        return Response({"classes": sorted(steering.withheld(project))})

    @extend_schema(operation_id="withheld_classes_set", request=WithheldInput, responses={200: dict})
    def put(self, request: Request, project_id: int) -> Response:
        """Say which classes are left to people; all others may be labeled under a certificate."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = WithheldInput(data=request.data)
        given.is_valid(raise_exception=True)
        wanted, classes = set(given.validated_data["classes"]), list(project.classes.all())
        unknown = wanted - {each.pk for each in classes}
        if unknown:
            raise ValidationError({"classes": [f"This project has no class with the id {min(unknown)}."]})
        for each in classes:
            steering.set_withheld(project, each, permissions.person(request), is_withheld=each.pk in wanted)
        return Response({"classes": sorted(wanted)})


class Certificates(APIView):
    @extend_schema(operation_id="certificates_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List all attempts to certify, with their evidence, newest first."""
        project = permissions.project_or_404(request.user, project_id, "see")
        return Response(
            {"results": [certificate_shape(each) for each in project.certificates.order_by("-attempt")]}
        )


def backbones_shape(project: Project) -> dict[str, Any]:
    seen = choices.backbones(project, facts.embedding(project, project.backbone)["total"])
    return {
        "current": project.backbone,
        "next": project.next_backbone or None,
        "progress": facts.next_backbone(project),
        "results": [choice_shape(each) for each in (*seen.here, *seen.absent)],
    }


def choice_shape(choice: choices.Choice) -> dict[str, Any]:
    fields = (
        "name", "title", "licence", "megabytes", "side", "dimension", "images_per_second", "device",
        "problem", "surveyed_at",
    )  # fmt: skip
    return {"state": choice.state, **{name: getattr(choice.offer, name) for name in fields}}


def tuning_shape(project: Project) -> dict[str, Any]:
    state = choices.fine_tuning(project)
    return {
        "under_way": run_shape(state.under_way) if state.under_way else None,
        "last": run_shape(state.last) if state.last else None,
        "obstacle": state.obstacle,
        "seconds": state.seconds,
    }


def run_shape(run: Run) -> dict[str, Any]:
    fields = ("id", "kind", "state", "done", "total", "metrics", "started_at", "finished_at")
    return {name: getattr(run, name) for name in fields}


def certificate_shape(certificate: Certificate) -> dict[str, Any]:
    fields = (
        "id", "attempt", "state", "sentence", "promise", "target_error", "confidence", "alpha", "threshold",
        "n", "errors", "bound", "allowed_error", "coverage", "n_validation", "evidence", "created_at",
        "withdrawn_at", "reason",
    )  # fmt: skip
    audit = asdict(auditing.summary(certificate)) if certificate.threshold is not None else None
    return {**{name: getattr(certificate, name) for name in fields}, "audit": audit}
