"""The HTTP API as programs use it."""

import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from rest_framework.test import APIClient

from labeling import accounts, geometry, projects
from labeling.models import Annotation, ApiToken, Item, Project, QueueEntry
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


@pytest.mark.parametrize(("task_type", "target"), [("multiclass", 0.05), ("segmentation", 0.10)])
def test_people_who_draw_are_promised_less_unless_somebody_says(manager, api, task_type, target) -> None:
    body = {"name": "Pets", "task_type": task_type, "classes": ["dog"]}
    assert api(manager).post("/api/projects/", body, format="json").json()["target_error"] == target


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
    QueueEntry.objects.filter(item=items[0]).update(kind="validation")  # whatever chance has drawn
    body = robot.post(f"/api/projects/{project.pk}/pages/", {"size": 9}, format="json").json()
    assert len(body["items"]) == 1
    assert (body["kind"], body["why"], body["items"][0]["suggestion"]) == ("manual", "", None)
    assert "validation" not in str(body)


def test_audits_have_a_part_in_the_blind_share(robot, project, items) -> None:
    Project.objects.update(validation_share=1.0)
    QueueEntry.objects.update(kind="manual")
    QueueEntry.objects.filter(item=items[-1]).update(kind="audit")
    body = robot.post(f"/api/projects/{project.pk}/pages/", {"size": 9}, format="json").json()
    assert [each["id"] for each in body["items"]] == [items[-1].pk]


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


def test_an_unknown_address_answers_in_the_same_shape(robot) -> None:
    for response in (robot.get("/api/nope/"), robot.post("/api/projects/1/nope/")):
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


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
    told = {"done": 1, "items": [labeled.pk], "skipped": [other.pk]}
    assert response.json().items() >= told.items()


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
    assert b'"annotations"' in response.getvalue()


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


@pytest.mark.parametrize(
    "shape",
    [
        {"bbox": [1, 1, 0, 5]},
        {"bbox": [1, 1, 5, -2]},
        {"bbox": ["NaN", 1, 5, 5]},
        {"bbox": [1, 1, "Infinity", 5]},
        {"bbox": [1, 1, 10**400, 5]},
        {"polygon": [[0, 0, 1, 1]]},
        {"polygon": [[0, 0, 1, 1, 2, 0, 3]]},
        {"polygon": [[0, 0, 1, 1, 2, "nan"]]},
    ],
)
def test_shapes_that_enclose_nothing_are_refused(manager, labeler, api, shape) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    item = factories.make_items(project, 1)[0]
    page = api(labeler).post(f"/api/projects/{project.pk}/pages/", {"size": 1}, format="json").json()
    answer = {"item": item.pk, "uuid": str(uuid.uuid4()), "regions": [{"class": "circle", **shape}]}
    url = f"/api/projects/{project.pk}/pages/{page['page']}/submit/"
    response = api(labeler).post(url, {"answers": [answer]}, format="json")
    assert response.status_code == 400
    assert not Annotation.objects.exists()


def test_a_shape_fits_its_image_up_to_a_hair() -> None:
    assert geometry.misfit([0, 0, 32, 24], None, 32, 24) is None
    assert geometry.misfit([-0.5, 0, 33, 24.5], [[0, 0, 32.5, 0, 0, 24.5]], 32, 24) is None
    assert "32 × 24" in (geometry.misfit([10, 10, 22.6, 5], None, 32, 24) or "")
    assert geometry.misfit(None, [[0, 0, 5, 5, 5, -1]], 32, 24)
    assert geometry.misfit(None, [[0, 0, 5, 5, 5, 0], [0, 0, 5, 25, 5, 0]], 32, 24)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "a", "color": "red"},
        {"name": "a", "color": "#12345g"},
        {"name": "a", "color": "#1234567"},
        {"name": "a", "color": 7},
        {"name": "a", "description": {"no": "text"}},
        {"name": "a", "parent": ["b"]},
        {"name": "a\0"},
        {"name": "a", "description": "b\ud800"},
        "\udfff",
    ],
)
def test_a_class_that_cannot_be_kept_or_drawn_is_refused(manager, api, given) -> None:
    body = json.dumps({"name": "Pets", "task_type": "multiclass", "classes": [given]})
    response = api(manager).post("/api/projects/", body, content_type="application/json")
    assert response.status_code == 400
    assert "classes" in response.json()["error"]["fields"]
    assert not Project.objects.filter(name="Pets").exists()


