"""Data sets: sent once, complete to the last byte, imported by any number of projects, gone with none."""

import io
import shutil
import zipfile
from pathlib import Path

import pytest
from django.urls import reverse

from labeling import (
    completing,
    data_sets,
    deleting,
    extensions,
    face_boxes,
    hiding,
    importing,
    jobs,
    storing,
    taking_back,
    uploading,
)
from labeling.models import Item, Job, MaskedImage, Project, Upload, User
from tests import coloured, factories
from tests.labeling.test_uploads import complete, pictures, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """A ZIP, a packed TAR and two pictures: seven images that differ."""
    found = pictures(tmp_path / "in", 7)
    names = list(found)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for name in names[:3]:
            out.writestr(name, found[name])
    for name in names[3:5]:
        place = tmp_path / "packed" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(found[name])
    packed = Path(shutil.make_archive(str(tmp_path / "second"), "gztar", tmp_path / "packed"))
    return {
        "first.zip": archive.getvalue(),
        "second.tar.gz": packed.read_bytes(),
        **{name: found[name] for name in names[5:]},
    }


@pytest.fixture
def data_set(manager: User, files: dict[str, bytes]) -> Upload:
    made, is_known = uploading.begin_data_set(manager, "  Forklifts ")
    assert not is_known
    send(made, files)
    return made


def contents(project: Project) -> set[bytes]:
    factories.run_jobs("quick", "long")
    return {
        storing.read_bytes(each)
        for each in Item.objects.filter(project=project).exclude(state="removed").select_related("source")
    }


def test_projects_have_its_images_and_it_stays_when_they_go(project, manager, data_set, tmp_path) -> None:
    assert complete(data_set, manager).state == "complete"
    assert (data_set.name, data_set.files) == ("Forklifts", 7)
    other = factories.make_project(manager=manager, name="Another")
    for each in (project, other):
        data_sets.use(data_set, each, manager)
    wanted = set(pictures(tmp_path / "in", 7).values())
    assert contents(project) == contents(other) == wanted
    with pytest.raises(data_sets.InUse):
        data_sets.delete(data_set)
    deleting.delete(other, manager, other.name)
    assert contents(project) == wanted
    deleting.delete(project, manager, project.name)
    factories.run_jobs()
    again = factories.make_project(manager=manager, name="Again")
    data_sets.use(data_set, again, manager)
    assert contents(again) == wanted
    deleting.delete(again, manager, again.name)
    factories.run_jobs()
    data_sets.delete(data_set)
    assert not uploading.folder_of(data_set).exists()


def test_nothing_is_made_of_it_before_it_is_complete(client, project, manager, files) -> None:
    data_set, _ = uploading.begin_data_set(manager, "Forklifts")
    (name, data), *others = files.items()
    send(data_set, dict(others))
    uploading.name_files(data_set, [uploading.Named(name, len(data))])
    with pytest.raises(importing.ImportRefused, match="not complete yet"):
        data_sets.use(data_set, project, manager)
    client.force_login(manager)
    asked = {
        "name": "New", "task_type": "multiclass", "classes": "a", "assist_mode": "off", "promise": "each",
        "target": 95, "confidence": 95, "people-role": "labeler", "data_set": data_set.pk,
    }  # fmt: skip
    assert client.post(reverse("project-new"), asked).status_code == 200
    assert not Project.objects.filter(name="New").exists()
    send(data_set, {name: data})
    complete(data_set, manager)
    assert client.post(reverse("project-new"), asked).status_code == 302
    assert len(contents(Project.objects.get(name="New"))) == 7


def test_a_project_begins_with_it_and_no_face_is_ever_seen_there(
    client, manager, data_set, monkeypatch
) -> None:
    monkeypatch.setattr(extensions, "_face_finders", [coloured.ByColour()])
    complete(data_set, manager)
    client.force_login(manager)
    asked = {
        "name": "New", "task_type": "multiclass", "classes": "a", "assist_mode": "off", "promise": "each",
        "target": 95, "confidence": 95, "people-role": "labeler", "data_set": data_set.pk, "faces": "box",
    }  # fmt: skip
    assert client.post(reverse("project-new"), asked).status_code == 302
    made = Project.objects.get(name="New")
    assert made.faces == "box"
    assert all(item.is_withheld for item in Item.objects.filter(project=made).select_related("source"))
    factories.run_jobs("quick", "long")
    assert MaskedImage.objects.filter(item__project=made).count() == 7


def test_what_is_damaged_is_named_and_taken_out(manager, project, files) -> None:
    data_set, _ = uploading.begin_data_set(manager, "Damaged")
    send(data_set, {"a.zip": b"PK, but no archive", **files})
    completing.complete(data_set, manager)
    with pytest.raises(AssertionError):
        factories.run_jobs("long")
    data_set.refresh_from_db()
    assert data_set.state == "open"
    assert data_set.error.startswith("a.zip was taken out: a.zip is not a complete ZIP archive.")
    complete(data_set, manager)
    data_sets.use(data_set, project, manager)
    assert len(contents(project)) == 7


