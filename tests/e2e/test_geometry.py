"""The canvas's boxes and polygons in the browser's own engine, checked by the batch against shapely."""

from collections.abc import Sequence
from itertools import pairwise
from math import cos, hypot, isclose, pi, sin
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from tests.e2e.batches import HEIGHT, WIDTH, batches, boxes, each, inside, many, points

IMAGE = box(0, 0, WIDTH, HEIGHT)

Part = list[float]

handles = st.sampled_from(["n", "ne", "e", "se", "s", "sw", "w", "nw"])


def flat(ring: Sequence[Sequence[float]]) -> Part:
    return [value for point in ring for value in point]


def ring(part: Part) -> list[tuple[float, float]]:
    return list(zip(part[::2], part[1::2], strict=True))


def star(x: float, y: float, radii: Sequence[float]) -> Part:
    """Return a ring around a point, which does not cross itself."""
    turns = [2 * pi * number / len(radii) for number in range(len(radii))]
    return flat([(x + far * cos(turn), y + far * sin(turn)) for turn, far in zip(turns, radii, strict=True)])


@st.composite
def polygons(draw: st.DrawFn, low: float = 10, high: float = 110) -> list[Part]:
    """Draw one outline with some of its holes and an island, none of which touch."""
    x, y = draw(st.floats(low, high, width=16)), draw(st.floats(low, high, width=16))
    radii = draw(st.lists(st.floats(12, 40, width=16), min_size=6, max_size=9))
    parts = [star(x, y, radii)]
    if draw(st.booleans()):
        parts.append(star(x, y, [3 + (far % 3) for far in radii]))
        if draw(st.booleans()):
            parts.append(star(x, y, [1.5, 1, 2, 1]))
    return draw(st.permutations(parts))


def rings(corners: int, size: int) -> st.SearchStrategy[Part]:
    place = st.tuples(st.integers(0, size), st.integers(0, size))
    return st.lists(place, min_size=3, max_size=corners).map(flat)


def even_odd(parts: Sequence[Part]) -> BaseGeometry:
    """Return what parts enclose by the even-odd rule, whether they cross or not."""
    lines = [LineString([*ring(part), ring(part)[0]]) for part in parts]
    faces = shapely.get_parts(shapely.polygonize([shapely.union_all(lines)]))
    return shapely.union_all([face for face in faces if is_odd(parts, face.representative_point())])


def is_odd(parts: Sequence[Part], place: Point) -> bool:
    crossed = 0
    for part in parts:
        for (x1, y1), (x2, y2) in pairwise([*ring(part), ring(part)[0]]):
            if (y1 > place.y) != (y2 > place.y):
                crossed += place.x < x1 + (place.y - y1) / (y2 - y1) * (x2 - x1)
    return crossed % 2 == 1


def holds(bounds: Sequence[float], slack: float = 1e-6) -> bool:
    x, y, w, h = bounds
    return x >= -slack and y >= -slack and x + w <= WIDTH + slack and y + h <= HEIGHT + slack


@batches
@given(many(st.tuples(points(), points())))
def test_a_box_is_cut_at_the_image(engine, cases):
    made = each(engine, "([a, b]) => g.boxFrom(a, b)", cases)
    cut = each(engine, f"box => g.clipBox(box, {WIDTH}, {HEIGHT})", made)
    for (a, b), (x, y, w, h), kept in zip(cases, made, cut, strict=True):
        whole = box(*MultiPoint([a, b]).bounds)
        assert (x, y) == whole.bounds[:2]
        assert isclose(w * h, whole.area, abs_tol=1e-6)
        assert holds(kept)
        assert isclose(kept[2] * kept[3], whole.intersection(IMAGE).area, abs_tol=1e-3)


