"""Custom models over HTTP: what can be trained, candidates with their figures, choosing, starting."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import permissions
from labeling.api.inputs import Input
from labeling.permissions import Visitor
from mlassist import runs
from mlassist.autolabel import engines, proposing, shapes
from mlassist.autolabel.api import ImagesInput, by_class, source_or_404
from mlassist.custom import choice, making, recipes, starting, voting, ways
from mlassist.models import Candidate, CustomModel

CHANGES = {"stop": making.cancel, "resume": making.resume}


class MakeInput(Input):
    classes = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        max_length=10_000,
        help_text="ids of the classes to learn; all without it",
    )
    ways = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        max_length=making.MOST_CANDIDATES,
        help_text="names of the ways to make candidates; the first that are possible without it",
    )


class ChooseInput(Input):
    candidate = serializers.IntegerField()


class CustomChangeInput(Input):
    do = serializers.ChoiceField(choices=sorted(CHANGES))


class AutoLabelStartInput(ImagesInput):
    model = serializers.CharField(
        max_length=120, required=False, help_text="version/NUMBER; the one in use without it"
    )
    confidence = serializers.FloatField(
        min_value=0.01, max_value=0.99, default=starting.SURE, help_text="from which it proposes"
    )
    thresholds = serializers.DictField(
        child=serializers.FloatField(min_value=0, max_value=1),
        required=False,
        help_text="by class id, in place of `confidence`; classes that are not named are left out",
    )
    count = serializers.IntegerField(required=False, allow_null=True, min_value=1)


class CustomModels(APIView):
    @extend_schema(operation_id="custom_models", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List custom models, how many labels each class has, and in which ways candidates can be made."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        made = project.custom_models.select_related("job").order_by("-pk")[:50]
        chosen, known = recipes.chosen_model(project), making.learnable(project)
        return Response(
            {
                "results": [made_shape(each) for each in made],
                "classes": [
                    {"id": each.row.pk, "name": each.row.name, "labels": each.labels, "missing": each.missing}
                    for each in known
                ],
                "ways": [way_shape(each) for each in ways.ways(project, making.labels_of(project))],
                "obstacle": making.obstacle(project, known),
                "chosen": chosen.candidate_id if chosen else None,
            }
        )

    @extend_schema(operation_id="custom_models_make", request=MakeInput, responses={202: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Have up to four candidates trained; each class needs ten labels by people."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = MakeInput(data=request.data)
        given.is_valid(raise_exception=True)
        classes = given.validated_data.get("classes") or [each.row.pk for each in making.learnable(project)]
        names = given.validated_data.get("ways") or [
            each.name for each in making.usual_ways(ways.ways(project, making.labels_of(project)))
        ]
        made = making.start(project, permissions.person(request), classes, names)
        return Response(made_shape(made), status=202)

    @extend_schema(operation_id="custom_models_end_choice", responses={204: None})
    def delete(self, request: Request, project_id: int) -> Response:
        """Let Loupe choose again how the project's models are made."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        choice.end(project, permissions.person(request))
        return Response(status=204)


class CustomModelDetail(APIView):
    @extend_schema(operation_id="custom_model", responses={200: dict})
    def get(self, request: Request, project_id: int, custom_id: int) -> Response:
        """Read the candidates with votes, figures on labels held out, and costs."""
        made = custom_or_404(request.user, project_id, custom_id)
        votes = {each.row.pk: each.votes for each in voting.outcome(made).results}
        found = [candidate_shape(each, votes.get(each.pk, 0)) for each in made.candidates.all()]
        return Response({**made_shape(made), "candidates": found})

    @extend_schema(operation_id="custom_model_change", request=CustomChangeInput, responses={200: dict})
    def post(self, request: Request, project_id: int, custom_id: int) -> Response:
        """Stop the training, or go on with it."""
        made = custom_or_404(request.user, project_id, custom_id)
        given = CustomChangeInput(data=request.data)
        given.is_valid(raise_exception=True)
        CHANGES[given.validated_data["do"]](made, permissions.person(request))
        return Response(made_shape(custom_or_404(request.user, project_id, custom_id)))


class CustomModelChoice(APIView):
    @extend_schema(operation_id="custom_model_choose", request=ChooseInput, responses={200: dict})
    def post(self, request: Request, project_id: int, custom_id: int) -> Response:
        """Make the project's models like one of the candidates, until that is changed."""
        made = custom_or_404(request.user, project_id, custom_id)
        given = ChooseInput(data=request.data)
        given.is_valid(raise_exception=True)
        chosen = made.candidates.filter(pk=given.validated_data["candidate"]).first()
        if chosen is None:
            raise ValidationError("This custom model has no such candidate.")
        job = choice.choose(chosen, permissions.person(request))
        return Response({"chosen": chosen.pk, "title": chosen.title, "job": job.pk if job else None})


class AutoLabelStart(APIView):
    @extend_schema(operation_id="auto_label_start_own", request=AutoLabelStartInput, responses={202: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Let a model of the project's own propose for all images that wait, or for `count` of them."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = AutoLabelStartInput(data=request.data)
        given.is_valid(raise_exception=True)
        told, person = given.validated_data, permissions.person(request)
        source = source_or_404(project, told.get("source"))
        trial = starting.begin(project, person, told.get("model") or starting.in_use(project), source)
        version = engines.version_of(project, trial.engine)
        wanted = by_class(told.get("thresholds", {})) or starting.everywhere(version, told["confidence"])
        made = proposing.start(trial, person, wanted, told.get("count"))
        return Response(shapes.labeling_shape(made), status=202)


def custom_or_404(user: Visitor, project_id: int, custom_id: int) -> CustomModel:
    project = permissions.project_or_404(user, project_id, "manage")
    made = project.custom_models.select_related("job").filter(pk=custom_id).first()
    if made is None:
        raise Http404
    made.project = project  # with the visitor's role
    return made


def made_shape(made: CustomModel) -> dict[str, Any]:
    job = made.job
    return {
        "id": made.pk,
        "classes": made.classes,
        "labels": made.labels,
        "state": made.state,
        "job": job.pk if job else None,
        "error": runs.sentence_of(job.error) if job else "",
        "rounds": made.rounds.count(),
        "created_at": made.created_at,
    }


def candidate_shape(candidate: Candidate, votes: int) -> dict[str, Any]:
    fields = ("id", "way", "title", "backbone", "metrics", "seconds", "megabytes", "problem")
    return {
        **{name: getattr(candidate, name) for name in fields},
        "images_per_second": candidate.pace,
        "is_trained": bool(candidate.model),
        "votes": votes,
    }


def way_shape(way: ways.Way) -> dict[str, Any]:
    return {name: getattr(way, name) for name in ("name", "title", "does", "problem", "seconds")}
