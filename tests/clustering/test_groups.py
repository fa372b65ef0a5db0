import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering import groups, index


def look_alikes(clusters=12, size=15, noise=0.15, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, 24))
    features = np.repeat(centres, size, axis=0) + noise * rng.normal(size=(clusters * size, 24))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return features.astype(np.float32), np.repeat(np.arange(clusters), size)


def form(features, predicted, purity=None, eligible=None):
    graph = index.neighbours(features)
    count = len(features)
    return groups.form(
        graph.rows,
        graph.cosines,
        predicted,
        np.full(count, 0.95) if purity is None else purity,
        np.ones(count, bool) if eligible is None else eligible,
    )


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.02, 1.5), st.integers(1, 5), st.integers(2, 120))
def test_groups_keep_their_promises_whatever_the_pool_is_like(seed, noise, clusters, size):
    features, truth = look_alikes(clusters, size, noise, seed)
    rng = np.random.default_rng(seed)
    predicted = np.where(rng.random(len(truth)) < 0.8, truth, rng.integers(0, clusters, len(truth)))
    purity, eligible = rng.uniform(0.7, 1, len(truth)), rng.random(len(truth)) < 0.8
    found = form(features, predicted, purity, eligible)
    rows = np.concatenate([np.empty(0, int), *(each.rows for each in found)])
    assert len(np.unique(rows)) == len(rows)
    assert eligible[rows].all()
    for each in found:
        assert groups.SMALLEST <= len(each.rows) <= groups.LARGEST
        assert (predicted[each.rows] == each.column).all()
        assert each.purity == pytest.approx(purity[each.rows].mean())
        assert each.purity >= groups.PURITY
        to_seed = features[each.rows[:-1]] @ features[each.rows[-1]]
        assert (np.diff(to_seed) >= -2e-3).all()  # the least alike comes first; cosines are half floats


def test_clear_clusters_become_pure_groups():
    features, truth = look_alikes()
    found = form(features, truth)
    assert sum(len(each.rows) for each in found) > len(truth) / 2
    assert all(len(set(truth[each.rows])) == 1 for each in found)


def test_a_group_ends_where_its_images_would_be_wrong_too_often():
    places = np.arange(8)
    neighbours = np.array(
        [sorted(places[places != each], key=lambda other: abs(other - each)) for each in places]
    )
    cosines = 1 - 0.01 * np.abs(neighbours - places[:, None])
    purity = np.where(places < 5, 0.95, 0.1)
    one_class, everything = np.zeros(8, int), np.ones(8, bool)
    (found,) = groups.form(neighbours, cosines, one_class, purity, everything)
    assert found.rows.tolist() == [4, 3, 2, 1, 0]
    assert not groups.form(neighbours, cosines, one_class, np.full(8, 0.85), everything)


def test_what_is_measured_on_labels_holds_for_others_like_them():
    rng = np.random.default_rng(0)
    support = rng.random(4_000)
    right = rng.random(4_000) < support
    curve = groups.measured(support[:1_000], right[:1_000])
    sure = support[1_000:] > 0.9
    kept = right[1_000:][sure].mean()
    assert kept - 0.1 < curve(support[1_000:][sure]).mean() < kept
    assert (np.diff(curve(np.linspace(0, 1, 50))) >= 0).all()


def test_few_labels_promise_little():
    assert groups.measured(np.ones(10), np.ones(10, bool)) is None
    assert groups.measured(np.ones(20), np.arange(20) > 0)(1.0) < groups.PURITY
    assert groups.measured(np.ones(20), np.ones(20, bool))(1.0) >= groups.PURITY


def test_neighbours_of_another_class_take_support_away():
    features, truth = look_alikes(clusters=2, size=20, noise=0.05)
    probabilities = np.where(truth[:, None] == np.arange(2), 0.9, 0.1)
    probabilities[0] = probabilities[0, ::-1]  # the odd one in its cluster
    near = index.neighbours(features).rows
    support = groups.support(probabilities, probabilities.max(1), near)
    assert support[0] < support[1:].min()


def copies_of(features, count, seed=0):
    rng = np.random.default_rng(seed)
    again = features[:count] + 0.05 / np.sqrt(24) * rng.normal(size=(count, 24))
    again /= np.linalg.norm(again, axis=1, keepdims=True)
    return np.concatenate([features, again]).astype(np.float32)


def pictures(features, eligible=None):
    graph = index.neighbours(features)
    eligible = np.ones(len(features), bool) if eligible is None else eligible
    return groups.same_pictures(graph.rows, graph.cosines, groups.copies(graph.rows, graph.cosines), eligible)


def test_copies_find_each_other_and_look_alikes_are_no_copies():
    features, truth = look_alikes()
    assert pictures(features) == []
    found = pictures(copies_of(features, 30))
    assert sorted(sorted(each.rows.tolist()) for each in found) == [
        [row, len(truth) + row] for row in range(30)
    ]
    assert {each.column for each in found} == {None}


def test_one_picture_many_times_comes_in_groups_of_a_few_pages():
    features, truth = look_alikes()
    many = np.concatenate([features, np.repeat(features[:1], 60, axis=0)])
    found = pictures(many)
    rows = np.concatenate([each.rows for each in found])
    assert len(np.unique(rows)) == len(rows)
    assert set(rows) <= {0, *range(len(truth), len(many))}
    assert all(2 <= len(each.rows) <= groups.LARGEST for each in found)


def test_copies_that_are_not_eligible_stay_alone():
    features, truth = look_alikes()
    many = copies_of(features, 30)
    eligible = np.arange(len(many)) < len(truth)
    assert pictures(many, eligible) == []


@given(st.integers(0, 1_000))
def test_pairs_of_copies_are_the_copies_one_by_one(seed) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(40, 8))
    vectors[20:30] = vectors[:10] + rng.normal(size=(10, 8)) * rng.choice([0.0, 0.01, 0.1, 0.5], (10, 1))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    neighbours = np.argsort(-cosines, axis=1)[:, :12]
    likeness = np.take_along_axis(cosines, neighbours, axis=1).astype(np.float16)
    row, slot = np.nonzero(groups.copies(neighbours, likeness))
    wanted = {tuple(sorted(pair)) for pair in zip(row.tolist(), neighbours[row, slot].tolist(), strict=True)}
    found = groups.copied_pairs(neighbours, likeness)
    assert {tuple(pair) for pair in found.tolist()} == wanted