@batches
@given(many(st.tuples(boxes, points(-300, 300))), many(st.tuples(polygons(45, 45), points(-300, 300))))
def test_a_shape_is_not_moved_past_the_border(engine, boxed, drawn):
    shapes = [{"box": each} for each, _ in boxed] + [{"parts": parts} for parts, _ in drawn if fits(parts)]
    shifts = [shift for _, shift in boxed] + [shift for parts, shift in drawn if fits(parts)]
    cases = list(zip(shapes, shifts, strict=True))
    moved = each(engine, f"([shape, [dx, dy]]) => g.moved(shape, dx, dy, {WIDTH}, {HEIGHT})", cases)
    bounds = each(engine, "shape => g.boundsOf(shape)", moved)
    areas = each(
        engine, "([one, other]) => [g.areaOf(one), g.areaOf(other)]", zip(shapes, moved, strict=True)
    )
    before = each(engine, "shape => g.boundsOf(shape)", shapes)
    for (_, (dx, dy)), old, new, (area, after) in zip(cases, before, bounds, areas, strict=True):
        assert holds(new)
        assert isclose(area, after, rel_tol=1e-6, abs_tol=1e-6)
        assert isclose(new[0], min(max(old[0] + dx, 0), WIDTH - old[2]), abs_tol=1e-6)
        assert isclose(new[1], min(max(old[1] + dy, 0), HEIGHT - old[3]), abs_tol=1e-6)


def fits(parts: Sequence[Part]) -> bool:
    left, top, right, bottom = MultiPoint([point for part in parts for point in ring(part)]).bounds
    return right - left <= WIDTH and bottom - top <= HEIGHT


@batches
@given(many(st.tuples(boxes, handles, points(), points())))
def test_a_pulled_box_flips_and_stays_inside(engine, cases):
    pull = f"g.resized(box, handle, point, {{width: {WIDTH}, height: {HEIGHT}}})"
    direct = each(engine, f"([box, handle, _, point]) => {pull}", cases)
    step = "({box, handle} = g.resized(box, handle, way))"
    by_steps = each(engine, f"([box, handle, way, point]) => {{ {step}; return {pull}; }}", cases)
    for case, one, other in zip(cases, direct, by_steps, strict=True):
        (x, y, w, h), handle, _, (px, py) = case
        assert holds(one["box"])
        assert one["box"] == pytest.approx(other["box"], abs=1e-4)
        held = [min(max(px, 0), WIDTH), min(max(py, 0), HEIGHT)]
        for axis, (start, size, names) in enumerate([(x, w, "we"), (y, h, "ns")]):
            low, far = one["box"][axis], one["box"][axis] + one["box"][axis + 2]
            if not set(names) & set(handle):
                assert (low, far) == (start, start + size)
                continue
            fixed = start + size if names[0] in handle else start
            assert sorted([fixed, held[axis]]) == pytest.approx([low, far])
            if abs(fixed - held[axis]) > 1e-6:
                assert names[held[axis] > fixed] in one["handle"]


@batches
@given(many(st.tuples(boxes.filter(lambda box: box[2] > 1 and box[3] > 1), handles, points())))
def test_a_box_keeps_its_ratio(engine, cases):
    options = f"{{keepRatio: true, width: {WIDTH}, height: {HEIGHT}}}"
    for ((x, y, w, h), handle, (px, py)), pulled in zip(
        cases,
        each(engine, f"([box, handle, point]) => g.resized(box, handle, point, {options})", cases),
        strict=True,
    ):
        left, top, wide, high = pulled["box"]
        assert holds(pulled["box"])
        assert isclose(wide * h, high * w, rel_tol=1e-6, abs_tol=1e-4)
        if handle in ("se", "ne", "nw", "sw"):
            corner = (x + w * ("w" in handle), y + h * ("n" in handle))
            assert (
                min(
                    hypot(corner[0] - a, corner[1] - b)
                    for a in (left, left + wide)
                    for b in (top, top + high)
                )
                < 1e-6
            )
        within = 0 <= px <= WIDTH and 0 <= py <= HEIGHT
        if within and holds([left - 0.01, top - 0.01, wide + 0.02, high + 0.02]):
            assert left - 1e-4 <= px <= left + wide + 1e-4 or handle in ("n", "s")
            assert top - 1e-4 <= py <= top + high + 1e-4 or handle in ("e", "w")


