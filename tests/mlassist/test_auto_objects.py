"""Objects found by example: one outline for each, and as sure as people's drawings say."""

import numpy as np
import pytest

from labeling import extensions, hiding, images, importing
from labeling.models import Annotation, Project, QueueEntry
from mlassist.autolabel import examples, proposing, trials
from tests import coloured, detected, factories

pytest.importorskip("torch")
pytestmark = pytest.mark.django_db


def test_two_boxes_around_one_object_give_one_outline(manager) -> None:
    from mlassist.autolabel import located

    project = factories.make_project(manager=manager, task_type="segmentation")
    item = factories.make_scenes(project, 1, size=(320, 240))[0]
    region = factories.true_regions(item)[0]
    corners = np.reshape(region["polygon"][0], (-1, 2))
    (x, y), (width, height) = corners.min(0), np.ptp(corners, axis=0)
    found = [
        {"class": region["class"], "confidence": 0.9, "bbox": [x, y, width, height]},
        {"class": region["class"], "confidence": 0.6, "bbox": [x + 3, y + 2, width, height]},
    ]
    picture = np.asarray(images.open_upright(item))
    made = located.outlined(picture, found)
    assert [each["confidence"] for each in made] == [0.9]
    assert "polygon" in made[0]
    assert located.outlined(picture, []) == []


def test_a_finder_is_as_sure_as_peoples_drawings_say(manager, labeler) -> None:
    from mlassist.autolabel import drawings

    project = factories.make_project(manager=manager, task_type="detection")
    items = factories.make_scenes(project, 8, size=(320, 240))
    classes = list(project.classes.values_list("pk", flat=True))
    seen: list[int] = []

    def find(picture: np.ndarray) -> list[dict[str, object]]:
        """Find nine boxes of nothing, sure of all."""
        seen.append(len(seen))
        boxes = [[1.0 + 12 * at, 1.0, 2.0, 2.0] for at in range(9)]
        return [{"class": classes[0], "confidence": 0.9, "bbox": box} for box in boxes]

    nobody = drawings.lines(project, classes, find)
    assert nobody[classes[0]].at(np.array([0.9])) == pytest.approx(0.9)
    Project.objects.filter(pk=project.pk).update(validation_rate=0)
    detected.answer(items[:4], labeler)
    Annotation.objects.filter(project=project).update(kind="manual")
    shown = Annotation.objects.filter(item=items[0])
    shown.update(suggestion_visible=True)  # answered beside a proposal
    found = drawings.lines(project, classes, find)
    assert len(seen) == 3
    assert found[classes[0]].at(np.array([0.9])) < 0.2


def test_where_faces_are_hidden_only_copies_are_looked_at(manager, tmp_path, monkeypatch) -> None:
    from mlassist.autolabel import boxes

    monkeypatch.setattr(extensions, "_face_finders", [coloured.ByColour()])
    project = factories.make_project(manager=manager, task_type="detection")
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(coloured.picture(number))
    importing.add_folder(project, tmp_path / "pictures", manager)
    factories.run_jobs("quick")
    Project.objects.filter(pk=project.pk).update(validation_rate=0)
    QueueEntry.objects.filter(project=project).update(kind="manual", inclusion_probability=None)
    project.refresh_from_db()
    hiding.begin(project, manager, "mosaic", "keep", project.name)
    with pytest.raises(examples.AutoLabelRefused):  # no copy is there yet
        examples.add(project.classes.first(), project.items.first(), [30, 20, 60, 50], manager)
    factories.run_jobs("long")
    examples.add(project.classes.first(), project.items.first(), [30, 20, 60, 50], manager)
    seen: list[np.ndarray] = []
    learn, find = boxes.learn, boxes.Finder.find

    def learn_and_tell(stages, shown, others):
        seen.extend([*(each.picture for each in shown), *others])
        return learn(stages, shown, others)

    def find_and_tell(self, picture):
        seen.append(picture)
        return find(self, picture)

    monkeypatch.setattr(boxes, "learn", learn_and_tell)
    monkeypatch.setattr(boxes.Finder, "find", find_and_tell)
    trial = trials.start(project, manager, "examples")
    factories.run_jobs("ml")
    trial.refresh_from_db()
    proposing.start(trial, manager, {project.classes.first().pk: 0.05})
    factories.run_jobs("long")
    assert len(seen) >= 6
    assert not any((np.abs(each.astype(int) - coloured.MAGENTA) < 60).all(axis=2).any() for each in seen)
