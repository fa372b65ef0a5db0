"""The smart outline finds shapes that are known, for those who may see the image, and few at once."""

import uuid
from unittest import mock

import numpy as np
import pytest
import shapely
import shapely.affinity
from PIL import Image, ImageDraw

from labeling import geometry, grabcut, images, importing, outlining, queue
from labeling.hints import Hints
from labeling.models import Item
from tests import factories, scenes


def shown(name: str, x: float, y: float, radius: float, size=(640, 480), seed: int = 0):
    """Return a speckled picture of one shape with a second one beside it, and the first one's area."""
    noise = np.random.default_rng(0).normal(198, 14, size[::-1]).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(noise).convert("RGB")
    turns = np.linspace(0, 2 * np.pi, scenes.CORNERS.get(name, 40), endpoint=False) + 0.4
    points = [(x + radius * np.cos(turn), y + radius * np.sin(turn)) for turn in turns]
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 20, 90, 90), fill=(200, 60, 30))
    draw.polygon(points, fill=(40 + seed, 70, 140))
    # Pillow fills every pixel that the outline runs through.
    return np.asarray(picture), shapely.affinity.translate(shapely.Polygon(points), 0.5, 0.5).buffer(0.5)


def likeness(rings, area) -> float:
    found = geometry.combined([np.ravel(ring).tolist() for ring in rings])
    return found.intersection(area).area / found.union(area).area


@pytest.mark.parametrize("name", ["circle", "square", "triangle"])
@pytest.mark.parametrize(("x", "y", "radius"), [(320, 240, 150), (400, 300, 60), (150, 380, 30)])
def test_one_click_or_a_box_finds_a_shape(name, x, y, radius) -> None:
    picture, area = shown(name, x, y, radius)
    clicked = grabcut.outline(picture, Hints(inside=((x, y),)))
    assert likeness(clicked, area) > (0.9 if radius >= 100 else 0.8)
    left, top, right, bottom = area.bounds
    boxed = grabcut.outline(picture, Hints(box=(left - 3, top - 3, right - left + 6, bottom - top + 6)))
    assert likeness(boxed, area) > (0.9 if radius >= 100 else 0.8)
    assert sum(map(len, clicked)) < 60


def test_more_clicks_add_and_take_away() -> None:
    picture, area = shown("circle", 400, 300, 80)
    other = shapely.Point(55, 55).buffer(35)
    both = grabcut.outline(picture, Hints(inside=((400, 300), (55, 55))))
    assert likeness(both, area.union(other)) > 0.85
    rings = tuple(tuple(np.ravel(ring).tolist()) for ring in both)
    less = grabcut.outline(picture, Hints(inside=((400, 300),), outside=((55, 55),), polygon=rings))
    assert likeness(less, area) > 0.85


def test_a_rough_outline_is_refined() -> None:
    picture, area = shown("circle", 300, 240, 90)
    rough = tuple(np.ravel(area.buffer(12).simplify(20).exterior.coords[:-1]).tolist())
    assert likeness(grabcut.outline(picture, Hints(polygon=(rough,))), area) > 0.93


def test_a_big_hole_stays_and_a_small_one_is_filled() -> None:
    picture, area = shown("circle", 320, 240, 150)
    holed = Image.fromarray(picture)
    draw = ImageDraw.Draw(holed)
    draw.ellipse((260, 180, 380, 300), fill=(190, 190, 190))
    draw.ellipse((410, 240, 418, 248), fill=(190, 190, 190))
    found = grabcut.outline(np.asarray(holed), Hints(box=(165, 85, 310, 310), outside=((320, 240),)))
    assert len(found) == 2
    assert likeness(found, area.difference(shapely.Point(320, 240).buffer(60))) > 0.9


def test_an_even_picture_gives_something_or_nothing_but_no_error() -> None:
    even = np.full((50, 70, 3), 128, np.uint8)
    for hints in (Hints(inside=((0, 0),)), Hints(inside=((70, 50),)), Hints(box=(0, 0, 70, 50))):
        assert isinstance(grabcut.outline(even, hints), list)


@pytest.mark.parametrize("size", [(1, 1_000), (1_000, 1), (1, 1), (16_000, 12), (2, 3_000), (3, 3)])
def test_a_thin_picture_gives_something_or_nothing_but_no_error(size) -> None:
    width, height = size
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
    middle, whole = (width / 2, height / 2), (0, 0, width, height)
    for hints in (
        Hints(inside=(middle,)),
        Hints(inside=((0, 0),), outside=((width, height),)),
        Hints(box=whole),
        Hints(polygon=((0, 0, width, 0, width, height, 0, height),), inside=(middle,)),
    ):
        assert isinstance(grabcut.outline(noise, hints), list)


