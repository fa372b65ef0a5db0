"""Answers that may be a part of a file (RFC 9110, section 14), sent as it is read."""

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import chain

from django.core.files.base import File
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

PIECE = 1 << 18
RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class ShortBody(OSError):
    """A file has fewer bytes than it had: it was replaced, or its source sends less than it said."""


def part(asked: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the one after the last that a Range header asks for.

    None where it asks for all, also where it asks for several parts: a server may send everything then.
    Raises ValueError where nothing of it is there.
    """
    given = RANGE.fullmatch(asked or "")
    if given is None or given[1] == given[2] == "":
        return None
    if not given[1]:
        start, end = max(0, size - int(given[2])), size
        if not int(given[2]):
            raise ValueError(asked)
    else:
        start = int(given[1])
        end = min(int(given[2]) + 1, size) if given[2] else size
        if given[2] and int(given[2]) < start:
            return None  # no range at all
    if start >= size:
        raise ValueError(asked)
    return start, end


def respond(
    asked: str | None, size: int, media_type: str, parts: Callable[[int, int], Iterator[bytes]]
) -> HttpResponseBase:
    """Send a file or what a Range header asks for. Raises what `parts` raises with its first bytes."""
    headers = {"Accept-Ranges": "bytes"}
    try:
        wanted = part(asked, size)
    except ValueError:
        return HttpResponse(
            status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            headers=headers | {"Content-Range": f"bytes */{size}"},
        )
    start, end = wanted or (0, size)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    body = parts(start, end)
    begun, more = next(body, b""), next(body, None)
    status = 206 if wanted else 200
    if more is None:
        return HttpResponse(begun, content_type=media_type, status=status, headers=headers)
    headers["Content-Length"] = str(end - start)
    whole = exactly(chain([begun, more], body), end - start)
    return StreamingHttpResponse(whole, content_type=media_type, status=status, headers=headers)


def exactly(parts: Iterator[bytes], length: int) -> Iterator[bytes]:
    """Pass on as many bytes as were announced. Raises ShortBody where there are fewer.

    That ends the connection: else whoever asks for something next on it would get that as the rest of this.
    """
    for data in parts:
        length -= len(data)
        yield data
    if length > 0:
        raise ShortBody


def send(request: HttpRequest, file: File, name: str, media_type: str, etag: str) -> HttpResponseBase:
    """Send an immutable file to be kept under a name, whole or from where an earlier try broke off.

    `etag` tells one content from another: a part is only sent to somebody who has the rest of the same.
    """
    tag = f'"{etag}"'
    asked = request.headers.get("Range") if request.headers.get("If-Range", tag) == tag else None
    response = respond(asked, file.size, media_type, lambda start, end: pieces(file, start, end))
    if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        file.close()
        return response
    response.headers["Content-Disposition"] = content_disposition_header(True, name) or ""
    response.headers["ETag"] = tag
    return response


def pieces(file: File, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (data := file.read(min(PIECE, end - start))):
            start += len(data)
            yield data
