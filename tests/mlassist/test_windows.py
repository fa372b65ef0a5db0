"""Label by example for boxes: windows compared with a few boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.models import Suggestion
from mlassist.autolabel import examples, proposing, trials, windows
from mlassist.detectors import matching
from mlassist.detectors.shapes import Shapes, raster
from tests import factories

BOXES = st.lists(
    st.tuples(*[st.floats(0, 50)] * 2, *[st.floats(1, 30)] * 2, st.floats(0, 1)), min_size=1, max_size=20
)


@given(BOXES)
def test_what_is_kept_of_boxes_hardly_overlaps_and_has_the_best(given_boxes) -> None:
    boxes, scores = np.array(given_boxes)[:, :4], np.array(given_boxes)[:, 4]
    kept = windows.apart(boxes, scores)
    assert scores[kept[0]] == scores.max()
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
    shared = matching.box_overlaps(corners[kept], corners[kept])
    assert (shared[~np.eye(len(kept), dtype=bool)] <= windows.SAME + 1e-5).all()
    others = np.setdiff1d(np.arange(len(boxes)), kept)
    if len(others):
        assert (matching.box_overlaps(corners[others], corners[kept]).max(1) > windows.SAME - 1e-5).all()


@given(st.floats(8, 400), st.floats(0.3, 3))
def test_windows_are_about_as_large_as_the_example(side, aspect) -> None:
    box = np.array([[0, 0, side * np.sqrt(aspect), side / np.sqrt(aspect)]])
    form = windows.Stencil.of(box, 8)
    sizes = [form.size(windows.STEP**power, 8) for power in form.powers]
    nearest = min(sizes, key=lambda size: abs(np.log(size[0] * size[1] / side**2)))
    assert 0.75 < np.sqrt(nearest[0] * nearest[1]) / side < 1.34
    assert len(form.powers) <= windows.MOST_SIZES


@given(st.integers(0, 500), st.integers(1, 5))
def test_what_looks_like_the_examples_is_likelier_than_what_does_not(seed, count) -> None:
    rng = np.random.default_rng(seed)
    usual = windows.Usual.of(rng.normal(size=(400, 20)))
    centre = 3 * rng.normal(size=20)
    made = [centre + 0.3 * rng.normal(size=(3, 20)) for _ in range(count)]
    template = windows.template(usual, made, rng.normal(size=50))
    like = (centre + 0.3 * rng.normal(size=(20, 20))) @ template.weights + template.bias
    unlike = rng.normal(size=(20, 20)) @ template.weights + template.bias
    assert template.chances(like).mean() > template.chances(unlike).mean()


@pytest.mark.django_db
def test_a_few_boxes_find_others_like_them_and_people_see_these(manager) -> None:
    pytest.importorskip("torch")
    project = factories.make_project(manager=manager, task_type="detection", classes=("circle",))
    factories.make_scenes(project, 8, size=(240, 180))
    label = project.classes.get()
    for item in examples.presentable(project)[:2]:
        examples.add(label, item, factories.true_regions(item)[0]["bbox"], manager)
    with pytest.raises(examples.AutoLabelRefused, match="box"):
        examples.add(label, examples.presentable(project)[0], None, manager)
    trial = trials.start(project, manager, "examples")
    factories.run_jobs("ml")
    trial.refresh_from_db()
    hits = drawn = 0
    for image in trial.images.select_related("item"):
        found = Shapes.of_regions(image.found, [label.pk])
        truth = Shapes.of_regions(factories.true_regions(image.item), [label.pk])
        hits += int((matching.pairs(found, truth, 0.3) >= 0).sum())
        drawn += len(truth)
    assert hits >= 0.5 * drawn
    made = proposing.start(trial, manager, {label.pk: 0.3})
    factories.run_jobs("long")
    made.refresh_from_db()
    assert made.done == made.total == trials.waiting_in(project, None).count()
    told = {each.item_id: each.regions for each in Suggestion.objects.filter(project=project)}
    # Chance decides who waits first, not how sure it is: what people draw there will judge it.
    sure, unsure = (
        [
            each.priority
            for each in proposing.placements(project, {item: [{"confidence": confidence}] for item in told})
        ]
        for confidence in (0.9, 0.1)
    )
    assert sure == unsure
    assert len(set(sure)) == len(told)
    for image in trial.images.all():
        kept = [each for each in image.found if each["confidence"] >= 0.3]
        assert told.get(image.item_id, []) == kept


def test_what_stands_out_in_a_box_gives_its_outline() -> None:
    pytest.importorskip("torch")
    from mlassist.autolabel import located

    picture = np.full((90, 120, 3), 220, np.uint8)
    across, down = np.meshgrid(np.arange(120), np.arange(90))
    disc = (across - 70) ** 2 + (down - 40) ** 2 <= 20**2
    picture[disc] = (180, 30, 30)
    box = [50.0, 20.0, 41.0, 41.0]
    unsure = {"class": 3, "confidence": located.OUTLINED / 2, "bbox": box}
    (found,) = located.outlined(picture, [{"class": 3, "confidence": 0.9, "bbox": box}, unsure])
    assert found["class"] == 3
    assert "bbox" not in found
    covered = raster(found["polygon"], 90, 120) > 0
    assert (covered & disc).sum() / (covered | disc).sum() > 0.85
