"""Sending files in parts, so that a download that broke off goes on where it stopped (RFC 9110, 14)."""

import re
from collections.abc import Iterator

from django.core.files.base import File
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")
PIECE = 1 << 18


def send(request: HttpRequest, file: File, name: str, media_type: str, etag: str) -> HttpResponseBase:
    """Send an immutable file whole, or the part that was asked for; several parts at once are sent whole.

    `etag` tells one content from another: a part is only sent to somebody who has the rest of the same.
    """
    size = file.size
    tag = f'"{etag}"'
    response: HttpResponseBase
    part = asked_for(request.headers.get("Range", ""), size)
    if part and request.headers.get("If-Range", tag) == tag:
        start, end = part
        if start >= end:
            file.close()
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        response = StreamingHttpResponse(pieces(file, start, end), status=206, content_type=media_type)
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        response.headers["Content-Length"] = str(end - start)
        response.headers["Content-Disposition"] = content_disposition_header(True, name) or ""
    else:
        response = FileResponse(file, as_attachment=True, filename=name, content_type=media_type)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = tag
    return response


def asked_for(header: str, size: int) -> tuple[int, int] | None:
    """Return the start and end of the one range that a header asks for; None without one."""
    found = ONE_RANGE.match(header)
    if not found or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        return (max(size - int(last), 0), size) if int(last) else (size, size)
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size


def pieces(file: File, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (data := file.read(min(PIECE, end - start))):
            start += len(data)
            yield data
