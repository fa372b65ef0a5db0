"""A project that two backbones have looked at, or may look at."""

import numpy as np
import pytest

from clustering import embeddings
from tests import factories
from tests.mlassist.eyes import OTHER, featurize, offer, open_eyes
from tests.mlassist.playing import COUNT, NOISE, shuffled_items


@pytest.fixture
def other(db):
    return offer(OTHER, title="Other")


@pytest.fixture
def eyes(monkeypatch):
    pytest.importorskip("torch")
    open_eyes(monkeypatch)


@pytest.fixture
def looked_at(project, items, other, eyes):
    """A project whose twelve images its backbone has seen."""
    featurize(project)
    return project


@pytest.fixture
def pool(project, other, request):
    """900 items of three classes in turn, as two backbones see them: clouds in different directions."""
    project.target_error = 0.1
    project.validation_rate = 0.33
    project.save()
    items = shuffled_items(project, np.random.default_rng(0))
    for name, dimension, seed in (("bundled", 24, 1), (OTHER, 20, 2)):
        noise = getattr(request, "param", NOISE) * np.random.default_rng(seed).normal(size=(COUNT, dimension))
        vectors = np.eye(3, dimension)[np.arange(COUNT) % 3] + noise / np.sqrt(dimension)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        embeddings.add(embeddings.set_of(project, name), [item.pk for item in items], vectors)
    factories.open_queue(project, items)
    return items
