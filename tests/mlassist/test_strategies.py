from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
import pytest

from clustering import index
from mlassist.strategies import exploring, rare, regimes, typical, uncertain
from mlassist.strategies.regimes import Reason
from mlassist.strategies.situation import Situation, rank_within

STRATEGIES = {
    "typical": typical.pick,
    "uncertain": uncertain.pick,
    "rare": rare.pick,
    "exploring": exploring.pick,
    "before a model": lambda *given: regimes.before_a_model(*given).rows,
    "with a model": lambda *given: regimes.with_a_model(*given).rows,
}


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def situation(features, targets, labels, *, probabilities=None, multilabel=False, seed=0):
    """The first `labels` rows of a shuffled pool are labeled, some of the others are on nobody's list."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(features))
    labeled, still_open = order[:labels], order[labels + len(features) // 20 :]
    if probabilities is None:
        probabilities = rng.dirichlet(np.full(targets.shape[1], 0.3), len(features)).astype(np.float32)
    seen = probabilities[still_open]
    return Situation(
        features,
        typical.typicality(index.neighbours(features, 20).cosines),
        still_open,
        labeled,
        targets[labeled],
        uncertain.label_margins(seen) if multilabel else uncertain.margins(seen),
        seen.argmax(1),
    )


def one_of(classes, count, rng):
    return np.eye(classes, dtype=bool)[rng.integers(0, classes, count)]


@dataclass(frozen=True)
class Pool:
    """Makes a pool with `labels` of its images labeled, the same one for all who ask."""

    classes: int = 3
    count: int = 300
    dimension: int = 16
    kind: str = ""

    @cache  # noqa: B019  there are few
    def __call__(self, labels):
        rng = np.random.default_rng(0)
        features = unit(rng.normal(size=(self.count, self.dimension)))
        targets = one_of(self.classes, self.count, rng)
        if self.kind == "copies":
            features[: self.count // 2] = features[0]
        if self.kind == "constant":
            features[:] = features[0]
        if self.kind == "multilabel":
            targets = rng.random((self.count, self.classes)) < 0.3
            chances = rng.random((self.count, self.classes)).astype(np.float32)
            return situation(features, targets, labels, probabilities=chances, multilabel=True)
        return situation(features, targets, labels)


POOLS = {
    "plain": Pool(),
    "one class": Pool(classes=1),
    "a thousand classes": Pool(classes=1_000),
    "multi-label": Pool(classes=5, kind="multilabel"),
    "copies of one image": Pool(kind="copies"),
    "constant": Pool(kind="constant"),
}


@pytest.mark.parametrize("labels", [0, 1, 10, 60])
@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("pick", STRATEGIES.values(), ids=STRATEGIES)
def test_strategies_give_as_many_open_rows_as_asked_and_the_same_ones_again(pick, pool, labels):
    given = pool(labels)
    before = {field.name: getattr(given, field.name).copy() for field in fields(given)}
    for count in (0, 1, 20, len(given.open), 1_000):
        rows = pick(given, count, 1)
        assert len(rows) == min(count, len(given.open))
        assert len(np.unique(rows)) == len(rows)
        assert np.isin(rows, given.open).all()
        assert np.array_equal(rows, pick(given, count, 1))
    for name, value in before.items():
        assert np.array_equal(getattr(given, name), value), name


@pytest.mark.parametrize("pick", STRATEGIES.values(), ids=STRATEGIES)
def test_strategies_look_at_a_part_of_large_pools(pick, monkeypatch):
    monkeypatch.setattr("mlassist.strategies.situation.LARGE", 200)
    monkeypatch.setattr("mlassist.strategies.situation.LIMIT", 50)
    given = Pool()(60)
    for count in (5, 100, 1_000):
        rows = pick(given, count, 1)
        assert len(np.unique(rows)) == len(rows) == min(count, len(given.open))


def clouds(sizes, noise=0.02):
    """Clouds of so many images each around directions of their own."""
    rng = np.random.default_rng(0)
    centres = np.repeat(np.eye(len(sizes), 16), sizes, axis=0)
    return unit(centres + noise * rng.normal(size=centres.shape)), np.repeat(np.arange(len(sizes)), sizes)


def unlabeled(features, classes=3):
    density = typical.typicality(index.neighbours(features, 20).cosines)
    none = np.empty(0, np.int64)
    return Situation.without_model(
        features, density, np.arange(len(features)), none, np.empty((0, classes), bool)
    )


def test_typical_rows_come_from_every_cluster_the_largest_first():
    features, cloud = clouds([80, 20, 40, 30, 60])
    rows = typical.pick(unlabeled(features), 5, seed=0)
    assert cloud[rows].tolist() == [0, 4, 2, 3, 1]


def test_typical_rows_leave_out_clusters_that_hold_a_label():
    features, cloud = clouds([80, 20, 40, 30, 60])
    given = unlabeled(features).after(np.flatnonzero(cloud == 0)[:1]).after(np.flatnonzero(cloud == 2)[:1])
    assert set(cloud[typical.pick(given, 3, seed=0)]) == {1, 3, 4}


def test_the_first_images_cover_the_pool_however_few_of_them_are_labeled():
    features, cloud = clouds([400] + 15 * [40])
    rows = regimes.before_a_model(unlabeled(features), 200, seed=0).rows
    assert len(set(cloud[rows[:25]])) >= 14
    assert (cloud[rows] == 0).mean() < 0.5


def test_unsure_rows_are_spread_over_what_the_model_is_unsure_of():
    features, cloud = clouds([100, 100, 100, 100])
    margin = np.where(cloud == 3, 0.9, 0.1) + np.random.default_rng(0).uniform(0, 0.05, len(cloud))
    rows = uncertain.pick(replace(unlabeled(features), margin=margin), 12, seed=0)
    assert set(cloud[rows]) == {0, 1, 2}


def test_small_margins_and_rare_classes_come_first():
    margin = np.tile(np.linspace(0.01, 1, 100), 2)
    predicted = np.repeat([0, 1], 100)
    places = uncertain.balanced(margin, predicted, np.array([399, 3]), 55)
    assert (predicted[places] == 1).sum() > 45
    assert margin[places[predicted[places] == 0]].max() < 0.1


def test_rare_classes_are_searched_for_around_their_labels():
    features, cloud = clouds([200, 200, 12, 8])
    labeled = np.concatenate([np.flatnonzero(cloud == each)[:n] for each, n in enumerate((20, 20, 2, 1))])
    given = replace(
        unlabeled(features),
        labeled=labeled,
        targets=np.eye(4, dtype=bool)[cloud[labeled]],
        open=np.setdiff1d(np.arange(len(cloud)), labeled),
    )
    assert rare.classes(given.label_counts).tolist() == [2, 3]
    assert sorted(cloud[rare.pick(given, 10, seed=0)]) == 5 * [2] + 5 * [3]


def reasons_with(label_counts, count=200):
    rng = np.random.default_rng(0)
    features = unit(rng.normal(size=(2_000, 16)))
    targets = np.repeat(np.eye(len(label_counts), dtype=bool), label_counts, axis=0)
    chances = rng.dirichlet(np.ones(len(label_counts)), 2_000)
    given = situation(features, one_of(len(label_counts), 2_000, rng), len(targets), probabilities=chances)
    batch = regimes.with_a_model(replace(given, targets=targets), count, seed=0)
    return {
        reason: int((batch.reasons == reason).sum()) for reason in Reason if (batch.reasons == reason).any()
    }


def test_batches_are_made_of_what_the_labels_call_for():
    few, some, uneven = [4, 4, 4], [20, 20, 20], [90, 90, 5]
    assert reasons_with(few) == {Reason.TYPICAL: 100, Reason.UNSURE: 90, Reason.RANDOM: 10}
    assert reasons_with(some) == {Reason.UNSURE: 190, Reason.RANDOM: 10}
    assert reasons_with(uneven) == {Reason.UNSURE: 170, Reason.RARE: 20, Reason.RANDOM: 10}


def test_a_class_without_labels_is_looked_for_but_not_for_ever():
    assert reasons_with([20, 20, 0])[Reason.TYPICAL] == 50
    assert Reason.TYPICAL not in reasons_with([100, 100, 0])


def test_every_part_of_a_batch_is_spread_over_it():
    given = Pool(count=2_000)(9)
    reasons = regimes.with_a_model(given, 100, seed=0).reasons
    assert (reasons[:20] == Reason.TYPICAL).sum() == 10
    assert (reasons[:20] == Reason.RANDOM).sum() == 1


def test_ranks_count_within_each_group():
    group, key = np.array([1, 0, 1, 1, 0]), np.array([3.0, 1.0, 2.0, 9.0, 5.0])
    assert rank_within(group, key).tolist() == [1, 0, 0, 2, 1]
