"""The smart outline: an object's polygon from clicks, a box or an outline before.

What draws it may be replaced by a better model, see `register_outliner`. It runs while somebody waits, in
the web process: few at once, on pictures that are decoded small and kept for the next click.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import shapely
from django.utils.translation import gettext as _
from PIL import Image

from labeling import geometry, images, languages
from labeling.hints import Hints
from labeling.models import Item
from labeling.refusals import Refused

AT_ONCE = 2
KEPT = 4  # decoded pictures
SHORTER_SIDE = 1_200  # pixels to which a picture may be decoded

Outliner = Callable[[Item, Hints], Sequence[np.ndarray]]
_places = threading.BoundedSemaphore(AT_ONCE)


class OutlineRefused(Refused):
    """Why there is no outline, in a sentence for people."""


class TooBusy(Exception):
    """Others are waiting for their outlines."""


def outline(item: Item, hints: Hints) -> list[list[float]]:
    """Return the polygon of an object, in pixels of the item. Raises OutlineRefused and TooBusy."""
    refuse_nonsense(item, hints)
    with a_place():
        try:
            rings = _outliner[-1](item, hints)
        except images.BrokenImage as error:
            raise OutlineRefused(str(error)) from error
    polygon = sound(rings, item.width or 0, item.height or 0)
    if not polygon:
        raise OutlineRefused(_("Nothing stands out there. Click on the object, or draw it by hand."))
    return polygon


def refuse_nonsense(item: Item, hints: Hints) -> None:
    if hints.box is None and not hints.inside and not hints.polygon:
        raise OutlineRefused(_("Click inside the object, or draw a box around it."))
    problem = geometry.misshapen(hints.box, hints.polygon or None) or geometry.misfit(
        hints.box, hints.polygon, item.width or 0, item.height or 0
    )
    if problem:
        raise OutlineRefused(languages.said(problem))
    edge = (item.width or 0, item.height or 0)
    clicks = np.reshape([*hints.inside, *hints.outside], (-1, 2))
    if (clicks < 0).any() or (clicks > edge).any():
        raise OutlineRefused(_("A click lies outside the image."))


@contextmanager
def a_place() -> Iterator[None]:
    """Refuse what would keep the threads of the web process from their other work."""
    if not _places.acquire(blocking=False):
        raise TooBusy(_("Others are outlining right now. Try again in a moment."))
    try:
        yield
    finally:
        _places.release()


def sound(rings: Sequence[np.ndarray], width: int, height: int) -> list[list[float]]:
    """Return rings as a polygon that can be submitted: within the image, to a tenth of a pixel."""
    clipped = [np.round(np.clip(ring, 0, (width, height)), 1) for ring in rings]
    polygon = [
        ring.ravel().tolist() for ring in clipped if abs(geometry.signed_area(ring)) >= geometry.SMALLEST
    ]
    if polygon and geometry.flaw(None, polygon):
        areas = shapely.get_parts(geometry.combined(polygon))
        lines = [line for area in areas for line in (area.exterior, *area.interiors)]
        polygon = [np.asarray(line.coords)[:-1].ravel().tolist() for line in lines]
        polygon = [part for part in polygon if geometry.flaw(None, [part]) is None]
    return polygon


def grabcut_outliner(item: Item, hints: Hints) -> list[np.ndarray]:
    """Cut the object out of the picture as it is kept, and return its rings in pixels of the item."""
    return cut_out(decoded(item.pk, item.sha256), hints, item.width or 1, item.height or 1)


def cut_out(picture: np.ndarray, hints: Hints, width: int, height: int) -> list[np.ndarray]:
    """Return the rings of an object in pixels of an image that may be larger than its picture is here."""
    from labeling import grabcut  # OpenCV takes a tenth of a second and 60 MB: not before it is needed

    across, down = picture.shape[1] / width, picture.shape[0] / height
    try:
        rings = grabcut.outline(picture, hints.scaled(across, down))
    except grabcut.Failed:
        return []
    return [ring / (across, down) for ring in rings]


@lru_cache(maxsize=KEPT)
def decoded(item_id: int, sha256: str) -> np.ndarray:
    """Return an item's pixels, reduced where that is quick; of one content, they never change."""
    item = Item.objects.select_related("source").get(pk=item_id)
    return reduced(images.open_upright(item, at_least=SHORTER_SIDE))


def reduced(picture: Image.Image) -> np.ndarray:
    """Return pixels of what is not larger than it has to be; only JPEGs are decoded that way."""
    return np.asarray(picture.reduce(max(1, min(picture.size) // SHORTER_SIDE)))


_outliner: list[Outliner] = [grabcut_outliner]


def register_outliner(outliner: Outliner) -> None:
    """Have something else draw outlines: it gets an item and hints, and returns rings in the item's pixels.

    Call it where an app gets ready. It may run in several threads at once.
    """
    _outliner.append(outliner)
