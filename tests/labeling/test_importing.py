"""Import: rows at once, reading in jobs, nothing fatal."""

import shutil
import zipfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from labeling import images, importing, validation
from labeling.models import DataSource, Item, QueueEntry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return factories.write_folder(tmp_path / "pictures", 6)


def test_rows_are_there_before_any_image_was_read(project, manager, folder) -> None:
    importing.add_folder(project, folder, manager)
    assert Item.objects.filter(project=project, state="unlabeled", read_at=None).count() == 6
    assert not QueueEntry.objects.exists()


def test_reading_fills_in_size_hash_and_thumbnail_and_opens_the_queue(project, manager, folder) -> None:
    importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    item = Item.objects.filter(project=project).first()
    assert (item.width, item.height, item.format, len(item.sha256)) == (32, 32, "PNG", 64)
    assert images.default_storage.exists(images.thumbnail_name(item.sha256))
    assert QueueEntry.objects.filter(project=project).count() == 6


def test_the_same_content_is_imported_once_and_reported(project, manager, folder) -> None:
    original = next(folder.rglob("*.png"))
    shutil.copy(original, folder / "again.png")
    source = importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    assert importing.summary(source)["duplicates"] == 1
    assert Item.objects.filter(project=project, state="unlabeled").count() == 6
    second = importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    assert importing.summary(second)["duplicates"] == 7
    assert "already" in importing.problems(second)[0]["reason"]


def test_damaged_files_are_listed_and_the_rest_goes_on(project, manager, folder) -> None:
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    source = importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    summary = importing.summary(source)
    assert (summary["total"], summary["broken"], summary["refused"]) == (8, 2, 1)
    assert {each["name"] for each in importing.problems(source)} == {"cut.jpg", "empty.png", "notes.txt"}
    assert all(each["reason"].endswith(".") for each in importing.problems(source))
    assert QueueEntry.objects.filter(project=project).count() == 6


def test_a_file_larger_than_the_limit_is_refused_without_reading_it(project, manager, folder) -> None:
    with (folder / "huge.jpg").open("wb") as huge:
        huge.truncate(200 * 2**20)
    source = importing.add_folder(project, folder, manager)
    assert source.refused == [{"name": "huge.jpg", "reason": importing.refusal("huge.jpg", 200 * 2**20)}]
    assert "200 MB" in source.refused[0]["reason"]


def test_a_zip_is_read_in_place_with_its_folders(project, manager, folder, tmp_path) -> None:
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in folder.rglob("*.png"):
            out.write(path, f"deep/er/{path.relative_to(folder)}")
        out.writestr("__MACOSX/._x.png", b"")
    source = importing.add_zip(project, archive, "pictures.zip", manager)
    factories.run_jobs("quick")
    summary = importing.summary(source)
    assert (summary["total"], summary["read"], summary["broken"]) == (6, 6, 0)
    assert Item.objects.filter(source=source, path__startswith="deep/er/circle/").exists()


def test_an_archive_that_is_cut_short_is_refused_with_a_sentence(project, manager, tmp_path) -> None:
    (tmp_path / "half.zip").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(importing.ImportRefused, match="not a complete ZIP"):
        importing.add_zip(project, tmp_path / "half.zip", "half.zip", manager)
    assert not DataSource.objects.exists()


def test_uploads_keep_their_folders_and_cannot_leave_them(project, manager, folder) -> None:
    picture = next(folder.rglob("*.png")).read_bytes()
    files = [SimpleUploadedFile("ok.png", picture), SimpleUploadedFile("x.exe", b"MZ")]
    files[0]._name = "../../outside/ok.png"
    source = importing.add_uploads(project, files, manager)[0]
    factories.run_jobs("quick")
    assert list(Item.objects.values_list("path", flat=True)) == ["outside/ok.png"]
    assert Path(source.location, "outside/ok.png").exists()
    assert source.refused[0]["name"] == "x.exe"


def test_a_folder_chosen_in_the_browser_keeps_its_folders(project, manager, folder) -> None:
    picture = next(folder.rglob("*.png")).read_bytes()
    importing.add_uploads(project, [SimpleUploadedFile("a.png", picture)], manager, ["trip/day 1/a.png"])
    assert Item.objects.get().path == "trip/day 1/a.png"


def test_two_uploads_of_one_name_are_two_items(project, manager, folder) -> None:
    one, two = (path.read_bytes() for path in list(folder.rglob("*.png"))[:2])
    importing.add_uploads(
        project, [SimpleUploadedFile("a.png", one), SimpleUploadedFile("a.png", two)], manager
    )
    factories.run_jobs("quick")
    assert sorted(Item.objects.values_list("path", flat=True)) == ["a (2).png", "a.png"]


def test_reading_goes_on_where_it_stopped(project, manager, folder, monkeypatch) -> None:
    monkeypatch.setattr(importing, "CHUNK", 2)
    source = importing.add_folder(project, folder, manager)
    chunk = list(Item.objects.filter(source=source).order_by("draw")[:2])
    importing.settle(project, chunk, [importing.look(item) for item in chunk])
    factories.run_jobs("quick")
    assert importing.summary(source) | {"created_at": None} == {
        "id": source.pk, "name": "pictures", "kind": "folder", "created_at": None, "total": 6, "read": 6,
        "broken": 0, "duplicates": 0, "refused": 0, "error": "",
    }  # fmt: skip


def test_the_validation_draw_is_a_seeded_uniform_share_that_later_imports_keep(
    project, manager, labeler, tmp_path
) -> None:
    importing.add_folder(project, factories.write_folder(tmp_path / "one", 30), manager)
    factories.run_jobs("quick")
    project.refresh_from_db()
    rate = project.validation_rate
    assert rate == validation.FEW_IMAGES_SHARE
    drawn = set(Item.objects.filter(project=project, draw__lt=rate).values_list("id", flat=True))
    assert drawn == set(QueueEntry.objects.filter(kind="validation").values_list("item_id", flat=True))
    factories.answer(project, labeler)
    importing.add_folder(project, factories.write_folder(tmp_path / "two", 900, size=16), manager)
    factories.run_jobs("quick")
    project.refresh_from_db()
    assert project.validation_rate == rate


def test_tiff_gets_a_picture_that_browsers_show(project, manager, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("CMYK", (50, 30), "red").save(tmp_path / "in" / "x.TIF")
    importing.add_folder(project, tmp_path / "in", manager)
    factories.run_jobs("quick")
    data, media_type = images.viewable(Item.objects.select_related("source").get())
    assert media_type == "image/webp"
    assert images.Image.open(images.io.BytesIO(data)).size == (50, 30)
