import numpy as np
import pytest

from mlassist import heads

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
    fit = train([40] * 3, judged=judged)
    assert np.isfinite([fit.loss, fit.accuracy]).all()
    assert fit.head.temperature == heads.UNCALIBRATED
