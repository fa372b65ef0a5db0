"""The HTTP API as programs use it."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from labeling import projects
from labeling.models import Annotation, ApiToken, Item, Project
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def robot(labeler) -> APIClient:
    """A client that has nothing but a token."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {ApiToken.issue(labeler)}")
    return client


def test_a_project_is_made_steered_and_read(manager, api) -> None:
    client = api(manager)
    made = client.post(
        "/api/projects/",
        {
            "name": "Pets",
            "task_type": "multilabel",
            "classes": ["dog", {"name": "cat", "color": "#00aa00"}, {"name": "siamese", "parent": "cat"}],
            "target_error": 0.1,
        },
        format="json",
    )
    assert made.status_code == 201, made.content
    url = f"/api/projects/{made.json()['id']}/"
    assert [each["hotkey"] for each in made.json()["classes"]] == ["1", "2", "3"]
    assert client.post(f"{url}pause/").json() == {"state": "paused"}
    assert client.patch(url, {"assist_mode": "accept"}, format="json").json()["assist_mode"] == "accept"
    body = client.get(url).json()
    for key in ("items", "queue", "next_run", "model", "certificate", "forecast", "labels_by_class"):
        assert key in body
    assert "Pets" in [each["name"] for each in client.get("/api/projects/").json()["results"]]


def test_classes_called_by_digits_get_their_own_keys(manager) -> None:
    project = projects.create_project(manager, "Digits", "multiclass", ["0", "1", "other", "9"])
    assert [each.hotkey for each in project.classes.all()] == ["0", "1", "2", "9"]


def test_a_name_is_never_used_again(manager, api) -> None:
    body = {"name": "Pets", "task_type": "multiclass", "classes": ["dog"]}
    first = api(manager).post("/api/projects/", body, format="json").json()
    Project.objects.filter(pk=first["id"]).update(deleted_at="2026-01-01T00:00Z")
    again = api(manager).post("/api/projects/", body | {"name": "PETS"}, format="json")
    assert again.status_code == 400
    assert "never used again" in again.json()["error"]["message"]
    assert "name" in again.json()["error"]["fields"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"task_type": "video"}, "task_type"),
        ({"classes": []}, "classes"),
        ({"classes": ["a", "A"]}, "classes"),
        ({"classes": [7]}, "classes"),
        ({"target_error": 2}, "target_error"),
    ],
)
def test_a_project_that_makes_no_sense_is_refused_by_field(manager, api, change, field) -> None:
    body = {"name": "Pets", "task_type": "multiclass", "classes": ["dog"]} | change
    response = api(manager).post("/api/projects/", body, format="json")
    assert response.status_code == 400
    assert list(response.json()) == ["error"]
    assert field in response.json()["error"]["fields"]
    assert not Project.objects.filter(name__in=("Pets", "")).exists()


def test_a_labeler_with_a_token_gets_a_page_and_answers_it_by_class_name(robot, project, items) -> None:
    url = f"/api/projects/{project.pk}/pages/"
    page = robot.post(url, {"size": 4}, format="json")
    assert page.status_code == 201
    body = page.json()
    assert body["kind"] == "manual"
    assert robot.get(body["items"][0]["image"]).headers["Content-Type"] == "image/png"
    answers = [
        {"item": each["id"], "uuid": str(uuid.uuid4()), "seconds": 1.2, "regions": [{"class": "Circle"}]}
        for each in body["items"]
    ]
    sent = robot.post(f"{url}{body['page']}/submit/", {"answers": answers}, format="json")
    assert sent.status_code == 200, sent.content
    assert {each["status"] for each in sent.json()["saved"]} == {"counted"}
    assert sent.json()["done_today"] == len(answers)
    repeated = robot.post(f"{url}{body['page']}/submit/", {"answers": answers}, format="json")
    assert repeated.json() == sent.json()
    assert Annotation.objects.count() == len(answers)


def test_validation_looks_like_any_other_page(robot, project, items) -> None:
    Project.objects.update(validation_share=1.0)
    body = robot.post(f"/api/projects/{project.pk}/pages/", {"size": 9}, format="json").json()
    assert len(body["items"]) == 1
    assert (body["kind"], body["why"], body["items"][0]["suggestion"]) == ("manual", "", None)
    assert "validation" not in str(body)


def test_an_empty_queue_is_204_and_a_paused_project_says_so(robot, project) -> None:
    url = f"/api/projects/{project.pk}/pages/"
    assert robot.post(url, {"size": 1}, format="json").status_code == 204
    Project.objects.update(state="paused")
    response = robot.post(url, {"size": 1}, format="json")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "paused")