@batches
@given(many(polygons()), st.lists(points(), min_size=60, max_size=60))
def test_areas_and_insides_follow_the_even_odd_rule(engine, cases, places):
    shapes = [even_odd(parts) for parts in cases]
    for area, shape in zip(each(engine, "parts => g.areaOf({parts})", cases), shapes, strict=True):
        assert isclose(area, shape.area, rel_tol=1e-9)
    found = engine.evaluate(
        "([cases, places]) => cases.map(parts => places.map(place => g.contains({parts}, place)))",
        [cases, places],
    )
    for shape, answers in zip(shapes, found, strict=True):
        for place, answer in zip(places, answers, strict=True):
            if shape.boundary.distance(Point(place)) > 1e-6:
                assert answer == shape.contains(Point(place))


@batches
@given(many(polygons(-20, 130)))
def test_a_polygon_is_cut_at_the_image_without_spikes(engine, cases):
    cut = each(engine, f"parts => g.clipParts(parts, {WIDTH}, {HEIGHT})", cases)
    flaws = each(engine, "parts => g.crossing(parts)", cut)
    for parts, kept, crossed in zip(cases, cut, flaws, strict=True):
        expected = even_odd(parts).intersection(IMAGE)
        assert even_odd(kept).symmetric_difference(expected).area < 1e-6
        assert all(IMAGE.covers(Point(place)) for part in kept for place in ring(part))
        assert crossed is None
        assert sum(len(part) > 0 for part in kept) == sum(
            1 + len(each.interiors) for each in shapely.get_parts(expected) if each.area > 1e-9
        )


@batches
@given(many(st.lists(rings(9, 6), min_size=1, max_size=3)))
def test_any_polygon_is_cut_by_the_even_odd_rule(engine, cases):
    cut = each(engine, "parts => g.clipParts(parts.map(part => part.map(value => value - 2)), 3, 2)", cases)
    for parts, kept in zip(cases, cut, strict=True):
        whole = even_odd([[value - 2 for value in part] for part in parts])
        expected = whole.intersection(box(0, 0, 3, 2))
        assert even_odd(kept).symmetric_difference(expected).area < 1e-9, parts


def conflict(parts: Sequence[Part]) -> bool:
    """Whether shapely finds fault with one ring, or with how two rings lie to each other."""
    whole = [Polygon(ring(part)) for part in parts]
    if not all(each.is_valid for each in whole):
        return True
    for number, one in enumerate(whole):
        for other in whole[:number]:
            shared = one.boundary.intersection(other.boundary)
            apart = one.touches(other) or one.disjoint(other)
            if shared.length > 0 or not (apart or one.covers(other) or other.covers(one)):
                return True
    return False


@settings(batches, max_examples=30)
@given(many(st.lists(rings(7, 5), min_size=1, max_size=2).filter(lambda parts: all(map(has_area, parts)))))
def test_crossing_agrees_with_shapely(engine, cases):
    for parts, place in zip(cases, each(engine, "parts => g.crossing(parts)", cases), strict=True):
        assert (place is not None) == conflict(parts), parts
        if place:
            outlines = [LineString([*ring(part), ring(part)[0]]) for part in parts]
            assert min(outline.distance(Point(place)) for outline in outlines) < 1e-9


def has_area(part: Part) -> bool:
    """Whether a ring has three different points, without which shapely calls it valid and empty."""
    return len(set(ring(part))) > 2