def test_where_opencv_gives_up_the_person_gets_a_sentence(item, manager, api, monkeypatch) -> None:
    def give_up(*_):
        raise grabcut.cv2.error("nothing to go by")

    monkeypatch.setattr(grabcut, "outline", give_up)
    response = asked(api(manager), item, **CLICK)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid")


def test_what_crosses_itself_is_mended_before_anybody_sees_it() -> None:
    bow = np.array([[0, 0], [40, 40], [40, 0], [0, 50]], float)
    polygon = outlining.sound([bow], 100, 100)
    assert polygon
    assert geometry.flaw(None, polygon) is None
    assert outlining.sound([np.array([[-5, -5], [200, -5], [200, 50]], float)], 100, 100)[0][:2] == [0, 0]


@pytest.fixture
def item(manager, labeler, tmp_path, db) -> Item:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="segmentation")
    picture, _ = shown("circle", 1_000, 700, 300, size=(4_000, 3_000))
    (tmp_path / "big").mkdir()
    Image.fromarray(picture).save(tmp_path / "big" / "one.jpg", quality=90)
    importing.add_folder(project, tmp_path / "big", manager)
    factories.run_jobs("quick")
    return Item.objects.select_related("project").get(project=project)


def asked(client, item: Item, **body):
    url = f"/api/projects/{item.project_id}/items/{item.pk}/outline/"
    return client.post(url, body, format="json")


CLICK = {"points": [{"x": 1_000, "y": 700, "inside": True}]}


def test_a_large_photo_is_outlined_in_its_own_pixels_and_the_answer_is_taken(item, labeler, api) -> None:
    page = queue.claim(item.project, labeler, 1)
    with mock.patch.object(grabcut.cv2, "grabCut", wraps=grabcut.cv2.grabCut) as cut:
        response = asked(api(labeler), item, **CLICK)
    assert response.status_code == 200, response.content
    assert max(max(call.args[0].shape) for call in cut.call_args_list) <= grabcut.SIDE  # however large it is
    polygon = response.json()["polygon"]
    assert likeness(polygon, shapely.Point(1_000, 700).buffer(300)) > 0.9
    answer = {
        "item": item.pk, "uuid": str(uuid.uuid4()), "regions": [{"class": "circle", "polygon": polygon}],
    }  # fmt: skip
    url = f"/api/projects/{item.project_id}/pages/{page.pk}/submit/"
    assert api(labeler).post(url, {"answers": [answer]}, format="json").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"points": [{"x": 5, "y": 5, "inside": False}]},
        {"points": [{"x": 9_000, "y": 5, "inside": True}]},
        {"points": [{"x": "a", "y": 5, "inside": True}]},
        {"box": [0, 0, 0, 5]},
        {"box": [0, 0, 9_000, 5]},
        {"polygon": [[1, 2]]},
        {"polygon": "no"},
    ],
)
def test_what_points_at_nothing_gets_a_sentence(item, manager, api, body) -> None:
    response = asked(api(manager), item, **body)
    assert response.status_code == 400
    assert response.json()["error"]["message"]


def test_only_who_may_see_the_image_gets_an_outline(item, labeler, outsider, manager, api, project) -> None:
    assert asked(api(labeler), item, **CLICK).status_code == 404
    assert asked(api(outsider), item, **CLICK).status_code == 404
    item.project_id, right = project.pk, item.project_id
    assert asked(api(manager), item, **CLICK).status_code == 404
    item.project_id = right
    assert asked(api(manager), item, **CLICK).status_code == 200


def test_a_third_one_at_once_is_asked_to_wait(item, manager, api) -> None:
    with outlining.a_place(), outlining.a_place():
        response = asked(api(manager), item, **CLICK)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "busy")
    assert "Try again" in response.json()["error"]["message"]
    assert asked(api(manager), item, **CLICK).status_code == 200


def test_another_outliner_may_take_over(item, manager, api, monkeypatch) -> None:
    monkeypatch.setattr(outlining, "_outliner", list(outlining._outliner))
    outlining.register_outliner(lambda item, hints: [np.array([[1, 1], [50, 1], [50, 50]], float)])
    assert asked(api(manager), item, **CLICK).json()["polygon"] == [[1, 1, 50, 1, 50, 50]]


def test_an_image_that_is_gone_says_so(item, manager, api, monkeypatch) -> None:
    def gone(item_id: int, sha256: str):
        raise images.BrokenImage("The file is no longer where it was imported from.")

    monkeypatch.setattr(outlining, "decoded", gone)
    assert "no longer" in asked(api(manager), item, **CLICK).json()["error"]["message"]
