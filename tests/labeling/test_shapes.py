"""Boxes and polygons from a page to its history: where they came from, and whether a proposal was right."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling import proposing, queue
from labeling.models import Annotation, Item, QueueEntry, Suggestion
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
    regions = plain(proposed)
    origins = ["accepted", "edited", "drawn", *["accepted"] * (len(regions) - 3)]
    sent = [{**each, "origin": origin} for each, origin in zip(regions, origins, strict=True)]
    send(api(labeler), drawn, page, sent)
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


def plain(regions: list[dict]) -> list[dict]:
    return [{key: value for key, value in each.items() if key != "confidence"} for each in regions]


@pytest.mark.parametrize(
    ("change", "agreed"),
    [
        (lambda regions: regions, True),
        (lambda regions: regions[::-1], True),
        (lambda regions: regions[1:], False),
        (lambda regions: [*regions, regions[0]], False),
        (lambda regions: [{**regions[0], "class": "triangle"}, *regions[1:]], False),
        (lambda regions: [moved(regions[0]), *regions[1:]], False),
        (lambda regions: [], False),
    ],
)
def test_an_answer_agrees_when_all_of_a_proposal_is_in_it_and_no_more(
    drawn, labeler, api, change, agreed
) -> None:
    factories.prelabel(drawn, list(drawn.items.all()))
    page = page_of(api(labeler), drawn)
    suggestion = page["items"][0]["suggestion"]
    assert [each["confidence"] for each in suggestion["regions"]][:2] == [0.93, 0.92]
    # Another round of the model changes nothing of what is on the screen.
    Suggestion.objects.update(regions=[], model_version=1)
    assert send(api(labeler), drawn, page, change(plain(suggestion["regions"]))).status_code == 200
    stored = Annotation.objects.get()
    assert (stored.suggestion_visible, stored.agreed) == (True, agreed)
    assert stored.origin == ("confirmed" if agreed else "person")
    again = api(labeler).get(f"/api/projects/{drawn.pk}/pages/{page['page']}/").json()
    assert again["items"][0]["suggestion"] == suggestion


def moved(region: dict) -> dict:
    if "bbox" in region:
        return {**region, "bbox": [region["bbox"][0] + 0.5, *region["bbox"][1:]]}
    return {**region, "polygon": [[region["polygon"][0][0] + 0.5, *region["polygon"][0][1:]]]}


def test_a_blind_page_of_shapes_proposes_nothing(drawn, labeler, api) -> None:
    factories.prelabel(drawn, list(drawn.items.all()))
    QueueEntry.objects.update(kind="validation")
    assert page_of(api(labeler), drawn)["items"][0]["suggestion"] is None


coordinates = st.floats(0, 1_000)
boxes = st.lists(coordinates, min_size=4, max_size=4)
proposals = st.lists(st.fixed_dictionaries({"class": st.integers(1, 3), "bbox": boxes}), max_size=5)


@given(proposals, st.randoms())
def test_the_order_of_regions_does_not_matter(regions, chance) -> None:
    mixed = chance.sample(regions, len(regions))
    assert proposing.of_regions(regions) == proposing.of_regions(mixed)
    if regions:
        assert proposing.of_regions(regions) != proposing.of_regions(regions[1:])


def test_an_unknown_origin_is_refused(drawn, labeler, api) -> None:
    page = page_of(api(labeler), drawn)
    region = {"class": "circle", "bbox": [1, 1, 5, 5], "origin": "guessed"}
    assert send(api(labeler), drawn, page, [region]).status_code == 400
    assert queue.claim(drawn, labeler, 1, holding=[page["page"]]) is not None


SQUARE = [10, 10, 60, 10, 60, 60, 10, 60]


@pytest.mark.parametrize(
    ("geometry", "said"),
    [
        ({"bbox": [10, 10, 50, 50], "polygon": [SQUARE]}, "not both"),
        ({"bbox": [True, 10, 50, 50]}, "number"),
        ({"polygon": [[True, *SQUARE[1:]]]}, "numbers"),
        ({"polygon": [["10", *SQUARE[1:]]]}, "numbers"),
        ({"polygon": [[10**400, *SQUARE[1:]]]}, "numbers"),
        ({"polygon": [SQUARE] * 201}, "at most 200 parts"),
    ],
)
def test_what_is_no_single_shape_of_numbers_is_refused(drawn, labeler, api, geometry, said) -> None:
    page = page_of(api(labeler), drawn)
    refused = send(api(labeler), drawn, page, [{"class": "circle", **geometry}])
    assert (refused.status_code, said in refused.json()["error"]["message"]) == (400, True)


def test_an_answer_has_a_bounded_number_of_regions(drawn, labeler, api) -> None:
    page = page_of(api(labeler), drawn)
    boxes = [{"class": "circle", "bbox": [10, 10, 50, 50]}] * 5_001
    assert send(api(labeler), drawn, page, boxes).status_code == 400
    assert send(api(labeler), drawn, page, boxes[:5_000]).status_code == 200


def test_a_page_full_of_outlines_is_taken_and_what_is_far_larger_refused_with_a_sentence(
    drawn, labeler, client
) -> None:
    client.force_login(labeler)
    page = page_of_client(client, drawn)
    answer = {"item": page["items"][0]["id"], "uuid": str(uuid.uuid4()), "skipped": True}
    url = f"/api/projects/{drawn.pk}/pages/{page['page']}/submit/"
    for size, status in ((33 << 20, 413), (3 << 20, 200)):
        body = {"answers": [answer], "padding": "x" * size}
        sent = client.post(url, body, content_type="application/json")
        assert sent.status_code == status
        if status == 413:
            assert "smaller parts" in sent.json()["error"]["message"]


def page_of_client(client, project) -> dict:
    made = client.post(f"/api/projects/{project.pk}/pages/", {"size": 1}, content_type="application/json")
    return made.json()
