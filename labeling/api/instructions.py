"""What labelers are told: the newest version, writing one, and the pictures in it."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import illustrations, permissions, projects
from labeling.api.inputs import Input
from labeling.models import InstructionPicture
from labeling.models import Instructions as Written

FOR_EVER = "private, max-age=31536000, immutable"


class InstructionsInput(Input):
    text = serializers.CharField(allow_blank=True, trim_whitespace=False, help_text="Markdown")
    link = serializers.URLField(
        required=False, allow_blank=True, max_length=200, help_text="a page elsewhere that says more"
    )


class Instructions(APIView):
    @extend_schema(operation_id="instructions_read", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """Read what labelers are told; version 0 where nothing is written yet."""
        project = permissions.project_or_404(request.user, project_id, "see")
        return Response(version_shape(project.instructions.first()))

    @extend_schema(operation_id="instructions_write", request=InstructionsInput, responses={200: dict})
    def put(self, request: Request, project_id: int) -> Response:
        """Write a new version; labels name the one that they were given under."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        given = InstructionsInput(data=request.data)
        given.is_valid(raise_exception=True)
        newest = project.instructions.first()
        link = given.validated_data.get("link", newest.link if newest else "")
        person = permissions.person(request)
        written = projects.set_instructions(project, given.validated_data["text"], person, link=link)
        return Response(version_shape(written))


class Pictures(APIView):
    @extend_schema(operation_id="instruction_pictures_list", responses={200: dict})
    def get(self, request: Request, project_id: int) -> Response:
        """List the pictures that were added, newest first."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        found = project.instruction_pictures.order_by("-id")
        return Response({"results": [picture_shape(each) for each in found]})

    @extend_schema(
        operation_id="instruction_pictures_add",
        request={
            "multipart/form-data": {
                "type": "object",
                "properties": {"file": {"type": "string", "format": "binary"}},
                "required": ["file"],
            }
        },
        responses={201: dict},
    )
    def post(self, request: Request, project_id: int) -> Response:
        """Add a PNG, JPEG, WebP or GIF of up to 8 MB (multipart `file`); `markdown` shows it in the text."""
        project = permissions.project_or_404(request.user, project_id, "manage")
        file = request.FILES.get("file")
        if file is None:
            raise illustrations.PictureRefused("Send a picture as `file`.")
        if (file.size or 0) > illustrations.MAX_BYTES:
            raise illustrations.PictureRefused(illustrations.too_large(file.size or 0))
        picture = illustrations.add(project, file.read(), file.name or "", permissions.person(request))
        return Response(picture_shape(picture), status=201)


class PictureFile(APIView):
    @extend_schema(
        operation_id="instruction_pictures_read", responses={(200, "image/webp"): OpenApiTypes.BINARY}
    )
    def get(self, request: Request, project_id: int, sha256: str) -> HttpResponse:
        """Send a picture of the instructions. What a hash names never changes, so browsers keep it."""
        project = permissions.project_or_404(request.user, project_id, "see")
        picture = get_object_or_404(project.instruction_pictures, sha256=sha256)
        headers = {
            "Cache-Control": FOR_EVER,
            "Content-Disposition": f'inline; filename="{picture.sha256[:16]}.webp"',
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return HttpResponse(illustrations.stored(picture), content_type="image/webp", headers=headers)


def version_shape(written: Written | None) -> dict[str, Any]:
    if written is None:
        return {"version": 0, "text": "", "link": "", "created_at": None}
    return {
        "version": written.version,
        "text": written.text,
        "link": written.link,
        "created_at": written.created_at,
    }


def picture_shape(picture: InstructionPicture) -> dict[str, Any]:
    return {
        "sha256": picture.sha256,
        "name": picture.name,
        "width": picture.width,
        "height": picture.height,
        "size_bytes": picture.size_bytes,
        "image": illustrations.address(picture),
        "markdown": illustrations.markdown(picture),
        "created_at": picture.created_at,
    }
