"""Reviewing over HTTP: verdicts and taking them back, the review queue, locks, comments, saved filters."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import (
    bulk,
    commenting,
    extensions,
    gallery,
    locks,
    naming,
    permissions,
    review,
    sampling,
    saved,
)
from labeling.api import filtering, shapes
from labeling.api.inputs import Input
from labeling.models import Comment, Item, Project, ReviewBatch, SavedFilter, User

MOST_ALIKE = 100


class ReviewInput(Input):
    items = serializers.ListField(
        child=serializers.IntegerField(), required=False, allow_empty=False, max_length=bulk.AT_ONCE
    )
    filter = filtering.FilterInput(required=False, help_text="instead of items: all that it chooses")
    verdict = serializers.ChoiceField(choices=("approve", "reject"))
    comment = serializers.CharField(required=False, allow_blank=True, default="", max_length=2_000)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("items" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError("Give either `items` or a `filter`.")
        return attrs


class VerdictInput(Input):
    item = serializers.IntegerField()
    verdict = serializers.ChoiceField(choices=("approve", "reject"))
    comment = serializers.CharField(required=False, allow_blank=True, default="", max_length=2_000)


class ItemsInput(Input):
    items = serializers.ListField(child=serializers.IntegerField(), allow_empty=False, max_length=500)


class CommentInput(Input):
    text = serializers.CharField(max_length=commenting.LONGEST)
    x = shapes.NumberField(required=False, allow_null=True, help_text="pixels of the upright image")
    y = shapes.NumberField(required=False, allow_null=True)
    parent = serializers.IntegerField(  # type: ignore[assignment]  # DRF's own `parent` is no field
        required=False, allow_null=True, help_text="the thread's first comment"
    )


class ResolvedInput(Input):
    resolved = serializers.BooleanField()


class SavedFilterInput(Input):
    name = serializers.CharField(max_length=80)
    query = serializers.CharField(required=False, allow_blank=True, default="", max_length=2_000)
    shared = serializers.BooleanField(default=False)


class SavedFilterChange(Input):
    name = serializers.CharField(max_length=80, required=False)
    shared = serializers.BooleanField(required=False)


class RateInput(Input):
    labeler = serializers.IntegerField()
    rate = shapes.NumberField(
        allow_null=True, min_value=0, max_value=1, help_text="a share; null for the usual one"
    )


def given(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    form = serializer(data=request.data)
    form.is_valid(raise_exception=True)
    return form.validated_data


def outcome_shape(outcome: review.Outcome, asked: list[int] | None) -> dict[str, Any]:
    return {
        "batch": outcome.batch.pk,
        "done": len(outcome.done),
        "items": outcome.done,
        "skipped": sorted(set(asked or ()) - set(outcome.done)),
        "looked_at": [{"item": item, "by": name} for item, name in outcome.looked_at.items()],
        "message": locks.sentence(outcome.looked_at),
        "job": None,
    }


class Reviews(APIView):
    @extend_schema(operation_id="reviews_create", request=ReviewInput, responses={200: dict, 202: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Approve or reject items, or all that a filter chooses.

        Rejected labels are withdrawn, kept in the history, and asked again. Beyond 10,000 items this is a
        job. What another reviewer has open is left out.
        """
        project = permissions.project_or_404(request.user, project_id, "review")
        body = given(ReviewInput, request)
        person = permissions.person(request)
        if "items" in body:
            outcome = review.judge(project, person, body["verdict"], body["items"], body["comment"])
            return Response(outcome_shape(outcome, body["items"]))
        filters = filtering.filters_from(body["filter"])
        outcome, job = bulk.judge_all(project, person, body["verdict"], filters, body["comment"])
        shape = outcome_shape(outcome, None)
        if job is None:
            return Response(shape)
        return Response({**shape, "job": shapes.job_shape(job)}, status=202)


class ReviewUndo(APIView):
    @extend_schema(operation_id="reviews_undo", request=None, responses={200: dict, 202: dict})
    def post(self, request: Request, project_id: int, batch_id: int) -> Response:
        """Take verdicts back: items stand as before, unless somebody has answered them since."""
        project = permissions.project_or_404(request.user, project_id, "review")
        batch = get_object_or_404(
            ReviewBatch.objects.select_related("project", "reviewer"), pk=batch_id, project=project
        )
        undone, job = bulk.undo(batch, permissions.person(request))
        if undone is None:
            assert job is not None
            return Response({"job": shapes.job_shape(job)}, status=202)
        return Response(
            {"items": undone.items, "refused": undone.refused, "message": undone.sentence, "job": None}
        )


