"""Request bodies."""

import json
from typing import Any, BinaryIO

from rest_framework import exceptions, parsers

from labeling.uploading import Chunk


class JSONParser(parsers.JSONParser):
    """JSON; a body that is nested too deeply for Python is the caller's mistake."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise exceptions.ParseError("The JSON is nested too deeply.") from error


class MultiPartParser(parsers.MultiPartParser):
    """Forms with files; a text that is not in the encoding that it names is the caller's mistake."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except UnicodeError as error:
            raise exceptions.ParseError("The form is not in the encoding that it names.") from error


class ChunkParser(parsers.BaseParser):
    """Bytes of several files in one body: a line of JSON that lists them, then the bytes in that order.

    The line is `[[file, offset, length, crc32], …]`.
    """

    media_type = "application/octet-stream"
    most_chunks, most_bytes, longest_line = 500, 16 << 20, 64 << 10

    def parse(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.chunks(stream)
        except OSError as error:
            raise exceptions.ParseError("The connection broke before all bytes were here.") from error

    def chunks(self, stream: BinaryIO) -> list[Chunk]:
        listed = self.listed(stream.readline(self.longest_line))
        if sum(length for _, _, length, _ in listed) > self.most_bytes:
            raise exceptions.ParseError(f"Send at most {self.most_bytes >> 20} MB in one request.")
        found = []
        for file, offset, length, crc32 in listed:
            data = stream.read(length)
            if len(data) < length:
                raise exceptions.ParseError("The body ends before all bytes that it announces.")
            found.append(Chunk(file, offset, data, crc32))
        return found

    def listed(self, line: bytes) -> list[list[int]]:
        try:
            listed = json.loads(line)
            is_right = isinstance(listed, list) and all(
                isinstance(each, list) and len(each) == 4 and all(is_number(number) for number in each)
                for each in listed
            )
        except (ValueError, RecursionError):
            is_right = False
        if not is_right or not line.endswith(b"\n"):
            raise exceptions.ParseError("The body begins with a line [[file, offset, length, crc32], …].")
        if not 0 < len(listed) <= self.most_chunks:
            raise exceptions.ParseError(f"Send 1 to {self.most_chunks} chunks in one request.")
        return listed


def is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63
