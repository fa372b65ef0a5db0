"""How alike answers are, and what several people's answers become."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import agreement, geometry
from labeling.agreement import Rule

labels = st.lists(st.integers(1, 4), max_size=4, unique=True)
numbers = st.integers(0, 30)
boxes = st.builds(
    lambda label, x, y, width, height: {"class": label, "bbox": [x, y, width, height]},
    st.integers(1, 2), numbers, numbers, st.integers(1, 30), st.integers(1, 30),
)  # fmt: skip
objects = st.lists(boxes, max_size=6)
overlaps = st.sampled_from([0.1, 0.5, 0.9])


def box(label: int, x: float, y: float, size: float = 10) -> dict:
    return {"class": label, "bbox": [x, y, size, size]}


def polygon(label: int, x: float, y: float, size: float = 10) -> dict:
    corners = [x, y, x + size, y, x + size, y + size, x, y + size]
    return {"class": label, "polygon": [corners]}


@given(labels, labels)
def test_classes_are_alike_by_what_they_share(one, other) -> None:
    alike = agreement.classes_alike(one, other)
    assert alike == agreement.classes_alike(other, one)
    assert 0 <= alike <= 1
    assert (alike == 1) == (set(one) == set(other))


@given(objects, objects, overlaps, st.randoms(use_true_random=False))
def test_objects_are_alike_whatever_their_order_and_whose_come_first(one, other, overlap, chance) -> None:
    alike = agreement.regions_alike(one, other, overlap)
    assert 0 <= alike <= 1
    assert agreement.regions_alike(other, one, overlap) == alike
    assert agreement.regions_alike(chance.sample(one, len(one)), other, overlap) == alike
    assert agreement.regions_alike(one, one, overlap) == 1


@given(objects, objects, overlaps)
def test_each_object_is_matched_once_with_one_of_its_class_that_overlaps(one, other, overlap) -> None:
    pairs = agreement.matched(one, other, overlap)
    assert len({at for at, _, _ in pairs}) == len({to for _, to, _ in pairs}) == len(pairs)
    for at, to, shared in pairs:
        assert one[at]["class"] == other[to]["class"]
        assert shared >= overlap - 1e-6
        assert shared == pytest.approx(geometry.overlap(one[at]["bbox"], other[to]["bbox"]))


@given(objects, objects, overlaps)
def test_polygons_overlap_as_the_same_boxes_do(one, other, overlap) -> None:
    def as_polygon(each: dict) -> dict:
        x, y, width, height = each["bbox"]
        return {
            "class": each["class"],
            "polygon": [[x, y, x + width, y, x + width, y + height, x, y + height]],
        }

    outlines = [[as_polygon(each) for each in answer] for answer in (one, other)]
    assert geometry.overlaps(*outlines) == pytest.approx(geometry.overlaps(one, other), abs=1e-6)


def test_matching_finds_a_partner_for_everybody_where_the_best_pair_first_would_not() -> None:
    one, other = [box(1, 0, 0), box(1, 2, 0)], [box(1, 1.5, 0), box(1, 5, 0)]
    assert len(agreement.matched(one, other, 0.5)) == 2


def test_f1_counts_what_is_missed_made_up_and_called_something_else() -> None:
    drawn = [box(1, 0, 0), box(1, 50, 0), box(2, 0, 50)]
    assert agreement.regions_alike(drawn, drawn[:2]) == pytest.approx(0.8)
    assert agreement.regions_alike(drawn, [*drawn[:2], box(1, 0, 50)]) == pytest.approx(2 / 3)
    assert agreement.regions_alike([], drawn) == 0
    assert agreement.regions_alike([], []) == 1
    assert agreement.regions_alike([polygon(1, 0, 0)], [polygon(1, 1, 0)]) == 1


def of(answers: list[tuple[int, ...]], **rule: float) -> int | None:
    return agreement.consensus(agreement.matrix(answers, agreement.classes_alike), Rule(**rule))


@pytest.mark.parametrize(
    ("answers", "agreed"),
    [
        ([(1,)], 0),
        ([(1,), (2,)], None),
        ([(2,), (1,), (1,)], 1),
        ([(1,), (2,), (1,), (2,)], None),
        ([(1,), (2,), (3,)], None),
        ([(), ()], 0),
        ([(1, 2), (1,), (1, 2)], 0),
    ],
)
def test_by_default_more_than_half_decide(answers, agreed) -> None:
    assert of(answers) == agreed


def test_a_project_may_ask_for_more_than_a_majority() -> None:
    answers = [(1,), (1,), (2,)]
    assert of(answers, share=0.6) == 0
    assert of(answers, share=0.8) is None


def test_sets_of_classes_may_differ_a_little_and_the_middle_one_is_taken() -> None:
    answers = [(1,), (1, 2), (1, 2, 3)]
    assert of(answers) is None
    assert of(answers, match=0.5) == 1


@given(st.lists(st.integers(1, 3), min_size=1, max_size=9), st.sampled_from([0.5, 0.6, 0.75, 1.0]))
def test_a_consensus_has_a_majority_and_no_majority_is_passed_over(given_labels, share) -> None:
    place = of([(each,) for each in given_labels], share=share)
    most = max(given_labels.count(each) for each in given_labels)
    enough = 2 * most > len(given_labels) and most >= share * len(given_labels) - 1e-9
    assert (place is not None) == enough
    if place is not None:
        assert given_labels.count(given_labels[place]) == most
        assert given_labels.index(given_labels[place]) == place


def test_the_consensus_of_boxes_is_the_answer_that_is_most_like_the_others() -> None:
    answers = [[box(1, 0, 0)], [box(1, 2, 0)], [box(1, 4, 0)]]
    alike = agreement.matrix(answers, lambda one, other: agreement.regions_alike(one, other, 0.6))
    assert np.array_equal(alike, [[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    assert agreement.consensus(alike, Rule()) == 1


def test_where_all_drew_the_same_objects_the_one_in_the_middle_is_taken() -> None:
    answers = [[box(1, 0, 0)], [box(1, 3, 0)], [box(1, 1, 0)]]
    alike, close = (
        agreement.matrix(answers, how) for how in (agreement.regions_alike, agreement.regions_close)
    )
    assert alike.min() == 1
    assert agreement.consensus(alike, Rule(), close) == 2
