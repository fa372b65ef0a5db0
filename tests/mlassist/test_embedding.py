import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labeling.models import Item
from mlassist import embedding


@dataclass
class Eyes:
    """A backbone that sees the mean colour, wherever it is told that it computes."""

    device: str = "cpu"
    side: int = 8
    dimension: int = 3
    seconds: float = 0.0
    threads: set = field(default_factory=set)
    single: set = field(default_factory=set)
    batches: list = field(default_factory=list)

    def use_one_thread(self):
        self.single.add(threading.get_ident())

    def prepare(self, image):
        return np.asarray(image.resize((8, 8)))

    def embed(self, images):
        self.threads.add(threading.get_ident())
        self.batches.append(len(images))
        time.sleep(self.seconds)
        return images.mean((1, 2)).astype(np.float32)


def grey(level):
    return Image.new("RGB", (10, 10), (level, level, level))


def levels(vectors):
    return vectors[:, 0].round().astype(int).tolist()


@pytest.fixture(params=["cpu", "cuda"])
def eyes(request, monkeypatch):
    monkeypatch.setattr(embedding, "cores", lambda: 3)
    return Eyes(request.param)


def test_vectors_come_in_the_order_of_the_pictures(eyes):
    vectors = embedding.embed_images(eyes, [grey(level) for level in range(250)])
    assert levels(vectors) == list(range(250))


def test_no_pictures_give_no_vectors(eyes):
    assert embedding.embed_images(eyes, []).shape == (0, 3)


def test_what_cannot_be_read_is_named_and_passed_over(eyes):
    parts = list(embedding.embed(eyes, range(200), lambda level: None if level % 5 == 0 else grey(level)))
    seen = [level for part in parts for level in part[0]]
    assert seen == [level for level in range(200) if level % 5]
    assert [level for part in parts for level in part[1]] == list(range(0, 200, 5))
    assert levels(np.concatenate([part[2] for part in parts])) == seen


def test_a_batch_without_a_readable_picture_never_reaches_the_network(eyes):
    parts = list(embedding.embed(eyes, range(100), lambda level: None))
    assert [level for part in parts for level in part[1]] == list(range(100))
    assert all(part[2].shape == (0, 3) for part in parts)
    assert eyes.batches == []


def test_an_error_of_the_network_reaches_the_caller(eyes, monkeypatch):
    def fail(images):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(eyes, "embed", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        embedding.embed_images(eyes, [grey(1)] * 300)


def test_closing_ends_the_work_with_the_batches_in_hand(eyes):
    eyes.seconds = 0.02
    parts = embedding.embed(eyes, range(20_000), lambda level: grey(level % 256))
    next(parts)
    parts.close()
    begun = len(eyes.batches)
    assert begun < 100
    time.sleep(0.1)
    assert len(eyes.batches) == begun


def test_each_lane_computes_with_one_thread(monkeypatch):
    monkeypatch.setattr(embedding, "cores", lambda: 3)
    eyes = Eyes(seconds=0.01)
    embedding.embed_images(eyes, [grey(1)] * 600)
    assert len(eyes.threads) == 3
    assert eyes.threads == eyes.single


def test_batches_shrink_so_that_lanes_end_together():
    sizes = [len(rows) for rows in embedding.shrinking_batches(1_000, 2)]
    assert sum(sizes) == 1_000
    assert sizes[:8] == [embedding.BATCH] * 8
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-2] == embedding.SMALLEST
    rows = [row for batch in embedding.shrinking_batches(1_000, 2) for row in batch]
    assert rows == list(range(1_000))


def test_few_pictures_are_shared_among_the_lanes():
    assert max(len(rows) for rows in embedding.shrinking_batches(64, 2)) == 16
    assert len(list(embedding.shrinking_batches(2_000, 64))) >= 64


def test_a_slow_lane_takes_fewer_batches(monkeypatch):
    monkeypatch.setattr(embedding, "cores", lambda: 2)
    done = {}

    def work(rows):
        here = threading.get_ident()
        slow = here == min(done, default=here)
        done[here] = done.get(here, 0) + len(rows)
        time.sleep(len(rows) * (4e-4 if slow else 1e-4))

    list(embedding.in_lanes(work, 1_000, lambda: done.setdefault(threading.get_ident(), 0)))
    assert sum(done.values()) == 1_000
    assert 2 * min(done.values()) < max(done.values())


def test_one_thread_feeds_a_graphics_card_while_all_cores_decode(monkeypatch):
    monkeypatch.setattr(embedding, "cores", lambda: 3)
    eyes, decoders = Eyes("cuda"), set()

    def open_image(level):
        decoders.add(threading.get_ident())
        time.sleep(1e-4)
        return grey(level % 256)

    list(embedding.embed(eyes, range(1_000), open_image))
    assert len(eyes.threads) == 1
    assert len(decoders) == 3
    assert not eyes.threads & decoders
    assert threading.get_ident() not in eyes.threads | decoders


def test_decoding_runs_ahead_of_a_graphics_card_but_not_without_bound(monkeypatch):
    monkeypatch.setattr(embedding, "cores", lambda: 2)
    batch, bound = embedding.BATCH, embedding.DECODED_AHEAD * 2 + embedding.FED_AHEAD
    opened, missed, too_many = [], [], []

    class Waiting(Eyes):
        def embed(self, images):
            """Stay busy until the batch after this one is decoded, which nothing else must hold up."""
            ends, number = time.monotonic() + 20, len(self.batches)
            wanted = min((number + 2) * batch, 2_000)
            while len(opened) < wanted and time.monotonic() < ends:
                time.sleep(0.001)
            missed.extend([number] * (len(opened) < wanted))
            too_many.extend([number] * (len(opened) > (number + 1 + bound) * batch))
            return super().embed(images)

    def open_image(level):
        opened.append(level)
        return grey(level % 256)

    list(embedding.embed(Waiting("cuda"), range(2_000), open_image))
    assert missed == too_many == []


def test_items_are_read_from_their_source(project, items, eyes):
    chosen = list(Item.objects.select_related("source").order_by("id"))
    lost = chosen[3]
    Path(lost.source.location, lost.path).unlink()
    parts = list(embedding.embed_items(eyes, chosen))
    assert [item for part in parts for item in part[0]] == [item.pk for item in chosen if item != lost]
    assert [item for part in parts for item in part[1]] == [lost.pk]
    assert sum(len(part[2]) for part in parts) == len(chosen) - 1
