"""Backbones that need no weights: they see mean colours, each in its own order."""

from functools import lru_cache

import numpy as np

from mlassist.models import BackboneOffer


class Eyes:
    """A backbone that sees the mean colour, turned so that every name sees something else."""

    side, dimension, device = 8, 3, "cpu"

    def __init__(self, name="bundled"):
        self.name = name

    def use_one_thread(self):
        pass

    def prepare(self, image):
        return np.asarray(image.resize((8, 8)))

    def embed(self, images):
        means = images.mean((1, 2)).astype(np.float32)
        means = np.roll(means, len(self.name), axis=1)
        return means / np.linalg.norm(means, axis=1, keepdims=True)


def open_eyes(monkeypatch, make=Eyes):
    """Have workers load what `make` gives for a name, once per process as they do."""
    from mlassist.backbones import loading

    monkeypatch.setattr(loading, "load", lru_cache(maxsize=1)(make))


def offer(name, **fields):
    """Make the row of a backbone that was surveyed and can be used."""
    fields = {"title": name, "images_per_second": 100.0, "signature": "1 1"} | fields
    return BackboneOffer.objects.create(name=name, **fields)