@pytest.mark.parametrize("number", ["²", "9" * 5_000, "-1", "x", "9" * 19])
def test_what_is_no_number_is_refused_by_the_api_and_passed_over_by_pages(
    project, reviewer, items, api, client, number
) -> None:
    address = f"/api/projects/{project.pk}/items/"
    for name in ("cursor", "limit", "class"):
        answer = api(reviewer).get(address, {name: number})
        assert (answer.status_code, list(answer.json()["error"]["fields"])) == (400, [name])
    client.force_login(reviewer)
    data = reverse("data", args=[project.pk])
    assert client.get(data, {"state": "unlabeled", "cursor": number}).status_code == 200
    assert client.post(reverse("page-size"), {"size": number}).status_code == 204
    reviewer.refresh_from_db()
    assert reviewer.page_size == 9


def test_a_slip_in_a_name_is_refused_not_passed_over(project, manager, api) -> None:
    label = project.classes.first().pk
    for path, body in (
        ("/api/projects/", {"name": "New", "task_type": "multiclass", "classes": ["a"], "bogus": 1}),
        (f"/api/projects/{project.pk}/exports/preview/", {"formt": "csv"}),
        (f"/api/projects/{project.pk}/exports/preview/", {"filter": {"clas": label}}),
    ):
        answer = api(manager).post(path, body, format="json")
        assert (answer.status_code, "no such field" in answer.json()["error"]["message"]) == (400, True)
    for query in ({"klass": 3}, {"since": "2026-02-01", "until": "2026-01-01"}, {"confidence_above": 7}):
        assert api(manager).get(f"/api/projects/{project.pk}/items/", query).status_code == 400


def test_a_token_for_one_project_reads_no_folder_of_the_server(project, admin, tmp_path, api, client) -> None:
    secret = accounts.issue_token(admin, "script", admin, project=project)
    answer = client.post(
        f"/api/projects/{project.pk}/imports/",
        {"url": str(tmp_path)},
        content_type="application/json",
        HTTP_AUTHORIZATION=f"Bearer {secret}",
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", 10**400])
def test_settings_are_numbers_that_can_be_compared(manager, project, api, number) -> None:
    response = api(manager).patch(f"/api/projects/{project.pk}/", {"target_error": number}, format="json")
    assert response.status_code == 400
    assert "target_error" in response.json()["error"]["fields"]


def test_an_error_quotes_what_was_sent_even_when_it_is_no_text(manager, project, api) -> None:
    for url, body in (
        ("/api/projects/", r'{"name": "Pets", "task_type": "\ud800", "classes": ["a"]}'),
        (f"/api/projects/{project.pk}/invitations/", r'{"role": "\udfff"}'),
        (f"/api/projects/{project.pk}/exports/", r'{"format": "\ud800"}'),
    ):
        response = api(manager).post(url, body, content_type="application/json")
        assert response.status_code == 400
        assert response.json()["error"]["message"]


def test_json_that_is_nested_too_deeply_is_refused(manager, api) -> None:
    response = api(manager).post("/api/projects/", "[" * 100_000, content_type="application/json")
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "The JSON is nested too deeply."


def test_a_project_is_renamed_as_it_was_named(manager, project, api) -> None:
    url = f"/api/projects/{project.pk}/"
    assert api(manager).patch(url, {"name": " New   name "}, format="json").json()["name"] == "New name"
    with pytest.raises(projects.ProjectRefused, match="needs a name"):
        projects.change_settings(project, manager, name=" \t ")
    project.refresh_from_db()
    assert project.name == "New name"


def test_texts_with_nul_get_a_sentence_next_to_their_field(client, manager, project) -> None:
    client.force_login(manager)
    instructions = client.post(reverse("settings-instructions", args=[project.pk]), {"text": "a\0b"})
    assert b"Null characters are not allowed." in instructions.content
    assert project.instructions.count() == 1
    token = client.post(reverse("profile-token"), {"name": "a\0b"})
    assert b"Null characters are not allowed." in token.content
    assert not ApiToken.objects.exists()


def test_what_no_column_can_hold_is_looked_for_and_not_found(client, admin, project, items, labeler) -> None:
    factories.answer(project, labeler)
    client.force_login(admin)
    for path, found in (
        (f"/api/projects/{project.pk}/items/?until=9999-12-31", 1),
        ("/api/people/?q=%00", 0),
        ("/api/people/?after=%00", 0),
    ):
        assert len(client.get(path).json()["results"]) == found, path
    for path in (f"/projects/{project.pk}/data/?class={2**63}", "/log/?until=9999-12-31", "/people/?q=%00"):
        assert client.get(path).status_code == 200, path


def test_a_form_in_another_encoding_than_it_says_is_refused(client, manager) -> None:
    client.force_login(manager)
    form = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\xff\r\n--b--\r\n'
    header = "multipart/form-data; boundary=b; charset=punycode"
    response = client.generic("POST", "/api/projects/", form, header)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "The form is not in the encoding that it names."
