"""Answers that may be a part of a file (RFC 9110, section 14), sent as it is read."""

import re
from collections.abc import Callable, Iterator
from itertools import chain

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


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
        return HttpResponse(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    start, end = wanted or (0, size)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    body = parts(start, end)
    begun, more = next(body, b""), next(body, None)
    status = 206 if wanted else 200
    if more is None:
        return HttpResponse(begun, content_type=media_type, status=status, headers=headers)
    headers["Content-Length"] = str(end - start)
    return StreamingHttpResponse(
        chain([begun, more], body), content_type=media_type, status=status, headers=headers
    )
