"""The images in an archive, for formats whose labels do not say how large these are."""

from collections.abc import Callable, Iterator

from PIL import Image

from labeling import decoding
from labeling.formats import names
from labeling.formats.files import Entry, Files
from labeling.formats.shelf import Shelf

TURNED = (5, 6, 7, 8)  # orientations in which width and height change places
DICOM = (".dcm", ".dicom")

Size = tuple[str, int, int]  # file name, width, height
SizeOf = Callable[[str], Size | None]


def is_image(name: str) -> bool:
    return names.suffix(name).lower() in decoding.EXTENSIONS


def size_of(entry: Entry) -> tuple[int, int] | None:
    """Return width and height of the upright image, None where it cannot be read."""
    try:
        with entry.open() as file, decoding.blaming(decoding.DAMAGED):
            if entry.name.lower().endswith(DICOM):
                return decoding.look(file.read(decoding.MAX_BYTES)).image.size
            with Image.open(file, formats=decoding.FORMATS) as image:
                turned = image.getexif().get(decoding.ORIENTATION, 1) in TURNED
                return (image.height, image.width) if turned else image.size
    except decoding.BrokenImage:
        return None


def sizes(files: Files, key: Callable[[str], str]) -> Shelf:
    """Return file name, width and height of all images of an archive by a key made of their names."""
    shelf = Shelf()
    shelf.fill(found(files, key))
    return shelf


def found(files: Files, key: Callable[[str], str]) -> Iterator[tuple[str, Size]]:
    for entry in files.entries():
        if is_image(entry.name):
            size = size_of(entry)
            if size is not None:
                yield key(entry.name), (entry.name, *size)
