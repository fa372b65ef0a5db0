"""How requests to S3 are sent: no answer is read further than anything that S3 says could be long.

Only imported where a bucket is looked at, since what it needs takes its time. Whoever names a bucket may name
the server that it lies on, too, and that one may say anything.
"""

from typing import Any

from aiobotocore.httpsession import AIOHTTPSession

LONGEST = 16 << 20  # bytes; a page of a listing has a thousand names of at most 1,024 bytes
PIECE = 1 << 20
NO_BODY = 300  # from this status on what comes is no object, but why there is none


class Overlong(Exception):
    """An answer has more bytes than S3 would ever send."""


class Session(AIOHTTPSession):
    """Reads listings and errors up to a limit; objects are left to whoever asked for them."""

    async def send(self, request: Any) -> Any:
        is_object, request.stream_output = request.stream_output, True
        answer = await super().send(request)
        if not is_object or answer.status_code >= NO_BODY:
            answer._content = await start_of(answer.raw)  # noqa: SLF001  # where it is looked for
        return answer


async def start_of(answer: Any) -> bytes:
    """Return the whole body of an answer. Raises Overlong."""
    parts, size = [], 0
    async for part in answer.content.iter_chunked(PIECE):
        size += len(part)
        if size > LONGEST:
            answer.close()
            raise Overlong("its answer is longer than any of S3")
        parts.append(part)
    return b"".join(parts)
