import numpy as np
import pytest

from mlassist.strategies import exploring, typical, uncertain

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(300, 16)).astype(np.float32)
FEATURES /= np.linalg.norm(FEATURES, axis=1, keepdims=True)


def by_typicality(count, features=FEATURES):
    return typical.order(features, np.linspace(0, 1, len(features)), count, seed=1)


def by_uncertainty(count, features=FEATURES):
    margin = np.linspace(0, 1, len(features))
    predicted = np.arange(len(features)) % 3
    return uncertain.order(features, margin, predicted, np.array([5, 5, 5]), count, seed=1)


@pytest.mark.parametrize("order", [by_typicality, by_uncertainty])
@pytest.mark.parametrize("count", [0, 1, 20, 300, 1_000])
def test_gives_distinct_rows_and_the_same_ones_again(order, count):
    rows = order(count)
    assert len(rows) <= min(count, len(FEATURES))
    assert len(rows) >= min(count, len(FEATURES)) * 0.6
    assert len(np.unique(rows)) == len(rows)
    assert np.array_equal(rows, order(count))
    assert not len(order(count, FEATURES[:0]))


def test_typical_rows_cover_every_cluster():
    centres = np.eye(5, 16, dtype=np.float32)
    features = np.repeat(centres, 40, axis=0) + 0.02 * RNG.normal(size=(200, 16)).astype(np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    rows = typical.order(features, np.ones(200), 20, seed=0)
    assert set(rows // 40) == {0, 1, 2, 3, 4}


def test_small_margins_and_rare_classes_come_first():
    margin = np.tile(np.linspace(0.01, 1, 100), 2)
    predicted = np.repeat([0, 1], 100)
    rows = uncertain.balanced(margin, predicted, np.array([399, 3]), 55)
    assert (predicted[rows] == 1).sum() > 45
    assert margin[rows[predicted[rows] == 0]].max() < 0.1


def test_random_picks_are_mixed_in():
    rows, at_random = exploring.mix_in(np.arange(100), np.arange(100, 200), seed=3)
    assert at_random.sum() == 6
    assert len(np.unique(rows)) == len(rows) == 106
    assert (rows[at_random] >= 100).all()
    assert np.array_equal(rows[~at_random], np.arange(100))
