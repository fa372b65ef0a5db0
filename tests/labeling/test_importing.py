"""Import: rows at once, reading in jobs, nothing fatal."""

import hashlib
import io
import os
import shutil
import struct
import tracemalloc
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from labeling import images, importing, reading, storing, validation
from labeling.models import DataSource, Item, Job, QueueEntry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return factories.write_folder(tmp_path / "pictures", 6)


def shown(item: Item) -> tuple[bytes, str]:
    """Return what a browser gets of an item."""
    found = images.viewable(item)
    return b"".join(found.parts(0, found.size)), found.media_type


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
    assert reading.summary(source)["duplicates"] == 1
    assert Item.objects.filter(project=project, state="unlabeled").count() == 6
    second = importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    assert reading.summary(second)["duplicates"] == 7
    assert "already" in reading.problems(second)[0]["reason"]


def test_damaged_files_are_listed_and_the_rest_goes_on(project, manager, folder) -> None:
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    source = importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    summary = reading.summary(source)
    assert (summary["total"], summary["broken"], summary["refused"]) == (8, 2, 1)
    assert {each["name"] for each in reading.problems(source)} == {"cut.jpg", "empty.png", "notes.txt"}
    assert all(each["reason"].endswith(".") for each in reading.problems(source))
    assert QueueEntry.objects.filter(project=project).count() == 6


def test_a_file_larger_than_the_limit_is_refused_without_reading_it(project, manager, folder) -> None:
    with (folder / "huge.jpg").open("wb") as huge:
        huge.truncate(200 * 2**20)
    source = importing.add_folder(project, folder, manager)
    assert source.refused == [
        {"name": "huge.jpg", "reason": importing.refusal("folder", "huge.jpg", 200 * 2**20)}
    ]
    assert "200 MB" in source.refused[0]["reason"]


def test_a_zip_is_read_in_place_with_its_folders(project, manager, folder, tmp_path) -> None:
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for path in folder.rglob("*.png"):
            out.write(path, f"deep/er/{path.relative_to(folder)}")
        out.writestr("__MACOSX/._x.png", b"")
    source = importing.add_zip(project, archive, "pictures.zip", manager)
    factories.run_jobs("quick")
    summary = reading.summary(source)
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
    pictures = [path.read_bytes() for path in list(folder.rglob("*.png"))[:3]]
    files = [SimpleUploadedFile("a.png", each) for each in pictures]
    # The third one is in a folder that is called like the first one.
    importing.add_uploads(project, files, manager, ["a.png", "a.png", "a.png/b.png"])
    factories.run_jobs("quick")
    assert sorted(Item.objects.values_list("path", flat=True)) == ["a (2).png", "a (3).png/b.png", "a.png"]


