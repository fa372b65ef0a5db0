"""Shapes that enclose a clear area are taken, others are refused with a place: properties over many."""

import math
from unittest import mock

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from labeling import geometry

SQUARE = [0, 0, 100, 0, 100, 100, 0, 100]
HOLE = [20, 20, 60, 20, 60, 60, 20, 60]


def star(x: float, y: float, radii: list[float]) -> list[float]:
    """Return a ring whose points lie around a centre: however long its arms, it never crosses itself."""
    turns = [2 * math.pi * number / len(radii) for number in range(len(radii))]
    return [
        number
        for turn, radius in zip(turns, radii, strict=True)
        for number in (x + radius * math.cos(turn), y + radius * math.sin(turn))
    ]


place = st.floats(200, 800)
arms = st.lists(st.floats(5, 100), min_size=3, max_size=40)
stars = st.builds(star, place, place, arms)


@given(stars)
def test_a_ring_around_its_centre_is_taken_and_turned_too(ring) -> None:
    assert geometry.flaw(None, [ring]) is None
    backwards = [
        number for point in reversed(list(zip(ring[::2], ring[1::2], strict=True))) for number in point
    ]
    assert geometry.flaw(None, [backwards]) is None


@given(place, place, st.lists(st.floats(50, 100), min_size=3, max_size=40), st.floats(0.05, 0.3))
def test_a_smaller_copy_within_a_ring_is_a_hole(x, y, radii, share) -> None:
    outer, inner = star(x, y, radii), star(x, y, [share * radius for radius in radii])
    assert geometry.flaw(None, [outer, inner]) is None
    assert geometry.has_holes([outer, inner])
    assert geometry.combined([outer, inner]).area == pytest.approx(
        (1 - share**2) * geometry.combined([outer]).area
    )


@given(stars, st.data())
def test_points_that_change_places_are_refused_where_edges_cross(ring, data) -> None:
    points = list(zip(ring[::2], ring[1::2], strict=True))
    assume(len(points) > 4)
    at = data.draw(st.integers(0, len(points) - 2))
    points[at], points[at + 1] = points[at + 1], points[at]
    flat = [number for point in points for number in point]
    edges = shapely.LinearRing(points)
    found = geometry.flaw(None, [flat])
    if found is None:
        assert shapely.Polygon(points).is_valid or not crosses_clearly(points)
    elif "crosses itself" in found:
        assert not edges.is_simple
        x, y = map(float, found.split("near ")[1].rstrip(".").split(", "))
        assert edges.distance(shapely.Point(x, y)) < 1


def crosses_clearly(points: list[tuple[float, float]]) -> bool:
    """Compare all pairs of edges, one after the other."""
    edges = [np.array([one, other]) for one, other in zip(points, points[1:] + points[:1], strict=True)]
    for number, edge in enumerate(edges):
        for other in edges[:number]:
            sides = [
                np.cross([*(b - a), 0], [*(end - a), 0])[2] / max(math.dist(a, b), 1e-9)
                for (a, b), ends in ((edge, other), (other, edge))
                for end in ends
            ]
            if sides[0] * sides[1] < -1e-6 and sides[2] * sides[3] < -1e-6:
                return True
    return False


@given(stars, stars)
def test_two_rings_may_be_apart_or_within_each_other_but_not_cross(one, other) -> None:
    first, second = geometry.area_of_ring(one), geometry.area_of_ring(other)
    shared = first.intersection(second).area
    # Crossing just at a corner counts as touching.
    for ring, area in ((one, second), (other, first)):
        assume(shapely.distance(shapely.points(geometry.points_of(ring)), area.boundary).min() > 1e-3)
    found = geometry.flaw(None, [one, other])
    if min(shared, first.area - shared, second.area - shared) > 1:
        assert found is not None
        assert "crosses itself near" in found
    elif first.disjoint(second):
        assert found is None


