"""What the benchmarks measure with has to be right itself."""

import numpy as np
import pytest

from tests.benchmarks import probes, recipe


@pytest.fixture(scope="module")
def clusters():
    """Three well separated classes of sixty vectors each, in no order."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, 2], 60))
    return (np.eye(8)[labels] + 0.05 * rng.normal(size=(180, 8))).astype(np.float32), labels


def test_separate_classes_are_learned_and_have_pure_neighbours(clusters):
    vectors, labels = clusters
    assert probes.learning(vectors, labels, 30) == 1
    assert probes.split_accuracy(vectors, labels, np.arange(180), splits=2) == 1
    assert probes.purity(vectors, labels) == 1


def test_what_is_no_better_than_chance_scores_as_chance(clusters):
    _, labels = clusters
    noise = np.random.default_rng(1).normal(size=(180, 8)).astype(np.float32)
    assert probes.split_accuracy(noise, labels, np.arange(180), splits=6) < 0.45
    assert probes.purity(noise, labels) == pytest.approx(1 / 3, abs=0.06)


def test_images_to_learn_from_and_to_test_with_are_others(clusters):
    _, labels = clusters
    rest = probes.for_learning(labels)
    assert np.bincount(labels[rest]).tolist() == [50, 50, 50]
    few = probes.few_of_each(labels, rest, 30, seed=0)
    assert set(few) <= set(rest)
    assert np.bincount(labels[few]).tolist() == [10, 10, 10]
    assert set(few) != set(probes.few_of_each(labels, rest, 30, seed=1))


def test_a_picture_is_never_on_both_sides():
    group = np.repeat(np.arange(20), 4)
    train, test = probes.halves(group, seed=0)
    assert len(train) + len(test) == 80
    assert not set(group[train]) & set(group[test])


def test_presence_tells_classes_apart_that_occur_together(clusters):
    vectors, labels = clusters
    truth = np.stack([labels == 0, labels != 1, labels >= 0], 1).astype(int)
    found = probes.presence(vectors, truth, ("a", "b", "always"), np.arange(180), splits=2)
    assert found["classes"]["a"]["average_precision"] == pytest.approx(1)
    assert found["classes"]["b"]["accuracy"] == 1
    assert found["classes"]["always"] == {"share": 1.0, "average_precision": None, "accuracy": None}
    assert found["accuracy"] == 1


def test_whitening_gives_axes_equal_weight():
    rows = np.random.default_rng(0).normal(size=(4_000, 6)) * [8, 4, 2, 1, 0.5, 0.25]
    seen = recipe.whitened(rows, 4, held_back=False)
    assert seen.shape == (4_000, 4)
    assert np.allclose((seen**2).mean(0), 1 / 4, atol=0.01)
    held_back = (recipe.whitened(rows, 6, held_back=True) ** 2).mean(0)
    assert held_back[0] < 0.1 * held_back[-1]


class Network:
    """Stands in for measuring: knows what each choice is worth."""

    def __init__(self, worth):
        self.worth = worth
        self.asked = []

    def __call__(self, choice):
        self.asked.append(choice)
        milliseconds = choice.side / 100 * (1 + choice.mirrored)
        return recipe.Row(choice, 1, milliseconds, {"set": self.worth(choice)}, {"set": 0.5})


def test_the_search_combines_what_helps_and_measures_nothing_twice(capsys):
    def worth(choice):
        return 0.5 + 0.1 * (choice.power == 0.25) + 0.2 * (choice.pooling == ("cubic",)) + choice.side / 1e4

    start = recipe.Choice((3, 4), 1, ("mean",), 0.5, None, True, 96)
    network = Network(worth)
    search = recipe.Search(network, start)
    search.run(recipe.FACTORS)
    assert len(network.asked) == len(set(network.asked)) == len(capsys.readouterr().out.splitlines())
    best = max(search.rows, key=search.gain)
    assert (best.pooling, best.power, best.side) == (("cubic",), 0.25, 128)
    assert search.gain(best) == pytest.approx(0.3 + 32 / 1e4)
    pareto = search.pareto()
    assert [row.choice.side for row in pareto] == [64, 80, 96, 112, 128]
    assert not any(row.choice.mirrored for row in pareto)
