"""Programs change the classes of a running project as people do on its pages, and take that back."""

import pytest

from labeling import classes
from labeling.models import Event, Item, QueueEntry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def labeled(project, labeler, items) -> list[Item]:
    factories.answer_all(project, labeler)
    return list(Item.objects.filter(state="labeled"))


@pytest.fixture
def call(api, project, manager):
    """Return a caller of the project's API as its manager: method, address below the project, body."""

    def call(method: str, path: str, body=None, status: int = 200):
        response = getattr(api(manager), method)(f"/api/projects/{project.pk}/{path}", body, format="json")
        assert response.status_code == status, response.content
        return response.json()

    return call


def names(project) -> list[str]:
    return [each.label_class.name for each in classes.tree(project)]


@pytest.mark.parametrize(
    ("policy", "unlabeled", "hinted"), [("keep", 0, 0), ("hints", 12, 12), ("nothing", 12, 0)]
)
def test_adding_says_what_becomes_of_the_labels(call, project, labeled, policy, unlabeled, hinted) -> None:
    Item.objects.update(draw=0.99)
    project.annotations.update(kind="manual")
    assert call("get", "class-changes/preview/?change=add") == {"change": "add", "images": 12}
    given = {"classes": ["star", {"name": "moon", "description": "a crescent"}], "policy": policy}
    made = call("post", "classes/", given, 201)
    assert [each["description"] for each in made["classes"]] == ["", "a crescent"]
    assert Item.objects.filter(state="unlabeled").count() == unlabeled
    assert QueueEntry.objects.filter(hint__isnull=False).count() == hinted
    undone = call("post", f"class-changes/{made['change']['id']}/undo/")
    assert (undone["change"]["is_undone"], undone["undo"]["undoes"]) == (True, made["change"]["id"])
    assert (names(project), Item.objects.filter(state="labeled").count()) == (
        ["circle", "square", "triangle"],
        12,
    )


def test_a_split_is_counted_made_and_undone(call, project, labeled, circle) -> None:
    foreseen = call("get", f"class-changes/preview/?change=split&class={circle}")
    assert (foreseen["images"], foreseen["labels"]["people"]) == (4, 4)
    made = call("post", f"classes/{circle}/split/", {"classes": ["disc", "ring"]}, 201)["change"]
    assert (made["images"], made["can_be_undone"]) == (4, True)
    assert names(project) == ["square", "triangle", "disc", "ring"]
    call("post", f"class-changes/{made['id']}/undo/")
    assert call("post", f"class-changes/{made['id']}/undo/")["undo"] is None
    assert names(project) == ["circle", "square", "triangle"]


def test_a_merge_is_foreseen_with_the_class_that_it_makes(call, labeled, circle, square) -> None:
    foreseen = call("get", f"class-changes/preview/?change=merge&class={circle}&into={square}")
    assert (foreseen["labels"]["people"], foreseen["together"]["labels"]["people"]) == (4, 8)
    refused = call("get", f"class-changes/preview/?change=merge&class={circle}", status=400)
    assert refused["error"]["message"] == "into: Say which class it is to be merged into."


def test_moves_are_undone_the_last_one_first(call, project, circle) -> None:
    first, second = (call("post", f"classes/{circle}/move/", {"step": 1})["change"]["id"] for _ in range(2))
    assert names(project) == ["square", "triangle", "circle"]
    assert "change" not in call("post", f"classes/{circle}/move/", {"step": 1})
    refused = call("post", f"class-changes/{first}/undo/", status=400)
    assert "Undo that first." in refused["error"]["message"]
    call("post", f"class-changes/{second}/undo/")
    call("post", f"class-changes/{first}/undo/")
    assert names(project) == ["circle", "square", "triangle"]


def test_all_changes_are_listed_page_by_page(call, circle) -> None:
    for name in ("disc", "ring", "hoop"):
        call("patch", f"classes/{circle}/", {"name": name})
    first = call("get", "class-changes/?limit=2")
    rest = call("get", f"class-changes/?limit=2&cursor={first['next']}")
    said = [each["sentence"] for each in (*first["results"], *rest["results"])]
    assert said == [
        "“ring” is called “hoop” now.", "“disc” is called “ring” now.", "“circle” is called “disc” now."
    ]  # fmt: skip
    assert rest["next"] is None
    assert call("get", f"class-changes/{Event.objects.latest('id').pk}/")["verb"] == "edit_class"


def test_what_cannot_be_is_said_in_a_sentence(call, project, circle) -> None:
    taken = call("post", "classes/", {"classes": ["Square"]}, 400)["error"]
    assert taken["message"] == "The class “Square” is there already."
    assert list(taken["fields"]) == ["classes"]
    call("post", f"classes/{circle}/split/", {"classes": []}, 400)
    call("post", "classes/", {"classes": ["star"], "policy": "perhaps"}, 400)
    assert names(project) == ["circle", "square", "triangle"]
