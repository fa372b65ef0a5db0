"""Faces that are hidden in a project's images: turned on, listed, added, taken away."""

from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import face_boxes, hiding, images, naming, permissions
from labeling.api import shapes
from labeling.api.inputs import Input
from labeling.models import Face, Item, MaskedImage, Project

MOST = 200


class FacesInput(Input):
    style = serializers.ChoiceField(  # type: ignore[assignment]  # fields have a `style` of their own
        choices=Project.Faces.choices[1:], default=Project.Faces.MOSAIC
    )
    originals = serializers.ChoiceField(
        choices=Project.Originals.choices,
        default=Project.Originals.KEEP,
        help_text="of files that were sent here: kept encrypted, or discarded, which cannot be undone",
    )
    name = serializers.CharField(
        required=False,
        help_text="the project's name, where it has images already or originals are discarded",
    )


class FaceInput(Input):
    bbox = serializers.ListField(
        child=shapes.NumberField(min_value=-1e6, max_value=1e6),
        min_length=4,
        max_length=4,
        help_text="x, y, width and height in pixels of the upright image",
    )


class Faces(APIView):
    @extend_schema(
        operation_id="faces_list",
        parameters=[
            OpenApiParameter("show", OpenApiTypes.STR, enum=list(face_boxes.KINDS)),
            OpenApiParameter("after", OpenApiTypes.STR, description="`next` of the page before"),
            OpenApiParameter("limit", OpenApiTypes.INT),
        ],
        responses={200: dict},
    )
    def get(self, request: Request, project_id: int) -> Response:
        """List images with what is hidden in each, those with most faces first."""
        project = permissions.project_or_404(request.user, project_id, "review")
        asked = request.query_params
        limit = min(shapes.whole_number(asked.get("limit", "")) or face_boxes.SHOWN, MOST)
        rows, following = face_boxes.page(project, asked.get("show", ""), asked.get("after", ""), limit)
        for row in rows:
            row.item.project = project
        return Response(
            {
                **faces_shape(project),
                "results": [masked_shape(row, row.item, request.user) for row in rows],
                "next": following or None,
            }
        )

    @extend_schema(operation_id="faces_hide", request=FacesInput, responses={200: dict})
    def post(self, request: Request, project_id: int) -> Response:
        """Have faces hidden from now on, and in the images that are there: once begun, it stays so.

        Again, it changes the style for what comes, or has originals that were kept discarded.
        """
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = FacesInput(data=request.data)
        given.is_valid(raise_exception=True)
        style, originals = given.validated_data["style"], given.validated_data["originals"]
        by, name = permissions.person(request), given.validated_data.get("name", "")
        if not project.faces:
            hiding.begin(project, by, style, originals, name)
        else:
            hiding.change_style(project, by, style)
            if originals == Project.Originals.DISCARD:
                hiding.discard(project, by, name)
        project.refresh_from_db()
        return Response(faces_shape(project))


class ItemFaces(APIView):
    @extend_schema(operation_id="faces_add", request=FaceInput, responses={201: dict})
    def post(self, request: Request, project_id: int, item_id: int) -> Response:
        """Hide one more part of an image."""
        row = masked_or_404(request, project_id, item_id)
        given = FaceInput(data=request.data)
        given.is_valid(raise_exception=True)
        face_boxes.add(row.item, given.validated_data["bbox"], permissions.person(request))
        row.refresh_from_db(fields=["faces"])
        return Response(masked_shape(row, row.item, request.user), status=201)


class ItemFace(APIView):
    @extend_schema(operation_id="faces_remove", responses={200: dict})
    def delete(self, request: Request, project_id: int, item_id: int, face_id: int) -> Response:
        """Show again what is under a box that hides no face, where the original was kept."""
        row = masked_or_404(request, project_id, item_id)
        face = row.item.faces.filter(pk=face_id).first()
        if face is None:
            raise Http404
        face.item = row.item
        face_boxes.remove(face, permissions.person(request))
        row.refresh_from_db(fields=["faces"])
        return Response(masked_shape(row, row.item, request.user))


def masked_or_404(request: Request, project_id: int, item_id: int) -> MaskedImage:
    project = permissions.project_or_404(request.user, project_id, "review")
    rows = MaskedImage.objects.select_related("item__source")
    row = rows.filter(item=item_id, project=project).first()
    if row is None:
        raise Http404
    row.item.project = project
    return row


def faces_shape(project: Project) -> dict[str, Any]:
    totals = face_boxes.totals(project)
    job = hiding.work(project)
    return {
        "style": project.faces or None,
        "originals": project.originals if project.faces else None,
        "hidden_at": project.faces_hidden_at,
        "images": totals.images,
        "faces": totals.faces,
        "without": totals.without,
        "waiting": totals.waiting,
        "job": shapes.job_shape(job) if job else None,
    }


def masked_shape(row: MaskedImage, item: Item, viewer: Any) -> dict[str, Any]:
    return {
        "item": item.pk,
        "file_name": item.file_name,
        "width": item.width,
        "height": item.height,
        "image": images.address(item),
        "thumbnail": images.thumbnail_address(item),
        "count": row.faces,
        "can_remove": face_boxes.can_remove(row, item),
        "faces": [face_shape(each, viewer) for each in hidden_in(item)],
    }


def hidden_in(item: Item) -> list[Face]:
    """Return the boxes of an item, which a list has read for all of them."""
    if "faces" in getattr(item, "_prefetched_objects_cache", {}):
        return list(item.faces.all())
    return list(item.faces.filter(removed_at=None).select_related("added_by"))


def face_shape(face: Face, viewer: Any) -> dict[str, Any]:
    return {
        "id": face.pk,
        "bbox": list(face.bbox),
        "score": face.score,
        "added_by": naming.called(viewer, face.added_by) if face.added_by else None,
    }
