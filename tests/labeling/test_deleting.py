"""A project that is deleted is gone at once, its files and rows follow, and nothing else goes with it."""

import uuid
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from labeling import deleting, exporting, illustrations, images, importing, jobs, queue, review, workforce
from labeling.models import Annotation, Event, Invitation, Item, Job, Project, User
from tests import factories

pytestmark = pytest.mark.django_db


def files() -> set[str]:
    root = Path(settings.MEDIA_ROOT)
    return {str(each.relative_to(root)) for each in root.rglob("*") if each.is_file()}


def upload(project: Project, seed: int) -> Item:
    place = factories.write_image(Path(settings.MEDIA_ROOT).parent / f"{seed}.png", seed=seed)
    importing.add_uploads(project, [SimpleUploadedFile(place.name, place.read_bytes())], project.created_by)
    factories.run_jobs("quick")
    return Item.objects.filter(project=project).latest("id")


def test_files_of_a_project_go_and_those_of_others_stay(project, manager, labeler) -> None:
    other = factories.make_project(manager=manager)
    shared, own = upload(project, 1), upload(project, 2)
    upload(other, 1)
    for each in (project, other):
        illustrations.add(each, factories.picture_file(), "a.png", manager)
    illustrations.add(project, factories.picture_file((20, 20)), "b.png", manager)
    factories.answer_all(project, labeler, lambda _: "circle")
    exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    before = files()
    deleting.delete(project, manager, project.name)
    factories.run_jobs("quick")
    gone = before - files()
    assert {each.split("/")[0] for each in gone} == {"uploads", "thumbnails", "instructions", "exports"}
    assert images.thumbnail_name(own.sha256) in gone
    assert default_storage.exists(images.thumbnail_name(shared.sha256))
    assert len([each for each in files() if each.startswith("uploads")]) == 1
    assert not Item.objects.filter(project=project).exists()
    assert Item.objects.filter(project=other).count() == 1


def test_crops_of_objects_go_with_their_images(manager, labeler) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    factories.ask_about_objects(project, factories.make_scenes(project, 1, size=(64, 48)))
    check = project.checks.select_related("item__source").first()
    images.crop(check.item, check.bbox)
    deleting.delete(project, manager, project.name)
    factories.run_jobs("quick")
    assert files() == set()


def test_folders_of_the_server_stay_as_they_are(project, manager, items) -> None:
    place = Path(items[0].source.location, items[0].path)
    deleting.delete(project, manager, project.name)
    factories.run_jobs("quick")
    assert place.exists()


def test_whoever_labels_at_that_moment_is_told_and_loses_nothing_elsewhere(
    project, manager, labeler, outsider, items, api, client
) -> None:
    elsewhere = factories.make_project(manager=manager, labeler=labeler)
    factories.make_items(elsewhere, 3, size=40)
    factories.answer(elsewhere, labeler)
    page = queue.claim(project, labeler, 1)
    answer = {"item": page.claims.get().item_id, "uuid": str(uuid.uuid4()), "regions": [{"class": "circle"}]}
    deleting.delete(project, manager, project.name)
    for _ in range(2):  # at once, and when all of it is gone
        base = f"/api/projects/{project.pk}/"
        sent = api(labeler).post(f"{base}pages/{page.pk}/submit/", {"answers": [answer]}, format="json")
        next_page = api(labeler).post(f"{base}pages/", {"size": 1}, format="json")
        for refused in (sent, next_page):
            assert refused.status_code == 404
            assert refused.json()["error"]["code"] == "deleted"
            assert "This project was deleted on" in refused.json()["error"]["message"]
        stranger = api(outsider).post(f"{base}pages/", {"size": 1}, format="json")
        assert stranger.json()["error"]["code"] == "not_found"
        client.force_login(labeler)
        seen = client.get(reverse("label", args=[project.pk]))
        assert (seen.status_code, "was deleted on" in seen.content.decode()) == (404, True)
        factories.run_jobs("quick")
    assert Annotation.objects.filter(labeler=labeler).count() == 1
    assert factories.answer(elsewhere, labeler) == 1


def test_what_runs_is_stopped_before_anything_is_removed(project, manager, items) -> None:
    factories.label_one(items[0])
    waiting = exporting.start(project, manager, "coco", review.Filters())
    running = jobs.enqueue("round", project)
    claimed = jobs._claim("ml")
    assert claimed is not None
    deleting.delete(project, manager, project.name)
    waiting.refresh_from_db()
    running.refresh_from_db()
    assert (waiting.state, running.cancel_requested) == ("cancelled", True)
    factories.run_jobs("quick")
    assert Item.objects.filter(project=project).count() == 12
    Job.objects.filter(pk=running.pk).update(state="cancelled", lease_until=None)
    deleting.go_on()
    factories.run_jobs("quick")
    assert not Item.objects.filter(project=project).exists()
    assert list(Event.objects.filter(project=project).values_list("verb", flat=True))[-2:] == [
        "delete",
        "emptied",
    ]
    deleting.go_on()
    assert factories.run_jobs() == 0


def test_what_was_sent_before_and_comes_after_all_goes_too(project, manager, items) -> None:
    deleting.delete(project, manager, project.name)
    factories.run_jobs("quick")
    assert Project.objects.get(pk=project.pk).emptied_at
    upload(project, 1)  # its view has looked whether the project is there before it read the files
    assert Item.objects.filter(project=project).exists()
    deleting.go_on()
    factories.run_jobs("quick")
    assert not Item.objects.filter(project=project).exists()
    assert files() == set()
    assert Project.objects.get(pk=project.pk).emptied_at
    deleting.go_on()
    assert factories.run_jobs() == 0


def test_a_killed_job_goes_on_where_it_was(project, manager, labeler, items, monkeypatch) -> None:
    factories.answer_all(project, labeler)
    Item.objects.filter(pk=items[-1].pk).update(duplicate_of=items[0])
    monkeypatch.setattr(deleting, "CHUNK", 5)
    deleting.delete(project, manager, project.name)
    deleting.remove_chunk([each.pk for each in items[:5]])
    factories.run_jobs("quick")
    project.refresh_from_db()
    assert project.emptied_at
    assert not Item.objects.exists()


def test_a_manager_types_the_name(project, manager, reviewer, outsider, items, client, api) -> None:
    invited = workforce.invite(project, manager, "labeler", "new@example.com", with_password=True)
    client.force_login(manager)
    page = client.get(reverse("settings", args=[project.pk])).content.decode()
    assert "12 images here" in page
    url = reverse("project-delete", args=[project.pk])
    refused = client.post(url, {"delete-name": "Something else"}).content.decode()
    assert "This is not the name of the project." in refused
    assert Project.objects.get(pk=project.pk).deleted_at is None
    assert api(reviewer).delete(f"/api/projects/{project.pk}/?name={project.name}").status_code == 404
    assert api(manager).delete(f"/api/projects/{project.pk}/").status_code == 400
    done = client.post(url, {"delete-name": f" {project.name} "}, follow=True).content.decode()
    assert f"{project.name} is deleted." in done
    assert not User.objects.filter(email=invited.email).exists()
    assert Invitation.objects.get(pk=invited.pk).revoked_at
    second = factories.make_project(manager=manager)
    assert api(manager).delete(f"/api/projects/{second.pk}/?name={second.name}").status_code == 204