def test_archives_whose_names_meet_when_they_are_unpacked_keep_their_images(
    manager, project, tmp_path
) -> None:
    found = list(pictures(tmp_path / "in", 5).items())
    sent = {}
    for name, form, some in (("x.tar.gz", "gztar", found[:3]), ("x.tar.gz.tar", "tar", found[3:])):
        for path, data in some:
            place = tmp_path / form / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        sent[name] = Path(
            shutil.make_archive(str(tmp_path / f"{form}-made"), form, tmp_path / form)
        ).read_bytes()
    data_set, _ = uploading.begin_data_set(manager, "Twins")
    send(data_set, sent)
    data_sets.use(complete(data_set, manager), project, manager)
    assert contents(project) == {data for _, data in found}
    other = factories.make_project(manager=manager)
    upload = uploading.begin(other, manager)[0]
    send(upload, sent)
    complete(upload, manager)
    assert contents(other) == {data for _, data in found}


def test_taken_back_it_can_be_imported_again_and_deleted(manager, project, data_set) -> None:
    complete(data_set, manager)
    for _ in range(2):
        sources = data_sets.use(data_set, project, manager)
        assert len(contents(project)) == 7
        for each in sources:
            taking_back.start(each, manager)
        factories.run_jobs("quick")
    data_sets.delete(data_set)
    assert not Upload.objects.filter(pk=data_set.pk).exists()


def test_killed_just_before_its_end_it_leaves_nothing(
    manager, project, data_set, tmp_path, monkeypatch
) -> None:
    completing.complete(data_set, manager)
    job = Job.objects.get(kind="finish_data_set")
    monkeypatch.setattr(data_sets, "clear", lambda data_set: 1 / 0)
    jobs.run(job.pk)
    monkeypatch.undo()
    Job.objects.filter(pk=job.pk).update(state="queued", attempts=0, finished_at=None, error="")
    factories.run_jobs("long")
    folder = uploading.folder_of(data_set)
    kept = sorted(each.name for each in folder.rglob("*") if each.is_file())
    assert (len(kept), kept[2:]) == (4, ["first.zip", "second.tar.gz.tar"])
    data_sets.use(Upload.objects.get(pk=data_set.pk), project, manager)
    assert contents(project) == set(pictures(tmp_path / "in", 7).values())


def test_only_its_maker_and_site_admins_know_of_it(
    client, api, manager, reviewer, admin, project, data_set
) -> None:
    complete(data_set, manager)
    for person, status in ((reviewer, 404), (manager, 200), (admin, 200)):
        assert api(person).get(f"/api/data-sets/{data_set.pk}/").status_code == status
        listed = api(person).get("/api/data-sets/").json()["results"]
        assert len(listed) == (1 if status == 200 else 0)
    assert api(reviewer).delete(f"/api/data-sets/{data_set.pk}/").status_code == 404
    address = f"/api/projects/{project.pk}/imports/"
    assert api(manager).post(address, {"data_set": data_set.pk}, format="json").status_code == 201
    assert api(manager).post(address, {"data_set": data_set.pk}, format="json").status_code == 400
    said = api(manager).delete(f"/api/data-sets/{data_set.pk}/")
    assert (said.status_code, said.json()["error"]["code"]) == (409, "in_use")
    client.force_login(reviewer)
    assert client.post(reverse("data-set-delete", args=[data_set.pk])).status_code == 404
    with pytest.raises(importing.ImportRefused, match="already"):
        uploading.begin_data_set(manager, "FORKLIFTS")
    assert uploading.begin_data_set(reviewer, "Forklifts")


def test_a_project_that_hides_faces_leaves_it_to_the_others(
    project, manager, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    monkeypatch.setattr(extensions, "_face_finders", [coloured.ByColour()])
    made, _ = uploading.begin_data_set(manager, "People")
    send(made, {"a.png": coloured.picture(0), "b.png": coloured.picture(1)})
    complete(made, manager)
    hiding.begin(project, manager, "mosaic", "keep", project.name)
    other = factories.make_project(manager=manager, name="Another")
    with django_capture_on_commit_callbacks(execute=True):
        for each in (project, other):
            data_sets.use(made, each, manager)
        pictures_shown = contents(other)
    assert pictures_shown == {coloured.picture(0), coloured.picture(1)}
    assert not contents(project) & pictures_shown
    row = MaskedImage.objects.select_related("item__project", "item__source").filter(project=project).first()
    assert not row.is_sealed
    assert face_boxes.can_remove(row, row.item)
    assert len(contents(other)) == 2
