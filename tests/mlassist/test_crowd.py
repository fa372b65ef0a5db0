"""What several people's answers say of the truth, and of the people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlassist import crowd, label_errors
from mlassist.detectors.shapes import Shapes

CLASSES, PEOPLE = 5, 8


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(each)) for each in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def simulated(items: int, each: int, seed: int = 0) -> tuple[crowd.Votes, np.ndarray, np.ndarray, np.ndarray]:
    """Return votes of people who are right in 55 to 98 % of cases, truth, a model's word, and these rates."""
    rng = np.random.default_rng(seed)
    truth, rates = rng.integers(0, CLASSES, items), np.linspace(0.55, 0.98, PEOPLE)
    who = np.array([rng.permutation(PEOPLE)[:each] for _ in range(items)]).ravel()
    item = np.repeat(np.arange(items), each)
    right = rng.random(len(item)) < rates[who]
    label = np.where(right, truth[item], (truth[item] + rng.integers(1, CLASSES, len(item))) % CLASSES)
    sure = rng.dirichlet(np.ones(CLASSES), items) * 0.5
    sure[np.arange(items), truth] += 0.5
    return crowd.Votes.of(item, who, label, items, PEOPLE, CLASSES), truth, sure, rates


@pytest.mark.parametrize("each", [2, 3])
def test_a_model_is_one_more_opinion_that_makes_labels_better(each) -> None:
    votes, truth, sure, rates = simulated(800, each)
    found = crowd.crowdlab(votes, sure)
    alone = crowd.majority(votes)
    assert (found.consensus == truth).mean() > (alone.consensus == truth).mean() + 0.02
    assert spearman(found.quality, rates) > 0.9


def test_confusion_matrices_of_people_who_answer_much_are_worth_more_than_a_majority() -> None:
    votes, truth, _, rates = simulated(600, 4)
    found = crowd.dawid_skene(votes)
    assert (found.consensus == truth).mean() > (crowd.majority(votes).consensus == truth).mean()
    assert spearman(found.quality, rates) > 0.9
    assert np.abs(found.quality - rates).max() < 0.08


def test_doubt_is_where_the_labels_are_wrong() -> None:
    votes, truth, sure, _ = simulated(800, 1)
    found = crowd.crowdlab(votes, sure)
    quality = found.chances[np.arange(800), votes.label]
    wrong = votes.label != truth
    first = np.argsort(quality)[: int(wrong.sum())]
    assert wrong[first].mean() > 0.75


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 1_000))
def test_whatever_people_say_the_chances_are_chances(items: int, each: int, seed: int) -> None:
    votes, _, sure, _ = simulated(items, each, seed)
    for found in (crowd.majority(votes), crowd.majority(votes, sure), crowd.crowdlab(votes, sure),
                  crowd.dawid_skene(votes)):  # fmt: skip
        assert np.allclose(found.chances.sum(1), 1)
        assert found.chances.min() >= 0
        assert ((found.quality >= 0) & (found.quality <= 1)).all()


def test_nobody_is_thought_to_be_bad_for_being_asked_about_nothing() -> None:
    votes = crowd.Votes.of(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([1, 1, 0]), 2, 3, 2)
    found = crowd.crowdlab(votes, np.array([[0.2, 0.8], [0.7, 0.3]]))
    assert np.isfinite(found.quality).all()
    assert np.isfinite(crowd.dawid_skene(votes).quality).all()


def test_flipped_labels_come_first() -> None:
    rng = np.random.default_rng(1)
    truth, sure = simulated(1_000, 1)[1:3]
    labels = truth.copy()
    flipped = rng.permutation(1_000)[:50]
    labels[flipped] = (labels[flipped] + 1) % CLASSES
    found = label_errors.of_classes(sure, labels)
    assert len(set(found.order[:50]) & set(flipped)) >= 45
    assert (found.likely[flipped] == truth[flipped]).mean() > 0.9
    assert found.is_candidate[flipped].mean() > 2 * found.is_candidate.mean()
    assert len(label_errors.of_classes(np.empty((0, 3)), np.empty(0, int)).order) == 0


def test_a_missing_and_a_surplus_label_of_several_come_first() -> None:
    rng = np.random.default_rng(2)
    targets = (rng.random((200, 4)) < 0.4).astype(float)
    sure = np.clip(0.15 + 0.7 * targets + rng.normal(0, 0.05, targets.shape), 0.01, 0.99)
    given_targets = targets.copy()
    given_targets[:5, 0] = 1 - given_targets[:5, 0]
    order = np.argsort(label_errors.of_label_sets(sure, given_targets))
    assert set(order[:5]) == set(range(5))


def drawn(*rows: tuple[float, float, float, float, int, float]) -> Shapes:
    table = np.array(rows, float).reshape(-1, 6)
    return Shapes(table[:, :4], table[:, 4].astype(int), table[:, 5])


def test_boxes_that_are_missing_misplaced_or_of_another_class_come_first() -> None:
    whole = drawn((10, 10, 50, 50, 0, 0.99), (60, 60, 90, 90, 1, 0.99))
    given_boxes = {
        "right": whole,
        "missing": drawn((10, 10, 50, 50, 0, 1)),
        "misplaced": drawn((10, 10, 50, 50, 0, 1), (75, 75, 99, 99, 1, 1)),
        "swapped": drawn((10, 10, 50, 50, 1, 1), (60, 60, 90, 90, 1, 1)),
    }
    scores = dict(
        zip(given_boxes, label_errors.of_boxes([whole] * 4, list(given_boxes.values())), strict=True)
    )
    assert scores["right"] > 0.95
    assert all(scores[each] < scores["right"] - 0.1 for each in ("missing", "misplaced", "swapped"))
    assert label_errors.of_boxes([drawn()], [drawn()])[0] == pytest.approx(1)