class ReviewQueue(APIView):
    @extend_schema(
        operation_id="review_queue_next",
        parameters=[OpenApiParameter("skip", OpenApiTypes.STR, description="ids to pass over, by commas")],
        responses={200: dict},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """Return the next label that was drawn for review, and how many wait."""
        project = permissions.project_or_404(request.user, project_id, "review")
        person = permissions.person(request)
        skip = shapes.whole_numbers(request.query_params.get("skip", ""))
        found = sampling.next_ones(project, person, skip)
        items = gallery.load([each.item for each in found])
        return Response(
            {
                "waiting": sampling.waiting(project, person),
                "item": {**shapes.item_shape(items[0], person), "drawn_at_random": found[0].is_random}
                if items
                else None,
            }
        )

    @extend_schema(operation_id="review_queue_judge", request=VerdictInput, responses={200: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Give a verdict on a drawn label; it counts for what is claimed about all labels."""
        project = permissions.project_or_404(request.user, project_id, "review")
        body = given(VerdictInput, request)
        outcome = sampling.judge(
            project, permissions.person(request), body["item"], body["verdict"], body["comment"]
        )
        return Response(outcome_shape(outcome, [body["item"]]))


class Quality(APIView):
    @extend_schema(operation_id="quality_read", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """Say what randomly drawn reviews prove: the error rate that is not exceeded, at 95 % confidence."""
        project = permissions.project_or_404(request.user, project_id, "review")
        of_all, by_labeler = sampling.claims(project)
        return Response(
            {
                "confidence": sampling.CONFIDENCE,
                "project": claim_shape(of_all, request.user),
                "labelers": [claim_shape(each, request.user) for each in by_labeler],
            }
        )


def claim_shape(found: sampling.Claim, viewer: Any) -> dict[str, Any]:
    return {
        "labeler": found.labeler.pk if found.labeler else None,
        "name": naming.called(viewer, found.labeler) if found.labeler else None,
        "rate": found.rate,
        "reviewed": found.reviewed,
        "wrong": found.wrong,
        "at_most": round(found.bound, 6),
        "targets": [
            {"target": target, "more": more, "sentence": sampling.sentence(found, target)}
            for target, more in found.more.items()
        ],
    }


class Sampling(APIView):
    @extend_schema(operation_id="sampling_set", request=RateInput, responses={200: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Have a labeler's answers reviewed at another rate."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        body = given(RateInput, request)
        people = {*sampling.rates(project), *project.memberships.values_list("user_id", flat=True)}
        labeler = get_object_or_404(User.objects.filter(pk__in=people), pk=body["labeler"])
        sampling.set_rate(project, labeler, body["rate"], permissions.person(request))
        return Response(
            {"labeler": labeler.pk, "rate": sampling.USUAL_RATE if body["rate"] is None else body["rate"]}
        )


class Locks(APIView):
    @extend_schema(operation_id="locks_hold", request=ItemsInput, responses={200: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Open items for review, or keep them open: others' verdicts on them are left out for two minutes."""
        project = permissions.project_or_404(request.user, project_id, "review")
        held = locks.hold(project, permissions.person(request), given(ItemsInput, request)["items"])
        return Response({"looked_at": [{"item": item, "by": name} for item, name in held.items()]})

    @extend_schema(operation_id="locks_release", request=ItemsInput, responses={204: None})
    def delete(self, request: Request, project_id: int) -> Response:
        """Close items again."""
        project = permissions.project_or_404(request.user, project_id, "review")
        locks.release(project, permissions.person(request), given(ItemsInput, request)["items"])
        return Response(status=204)


class Comments(APIView):
    @extend_schema(operation_id="comments_list", responses={200: dict})
    def get(self, request: Request, project_id: int, item_id: int) -> Response:
        """List the threads of an item."""
        item = item_in(request, project_id, item_id)
        return Response({"results": [thread_shape(each, request.user) for each in commenting.threads(item)]})

    @extend_schema(operation_id="comments_create", request=CommentInput, responses={201: dict})
    def post(self, request: Request, project_id: int, item_id: int) -> Response:
        """Comment on an item, on a point of it, or in a thread."""
        item = item_in(request, project_id, item_id)
        body = given(CommentInput, request)
        parent = get_object_or_404(Comment, pk=body["parent"], item=item) if body.get("parent") else None
        has_point = body.get("x") is not None and body.get("y") is not None
        point = (body["x"], body["y"]) if has_point else None
        made = commenting.add(item, permissions.person(request), body["text"], point=point, parent=parent)
        return Response(comment_shape(made, request.user), status=201)


class CommentDetail(APIView):
    @extend_schema(operation_id="comments_resolve", request=ResolvedInput, responses={200: dict})
    def patch(self, request: Request, project_id: int, comment_id: int) -> Response:
        """Resolve a thread, or open it again."""
        project = permissions.project_or_404(request.user, project_id, "review")
        comment = get_object_or_404(Comment, pk=comment_id, project=project, parent=None)
        person = permissions.person(request)
        commenting.resolve(comment, person, resolved=given(ResolvedInput, request)["resolved"])
        comment.refresh_from_db()
        return Response(comment_shape(comment, request.user))


def item_in(request: Request, project_id: int, item_id: int) -> Item:
    project = permissions.project_or_404(request.user, project_id, "review")
    return get_object_or_404(project.items.select_related("project"), pk=item_id)


def comment_shape(comment: Comment, viewer: Any) -> dict[str, Any]:
    return {
        "id": comment.pk,
        "author": naming.called(viewer, comment.author),
        "text": comment.text,
        "x": comment.x,
        "y": comment.y,
        "created_at": comment.created_at,
        "resolved_at": comment.resolved_at,
    }


def thread_shape(comment: Comment, viewer: Any) -> dict[str, Any]:
    answers = [comment_shape(each, viewer) for each in comment.answers.all()]
    return {**comment_shape(comment, viewer), "answers": answers}


class SavedFilters(APIView):
    @extend_schema(operation_id="saved_filters_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List your saved filters of the gallery, and those that others share."""
        project = permissions.project_or_404(request.user, project_id, "review")
        found = saved.visible(project, permissions.person(request))
        return Response({"results": [saved_shape(each, request.user) for each in found]})

    @extend_schema(operation_id="saved_filters_create", request=SavedFilterInput, responses={201: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Save a view of the gallery under a name: the query of its address."""
        project = permissions.project_or_404(request.user, project_id, "review")
        body = given(SavedFilterInput, request)
        made = saved.save(
            project, permissions.person(request), body["name"], body["query"], is_shared=body["shared"]
        )
        return Response(saved_shape(made, request.user), status=201)


class SavedFilterDetail(APIView):
    @extend_schema(operation_id="saved_filters_change", request=SavedFilterChange, responses={200: dict})
    def patch(self, request: Request, project_id: int, filter_id: int) -> Response:
        """Rename a filter, or share it or not."""
        found = changeable(request, project_id, filter_id)
        body = given(SavedFilterChange, request)
        saved.change(found, permissions.person(request), name=body.get("name"), is_shared=body.get("shared"))
        return Response(saved_shape(found, request.user))

    @extend_schema(operation_id="saved_filters_delete", responses={204: None})
    def delete(self, request: Request, project_id: int, filter_id: int) -> Response:
        """Delete a filter."""
        saved.delete(changeable(request, project_id, filter_id), permissions.person(request))
        return Response(status=204)


def changeable(request: Request, project_id: int, filter_id: int) -> SavedFilter:
    project: Project = permissions.project_or_404(request.user, project_id, "review")
    person = permissions.person(request)
    found = saved.visible(project, person).filter(pk=filter_id).first()
    if found is None or not saved.may_change(found, person, permissions.role_of(person, project)):
        raise Http404
    return found


def saved_shape(each: SavedFilter, viewer: Any) -> dict[str, Any]:
    return {
        "id": each.pk,
        "name": each.name,
        "query": each.query,
        "shared": each.is_shared,
        "owner": naming.called(viewer, each.owner),
    }


class LookAlikes(APIView):
    @extend_schema(
        operation_id="look_alikes_list",
        parameters=[OpenApiParameter("limit", OpenApiTypes.INT)],
        responses={200: dict},
    )
    def get(self, request: Request, project_id: int, item_id: int) -> Response:
        """List the items that look most like one, nearest first; `known` is false until it was looked at."""
        item = item_in(request, project_id, item_id)
        limit = min(shapes.whole_number(request.query_params.get("limit", "")) or 20, MOST_ALIKE)
        found = extensions.look_alikes(item.project, item.pk, limit)
        items = [each for each in gallery.load(found or []) if each.project_id == item.project_id]
        return Response(
            {"known": found is not None, "results": [shapes.item_shape(each, request.user) for each in items]}
        )
