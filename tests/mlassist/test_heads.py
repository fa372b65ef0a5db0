from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering import index
from mlassist import heads
from mlassist.heads import gaussian, judging, logistic
from mlassist.predictions import Predictions, chosen

CENTRES = np.random.default_rng(0).normal(size=(6, 32)).astype(np.float32)


def images(sizes, noise=0.8, seed=1):
    """Return (features, class ids from 10) of as many rows per class as `sizes` says."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(sizes)), sizes)
    features = CENTRES[classes] + noise * rng.normal(size=(len(classes), 32))
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    return features.astype(np.float32), classes + 10


def train(sizes, **options):
    features, classes = images(sizes)
    pool, _ = images([40] * len(sizes), seed=2)
    return heads.train(features, [(int(each),) for each in classes], pool, **options)


def test_learns_and_is_calibrated():
    fit = train([60] * 6)
    features, classes = images([200] * 6, seed=3)
    found = fit.head.probabilities(features)
    right = fit.head.classes[found.argmax(1)] == classes
    assert right.mean() > 0.9
    assert fit.accuracy == pytest.approx(right.mean(), abs=0.05)
    assert abs(found.max(1).mean() - right.mean()) < 0.05
    assert np.allclose(found.sum(1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "sizes", [[1], [30], [1, 1, 1], [2, 1, 1], [1, 30], [5, 5], [30, 1, 1, 1], [200, 2]], ids=str
)
def test_few_or_lopsided_labels_still_give_a_head(sizes):
    fit = train(sizes)
    features, classes = images(sizes)
    found = fit.head.probabilities(features)
    assert found.shape == fit.out_of_fold.shape == (sum(sizes), len(sizes))
    assert np.isfinite(found).all()
    assert np.isfinite(fit.out_of_fold).all()
    assert (fit.head.classes[found.argmax(1)] == classes).mean() >= 0.8


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(ValueError, match="No class has a label"):
        heads.train(np.empty((0, 32), np.float32), [], np.empty((0, 32), np.float32))


def test_multilabel_tells_classes_apart_one_by_one():
    rng = np.random.default_rng(4)
    truth = rng.random((300, 4)) < 0.4
    truth[:, 3] = False
    truth[5, 3] = True  # a class with a single label
    features = truth @ CENTRES[:4] + 0.3 * rng.normal(size=(300, 32))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    labels = [tuple(np.flatnonzero(row) + 10) for row in truth]
    fit = heads.train(features, labels, features, multilabel=True)
    found = fit.head.probabilities(features)
    assert ((found >= 0.5) == truth)[:, :3].mean() > 0.95
    assert found.min() >= 0
    assert found.max() <= 1


def test_head_survives_storage():
    head = train([20] * 3).head
    features, _ = images([5] * 3)
    again = heads.Head.from_bytes(head.to_bytes())
    assert again.kind == head.kind
    assert np.array_equal(again.probabilities(features), head.probabilities(features))


def test_rows_that_a_model_picked_do_not_judge():
    easy, easy_classes = images([60] * 6, noise=0.05)
    hard, hard_classes = images([20] * 6, noise=2.0, seed=9)
    features = np.concatenate([easy, hard])
    labels = [(int(each),) for each in np.concatenate([easy_classes, hard_classes])]
    judged = np.arange(len(features)) >= len(easy)
    pool, _ = images([50] * 6, noise=2.0, seed=10)
    assert (
        heads.train(features, labels, pool, judged=judged).accuracy
        < heads.train(features, labels, pool).accuracy
    )


@pytest.mark.parametrize("count", [0, 3])
def test_without_rows_to_judge_by_a_head_is_chosen_all_the_same_and_never_sure(count):
    judged = np.arange(120) < count
    fit, trusting = train([40] * 3, judged=judged), train([40] * 3)
    assert np.isfinite([fit.loss, fit.accuracy]).all()
    assert fit.out_of_fold.max(1).mean() < trusting.out_of_fold.max(1).mean()


def fitted(features, classes, **options):
    return heads.train(features, [(int(each),) for each in classes], features, **options)


def graph_of(pool, labeled):
    found = index.neighbours(pool)
    return heads.Neighbours.of(found.rows, found.cosines, labeled)


def crescents(of_each, seed=0):
    """Two thin bands of look-alikes that no straight line between two labels would tell apart."""
    rng = np.random.default_rng(seed)
    angle = rng.random(2 * of_each) * np.pi
    upper = np.arange(2 * of_each) < of_each
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    wide = np.stack([x, y, np.ones_like(x)], 1) @ rng.normal(size=(3, 16))
    lifted = np.cos(3 * wide + rng.normal(size=16))
    return (lifted / np.linalg.norm(lifted, axis=1, keepdims=True)).astype(np.float32), np.where(
        upper, 10, 11
    )


def test_a_label_of_each_class_spreads_over_look_alikes():
    pool, truth = crescents(200)
    alone, spread = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        labeled = np.array([rng.choice(np.flatnonzero(truth == each)) for each in (10, 11)])
        labels = [(int(each),) for each in truth[labeled]]
        for graph, right in ((None, alone), (graph_of(pool, labeled), spread)):
            head = heads.train(pool[labeled], labels, pool, graph=graph).head
            right.append((head.classes[head.probabilities(pool).argmax(1)] == truth).mean())
    assert np.mean(spread) > np.mean(alone) + 0.05


def test_held_out_labels_do_not_reach_their_neighbours():
    # Exact copies of an image in two folds would tell its class; its own label must not.
    pool = np.random.default_rng(0).normal(size=(200, 32)).astype(np.float32)
    pool /= np.linalg.norm(pool, axis=1, keepdims=True)
    labeled = np.arange(60)
    classes = np.random.default_rng(1).integers(10, 13, 60)
    fit = heads.train(pool[labeled], [(int(each),) for each in classes], pool, graph=graph_of(pool, labeled))
    assert abs((fit.head.classes[fit.out_of_fold.argmax(1)] == classes).mean() - 1 / 3) < 0.2
    assert fit.loss > 0.95 * np.log(3)


@given(st.permutations(range(4)), st.integers(0, 1_000))
@settings(max_examples=5)
def test_renaming_classes_renames_the_answers_and_nothing_else(names, seed):
    features, classes = images([12, 9, 7, 15], seed=seed)
    renamed = np.array(names)[classes - 10] + 10
    one, other = fitted(features, classes).head, fitted(features, renamed).head
    found, again = one.probabilities(features), other.probabilities(features)
    assert (found.argmax(1) == again[:, names].argmax(1)).all()
    assert np.abs(found - again[:, names]).mean() < 0.01  # folds that differ by chance make no more of it
    assert np.allclose(found.sum(1), 1, atol=1e-5)


@given(st.integers(0, 1_000))
@settings(max_examples=5)
def test_copies_of_images_do_no_harm(seed):
    features, classes = images([15, 10, 12], seed=seed)
    twice = fitted(np.repeat(features, 2, 0), np.repeat(classes, 2)).head
    test, truth = images([100] * 3, seed=seed + 1)
    found = twice.probabilities(test)
    assert np.isfinite(found).all()
    once = fitted(features, classes).head.probabilities(test)
    right = [(twice.classes[each.argmax(1)] == truth).mean() for each in (once, found)]
    assert right[1] > right[0] - 0.05


@given(st.floats(0.05, 50), st.integers(0, 1_000))
@settings(max_examples=5)
def test_a_temperature_changes_no_ranking(temperature, seed):
    features, classes = images([6, 6, 6], seed=seed)
    head = fitted(features, classes).head
    scores = features @ head.weights + head.bias
    warmed = replace(head, temperature=temperature).probabilities(features)
    assert (warmed.argmax(1) == scores.argmax(1)).all()


def test_temperature_of_true_probabilities_is_one():
    rng = np.random.default_rng(0)
    scores = 2 * rng.normal(size=(4_000, 5)).astype(np.float32)
    several = rng.random(scores.shape) < heads.sigmoid(scores)
    odds = heads.softmax(scores).cumsum(1)
    one = np.eye(5)[(rng.random((4_000, 1)) > odds[:, :-1]).sum(1)]
    assert judging.best_temperature(3 * scores, one, multilabel=False) == pytest.approx(3, rel=0.1)
    assert judging.best_temperature(3 * scores, several, multilabel=True) == pytest.approx(3, rel=0.1)
    # A few rows that happen to be right are no reason to be sure.
    assert judging.best_temperature(scores[:10], np.eye(5)[scores[:10].argmax(1)], multilabel=False) > 0.2


def test_a_start_near_the_optimum_changes_the_speed_only():
    features, classes = images([30] * 4, noise=1.5)
    targets = np.eye(4, dtype=np.float32)[classes - 10]
    cold = logistic.softmax_regression(features, targets, 3.0)
    most = np.arange(120) % 5 > 0
    near = logistic.softmax_regression(features[most], targets[most], 3.0)
    warm = logistic.softmax_regression(features, targets, 3.0, start=near)
    hurried = [
        logistic.softmax_regression(features, targets, 3.0, start=start, steps=2) for start in (None, near)
    ]
    cold, warm, *hurried = (features @ weights + bias for weights, bias in (cold, warm, *hurried))
    cold, warm, *hurried = (heads.softmax(each) for each in (cold, warm, *hurried))
    assert np.abs(warm - cold).max() < 0.01
    assert np.abs(hurried[1] - cold).max() < np.abs(hurried[0] - cold).max()


def test_rare_classes_are_not_given_up():
    features, classes = images([200, 8, 8], noise=2.5)
    test, truth = images([300] * 3, noise=2.5, seed=5)
    fit = fitted(features, classes)
    found = fit.head.classes[fit.head.probabilities(test).argmax(1)]
    recalls = [(found[truth == each] == each).mean() for each in (10, 11, 12)]
    plain = logistic.softmax_regression(features, np.eye(3, dtype=np.float32)[classes - 10], 3.0)
    found = 10 + (test @ plain[0] + plain[1]).argmax(1)
    assert np.mean(recalls) > np.mean([(found[truth == each] == each).mean() for each in (10, 11, 12)])


def test_a_class_joins_with_its_first_example():
    features, classes = images([40, 40, 1])
    before = fitted(features[:-1], classes[:-1])
    after = fitted(features, classes)
    assert before.head.classes.tolist() == [10, 11]
    assert after.head.classes.tolist() == [10, 11, 12]
    assert after.head.classes[after.head.probabilities(features[-1:]).argmax()] == 12
    # The only example cannot be judged by: held out, nothing of its class is left to learn from.
    assert after.accuracy > 0.9
    test, truth = images([50] * 3, seed=8)
    seen = Predictions.of(before.head, test)
    assert seen.wrong([(int(each),) for each in truth])[truth == 12].all()


def test_many_classes_with_one_or_two_examples_each():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(300, 64))
    classes = np.concatenate([np.arange(300), np.arange(100)])
    features = centres[classes] + 0.3 * rng.normal(size=(400, 64))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    fit = fitted(features, classes)
    assert (fit.head.classes[fit.head.probabilities(features).argmax(1)] == classes).mean() > 0.95


def test_multilabel_bears_classes_that_are_always_or_never_there():
    rng = np.random.default_rng(4)
    truth = rng.random((120, 3)) < 0.4
    truth[:, 0] = True
    features = truth @ CENTRES[:3] + 0.3 * rng.normal(size=(120, 32))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    fit = heads.train(features, [tuple(np.flatnonzero(row) + 10) for row in truth], features, multilabel=True)
    found = fit.head.probabilities(features)
    assert found[:, 0].min() > 0.9
    assert (((found >= 0.5) == truth)[:, 1:]).mean() > 0.95
    never = heads.train(features, [(10,)] * 120, features, multilabel=True)
    assert never.head.classes.tolist() == [10]


@pytest.mark.parametrize("multilabel", [False, True])
def test_what_is_said_of_a_pool_does_not_depend_on_the_chunks(multilabel, monkeypatch):
    features, classes = images([40] * 3)
    labels = [(int(each), 10) if multilabel else (int(each),) for each in classes]
    labels = [tuple(sorted(set(each))) for each in labels]
    head = heads.train(features, labels, features, multilabel=multilabel).head
    whole = Predictions.of(head, features)
    probabilities = head.probabilities(features)
    monkeypatch.setattr("mlassist.predictions.CELLS", 20)
    parts = Predictions.of(head, features)
    assert list(chosen(parts)) == list(chosen(whole))
    for name in ("confidence", "margin", "top", "sure"):
        assert np.allclose(getattr(parts, name), getattr(whole, name))
    answers = probabilities >= 0.5 if multilabel else np.eye(3)[probabilities.argmax(1)] > 0
    assert list(chosen(parts)) == [head.classes[row].tolist() for row in answers]
    blocked = parts.without([1])
    assert (np.isinf(blocked) == (answers[:, 1] | ~answers.any(1))).all()
    assert not parts.wrong(list(chosen(whole))).any()


@pytest.mark.parametrize("regression", [logistic.softmax_regression, logistic.one_vs_rest])
def test_a_label_that_counts_twice_is_a_label_given_twice(regression) -> None:
    features, targets = noisy(), np.eye(3, dtype=np.float32)[np.arange(60) % 3]
    counts = np.where(np.arange(60) < 20, 2.0, 1.0).astype(np.float32)
    twice = np.concatenate([np.arange(60), np.arange(20)])
    counted = regression(features, targets, 1.0, counts=counts)
    given = regression(features[twice], targets[twice], 1.0)
    assert np.allclose(features @ counted[0] + counted[1], features @ given[0] + given[1], atol=0.02)


def test_labels_that_hardly_count_hardly_teach() -> None:
    rng = np.random.default_rng(5)
    features = np.eye(2, 16)[np.arange(80) % 2] + 0.3 * rng.normal(size=(80, 16))
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    labels = [(int(each),) for each in np.where(np.arange(80) < 40, np.arange(80) % 2, 1 - np.arange(80) % 2)]
    counts = np.where(np.arange(80) < 40, 1.0, 0.01)
    head = heads.train(features, labels, features, counts=counts, judged=np.arange(80) < 40).head
    assert np.mean(head.probabilities(features[:40]).argmax(1) == np.arange(40) % 2) > 0.95


def test_one_label_given_in_bulk_still_is_where_its_image_is() -> None:
    features, targets = np.eye(2, 8).astype(np.float32), np.diag([0.9, 1.0])
    assert np.allclose(gaussian.class_means(features, targets), features)


def noisy() -> np.ndarray:
    rng = np.random.default_rng(4)
    return (np.eye(3, 12)[np.arange(60) % 3] + 0.8 * rng.normal(size=(60, 12))).astype(np.float32)
