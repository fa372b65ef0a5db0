"""Copies of images for an export. A label is of the file that was imported, and goes with no other one.

What is gone at its source, or another file by now, has no copy: its labels stay, and it is told by name.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from labeling import images
from labeling.formats.records import LeftOut, Picture


class Copies:
    """The files of pictures as they are gone through, one in memory at a time."""

    def __init__(self, load: Callable[[Picture], bytes]) -> None:
        self.load, self.left_out = load, LeftOut()
        self.held = b""

    def fetched(self, pictures: Iterator[Picture], *, only_there: bool = False) -> Iterator[Picture]:
        """Pass pictures on with whether their file is there; `only_there` drops those whose is not."""
        for picture in pictures:
            try:
                self.held = self.load(picture)
            except images.BrokenImage as error:
                self.left_out.add(picture.file_name, str(error))
                if not only_there:
                    told = picture.provenance | {"file_left_out": str(error)}
                    yield replace(picture, missing=str(error), provenance=told)
                continue
            yield picture

    def of(self, picture: Picture) -> bytes:
        """Return the file of the picture that was passed on last."""
        return self.held
