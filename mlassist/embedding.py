"""Images to vectors at full speed: decoding, scaling and the network overlap on all cores.

On a CPU there is one lane per core. Each decodes a batch and runs it through the network with one thread.
Lanes never wait for each other, where threads that share a batch spin at every layer until the slowest has
its core. Batches are handed out as lanes come free and shrink towards the end, so that all end together.

On a graphics card all cores decode and one thread feeds the network, with batches always waiting for it.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from labeling.models import Item
    from mlassist.backbones.loading import Backbone

BATCH = 64
SMALLEST = 16  # smaller batches cost the network more than they spare the lanes that end early
DECODED_AHEAD = 2  # batches per core, so that memory stays bounded whatever the number of images
FED_AHEAD = 2  # batches: one in the network, one waiting
NOT_FINITE = "It makes no numbers of images: its weights are damaged."

Thing = TypeVar("Thing")
Made = TypeVar("Made")

log = logging.getLogger(__name__)


def embed_items(
    backbone: "Backbone", items: Sequence["Item"]
) -> Iterator[tuple[list[int], list[int], np.ndarray]]:
    """Yield (embedded ids, unreadable ids, vectors) per batch, in order."""
    # Here, so that a benchmark or a survey may embed images of its own without Django.
    from labeling import images

    def open_item(item: "Item") -> Image.Image | None:
        try:
            return images.open_upright(item, at_least=backbone.side)
        except images.BrokenImage as error:
            log.warning("Item %s cannot be embedded: %s", item.pk, error)
            return None

    for seen, unreadable, vectors in embed(backbone, items, open_item):
        yield [item.pk for item in seen], [item.pk for item in unreadable], vectors


def embed_images(backbone: "Backbone", pictures: Sequence[Image.Image]) -> np.ndarray:
    """Return one row per picture, (n, dimension) float32."""
    parts = [vectors for _, _, vectors in embed(backbone, pictures, lambda picture: picture)]
    return np.concatenate([np.empty((0, backbone.dimension), np.float32), *parts])


def embed(
    backbone: "Backbone", things: Sequence[Thing], open_image: Callable[[Thing], Image.Image | None]
) -> Iterator[tuple[list[Thing], list[Thing], np.ndarray]]:
    """Yield (embedded, unreadable, vectors) per batch, in order.

    `open_image` gives a thing's upright RGB image, or None when it cannot be read. It is called from
    several threads at once. Closing the iterator ends the work with the batches in hand.
    """
    if backbone.device == "cuda":
        yield from feed(backbone, things, open_image)
        return

    def look(rows: range) -> tuple[list[Thing], list[Thing], np.ndarray]:
        return see(backbone, *prepare(backbone, [things[row] for row in rows], open_image))

    yield from in_lanes(look, len(things), backbone.use_one_thread)


def in_lanes(work: Callable[[range], Made], count: int, use_one_thread: Callable[[], None]) -> Iterator[Made]:
    """Yield what `work` makes of each batch of `count` rows, in order, from one lane per core."""
    lanes = cores()
    with ThreadPoolExecutor(lanes, initializer=use_one_thread) as pool:
        yield from pool.map(work, shrinking_batches(count, lanes))


def shrinking_batches(count: int, lanes: int) -> Iterator[range]:
    """Cut `count` rows into batches: whole ones first, then ever smaller shares of what is left."""
    start = 0
    while start < count:
        size = min(BATCH, max(SMALLEST, (count - start) // (2 * lanes)))
        yield range(start, min(start + size, count))
        start += size


def feed(
    backbone: "Backbone", things: Sequence[Thing], open_image: Callable[[Thing], Image.Image | None]
) -> Iterator[tuple[list[Thing], list[Thing], np.ndarray]]:
    """Do the work of `embed` with all cores decoding and one thread at the graphics card."""
    batches = [things[start : start + BATCH] for start in range(0, len(things), BATCH)]
    with ThreadPoolExecutor(cores()) as decoders, ThreadPoolExecutor(1) as network:
        decode = partial(prepare, backbone, open_image=open_image)
        decoded = ahead(decoders, decode, batches, DECODED_AHEAD * cores())
        yield from ahead(network, lambda batch: see(backbone, *batch), decoded, FED_AHEAD)


def ahead(
    pool: ThreadPoolExecutor, work: Callable[[Thing], Made], things: Iterable[Thing], depth: int
) -> Iterator[Made]:
    """Yield what `work` makes of each thing, in order, with up to `depth` under way in the pool."""
    under_way: deque[Future[Made]] = deque()
    try:
        for thing in things:
            under_way.append(pool.submit(work, thing))
            if len(under_way) == depth:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for each in under_way:
            each.cancel()


def prepare(
    backbone: "Backbone", batch: Sequence[Thing], open_image: Callable[[Thing], Image.Image | None]
) -> tuple[list[Thing], list[Thing], np.ndarray]:
    """Decode and scale a batch; returns (readable, unreadable, (n, side, side, 3) uint8)."""
    readable, unreadable, arrays = [], [], []
    for thing in batch:
        image = open_image(thing)
        if image is None:
            unreadable.append(thing)
        else:
            readable.append(thing)
            arrays.append(backbone.prepare(image))
    blank = np.empty((0, backbone.side, backbone.side, 3), np.uint8)
    return readable, unreadable, np.stack(arrays) if arrays else blank


def see(
    backbone: "Backbone", readable: list[Thing], unreadable: list[Thing], pixels: np.ndarray
) -> tuple[list[Thing], list[Thing], np.ndarray]:
    """Run a prepared batch through the network; returns (embedded, unreadable, vectors)."""
    vectors = backbone.embed(pixels) if readable else np.empty((0, backbone.dimension), np.float32)
    return readable, unreadable, vectors


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