def test_reading_goes_on_where_it_stopped(project, manager, folder, monkeypatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 2)
    source = importing.add_folder(project, folder, manager)
    chunk = list(Item.objects.filter(source=source).order_by("draw")[:2])
    reading.settle(project, chunk, [reading.look(item) for item in chunk])
    factories.run_jobs("quick")
    assert reading.summary(source) | {"created_at": None, "listed_at": None} == {
        "id": source.pk, "name": "pictures", "kind": "folder", "created_at": None, "total": 6, "read": 6,
        "broken": 0, "duplicates": 0, "gone": 0, "changed": 0, "refused": 0, "refresh": "off",
        "listed_at": None, "error": "",
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
    data, media_type = shown(Item.objects.select_related("source").get())
    assert media_type == "image/webp"
    assert images.Image.open(images.io.BytesIO(data)).size == (50, 30)


def zipped(*entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w") as out:
        for name, data in entries:
            out.writestr(name, data)
    return buffer.getvalue()


def pictures(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*.png"))]


def test_two_archives_of_one_name_are_two_sources(project, manager, folder) -> None:
    one, two = pictures(folder)[:2]
    files = [
        SimpleUploadedFile("a.zip", zipped(("one.png", one))),
        SimpleUploadedFile("a.zip", zipped(("two.png", two))),
    ]
    sources = importing.add_uploads(project, files, manager)
    factories.run_jobs("quick")
    assert [each.name for each in sources] == ["a.zip", "a (2).zip"]
    assert sorted(Item.objects.filter(state="unlabeled").values_list("path", flat=True)) == [
        "one.png",
        "two.png",
    ]


def test_one_damaged_archive_of_an_upload_keeps_all_of_it_out(project, manager, folder, settings) -> None:
    files = [
        SimpleUploadedFile("good.zip", zipped(("one.png", pictures(folder)[0]))),
        SimpleUploadedFile("two.png", pictures(folder)[1]),
        SimpleUploadedFile("bad.zip", b"PK\x03\x04 and then nothing"),
    ]
    with pytest.raises(importing.ImportRefused, match=r"bad\.zip is not a complete ZIP"):
        importing.add_uploads(project, files, manager)
    assert not DataSource.objects.exists()
    assert not Job.objects.exists()
    assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]


@pytest.mark.parametrize("error", [NotImplementedError, ValueError, OSError, struct.error])
def test_an_archive_is_refused_whatever_is_wrong_with_it(
    project, manager, folder, monkeypatch, error
) -> None:
    def fail(*args: object) -> None:
        raise error("zip file version 9.9")

    monkeypatch.setattr(zipfile, "ZipFile", fail)
    with pytest.raises(importing.ImportRefused, match="not a complete ZIP"):
        importing.add_zip(project, folder / "circle/00000.png", "x.zip", manager)


def test_of_two_files_of_one_path_in_an_archive_the_last_is_imported(
    project, manager, folder, tmp_path
) -> None:
    one, two = pictures(folder)[:2]
    (tmp_path / "twice.zip").write_bytes(zipped(("a.png", one), ("b.png", one), ("a.png", two)))
    source = importing.add_zip(project, tmp_path / "twice.zip", "twice.zip", manager)
    factories.run_jobs("quick")
    assert Item.objects.get(path="a.png").sha256 == hashlib.sha256(two).hexdigest()
    assert [each["name"] for each in source.refused] == ["a.png"]
    assert reading.summary(source)["total"] == 2


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_entries_are_read_whole_from_many_threads_and_behind_other_bytes(
    project, manager, folder, tmp_path, compression
) -> None:
    contents = pictures(folder)
    archive = tmp_path / "behind.zip"
    archive.write_bytes(b"#!/bin/sh\n" * 100)
    with zipfile.ZipFile(archive, "a", compression) as out:
        for number, content in enumerate(contents):
            out.writestr(zipfile.ZipInfo(f"{'long ' * number}{number}.png"), content, compression)
    importing.add_zip(project, archive, "behind.zip", manager)
    factories.run_jobs("quick")
    items = list(Item.objects.select_related("source").order_by("id")) * 20
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(storing.read_bytes, items))
    assert [hashlib.sha256(data).hexdigest() for data in read] == [item.sha256 for item in items]
    assert set(read) == set(contents)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_entry_of_an_archive_is_a_broken_item(
    project, manager, folder, tmp_path, compression
) -> None:
    archive = tmp_path / "damaged.zip"
    with zipfile.ZipFile(archive, "w", compression) as out:
        out.writestr("a.png", pictures(folder)[0])
    data = bytearray(archive.read_bytes())
    start = 30 + len("a.png")
    data[start : start + 60] = b"\xff" * 60
    archive.write_bytes(data)
    source = importing.add_zip(project, archive, "damaged.zip", manager)
    factories.run_jobs("quick")
    assert reading.problems(source) == [
        {"name": "a.png", "reason": "The archive's entry is damaged or encrypted."}
    ]


def test_an_entry_that_unpacks_to_more_than_it_says_is_not_unpacked_further(
    project, manager, tmp_path
) -> None:
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.png", bytes(50 * 2**20))
    data = archive.read_bytes()
    archive.write_bytes(data.replace((50 * 2**20).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    source = importing.add_zip(project, archive, "bomb.zip", manager)
    tracemalloc.start()
    factories.run_jobs("quick")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reading.summary(source)["broken"] == 1
    assert most < 20 * 2**20


def test_names_of_uploads_are_cut_to_what_file_systems_take(project, manager, folder) -> None:
    name = "猫" * 250 + ".png"
    importing.add_uploads(
        project, [SimpleUploadedFile("a.png", data) for data in pictures(folder)[:2]], manager, [name, name]
    )
    factories.run_jobs("quick")
    paths = sorted(Item.objects.filter(state="unlabeled").values_list("path", flat=True))
    assert paths == ["猫" * 65 + " (2).png", "猫" * 65 + ".png"]
    assert importing.safe_name("x" * 300) == "x" * 200
    assert importing.safe_name("a\0/b\ud800.png") == "a/b?.png"


def test_file_names_that_are_not_utf8_are_listed_with_a_reason(project, manager, folder) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(pictures(folder)[0])
    source = importing.add_folder(project, folder, manager)
    assert source.refused == [
        {"name": "caf?.png", "reason": "The name of the file or of its folder is not UTF-8. Rename it."}
    ]
    assert reading.summary(source)["total"] == 6


@pytest.mark.parametrize(
    "path", ["~nouser/x", "/x" * 3_000, "/" + "x" * 300, "a\0b", "\ud800", "/no/such/place", "/dev/null"]
)
def test_a_path_that_leads_nowhere_is_refused_with_a_sentence(project, manager, path) -> None:
    with pytest.raises(importing.ImportRefused) as caught:
        importing.add_path(project, path, manager)
    assert str(caught.value).encode().endswith(b"server.")


def test_whatever_one_image_does_the_others_are_imported(
    project, manager, folder, monkeypatch, caplog
) -> None:
    source = importing.add_folder(project, folder, manager)
    unlucky = Item.objects.filter(source=source).latest("id").pk
    read = images.read

    def stumble(item: Item) -> images.ReadImage:
        if item.pk == unlucky:
            raise ZeroDivisionError
        return read(item)

    monkeypatch.setattr(images, "read", stumble)
    factories.run_jobs("quick")
    assert reading.summary(source)["broken"] == 1
    assert reading.problems(source)[0]["reason"] == "The image cannot be read."
    assert QueueEntry.objects.filter(project=project).count() == 5
    assert f"Item {unlucky}" in caplog.text


def test_a_full_disk_is_not_blamed_on_the_images(project, manager, folder, monkeypatch) -> None:
    def full(name: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    source = importing.add_folder(project, folder, manager)
    monkeypatch.setattr(images, "keep", full)
    with pytest.raises(OSError, match="No space"):
        reading.look(Item.objects.filter(source=source).select_related("source").first())


@pytest.mark.parametrize("size", [(20_000, 10), (10, 20_000)])
def test_images_that_are_too_long_for_webp_are_shown_as_png(project, manager, tmp_path, size) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", size, "red").save(tmp_path / "in" / "long.bmp")
    source = importing.add_folder(project, tmp_path / "in", manager)
    factories.run_jobs("quick")
    assert reading.problems(source) == []
    item = Item.objects.select_related("source").get()
    data, media_type = shown(item)
    assert media_type == "image/png"
    assert images.Image.open(images.io.BytesIO(data)).size == size
    with images.default_storage.open(images.thumbnail_name(item.sha256)) as stored:
        assert max(images.Image.open(stored).size) == images.THUMBNAIL


def test_a_tiff_is_its_first_page_unless_each_shall_be_an_image(project, manager, tmp_path, client) -> None:
    pages = [Image.new("RGB", (8 + number, 6), (number * 60, 9, 9)) for number in range(3)]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in" / "scan.tif", save_all=True, append_images=pages[1:])
    first = importing.add_folder(project, tmp_path / "in", manager)
    factories.run_jobs("quick")
    assert list(first.items.values_list("path", "width")) == [("scan.tif", 8)]
    source = importing.add_folder(project, tmp_path / "in", manager, every_page=True)
    factories.run_jobs("quick")
    assert list(source.items.order_by("path").values_list("path", "width", "state")) == [
        ("scan.tif", 8, "removed"), ("scan.tif#page=2", 9, "unlabeled"), ("scan.tif#page=3", 10, "unlabeled"),
    ]  # fmt: skip
    item = source.items.select_related("source").get(page=2)
    client.force_login(manager)
    answer = client.get(reverse("image", args=[item.pk]))
    assert Image.open(io.BytesIO(answer.content)).size == (10, 6)


def test_the_same_stem_with_two_endings_is_two_items(project, manager, folder) -> None:
    one = next(folder.rglob("*.png"))
    for kind in (".webp", ".gif", ".heic", ".jfif"):
        Image.open(one).resize((20 + len(kind), 20)).convert("RGB").save(
            one.with_suffix(kind), {".heic": "HEIF", ".jfif": "JPEG"}.get(kind)
        )
    source = importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    assert source.items.filter(path__contains=one.stem, state="unlabeled").count() == 5
    assert set(source.items.values_list("format", flat=True)) == {"PNG", "WEBP", "GIF", "HEIF", "JPEG"}
