"""Faces are hidden before anybody is shown an image, and stay so. Here a face has magenta stripes."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from PIL import Image

from labeling import (
    announcing,
    deleting,
    exporting,
    extensions,
    face_boxes,
    hiding,
    images,
    importing,
    masked,
    projects,
    queue,
    reading,
    review,
    storing,
)
from labeling.models import DataSource, Event, Face, Item, Job, Notification
from tests import factories
from tests.coloured import BLUE, MAGENTA, MISSED, ByColour, picture


@pytest.fixture(autouse=True)
def finder(monkeypatch) -> ByColour:
    found = ByColour()
    monkeypatch.setattr(extensions, "_face_finders", [found])
    return found


def shows(data: bytes, colour=MAGENTA) -> bool:
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)
    return bool((np.abs(pixels - colour) < 60).all(axis=2).any())


def body(response) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def write(folder: Path, count: int = 2) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}.png").write_bytes(picture(number))
    return folder


def upload(project, manager, *names: str) -> DataSource:
    files = [SimpleUploadedFile(name, picture(number)) for number, name in enumerate(names)]
    (source,) = importing.add_uploads(project, files, manager)
    return source


def hide(project, manager, originals: str = "keep", style: str = "mosaic") -> None:
    hiding.begin(project, manager, style, originals, project.name)


def everything_shown(api, person, item: Item) -> Iterator[bytes]:
    """Yield what the addresses of an image send."""
    client = api(person)
    for name in ("image", "thumbnail"):
        yield body(client.get(reverse(name, args=[item.pk])))
    size = len(body(client.get(reverse("image", args=[item.pk]))))
    parts = [(0, size // 2), (size // 2 + 1, size)]
    address = reverse("image", args=[item.pk])
    yield b"".join(body(client.get(address, headers={"Range": f"bytes={a}-{b}"})) for a, b in parts)


@pytest.mark.django_db
@pytest.mark.parametrize("style", ["mosaic", "blur", "box"])
def test_nobody_is_shown_a_face(project, manager, reviewer, api, tmp_path, style) -> None:
    hide(project, manager, style=style)
    source = importing.add_folder(project, write(tmp_path / "a"), manager)
    factories.run_jobs("quick")
    for item in Item.objects.filter(source=source):
        assert shows(storing.read_original(item)), "the test shows nothing else"
        for data in (*everything_shown(api, reviewer, item), images.crop(item, (35, 20, 120, 80))):
            assert not shows(data)
        assert shows(next(everything_shown(api, reviewer, item)), BLUE), "all else is as it was"
        assert not shows(images.png(images.open_upright(item)))
        assert item.masked.faces == item.faces.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF"])
def test_every_format_is_copied_in_itself_and_brings_no_notes_along(project, manager, tmp_path, kind) -> None:
    hide(project, manager)
    exif = Image.Exif()
    exif[0x010E] = "somebody’s garden"
    (tmp_path / f"a.{kind.lower()}").write_bytes(
        picture(kind=kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF") else {}))
    )
    importing.add_folder(project, tmp_path, manager)
    factories.run_jobs("quick")
    item = Item.objects.get(project=project)
    copy = images.upright_file(item)
    opened = Image.open(io.BytesIO(copy))
    assert (item.reason, opened.format, opened.size) == ("", kind, (192, 128))
    assert not shows(copy)
    assert b"garden" not in copy


@pytest.mark.django_db
def test_each_page_of_a_tiff_has_its_copy_and_a_scan_is_not_taken(project, manager, tmp_path) -> None:
    hide(project, manager)
    pages = [Image.open(io.BytesIO(picture(number))) for number in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    (tmp_path / "b.dcm").write_bytes(bytes(128) + b"DICM")
    importing.add_folder(project, tmp_path, manager, every_page=True)
    factories.run_jobs("quick")
    copies = [images.upright_file(each) for each in Item.objects.filter(project=project, format="TIFF")]
    assert len(set(copies)) == 3
    assert not any(shows(each) for each in copies)
    assert Item.objects.get(project=project, state="broken").reason.startswith("Faces in DICOM images")


@pytest.mark.django_db
def test_a_deleted_project_leaves_neither_copies_nor_originals(
    project, manager, settings, django_capture_on_commit_callbacks
) -> None:
    hide(project, manager)
    with django_capture_on_commit_callbacks(execute=True):
        upload(project, manager, "a.png")
        factories.run_jobs("quick")
        deleting.delete(project, manager, project.name)
        factories.run_jobs("quick")
    assert not [each for each in Path(settings.MEDIA_ROOT).rglob("*") if each.is_file()]


@pytest.mark.django_db
def test_exports_hold_the_copies(project, manager, reviewer, tmp_path) -> None:
    hide(project, manager)
    importing.add_folder(project, write(tmp_path / "a", 1), manager)
    factories.run_jobs("quick")
    factories.answer(project, reviewer, lambda item: "circle")
    job = exporting.start(project, manager, exporting.Choice("folders"), review.Filters())
    factories.run_jobs("quick")
    job.refresh_from_db()
    with default_storage.open(job.result["name"]) as file, zipfile.ZipFile(file) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".png")]
        assert not shows(archive.read(name))


@pytest.mark.django_db
def test_an_export_that_ends_while_hiding_begins_is_not_there(
    project, manager, labeler, tmp_path, monkeypatch, django_capture_on_commit_callbacks
) -> None:
    importing.add_folder(project, write(tmp_path / "a"), manager)
    factories.run_jobs("quick")
    factories.answer(project, labeler, lambda item: "circle")
    job = exporting.start(project, manager, exporting.Choice("folders"), review.Filters())
    written = exporting.write

    def write_and_begin(*args, **options):
        report = written(*args, **options)
        hide(project, manager)  # nothing of the export looks at the project any more
        return report

    monkeypatch.setattr(exporting, "write", write_and_begin)
    with django_capture_on_commit_callbacks(execute=True):
        factories.run_jobs("quick")
    job.refresh_from_db()
    assert (job.state, job.result) == (Job.State.CANCELLED, {})
    assert default_storage.listdir(f"exports/{project.pk}")[1] == []


@pytest.mark.django_db
def test_images_from_before_are_shown_to_nobody_until_their_copies_are_there(
    project, manager, reviewer, labeler, api, tmp_path, django_capture_on_commit_callbacks
) -> None:
    importing.add_folder(project, write(tmp_path / "a"), manager)
    factories.run_jobs("quick")
    factories.answer(project, labeler, lambda item: "circle")
    item = Item.objects.filter(project=project, current_annotation__isnull=False).get()
    exporting.start(project, manager, exporting.Choice("folders"), review.Filters())
    factories.run_jobs("quick")
    before, client = (item.sha256, images.address(item)), api(reviewer)
    assert shows(body(client.get(images.address(item))))

    with pytest.raises(projects.ProjectRefused, match="Type it as it stands"):
        hiding.begin(project, manager, "mosaic", "keep", "another name")
    with django_capture_on_commit_callbacks(execute=True):
        hide(project, manager)

    assert not Job.objects.filter(project=project, kind="export").exists()
    assert default_storage.listdir(f"exports/{project.pk}")[1] == []
    for name in ("image", "thumbnail"):
        assert client.get(reverse(name, args=[item.pk])).status_code == 404
    with pytest.raises(queue.NotRunning, match="Faces are being hidden"):
        queue.claim(project, labeler, 1)
    project.refresh_from_db()
    with django_capture_on_commit_callbacks(execute=True):
        factories.run_jobs("long")

    project.refresh_from_db()
    item.refresh_from_db()
    assert not project.is_hiding_faces
    assert not default_storage.exists(images.thumbnail_name(before[0]))
    assert images.address(item) != before[1], "what a browser has kept is asked for no more"
    for data in everything_shown(api, reviewer, item):
        assert not shows(data)
    assert item.state == "labeled"
    assert queue.claim(project, labeler, 1) is not None
    told = Notification.objects.get(user=manager, kind="faces_hidden")
    assert announcing.sentence(told).startswith("Hiding is done: 2 faces are hidden.")
    assert told.letter is not None


@pytest.mark.django_db
def test_a_box_is_added_on_the_copy_and_taken_away_only_with_the_original(
    project, manager, reviewer, api, django_capture_on_commit_callbacks
) -> None:
    hide(project, manager)
    with django_capture_on_commit_callbacks(execute=True):
        upload(project, manager, "a.png")
        factories.run_jobs("quick")
    item = Item.objects.get(project=project)
    old, client = item.sha256, api(reviewer)
    address = reverse("api-item-faces", args=[project.pk, item.pk])
    box = [MISSED[0], MISSED[1], MISSED[2] - MISSED[0], MISSED[3] - MISSED[1]]
    with django_capture_on_commit_callbacks(execute=True):
        added = client.post(address, {"bbox": box}, format="json")
    assert added.status_code == 201
    assert added.json()["count"] == 2
    item.refresh_from_db()
    for data in everything_shown(api, reviewer, item):
        assert not shows(data)
        assert not shows(data, BLUE)
    assert not default_storage.exists(masked.copy_name(project.pk, old))
    assert not default_storage.exists(images.thumbnail_name(old))

    client.post(address, {"bbox": box}, format="json")
    face, again = Face.objects.filter(item=item, score=None).order_by("id")
    assert client.delete(reverse("api-item-face", args=[project.pk, item.pk, again.pk])).json()["count"] == 2
    remove = reverse("api-item-face", args=[project.pk, item.pk, face.pk])
    assert client.delete(remove).json()["count"] == 1
    item.refresh_from_db()
    for data in everything_shown(api, reviewer, item):
        assert not shows(data)
    assert shows(images.upright_file(item), BLUE)
    verbs = Event.objects.filter(project=project, verb__startswith="face_").values_list("verb", flat=True)
    assert set(verbs) == {"face_added", "face_removed"}

    with django_capture_on_commit_callbacks(execute=True):
        hiding.discard(project, manager, project.name)
        factories.run_jobs("quick")
    assert not default_storage.exists(masked.original_name(project.pk, item.masked.original_sha256))
    found = Face.objects.get(item=item, removed_at=None)
    refused = client.delete(reverse("api-item-face", args=[project.pk, item.pk, found.pk]))
    assert (refused.status_code, "not kept" in refused.json()["error"]["message"]) == (400, True)
    assert client.post(address, {"bbox": box}, format="json").json()["count"] == 2
    item.refresh_from_db()
    assert not shows(images.upright_file(item), BLUE)


@pytest.mark.django_db
def test_what_a_folder_has_is_brought_back_from_there_unless_it_was_replaced(
    project, manager, tmp_path
) -> None:
    hide(project, manager)
    importing.add_folder(project, write(tmp_path / "a", 1), manager)
    factories.run_jobs("quick")
    item = Item.objects.select_related("project", "source").get(project=project)
    face = item.faces.get()
    (tmp_path / "a" / "0.png").write_bytes(picture(9))
    with pytest.raises(face_boxes.FacesRefused, match="Another file"):
        face_boxes.remove(face, manager)
    (tmp_path / "a" / "0.png").write_bytes(picture(0))
    face_boxes.remove(face, manager)
    item.refresh_from_db()
    assert shows(images.upright_file(item))
    assert default_storage.listdir(f"masked/{project.pk}")[1]


@pytest.mark.django_db
def test_an_image_that_comes_again_shows_no_more_than_it_does_by_now(project, manager, tmp_path) -> None:
    hide(project, manager)
    importing.add_folder(project, write(tmp_path / "a", 1), manager)
    factories.run_jobs("quick")
    item = Item.objects.select_related("project", "source").get(project=project)
    face_boxes.add(item, (140, 84, 20, 20), manager)
    importing.add_folder(project, write(tmp_path / "b", 1), manager)
    factories.run_jobs("quick")
    again = Item.objects.select_related("source").get(project=project, duplicate_of=item)
    item.refresh_from_db()
    assert again.sha256 == item.sha256
    assert not shows(images.upright_file(again), BLUE)


@pytest.mark.django_db
def test_without_a_detector_nothing_is_read_and_nothing_begun(project, manager, tmp_path, finder) -> None:
    hide(project, manager)
    finder.trouble = "The detector is not installed."
    importing.add_folder(project, write(tmp_path / "a", 1), manager)
    job = Job.objects.get(project=project, kind="import")
    with pytest.raises(AssertionError, match="not installed"):
        factories.run_jobs("quick")
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "The detector is not installed.")
    assert not Item.objects.filter(project=project, read_at__isnull=False).exists()
    other = factories.make_project(manager=manager)
    with pytest.raises(projects.ProjectRefused, match="not installed"):
        hiding.begin(other, manager, "mosaic", "keep")


@pytest.mark.django_db
def test_the_database_lets_no_face_through(project, manager, tmp_path) -> None:
    source = importing.add_folder(project, write(tmp_path / "a", 1), manager)
    DataSource.objects.filter(pk=source.pk).update(signs_urls=True)
    hide(project, manager)
    source.refresh_from_db()
    assert (source.hides_faces, source.signs_urls) == (True, False)
    DataSource.objects.filter(pk=source.pk).update(signs_urls=True, hides_faces=False)
    source.refresh_from_db()
    assert (source.hides_faces, source.signs_urls) == (True, False)
    for change in (
        "UPDATE labeling_project SET faces = '', faces_hidden_at = NULL",
        "UPDATE labeling_item SET read_at = now()",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)


@pytest.mark.django_db
def test_what_was_read_while_hiding_began_is_read_again(project, manager, tmp_path) -> None:
    source = importing.add_folder(project, write(tmp_path / "a", 1), manager)
    items = list(Item.objects.filter(source=source))
    reading.prepare(source, items)
    seen = [reading.look(each) for each in items]
    hide(project, manager)
    assert reading.settle(project, items, seen).outdated == 1
    assert not Item.objects.filter(read_at__isnull=False).exists()
    reading.prepare(source, items)
    reading.settle(project, items, [reading.look(each) for each in items])
    assert Item.objects.get(source=source).masked_at is not None


@pytest.mark.django_db
def test_pages_say_what_is_hidden(project, manager, reviewer, labeler, client, tmp_path) -> None:
    client.force_login(manager)
    client.post(reverse("faces-begin", args=[project.pk]), {"style": "blur", "originals": "keep"})
    project.refresh_from_db()
    assert project.faces == "blur"
    importing.add_folder(project, write(tmp_path / "a"), manager)
    factories.run_jobs("quick")
    item = Item.objects.filter(project=project).first()
    told = Notification.objects.get(user=manager, kind="import_done")
    assert announcing.sentence(told) == "2 images are imported. 2 faces are hidden in them."
    client.force_login(reviewer)
    grid = client.get(reverse("faces", args=[project.pk])).content.decode()
    assert "2 faces are hidden in 2 images" in " ".join(grid.split())
    assert "No face" in client.get(reverse("face-item", args=[project.pk, item.pk])).content.decode()
    client.force_login(labeler)
    assert client.get(reverse("faces", args=[project.pk])).status_code == 404
