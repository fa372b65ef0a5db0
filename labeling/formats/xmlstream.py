"""XML from anywhere, an element at a time.

A document type may name entities that unfold without end, or files of this machine: it is refused by the
parser itself, so in every encoding.
"""

from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from labeling.formats.records import Unreadable

PIECE = 1 << 18
DEEPEST = 64  # elements within each other
LONGEST = 16 << 20  # bytes of one element that is kept: in memory it takes ten times as many


def root(data: bytes) -> Element:
    """Return the outermost element of a document. Raises Unreadable."""
    parser = Parser(level=0)
    parser.feed(data, is_last=True)
    return parser.found[0]


def children(file: BinaryIO) -> Iterator[Element]:
    """Yield the outermost element without what is below it, then that, as each is complete.

    Raises Unreadable.
    """
    parser, is_last = Parser(level=1), False
    while not is_last:
        data = file.read(PIECE)
        is_last = not data
        parser.feed(data, is_last=is_last)
        yield from parser.found
        parser.found.clear()


class Parser:
    """Builds the elements of one level, each with all that is below it."""

    def __init__(self, level: int) -> None:
        self.level, self.depth, self.fed = level, 0, 0
        self.builder = TreeBuilder()
        self.found: list[Element] = []
        self.expat = expat.ParserCreate()
        self.expat.buffer_text = True
        self.expat.StartDoctypeDeclHandler = self.refuse
        self.expat.StartElementHandler = self.start
        self.expat.EndElementHandler = self.end
        self.expat.CharacterDataHandler = self.text

    def feed(self, data: bytes, *, is_last: bool) -> None:
        self.fed += len(data)
        if self.fed > LONGEST + PIECE:
            raise Unreadable(f"One of its elements is longer than {LONGEST >> 20} MB.")
        try:
            self.expat.Parse(data, is_last)
        except (expat.ExpatError, ValueError, LookupError) as error:  # also: an encoding that is not known
            raise Unreadable(f"This is no XML, or it is damaged: {error}.") from error
        self.fed = 0 if self.found else self.fed

    def refuse(self, *given: object) -> None:
        raise Unreadable("It has a document type, which is not read here.")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unreadable(f"Its elements lie deeper than {DEEPEST} within each other.")
        if self.depth == self.level:
            self.found.append(Element(tag, attributes))
        elif self.depth > self.level:
            self.builder.start(tag, attributes)

    def end(self, tag: str) -> None:
        if self.depth > self.level:
            self.builder.end(tag)
            if self.depth == self.level + 1:
                self.found.append(self.builder.close())
                self.builder = TreeBuilder()
        self.depth -= 1

    def text(self, data: str) -> None:
        if self.depth > self.level:
            self.builder.data(data)
