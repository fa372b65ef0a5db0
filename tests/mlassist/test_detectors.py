"""Detectors by themselves: shapes, comparison, scores, learning on pictures of known shapes."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlassist.detectors import catalog, matching, metrics, scaling
from mlassist.detectors.shapes import Shapes, raster
from tests import scenes

torch = pytest.importorskip("torch")

from mlassist.detectors import learning, looking, storing, teaching, views, zoo  # noqa: E402
from mlassist.detectors.scoring import Scoring  # noqa: E402

NAMES = ("circle", "square")
WIDTH, HEIGHT = 120, 80


def boxes(*rows, classes=None, scores=None):
    made = np.array(rows, np.float32).reshape(-1, 4)
    return Shapes(
        made,
        np.array(classes or [0] * len(made), np.int64),
        np.array(scores or [1.0] * len(made), np.float32),
    )


def picture(seed, task="bbox"):
    """Return (pixels, shapes) of a scene."""
    shapes = scenes.arrange(seed, NAMES, WIDTH, HEIGHT)
    regions = [
        {"class": NAMES.index(each.name), "bbox": each.box()}
        if task == "bbox"
        else {"class": NAMES.index(each.name), "polygon": each.polygon()}
        for each in shapes
    ]
    pixels = np.asarray(scenes.draw(seed, shapes, WIDTH, HEIGHT).convert("RGB"))
    return pixels, Shapes.of_regions(regions, [0, 1])


@pytest.fixture(scope="module")
def stages():
    from mlassist.backbones.loading import bundled_stages

    return bundled_stages()


@pytest.fixture
def quick(monkeypatch):
    """Teach for seconds."""
    for name, value in {"FEWEST_VIEWS": 240, "MOST_VIEWS": 240, "FEWEST_TUNED": 64, "MOST_TUNED": 64}.items():
        monkeypatch.setattr(learning, name, value)
    monkeypatch.setattr(learning, "WARM_UP", 5)
    monkeypatch.setattr(learning, "AVERAGED", 0.9)
    monkeypatch.setattr(learning, "VIEW_SIDE", 128)
    monkeypatch.setattr(scaling, "FEWEST_PIXELS", 100 * 100)


def lesson(stages, count, task="bbox", **more):
    images, truth = zip(*(picture(seed, task) for seed in range(count)), strict=True)
    labeled = teaching.Labeled.of(images, truth)
    return teaching.Lesson(labeled, 2, stages, masks=task == "polygon", seed=1, **({"tuned": False} | more))


# Comparing


def test_what_is_found_twice_is_right_once():
    truth = boxes((0, 0, 10, 10))
    found = boxes((0, 0, 10, 10), (1, 0, 10, 10), scores=[0.9, 0.8])
    assert matching.pairs(found, truth).tolist() == [0, -1]
    assert matching.loss(found, truth) == pytest.approx(1 - 2 / 3)


def test_an_object_of_another_class_is_wrong_twice():
    assert matching.loss(boxes((0, 0, 10, 10), classes=[1]), boxes((0, 0, 10, 10))) == 1


def test_nothing_found_is_right_where_nothing_is():
    nothing = Shapes.none()
    assert matching.loss(nothing, nothing) == 0
    assert matching.loss(nothing, boxes((0, 0, 1, 1))) == matching.loss(boxes((0, 0, 1, 1)), nothing) == 1


def test_the_strict_loss_forgives_nothing():
    two, one = boxes((0, 0, 10, 10), (20, 20, 30, 30)), boxes((0, 0, 10, 10))
    assert matching.loss(one, two, strict=True) == 1
    assert matching.loss(two, two, strict=True) == 0


sides = st.floats(1, 50)
places = st.tuples(st.floats(0, 100), st.floats(0, 100), sides, sides)


@given(st.lists(places, max_size=6), st.lists(places, max_size=6))
def test_the_loss_of_an_image_is_symmetric_and_within_bounds(one, other):
    first, second = (boxes(*((x, y, x + w, y + h) for x, y, w, h in each)) for each in (one, other))
    loss = matching.loss(first, second)
    assert 0 <= loss <= 1
    assert matching.loss(first, first) == 0
    assert (loss == 1) == (loss == matching.loss(second, first) == 1)


def test_holes_and_parts_count_by_the_even_odd_rule():
    ring = [[0, 0, 40, 0, 40, 40, 0, 40], [10, 10, 30, 10, 30, 30, 10, 30]]
    assert int(raster(ring, 50, 50).sum()) == pytest.approx(1200, rel=0.06)
    solid = [ring[0]]
    assert matching.mask_overlap(ring, ring) == 1
    assert matching.mask_overlap(ring, solid) == pytest.approx(0.75, abs=0.04)


def test_perfect_detections_have_perfect_figures_and_missing_ones_do_not():
    truth = [picture(seed)[1] for seed in range(4)]
    sizes = [(WIDTH, HEIGHT)] * 4
    perfect = metrics.quality(truth, truth, sizes, 2, np.array([0.5, 0.5]))
    assert perfect.ap50 == perfect.ap == perfect.mean_iou == pytest.approx(1)
    assert perfect.confusion[0][0] + perfect.confusion[1][1] == sum(map(len, truth))
    half = [each.pick(np.arange(len(each)) < len(each) // 2) for each in truth]
    assert metrics.quality(half, truth, sizes, 2, np.array([0.5, 0.5])).ap50 < 0.8
    nothing = metrics.quality([Shapes.none()] * 4, truth, sizes, 2, np.array([0.5, 0.5]))
    assert nothing.ap50 == nothing.mean_iou == 0


# Sizes and views


def test_images_are_looked_at_as_large_as_their_objects_need():
    tiny, large = boxes((0, 0, 8, 8)), boxes((0, 0, 200, 200))
    assert scaling.ruler([(256, 256)] * 9, [tiny] * 9).scale(256, 256) == pytest.approx(2.2, abs=0.2)
    seen = scaling.ruler([(4000, 3000)] * 9, [large] * 9).scale(4000, 3000)
    assert 4000 * 3000 * seen**2 <= scaling.MOST_PIXELS * 1.01
    whole = scaling.ruler([(1000, 500), (100, 50)] * 5, [boxes((0, 0, 400, 400)), boxes((0, 0, 40, 40))] * 5)
    assert whole.relative


def test_images_of_several_instruments_have_a_scale_each():
    tiny, middle, large = (boxes(*[(0, 0, side, side)] * 9) for side in (8, 24, 100))
    sizes = [(1024, 1024), (256, 256), (640, 480)] * 4
    chosen = scaling.ruler(sizes, [tiny, middle, large] * 4)
    assert 1024 * chosen.scale(1024, 1024) == pytest.approx(2 * scaling.MOST_PIXELS**0.5, rel=0.1)
    assert chosen.scale(256, 256) == pytest.approx(1)
    assert chosen.scale(640, 480) < 0.6
    assert 300 * chosen.scale(300, 200) <= 640  # of an instrument that nobody has seen yet
    assert not scaling.ruler([(640, 480)] * 9, [tiny, middle, large] * 3).own


@settings(max_examples=40)
@given(st.integers(0, 2**31))
def test_pieces_of_a_large_image_show_every_object_in_whole(seed):
    pixels, truth = picture(seed, "polygon")
    height, width = pixels.shape[:2]
    cut = views.pieces(views.Example(pixels, truth), height * width // 3)
    assert len(cut) > 1
    assert all(each.pixels.shape[0] * each.pixels.shape[1] < 0.7 * height * width for each in cut)
    small = np.flatnonzero((truth.boxes[:, 2:] - truth.boxes[:, :2]).max(1) < 0.14 * min(width, height))
    sizes = np.concatenate([each.shapes.sides for each in cut])
    assert all(np.isclose(sizes, truth.sides[each], atol=0.01).any() for each in small)
    assert views.pieces(views.Example(pixels, truth), height * width)[0].pixels is pixels


def test_a_class_of_small_objects_is_not_outvoted_by_a_frequent_one():
    mixed = boxes(*[(0, 0, 100, 100)] * 20, (0, 0, 20, 20), classes=[0] * 20 + [1])
    assert scaling.ruler([(640, 480)] * 9, [mixed] * 9).scale(640, 480) > 0.9


@settings(max_examples=40)
@given(st.integers(0, 2**31), st.integers(0, 50))
def test_a_view_shows_objects_where_its_pixels_are(seed, scene):
    pixels, truth = picture(scene, "polygon")
    blank = np.zeros_like(pixels)
    for polygon in truth.polygons:
        blank[raster(polygon, HEIGHT, WIDTH) > 0] = 255
    seen = views.view(views.Example(blank, truth), 128, np.random.default_rng(seed))
    drawn = np.zeros((128, 128), bool)
    for polygon in seen.shapes.polygons:
        drawn |= raster(polygon, 128, 128) > 0
    light = seen.pixels.max(2) > 128
    assert len(seen.shapes) <= len(truth)
    assert (drawn & ~light).sum() <= 0.12 * max(drawn.sum(), 200)
    assert (seen.shapes.boxes >= 0).all() and (seen.shapes.boxes <= 128).all()


def test_a_mirrored_mirror_image_is_the_image():
    _, truth = picture(3, "polygon")
    twice = views.mirrored(views.mirrored(truth, WIDTH), WIDTH)
    assert np.allclose(twice.boxes, truth.boxes, atol=1e-4)
    assert np.allclose(twice.polygons[0], truth.polygons[0])


# Scores


def seen_of(truth, seed):
    """Return a look that finds a share of the objects, surely, and makes up others, unsurely."""
    rng = np.random.default_rng(seed)
    hits = truth.pick(rng.random(len(truth)) < 0.9)
    ghosts = boxes((0, 0, 9, 9), (90, 90, 99, 99), scores=[0.2, 0.3])
    merged = Shapes(
        np.concatenate([hits.boxes, ghosts.boxes]),
        np.concatenate([hits.classes, ghosts.classes]),
        np.concatenate([0.6 + 0.4 * rng.random(len(hits)), ghosts.scores]).astype(np.float32),
    )
    return looking.Seen(merged, merged)


def test_thresholds_show_what_is_right_and_chances_tell_how_often_that_is():
    truth = [picture(seed)[1] for seed in range(60)]
    seen = [seen_of(each, at) for at, each in enumerate(truth)]
    scoring = Scoring.learned(seen, truth, 2)
    assert all(0.3 < each <= 0.7 for each in scoring.shown)
    chances = np.concatenate([scoring.chances(each.found) for each in seen])
    scores = np.concatenate([each.found.scores for each in seen])
    assert chances[scores > 0.6].mean() > 0.9 > 0.2 > chances[scores < 0.4].mean()
    again = Scoring.from_json(json.loads(json.dumps(scoring.to_json())))
    assert again == scoring


def test_an_image_that_its_mirror_image_contradicts_is_less_sure():
    scoring = Scoring.untried(1)
    sure = boxes((0, 0, 10, 10), scores=[0.9])
    agreed, denied = looking.Seen(sure, sure), looking.Seen(sure, Shapes.none())
    assert scoring.confidence(agreed) > scoring.confidence(denied)


# Learning


def test_a_detector_learns_shapes_and_survives_its_file(stages, quick):
    said = []
    taught = teaching.teach(lesson(stages, 12), said.append, lambda done, total: None)
    assert taught.kind == teaching.RESTING
    assert len(taught.seen) == len(taught.losses) == 12
    assert taught.quality.ap50 > 0.01  # it begins with none, and learns for a moment only
    held = storing.HeldOut(list(range(12)), taught.losses, [0.5] * 12)
    data = storing.to_bytes(taught.kind, taught.finder, taught.ruler, taught.scoring, [7, 9], held)
    ready = storing.from_bytes(data, stages)
    pixels, _ = picture(99)
    before, after = looking.Look(taught.finder, taught.ruler).at(pixels), ready.look.at(pixels)
    counts = [len(ready.scoring.kept(each.found)) for each in (before, after)]
    assert abs(counts[0] - counts[1]) <= 1  # half as many digits may tip one over its threshold
    assert {each["class"] for each in ready.regions(after.found)} <= {7, 9}


def test_outlines_are_learned_as_polygons(stages, quick):
    some = lesson(stages, 8, "polygon").labeled
    untaught = learning.untaught(stages, 2, masks=True, seed=1)
    finder = learning.Training(untaught, some.examples, learning.Plan(20, 0), seed=1).run()
    pixels, truth = picture(77, "polygon")
    found = Scoring.untried(2).kept(looking.Look(finder, some.ruler).at(pixels).found)
    assert len(found.polygons) == len(found) > 0
    assert matching.mean_overlap([found], [truth]) > 0.4


def test_a_box_among_polygons_leaves_them_their_outlines():
    triangle = [[0.0, 0.0, 40.0, 0.0, 40.0, 40.0]]
    drawn = [{"class": 7, "polygon": triangle}, {"class": 7, "bbox": [50.0, 10.0, 20.0, 20.0]}]
    shapes = Shapes.of_regions(drawn, [7])
    assert shapes.polygons == [triangle, [[50.0, 10.0, 70.0, 10.0, 70.0, 30.0, 50.0, 30.0]]]
    assert Shapes.of_regions(drawn[1:], [7]).polygons == []
    (target,) = views.targets([views.Example(np.zeros((64, 96, 3), np.uint8), shapes)], masks=True)
    assert target["masks"].sum((1, 2)).tolist() == [pytest.approx(200, abs=25), 100]


def test_an_interrupted_teaching_goes_on_from_its_checkpoint(stages, quick, monkeypatch, tmp_path):
    monkeypatch.setattr(learning, "KEEP_EVERY", 0.0)
    some = lesson(stages, 4).labeled.examples
    plan = learning.Plan(4, 3)
    done = []

    def stop(at, total, loss):
        done.append(at)
        if at == 6:
            raise KeyboardInterrupt

    def training(report):
        made = learning.untaught(stages, 2, masks=False, seed=1)
        return learning.Training(
            made, some, plan, seed=1, report=report, checkpoint=tmp_path / "some.checkpoint"
        )

    with pytest.raises(KeyboardInterrupt):
        training(stop).run()
    training(lambda at, total, loss: done.append(at)).run()
    assert done == [1, 2, 3, 4, 5, 6, 6, 7]
    assert not list(tmp_path.iterdir())


def test_a_killed_teaching_does_not_try_again_what_it_has_tried(stages, quick, monkeypatch, tmp_path):
    for name in ("FEWEST_VIEWS", "MOST_VIEWS"):
        monkeypatch.setattr(learning, name, 16)
    steps = []

    def dies(done, total):
        steps.append(done)
        if len(steps) == 2:
            raise KeyboardInterrupt

    some = lesson(stages, 8, folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        teaching.teach(some, str, dies)
    assert [each.name for each in tmp_path.glob("*.seen")] == ["fold-0-head-alone.seen"]
    taught = teaching.teach(some, str, lambda done, total: steps.append(done))
    assert len(taught.seen) == 8
    assert steps == [1, 2, 2, 3, 4]


def test_a_detector_from_coco_is_a_candidate_where_its_weights_are(stages, quick, settings, tmp_path):
    from torchvision.models import get_model

    kind = next(each for each in catalog.KINDS if each.sized)
    settings.LOUPE_WEIGHTS_DIR = tmp_path
    assert not list(catalog.offers(masks=False))
    weights = get_model(kind.name, weights=None, weights_backbone=None).state_dict()
    torch.save(weights, tmp_path / kind.file)
    (offer,) = catalog.offers(masks=False)
    taught = zoo.load(offer, 2)
    assert 0 < len(taught.head) < len(taught.body)
    some = lesson(stages, 4).labeled
    finder = learning.Training(taught, some.examples, learning.Plan(0, 2), seed=1).run()
    look = looking.Look(finder, some.ruler)
    assert look.at(picture(5)[0]).found.classes.max(initial=0) < 2


def test_weights_of_something_else_are_refused(tmp_path):
    torch.save({"some": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="does not hold the weights"):
        zoo.load(catalog.Offer(catalog.KINDS[0], tmp_path / "other.pth"), 2)
