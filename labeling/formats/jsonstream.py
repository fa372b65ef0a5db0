"""Reading a JSON object whose lists are too long for memory: an element of them at a time."""

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from labeling.formats.records import Unreadable

PIECE = 1 << 20
SPACE = " \t\r\n"
LONGEST = 64 << 20  # characters of one element
PORTION, LEAST = 1 << 18, 1 << 7  # characters that are read at once, where each line is an element
CUT_OFF = "It ends too early: the file was cut off, or is not whole."
TRIES = 100  # lines in a row that are no elements, after which no other is tried


def members(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of each member of the object in a file; of a list, name and each element.

    An empty list yields nothing. Raises Unreadable where it is no such object.
    """
    text = Text(file)
    text.expect("{", "It is no JSON object.")
    while text.next() != "}":
        name = text.value()
        if not isinstance(name, str):
            raise Unreadable("It is no JSON object: a member has no name.")
        text.expect(":", f"It is damaged after the name {name!r}.")
        if text.next() == "[":
            yield from ((name, element) for element in elements(text, name))
        else:
            yield name, text.value()
        if text.next() == ",":
            text.at += 1


def elements(text: "Text", name: str) -> Iterator[Any]:
    text.at += 1
    while (found := text.next()) != "]":
        if found == ",":
            text.at += 1
        elif found == "{" and (several := text.lines()):
            yield from several
        else:
            yield text.value()
    text.at += 1


class Text:
    """A window on a file's text that moves along with what is read."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.window, self.at, self.is_all = file, "", 0, False
        self.decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self.scan = json.JSONDecoder().raw_decode
        self.tried, self.luck = 0, TRIES

    def more(self) -> None:
        data = self.file.read(max(PIECE, len(self.window) - self.at))
        try:
            self.window = self.window[self.at :] + self.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise Unreadable("It is no text in UTF-8.") from error
        self.at, self.is_all, self.tried = 0, not data, 0
        if len(self.window) > LONGEST:
            raise Unreadable("One of its parts is larger than can be read.")

    def next(self) -> str:
        """Return the next character that is no space, without going past it."""
        while True:
            while self.at < len(self.window):
                if self.window[self.at] not in SPACE:
                    return self.window[self.at]
                self.at += 1
            if self.is_all:
                raise Unreadable(CUT_OFF)
            self.more()

    def expect(self, character: str, otherwise: str) -> None:
        if self.next() != character:
            raise Unreadable(otherwise)
        self.at += 1

    def value(self) -> Any:
        """Read the next value whole."""
        self.next()
        while True:
            try:
                value, end = self.scan(self.window, self.at)
            except json.JSONDecodeError as error:
                is_cut = error.pos >= len(self.window.rstrip()) or error.msg.startswith("Unterminated")
                if self.is_all and is_cut:
                    raise Unreadable(CUT_OFF) from error
                if self.is_all:
                    raise Unreadable(
                        f"It is no JSON near {self.window[error.pos : error.pos + 20]!r}."
                    ) from error
            else:
                if end < len(self.window) or self.is_all:  # a number may go on
                    self.at = end
                    return value
            self.more()

    def lines(self) -> list[Any]:
        """Read the elements of a list up to the end of some line, as far as such lines are whole elements.

        Many writers have a line for each. To read them at once takes a fifth of the time.
        """
        if self.at < self.tried or not self.luck:
            return []
        portion = PORTION
        while portion > LEAST:
            end = self.window.rfind(",\n", self.at, self.at + portion)
            if end < 0:
                return []
            try:
                # Between brackets it is a list: brackets of its own that closed it would not fit.
                found: list[Any] = orjson.loads(f"[{self.window[self.at : end]}]")
            except orjson.JSONDecodeError:  # the list ends before that, or lines are no elements
                portion //= 8
            else:
                self.at, self.luck = end, TRIES
                return found
        self.tried, self.luck = self.window.find("\n", self.at), self.luck - 1
        return []
