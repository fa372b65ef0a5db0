"""Boxes and polygons from a page to its history: where they came from, and whether a proposal was right."""

import uuid

import pytest

from labeling import queue
from labeling.models import Annotation, Item
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["detection", "segmentation"])
def drawn(request, manager, reviewer, labeler):
    """A project of shapes with three pictures."""
    made = factories.make_project(
        manager=manager, reviewer=reviewer, labeler=labeler, task_type=request.param, validation_rate=0
    )
    factories.make_scenes(made, 3)
    return made


def page_of(client, project) -> dict:
    return client.post(f"/api/projects/{project.pk}/pages/", {"size": 1}, format="json").json()


def send(client, project, page: dict, regions: list[dict]):
    answer = {"item": page["items"][0]["id"], "uuid": str(uuid.uuid4()), "regions": regions}
    url = f"/api/projects/{project.pk}/pages/{page['page']}/submit/"
    return client.post(url, {"answers": [answer]}, format="json")


def test_the_shapes_of_scenes_are_known_and_answers_take_them(drawn, labeler, api) -> None:
    page = page_of(api(labeler), drawn)
    item = Item.objects.select_related("project").get(pk=page["items"][0]["id"])
    assert (item.width, item.height) == (640, 480)
    regions = factories.true_regions(item)
    assert send(api(labeler), drawn, page, regions).json()["saved"][0]["status"] == "counted"
    kept = api(labeler).get(f"/api/projects/{drawn.pk}/pages/{page['page']}/").json()["answers"]
    assert kept[str(item.pk)]["regions"] == [{**each, "origin": "drawn"} for each in regions]


def test_the_origin_of_each_region_is_kept_where_something_was_proposed(
    drawn, labeler, reviewer, api
) -> None:
    factories.prelabel(drawn, list(drawn.items.all()))
    page = page_of(api(labeler), drawn)
    proposed = page["items"][0]["suggestion"]["regions"]
    regions = [{key: value for key, value in each.items() if key != "confidence"} for each in proposed]
    origins = ["accepted", "edited", "drawn", *["accepted"] * (len(regions) - 3)]
    given = [{**each, "origin": origin} for each, origin in zip(regions, origins, strict=True)]
    send(api(labeler), drawn, page, given)
    item = page["items"][0]["id"]
    read = api(reviewer).get(f"/api/projects/{drawn.pk}/items/{item}/").json()
    assert [each["origin"] for each in read["regions"]] == origins
    assert [each["origin"] for each in read["history"][0]["regions"]] == origins


def test_nothing_is_accepted_where_nothing_was_proposed(drawn, labeler, api) -> None:
    page = page_of(api(labeler), drawn)
    item = Item.objects.select_related("project").get(pk=page["items"][0]["id"])
    send(api(labeler), drawn, page, [{**each, "origin": "accepted"} for each in factories.true_regions(item)])
    stored = Annotation.objects.get().regions.values_list("origin", flat=True)
    assert set(stored) == {"drawn"}


def test_an_unknown_origin_is_refused(drawn, labeler, api) -> None:
    page = page_of(api(labeler), drawn)
    region = {"class": "circle", "bbox": [1, 1, 5, 5], "origin": "guessed"}
    assert send(api(labeler), drawn, page, [region]).status_code == 400
    assert queue.claim(drawn, labeler, 1, holding=[page["page"]]) is not None