@pytest.mark.parametrize(
    "answers",
    [None, "x", [{}], [{"item": 1}], [{"item": 1, "uuid": "no"}], [{"item": "x", "uuid": str(uuid.uuid4())}],
     [{"item": 1, "uuid": str(uuid.uuid4()), "regions": [{"class": {}}]}],
     [{"item": 1, "uuid": str(uuid.uuid4()), "regions": [{"class": "no such class"}]}]],
)  # fmt: skip
def test_broken_answers_get_a_sentence(robot, project, items, answers) -> None:
    page = robot.post(f"/api/projects/{project.pk}/pages/", {"size": 1}, format="json").json()
    response = robot.post(
        f"/api/projects/{project.pk}/pages/{page['page']}/submit/", {"answers": answers}, format="json"
    )
    assert response.status_code == 400
    assert response.json()["error"]["message"]


def test_a_wrong_token_is_401_with_a_sentence(project) -> None:
    response = APIClient().get("/api/projects/", headers={"Authorization": "Token nonsense"})
    assert response.status_code == 401
    assert "profile page" in response.json()["error"]["message"]


def test_boxes_and_polygons_travel_through_the_api(manager, labeler, api, tmp_path) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    item = factories.make_items(project, 1)[0]
    client = api(labeler)
    page = client.post(f"/api/projects/{project.pk}/pages/", {"size": 1}, format="json").json()
    regions = [
        {"class": "circle", "bbox": [1.5, 2.25, 10, 12]},
        {"class": "square", "polygon": [[0, 0, 10, 0, 10, 10.5]]},
    ]
    answer = {"item": item.pk, "uuid": str(uuid.uuid4()), "regions": regions}
    url = f"/api/projects/{project.pk}/pages/{page['page']}/submit/"
    assert client.post(url, {"answers": [answer]}, format="json").status_code == 200
    item.refresh_from_db()
    stored = [(each.bbox, each.polygon) for each in item.current_annotation.regions.all()]
    assert stored == [([1.5, 2.25, 10, 12], None), (None, [[0, 0, 10, 0, 10, 10.5]])]


def test_images_are_imported_by_upload_and_listed_with_their_problems(
    manager, project, api, tmp_path
) -> None:
    good = factories.write_image(tmp_path / "a.png").read_bytes()
    files = [SimpleUploadedFile("a.png", good), SimpleUploadedFile("bad.jpg", b"no")]
    response = api(manager).post(f"/api/projects/{project.pk}/imports/", {"files": files})
    assert response.status_code == 201, response.content
    factories.run_jobs("quick")
    listed = api(manager).get(f"/api/projects/{project.pk}/imports/").json()["results"][0]
    assert (listed["total"], listed["read"], listed["broken"]) == (2, 2, 1)
    assert listed["problems"][0]["name"] == "bad.jpg"


def test_only_a_site_admin_reads_folders_of_the_server(manager, admin, project, api, tmp_path) -> None:
    factories.write_image(tmp_path / "pictures" / "a.png")
    url, body = f"/api/projects/{project.pk}/imports/", {"url": str(tmp_path / "pictures")}
    assert api(manager).post(url, body, format="json").status_code == 403
    assert api(admin).post(url, body, format="json").status_code == 201
    assert Item.objects.count() == 1


def test_reviews_say_what_was_done_and_what_was_not(reviewer, labeler, project, items, api) -> None:
    factories.answer(project, labeler, size=4)
    labeled = Item.objects.filter(state="labeled").first()
    other = Item.objects.filter(state="unlabeled").first()
    body = {"items": [labeled.pk, other.pk], "verdict": "reject", "comment": "wrong"}
    response = api(reviewer).post(f"/api/projects/{project.pk}/reviews/", body, format="json")
    assert response.json() == {"done": 1, "items": [labeled.pk], "skipped": [other.pk]}


def test_an_export_is_followed_to_its_file(reviewer, labeler, project, items, api) -> None:
    factories.answer_all(project, labeler)
    client = api(reviewer)
    job = client.post(f"/api/projects/{project.pk}/exports/", {"format": "coco"}, format="json")
    assert job.status_code == 202
    factories.run_jobs("quick")
    done = client.get(f"/api/jobs/{job.json()['id']}/").json()
    assert done["state"] == "done"
    response = client.get(done["result"]["file"])
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert b'"annotations"' in b"".join(response.streaming_content)


def test_the_label_endpoints_ask_the_database_little(
    robot, project, labeler, django_assert_max_num_queries
) -> None:
    items = factories.make_unread_items(project, 40)
    factories.open_queue(project, items)
    url = f"/api/projects/{project.pk}/pages/"
    Project.objects.update(validation_share=0.0)
    with django_assert_max_num_queries(26):
        body = robot.post(url, {"size": 9}, format="json").json()
    answers = [
        {"item": each["id"], "uuid": str(uuid.uuid4()), "regions": [{"class": "circle"}]}
        for each in body["items"]
    ]
    with django_assert_max_num_queries(34):
        robot.post(f"{url}{body['page']}/submit/", {"answers": answers}, format="json")