@pytest.mark.parametrize(
    ("polygon", "says"),
    [
        ([[0, 0, 100, 100, 100, 0, 0, 100]], "crosses itself near 50, 50"),
        ([SQUARE, [50, 50, 150, 50, 150, 150, 50, 150]], "crosses itself near 100, 50"),
        ([[5, 5, 5, 5, 20, 5]], "near 5, 5 has fewer than three different points"),
        ([SQUARE, [7, 9, 9, 9, 12, 9]], "near 7, 9 encloses less than a fraction"),
        ([[0, 0, 0.2, 0, 0.2, 0.2]], "less than a fraction of a pixel"),
        ([SQUARE, SQUARE], "cancel each other out"),
    ],
)
def test_what_is_refused_says_what_and_where(polygon, says) -> None:
    assert says in (geometry.flaw(None, polygon) or "")


@pytest.mark.parametrize(
    "polygon",
    [
        [SQUARE, HOLE],
        [SQUARE, HOLE, [30, 30, 40, 30, 40, 40]],
        [SQUARE, [100, 0, 200, 0, 200, 100, 100, 100]],  # side by side
        [SQUARE, [0, 0, 50, 0, 50, 50, 0, 50]],  # a hole at the border
        [[0, 0, 50, 50, 0, 100, 100, 100, 50, 50, 100, 0]],  # pinched
        [[*SQUARE, 0, 0, 20, 20, 20, 60, 60, 60, 60, 20, 20, 20]],  # a hole cut open, as other tools write it
        [[0, 0, 0, 0, 100, 0, 100, 100, 100, 100]],  # a double click
    ],
)
def test_rings_may_touch(polygon) -> None:
    assert geometry.flaw(None, polygon) is None


def test_a_box_of_no_size_is_refused() -> None:
    assert "smaller than a fraction" in (geometry.flaw([3, 4, 0.1, 0.1], None) or "")
    assert geometry.flaw([3, 4, 1, 0.5], None) is None


def test_what_lies_outside_says_where() -> None:
    assert "at 150, 20" in (geometry.misfit(None, [[0, 0, 150, 20, 50, 80]], 100, 100) or "")
    assert "at 1e+308, 20" in (geometry.misfit([1e308, 20, 1, 1], None, 100, 100) or "")


@pytest.fixture
def pairs(monkeypatch) -> list[int]:
    """How many pairs of edges were compared, each time that some were."""
    counted: list[int] = []
    compare = geometry.are_apart
    monkeypatch.setattr(
        geometry, "are_apart", lambda edges, others: counted.append(len(edges)) or compare(edges, others)
    )
    return counted


def test_six_thousand_points_are_looked_at_without_comparing_all_pairs_of_edges(pairs) -> None:
    chance = np.random.default_rng(0)
    wavy = star(2_000, 1_500, (1_000 + chance.random(6_000)).tolist())
    scribble = (chance.random(12_000) * 3_000).tolist()
    assert geometry.misshapen(None, [wavy]) is None
    assert geometry.misfit(None, [wavy], 4_000, 3_000) is None
    assert geometry.flaw(None, [wavy]) is None
    assert pairs == []
    assert geometry.flaw(None, [scribble]) is not None
    assert 0 < sum(pairs) < 100_000  # of 36 million


def squares(count: int, size: float = 2.0) -> list[list[float]]:
    """Return separate parts in rows."""
    corners = ((10 * (number % 50), 10 * (number // 50)) for number in range(count))
    return [[x, y, x + size, y, x + size, y + size, x, y + size] for x, y in corners]


def test_a_polygon_has_a_bounded_number_of_parts() -> None:
    assert geometry.misshapen(None, squares(200)) is None
    assert geometry.misshapen(None, squares(201)) == "A polygon may have at most 200 parts."


@pytest.mark.parametrize("around", [[], [[-1, -1, 600, -1, 600, 600, -1, 600]]])
def test_many_parts_are_combined_by_groups_and_not_one_after_the_other(around, pairs, monkeypatch) -> None:
    polygon = [*around, *squares(200 - len(around))]
    assert geometry.flaw(None, polygon) is None
    assert pairs == []
    combine = mock.Mock(wraps=shapely.symmetric_difference)
    monkeypatch.setattr(shapely, "symmetric_difference", combine)
    assert abs(geometry.combined(polygon).area - (4 * 200 if not around else 601**2 - 4 * 199)) < 1e-6
    assert combine.call_count == len(around)  # of 199
    assert geometry.has_holes(polygon) is bool(around)
