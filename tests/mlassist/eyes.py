"""Backbones that need no weights: they see mean colours, each in its own order."""

import numpy as np

from mlassist import featurization
from mlassist.models import BackboneOffer
from tests import factories

OTHER = "file/other"


class Eyes:
    """A backbone that sees the mean colour, turned so that every name sees something else."""

    side, dimension, device = 8, 3, "cpu"
    fingerprint = "0123456789abcdef"

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


class OtherEyes(Eyes):
    """What a network of other weights sees under the same name."""

    fingerprint = "fedcba9876543210"

    def embed(self, images):
        return np.roll(super().embed(images), 1, axis=1)


def open_eyes(monkeypatch, make=Eyes):
    """Have workers load what `make` gives for a name."""
    from mlassist.backbones import loading

    monkeypatch.setattr(loading, "load", make)


def offer(name, **fields):
    """Make the row of a backbone that was surveyed and can be used."""
    fields = {"title": name, "images_per_second": 100.0, "signature": "1 1"} | fields
    return BackboneOffer.objects.create(name=name, **fields)


def featurize(project):
    """Let the ticks look and the worker work until nothing is left to embed."""
    for _ in range(10):
        project.refresh_from_db()
        featurization.pull()
        if not factories.run_jobs("ml"):
            return
    raise AssertionError("it never ends")
