"""Auto-label over HTTP: what there is, examples, trying, and letting a tried model propose."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import permissions
from labeling.api.inputs import Input
from labeling.api.shapes import NumberField, RegionInput, whole_number
from labeling.models import DataSource, Project
from labeling.permissions import Visitor
from mlassist.autolabel import examples, outside, prompts, proposing, shapes, trials
from mlassist.models import AutoLabeling, Trial

MOST_CLASSES = 10_000


class ImagesInput(Input):
    """A choice of images: those of an import, or all."""

    def get_fields(self) -> dict[str, Any]:
        # Every serializer has a `source` of its own.
        wanted = serializers.IntegerField(
            required=False, allow_null=True, help_text="id of an import; all images without it"
        )
        return {**super().get_fields(), "source": wanted}


class TrialInput(ImagesInput):
    model = serializers.CharField(max_length=120)
    prompts = serializers.DictField(
        child=serializers.CharField(max_length=prompts.LONGEST, allow_blank=True),
        default=dict,
        help_text="what to look for, by class id; kept with the class",
    )
    items = serializers.ListField(
        child=serializers.IntegerField(), default=list, max_length=trials.MOST_IMAGES,
        help_text="images to try it on; four of the choice without them",
    )  # fmt: skip


class LookInput(Input):
    items = serializers.ListField(
        child=serializers.IntegerField(), allow_empty=False, max_length=trials.MOST_IMAGES
    )


class ExampleInput(Input):
    item = serializers.IntegerField()
    bbox = serializers.ListField(
        child=NumberField(), min_length=4, max_length=4, required=False, allow_null=True
    )

    def get_fields(self) -> dict[str, Any]:
        return {"class": serializers.IntegerField(), **super().get_fields()}


class StartInput(Input):
    thresholds = serializers.DictField(
        child=serializers.FloatField(min_value=0, max_value=1),
        help_text="from which confidence it proposes, by class id; classes that are not named are left out",
    )
    count = serializers.IntegerField(required=False, allow_null=True, min_value=1)


class OutsideInput(Input):
    model = serializers.CharField(max_length=200, help_text="what the model is called")
    thresholds = serializers.DictField(
        child=serializers.FloatField(min_value=0, max_value=1),
        default=dict,
        help_text="from which confidence suggestions are kept, by class id; all where nothing is said",
    )
    prompts = serializers.DictField(
        child=serializers.CharField(max_length=prompts.LONGEST, allow_blank=True),
        default=dict,
        help_text="what the model was told to look for, by class id",
    )


class FoundInput(RegionInput):
    confidence = serializers.FloatField(min_value=0, max_value=1)


class SuggestionInput(Input):
    item = serializers.IntegerField()
    regions = FoundInput(many=True)


class SuggestionsInput(Input):
    suggestions = SuggestionInput(many=True)

    def to_internal_value(self, data: Any) -> Any:
        # Before each is looked at, which is what takes the time.
        sent = data.get("suggestions") if isinstance(data, Mapping) else None
        images = [each for each in sent if isinstance(each, Mapping)] if isinstance(sent, list) else []
        regions = [each.get("regions") for each in images]
        if len(images) > outside.MOST_AT_ONCE:
            raise ValidationError({"suggestions": [f"Send {outside.MOST_AT_ONCE} images at once at most."]})
        if sum(len(each) for each in regions if isinstance(each, list)) > outside.MOST_TOGETHER:
            text = f"Send {outside.MOST_TOGETHER} regions at once at most, of fewer images."
            raise ValidationError({"suggestions": [text]})
        return super().to_internal_value(data)


class ChangeInput(Input):
    do = serializers.ChoiceField(choices=["stop", "resume", "take_back"])


class AutoLabel(APIView):
    @extend_schema(
        operation_id="auto_label",
        parameters=[
            OpenApiParameter("source", OpenApiTypes.INT, description="id of an import; all without it"),
            OpenApiParameter("skip", OpenApiTypes.INT, description="images to pass over"),
        ],
        responses={200: dict},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """Say which models there are, what classes are like, and what the last test found."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = request.query_params
        source = source_or_404(project, whole_number(given.get("source", "")))
        return Response(shapes.setup_shape(project, source, whole_number(given.get("skip", "")) or 0))


