import numpy as np

from clustering import groups, index


def look_alikes(clusters=12, size=15, noise=0.15, seed=0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, 24))
    features = np.repeat(centres, size, axis=0) + noise * rng.normal(size=(clusters * size, 24))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return features.astype(np.float32), np.repeat(np.arange(clusters), size)


def form(features, predicted, confidence=None, eligible=None, floor=0.8):
    graph = index.neighbours(features, 12)
    count = len(features)
    return groups.form(
        graph.rows,
        graph.cosines,
        predicted,
        np.full(count, 0.9) if confidence is None else confidence,
        np.ones(count, bool) if eligible is None else eligible,
        floor,
    )


def test_groups_are_pure_disjoint_and_of_a_size_for_one_page():
    features, truth = look_alikes()
    found = form(features, truth)
    rows = np.concatenate([each.rows for each in found])
    assert len(found) >= 12
    assert len(np.unique(rows)) == len(rows)
    for each in found:
        assert 4 <= len(each.rows) <= 9
        assert (truth[each.rows] == each.column).all()
        to_seed = features[each.rows] @ features[each.rows[-1]]
        assert to_seed[0] <= to_seed[1:].min() + 1e-3  # the least alike comes first


def test_neighbours_of_another_predicted_class_stay_apart():
    features, truth = look_alikes(noise=0.05)
    halves = truth * 2 + np.arange(len(truth)) % 2
    for each in form(features, halves):
        assert len(set(halves[each.rows])) == 1


def test_only_eligible_and_confident_rows_are_grouped():
    features, truth = look_alikes()
    eligible = np.arange(len(truth)) % 2 == 0
    for each in form(features, truth, eligible=eligible):
        assert eligible[each.rows].all()
    assert not form(features, truth, confidence=np.full(len(truth), 0.3))


def test_without_evidence_of_likeness_the_model_has_to_be_surer():
    features, truth = look_alikes()
    middling = np.full(len(truth), 0.75)
    assert form(features, truth, confidence=middling)
    assert not form(features, truth, confidence=middling, floor=float("inf"))
    assert form(features, truth, confidence=np.full(len(truth), 0.85), floor=float("inf"))


def test_cosine_floor_is_where_labels_agree():
    features, truth = look_alikes(clusters=6, size=20)
    alike = (features @ features.T)[truth[:, None] == truth]
    assert groups.cosine_floor(features, truth, truth) <= alike.min() + 1e-5
    shuffled = np.random.default_rng(1).permutation(truth)
    assert groups.cosine_floor(features, truth, shuffled) == float("inf")
    assert groups.cosine_floor(features[:3], truth[:3], truth[:3]) == float("inf")