OUTLINES = [
    ([[0, 0, 10, 10, 10, 0, 0, 10]], [5, 5]),
    ([[0, 0, 10, 0, 10, 10, 0, 10]], None),
    ([[0, 0, 0, 0, 10, 0, 10, 0, 10, 10, 0, 10, 0, 0]], None),  # points twice, and closed by hand
    ([[0, 0, 5, 0, 10, 0, 10, 10]], None),  # on one line
    ([[0, 0, 10, 0, 10, 10, 20, 10, 10, 10, 0, 10]], [10, 10]),  # a spike
    ([[0, 0, 10, 0, 10, 10, 0, 10], [10, 10, 20, 10, 20, 20]], None),  # parts that share a corner
    ([[0, 0, 10, 0, 10, 10, 0, 10], [2, 2, 4, 2, 4, 4]], None),  # a hole
    ([[0, 0, 10, 0, 10, 10, 0, 10], [0, 5, 4, 2, 4, 4]], None),  # a hole that touches the outline
    ([[0, 0, 10, 0, 10, 10, 0, 10], [5, 5, 15, 5, 15, 15, 5, 15]], [10, 5]),
    ([[0, 0, 10, 0, 10, 10, 0, 10], [5, -5, 10, 0, 20, 5]], None),
    ([[0, 0, 10, 0, 10, 10, 0, 10], [5, 5, 10, 0, 15, -5, 5, -5]], [10, 0]),  # through a corner
    ([[0, 0, 10, 0, 10, 10, 0, 10], [10, 2, 20, 2, 20, 8, 10, 8]], [10, 2]),  # along an edge
    ([[0, 0, 10, 3, 10, 10], [10 / 3, 1, 5, 2, 4, 3]], None),  # on an edge but for rounding
]


def test_known_outlines(engine):
    found = each(engine, "([parts]) => g.crossing(parts)", OUTLINES)
    assert [bool(place) for place in found] == [bool(place) for _, place in OUTLINES]
    for (parts, place), seen in zip(OUTLINES, found, strict=True):
        assert not place or len(parts) > 1 or seen == pytest.approx(place)


def test_an_outline_of_6000_points_is_checked_at_once(engine):
    """Among them spikes at a slant, which lie on top of each other seen from either side."""
    milliseconds = engine.evaluate("""() => {
      const outlines = [
        n => [Math.cos(n / 3000 * Math.PI), Math.sin(n / 3000 * Math.PI)].map(x => 1000 + (500 + n % 2) * x),
        n => n < 5998 ? [n / 4, n % 2 * 1500] : [n === 5998 ? 1600 : -10, -10],
        n => n < 5998 ? [n / 4 + n % 2 * 1000, n % 2 * 1000] : [n === 5998 ? 1600 : -10, -10],
      ].map(place => Array.from({length: 6000}, (_, n) => place(n)).flat());
      const timed = part => {
        const started = performance.now();
        if (g.crossing([part])) throw new Error("this outline is sound");
        return performance.now() - started;
      };
      return outlines.map(part => Math.min(...[1, 2, 3, 4].map(() => timed(part))));
    }""")
    assert max(milliseconds) < 50


@batches
@given(many(st.tuples(polygons(), st.integers(0, 99), st.integers(0, 99), inside)))
def test_a_point_put_in_can_be_taken_away(engine, cases):
    found = each(
        engine,
        """([parts, some, other, point]) => {
          const part = some % parts.length, segment = other % (parts[part].length / 2);
          const more = g.insertPoint(parts, part, segment, point);
          const added = more[part].slice(2 * segment + 2, 2 * segment + 4);
          return [added, more.flat().length, g.removePoint(more, part, segment + 1)];
        }""",
        cases,
    )
    for (parts, _, _, point), (added, length, back) in zip(cases, found, strict=True):
        assert added == list(point)
        assert length == sum(map(len, parts)) + 2
        assert back == parts


def test_a_part_goes_with_its_third_last_point(engine):
    triangle, other = [0, 0, 5, 0, 5, 5], [10, 10, 15, 10, 15, 15]
    assert each(engine, "parts => g.removePoint(parts, 0, 1)", [[triangle], [triangle, other]]) == [
        None,
        [other],
    ]


@batches
@given(many(st.tuples(polygons(), points())))
def test_the_nearest_edge_and_point_are_found(engine, cases):
    edges = each(engine, "([parts, point]) => g.nearestEdge(parts, point)", cases)
    corners = each(engine, "([parts, point]) => g.nearestPoint(parts, point)", cases)
    for (parts, point), edge, corner in zip(cases, edges, corners, strict=True):
        outlines = [[*ring(part), ring(part)[0]] for part in parts]
        expected = min(LineString(outline).distance(Point(point)) for outline in outlines)
        assert isclose(edge["distance"], expected, abs_tol=1e-9)
        segment = LineString(outlines[edge["part"]][edge["segment"] :][:2])
        assert segment.distance(Point(edge["point"])) < 1e-9
        assert isclose(Point(edge["point"]).distance(Point(point)), expected, abs_tol=1e-9)
        nearest = min(Point(place).distance(Point(point)) for outline in outlines for place in outline)
        assert isclose(corner["distance"], nearest)
        assert isclose(Point(outlines[corner["part"]][corner["index"]]).distance(Point(point)), nearest)


