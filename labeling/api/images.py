"""Image bytes for whoever may see the item. Content never changes, so browsers keep it.

What hides faces may come to hide more of them: that is kept by its own address alone.
"""

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from labeling import images, permissions, remote, storing
from labeling.api import ranges
from labeling.api.inputs import Input
from labeling.models import Item

A_WEEK = "private, max-age=604800, immutable"
UNKEPT = "private, no-store"
MINUTES = "private, max-age=240"  # a little less than a signed address is good for


class WindowInput(Input):
    center = serializers.FloatField(required=False, min_value=-1e6, max_value=1e6)
    width = serializers.FloatField(required=False, min_value=1, max_value=1e6)


class ImageFile(APIView):
    @extend_schema(
        operation_id="images_read",
        parameters=[WindowInput],
        responses={(200, "image/*"): OpenApiTypes.BINARY, (206, "image/*"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, item_id: int) -> HttpResponseBase:
        """Send the whole picture, upright, or the part that a Range header asks for.

        Where its source says so, a redirect leads to the bucket itself, by an address that is good for five
        minutes. `center` and `width` choose which values of a DICOM image are shown, from black to white.
        """
        item = readable_or_404(request, item_id)
        window = window_of(request, item)
        try:
            if window is not None:
                data = images.in_window(item, *window)
                return HttpResponse(data, content_type="image/png", headers={"Cache-Control": A_WEEK})
            shown = images.viewable(item)
            if shown.is_original and (address := storing.signed_address(item)):
                return HttpResponseRedirect(address, headers={"Cache-Control": MINUTES})
            response = ranges.respond(request.headers.get("Range"), shown.size, shown.media_type, shown.parts)
        except images.BrokenImage as error:
            return HttpResponse(str(error), status=410, content_type="text/plain")
        except remote.Unreachable as error:
            return HttpResponse(str(error), status=503, content_type="text/plain")
        response.headers["Cache-Control"] = kept_for(request, item)
        return response


class ThumbnailFile(APIView):
    @extend_schema(operation_id="thumbnails_read", responses={(200, "image/webp"): OpenApiTypes.BINARY})
    def get(self, request: Request, item_id: int) -> FileResponse:
        """Send the picture at most 320 pixels wide and high."""
        item = readable_or_404(request, item_id)
        try:
            stored = default_storage.open(images.thumbnail_name(item.sha256))
        except FileNotFoundError as error:
            raise Http404 from error
        headers = {"Cache-Control": kept_for(request, item)}
        return FileResponse(stored, content_type="image/webp", headers=headers)


class CropFile(APIView):
    @extend_schema(operation_id="crops_read", responses={(200, "image/webp"): OpenApiTypes.BINARY})
    def get(self, request: Request, check_id: int) -> HttpResponse:
        """Send a proposed object with a quarter of its size around it, at most 320 pixels wide and high."""
        check = permissions.check_or_404(request.user, check_id)
        if check.item.is_withheld:
            raise Http404
        try:
            data = images.crop(check.item, check.bbox)
        except images.BrokenImage as error:
            return HttpResponse(str(error), status=410, content_type="text/plain")
        headers = {"Cache-Control": kept_for(request, check.item)}
        return HttpResponse(data, content_type="image/webp", headers=headers)


def kept_for(request: Request, item: Item) -> str:
    """Return how long browsers may keep a picture: one of another version is what was there before."""
    version = images.version(item)
    return A_WEEK if not version or version == f"?v={request.query_params.get('v')}" else UNKEPT


def window_of(request: Request, item: Item) -> tuple[float, float] | None:
    """Return the center and width that are asked for, where the item is shown in a window."""
    if item.window is None:
        return None
    given = WindowInput(data=request.query_params)
    given.is_valid(raise_exception=True)
    center, width = given.validated_data.get("center"), given.validated_data.get("width")
    return None if center is None or width is None else (center, width)


def readable_or_404(request: Request, item_id: int) -> Item:
    item = permissions.item_or_404(request.user, item_id)
    if item.read_at is None or item.is_withheld:
        raise Http404
    return item