class Examples(APIView):
    @extend_schema(operation_id="auto_label_examples_add", request=ExampleInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Make an image, or a box on one, an example of a class: five of each at most."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = ExampleInput(data=request.data)
        given.is_valid(raise_exception=True)
        label_class = project.classes.filter(pk=given.validated_data["class"]).first()
        item = project.items.filter(pk=given.validated_data["item"]).first()
        if label_class is None or item is None:
            raise ValidationError("Name a class and an image of this project.")
        bbox = given.validated_data.get("bbox")
        made = examples.add(label_class, item, bbox, permissions.person(request))
        return Response(shapes.example_shape(made), status=201)


class ExampleDetail(APIView):
    @extend_schema(operation_id="auto_label_examples_remove", responses={204: None})
    def delete(self, request: Request, project_id: int, example_id: int) -> Response:
        """Take an example away."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        found = project.examples.select_related("label_class", "project").filter(pk=example_id).first()
        if found is None:
            raise Http404
        examples.remove(found, permissions.person(request))
        return Response(status=204)


class Trials(APIView):
    @extend_schema(operation_id="auto_label_try", request=TrialInput, responses={202: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Try a model on a few images; follow the test to what it found there."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = TrialInput(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        trial = trials.start(
            project,
            permissions.person(request),
            wanted["model"],
            source=source_or_404(project, wanted.get("source")),
            said=by_class(wanted["prompts"]),
            items=wanted["items"],
        )
        return Response(shapes.trial_shape(trial), status=202)


class TrialDetail(APIView):
    @extend_schema(operation_id="auto_label_test", responses={200: dict})
    def get(self, request: Request, project_id: int, trial_id: int) -> Response:
        """Read what a test found so far: all of it, down to a confidence of 0.05."""
        return Response(shapes.trial_shape(trial_or_404(request, project_id, trial_id)))

    @extend_schema(operation_id="auto_label_test_more", request=LookInput, responses={202: dict})
    def post(self, request: Request, project_id: int, trial_id: int) -> Response:
        """Have the same model look at further images."""
        trial = trial_or_404(request, project_id, trial_id)
        given = LookInput(data=request.data)
        given.is_valid(raise_exception=True)
        trials.look_at(trial, given.validated_data["items"], permissions.person(request))
        return Response(shapes.trial_shape(trial), status=202)


class TrialRuns(APIView):
    @extend_schema(operation_id="auto_label_start", request=StartInput, responses={202: dict})
    def post(self, request: Request, project_id: int, trial_id: int) -> Response:
        """Let the tested model propose for all images that wait, or for `count` of them, drawn evenly."""
        trial = trial_or_404(request, project_id, trial_id)
        given = StartInput(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = by_class(given.validated_data["thresholds"])
        count = given.validated_data.get("count")
        made = proposing.start(trial, permissions.person(request), wanted, count)
        return Response(shapes.labeling_shape(made), status=202)


class AutoLabelRuns(APIView):
    @extend_schema(operation_id="auto_label_runs", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List what models have proposed for, newest first, and how far that is."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        made = project.auto_labelings.select_related("trial", "model_version", "job").order_by("-pk")[:50]
        return Response({"results": [shapes.labeling_shape(each) for each in made]})


class Outside(APIView):
    @extend_schema(operation_id="auto_label_outside", request=OutsideInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Begin to send what a model on other hardware suggests; send it to the run that this makes."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = OutsideInput(data=request.data)
        given.is_valid(raise_exception=True)
        told = given.validated_data
        wanted, said = by_class(told["thresholds"]), by_class(told["prompts"])
        made = outside.begin(project, permissions.person(request), told["model"], wanted, said)
        return Response(shapes.labeling_shape(made), status=201)


class Suggestions(APIView):
    @extend_schema(operation_id="auto_label_suggest", request=SuggestionsInput, responses={200: dict})
    def post(self, request: Request, project_id: int, run_id: int) -> Response:
        """Send suggestions of a model that ran elsewhere: for up to 500 images at once.

        Images that have a label, are asked blind, or are on somebody's screen, are left out.
        """
        made = run_or_404(request.user, project_id, run_id)
        given = SuggestionsInput(data=request.data)
        given.is_valid(raise_exception=True)
        sent = {each["item"]: each["regions"] for each in given.validated_data["suggestions"]}
        became = outside.take(made, sent)
        return Response({"results": [{"item": item, "status": said} for item, said in became.items()]})


class AutoLabelRun(APIView):
    @extend_schema(operation_id="auto_label_run", responses={200: dict})
    def get(self, request: Request, project_id: int, run_id: int) -> Response:
        """Read how far it is."""
        return Response(shapes.labeling_shape(run_or_404(request.user, project_id, run_id)))

    @extend_schema(operation_id="auto_label_change", request=ChangeInput, responses={200: dict})
    def post(self, request: Request, project_id: int, run_id: int) -> Response:
        """Stop it, go on with it, or take back what nobody has answered of its suggestions."""
        made = run_or_404(request.user, project_id, run_id)
        given = ChangeInput(data=request.data)
        given.is_valid(raise_exception=True)
        change = {"stop": proposing.stop, "resume": proposing.resume, "take_back": proposing.take_back}
        change[given.validated_data["do"]](made, permissions.person(request))
        return Response(shapes.labeling_shape(run_or_404(request.user, project_id, run_id)))


def by_class(given: dict[str, Any]) -> dict[int, Any]:
    """Return what is said by class id. Raises ValidationError."""
    if len(given) > MOST_CLASSES or any(whole_number(label) is None for label in given):
        raise ValidationError("Name classes by their ids.")
    return {int(label): said for label, said in given.items()}


def source_or_404(project: Project, source: int | None) -> DataSource | None:
    if source is None:
        return None
    found = project.sources.filter(pk=source).first()
    if found is None:
        raise Http404
    return found


def trial_or_404(request: Request, project_id: int, trial_id: int) -> Trial:
    project = permissions.project_or_404(request.user, project_id, "manage")
    found = project.trials.select_related("project", "source", "job").filter(pk=trial_id).first()
    if found is None:
        raise Http404
    return found


def run_or_404(user: Visitor, project_id: int, run_id: int) -> AutoLabeling:
    project = permissions.project_or_404(user, project_id, "manage")
    made = project.auto_labelings.select_related("project", "trial", "model_version", "job")
    found = made.filter(pk=run_id).first()
    if found is None:
        raise Http404
    return found
