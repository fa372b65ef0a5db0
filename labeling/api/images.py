"""Image bytes for whoever may see the item. The content of an item never changes, so browsers keep it."""

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from labeling import images, permissions
from labeling.models import Item

A_WEEK = "private, max-age=604800, immutable"


class ImageFile(APIView):
    @extend_schema(operation_id="images_read", responses={(200, "image/*"): OpenApiTypes.BINARY})
    def get(self, request: Request, item_id: int) -> HttpResponse:
        """Send the whole picture, upright."""
        item = readable_or_404(request, item_id)
        try:
            data, media_type = images.viewable(item)
        except images.BrokenImage as error:
            return HttpResponse(str(error), status=410, content_type="text/plain")
        return HttpResponse(data, content_type=media_type, headers={"Cache-Control": A_WEEK})


class ThumbnailFile(APIView):
    @extend_schema(operation_id="thumbnails_read", responses={(200, "image/webp"): OpenApiTypes.BINARY})
    def get(self, request: Request, item_id: int) -> FileResponse:
        """Send the picture at most 320 pixels wide and high."""
        item = readable_or_404(request, item_id)
        try:
            stored = default_storage.open(images.thumbnail_name(item.sha256))
        except FileNotFoundError as error:
            raise Http404 from error
        return FileResponse(stored, content_type="image/webp", headers={"Cache-Control": A_WEEK})


class CropFile(APIView):
    @extend_schema(operation_id="crops_read", responses={(200, "image/webp"): OpenApiTypes.BINARY})
    def get(self, request: Request, check_id: int) -> HttpResponse:
        """Send a proposed object with a quarter of its size around it, at most 320 pixels wide and high."""
        check = permissions.check_or_404(request.user, check_id)
        try:
            data = images.crop(check.item, check.bbox)
        except images.BrokenImage as error:
            return HttpResponse(str(error), status=410, content_type="text/plain")
        return HttpResponse(data, content_type="image/webp", headers={"Cache-Control": A_WEEK})


def readable_or_404(request: Request, item_id: int) -> Item:
    item = permissions.item_or_404(request.user, item_id)
    if item.read_at is None:
        raise Http404
    return item