@batches
@given(many(st.tuples(st.lists(points(0, 60), min_size=2, max_size=40).map(flat), st.floats(0, 20))))
def test_a_simpler_line_stays_within_the_tolerance(engine, cases):
    for (line, tolerance), fewer in zip(
        cases, each(engine, "([line, tolerance]) => g.simplified(line, tolerance)", cases), strict=True
    ):
        assert fewer[:2] == line[:2] and fewer[-2:] == line[-2:]
        left = iter(ring(line))
        assert all(place in left for place in ring(fewer))
        kept = LineString(ring(fewer))
        assert all(kept.distance(Point(place)) <= tolerance + 1e-9 for place in ring(line))


shapes = st.one_of(boxes.map(lambda each: {"box": each}), polygons().map(lambda each: {"parts": each}))


@batches
@given(many(st.tuples(inside, st.lists(shapes, max_size=4), st.floats(0.5, 15))))
def test_a_point_snaps_to_corners_then_edges_then_the_border(engine, cases):
    snap = (
        f"([point, shapes, within]) => g.snapped(point, {{shapes, width: {WIDTH}, height: {HEIGHT}, within}})"
    )
    for (point, others, within), found in zip(cases, each(engine, snap, cases), strict=True):
        outlines = [line for shape in others for line in outlines_of(shape)]
        corners = min(
            (Point(each).distance(Point(point)) for line in outlines for each in line.coords), default=99
        )
        edges = min((line.distance(Point(point)) for line in outlines), default=99)
        border = IMAGE.exterior.distance(Point(point))
        wanted = [("corner", corners), ("edge", edges), ("border", border), (None, 0)]
        kind, distance = next(pair for pair in wanted if pair[1] <= within)
        if any(abs(each - within) < 1e-6 for _, each in wanted):
            continue
        assert found["to"] == kind
        shift = Point(found["point"]).distance(Point(point))
        assert shift <= within + 1e-9
        assert (
            IMAGE.exterior.distance(Point(found["point"])) < 1e-9
            if kind == "border"
            else isclose(shift, distance)
        )


def outlines_of(shape: dict[str, Any]) -> list[LineString]:
    if "box" in shape:
        x, y, w, h = shape["box"]
        return [LineString([(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)])]
    return [LineString([*ring(part), ring(part)[0]]) for part in shape["parts"]]


FLAWS = [
    ({"box": [1, 2, 3, 4]}, None),
    ({"box": [1, 2, 0, 4]}, {"reason": "tiny", "at": [1, 4]}),
    ({"box": [110, 2, 20, 4]}, {"reason": "outside", "at": [130, 2]}),
    ({"box": [119.6, 2, 0.8, 4]}, {"reason": "tiny", "at": [120, 4]}),  # rounding is no reaching outside
    ({"parts": [[0, 0, 10, 0, 10, 10]]}, None),
    ({"parts": [[0, 0, 10, 0, 10, 10], [4, 4, 8, 8, 4, 4]]}, {"reason": "points", "at": [4, 4]}),
    ({"parts": []}, {"reason": "points", "at": [0, 0]}),
    ({"parts": [[0, 0, 10, 0, 10, -10]]}, {"reason": "outside", "at": [10, -10]}),
    ({"parts": [[0, 0, 10, 10, 10, 0, 0, 10]]}, {"reason": "crossing", "at": [5, 5]}),
    ({"parts": [[1, 1, 2, 1, 1, 2]]}, {"reason": "tiny", "at": [1.5, 1.5]}),
]


def test_a_flaw_names_its_place(engine):
    found = each(engine, f"([shape]) => g.flaw(shape, {WIDTH}, {HEIGHT})", FLAWS)
    assert found == [flaw for _, flaw in FLAWS]
