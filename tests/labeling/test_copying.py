"""Whose file goes into an export, and is sent: the one that was labeled, or none."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from pydicom.data import get_testdata_file

from labeling import exporting, importing, jobs, review, storing
from labeling.exporting import Choice
from labeling.formats import catalog, names
from labeling.formats.files import Archive
from labeling.models import Item, Job
from tests import factories
from tests.labeling.exported import fetched, pictures_of


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["coco", "csv", "manifest", "dataset", "folders"])
def test_what_is_gone_or_another_file_by_now_is_never_copied_and_told_by_name(
    name, project, labeler, manager, items, tmp_path
) -> None:
    factories.answer_all(project, labeler)
    folder = Path(items[0].source.location)
    (folder / items[3].path).unlink()
    same_size = bytearray((folder / items[5].path).read_bytes())
    same_size[-20] ^= 1
    (folder / items[5].path).write_bytes(same_size)
    factories.write_image(folder / items[7].path, "square", size=200)
    job = exporting.start(project, manager, Choice(name, "copy"), review.Filters())
    jobs.run(job.pk)
    found = {each.id: each for each in pictures_of(job, tmp_path)}
    told = [(each["file_name"], each["reason"]) for each in job.result["left_out"]["images"]]
    assert told == [
        (items[3].path, storing.GONE), (items[5].path, storing.ANOTHER), (items[7].path, storing.ANOTHER),
    ]  # fmt: skip
    lost = {items[at].pk for at in (3, 5, 7)}
    assert job.result["left_out"]["count"] == 3
    assert found.keys() == {each.pk for each in items} - (lost if name == "folders" else set())
    with Archive(fetched(job, tmp_path)) as files:
        entries = {each.name: each.read() for each in files.entries()}
    page = entries["README.md" if name == "dataset" else "README.txt"].decode()
    assert "3 of the images have no copy" in page
    assert all(items[at].path in page for at in (3, 5, 7))
    if name != "dataset":
        contents = {hashlib.sha256(data).hexdigest() for data in entries.values()}
        assert contents & {each.sha256 for each in items} == {
            each.sha256 for each in items if each.pk not in lost
        }
    for each in found.values():
        assert len(each.shapes) == 1


@pytest.mark.django_db
def test_an_export_of_images_that_are_all_gone_says_so(project, labeler, manager, items) -> None:
    factories.answer_all(project, labeler)
    for each in items:
        Path(each.source.location, each.path).unlink()
    job = exporting.start(project, manager, Choice("folders"), review.Filters())
    jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (Job.State.FAILED, exporting.NOTHING_THERE)


@pytest.mark.django_db
def test_the_file_of_an_item_is_not_sent_when_another_one_lies_there(items, manager, client) -> None:
    client.force_login(manager)
    factories.write_image(Path(items[0].source.location, items[0].path), "square", size=200)
    answer = client.get(reverse("image", args=[items[0].pk]))
    assert (answer.status_code, answer.content.decode()) == (410, storing.ANOTHER)
    Item.objects.filter(pk=items[1].pk).update(changed_at=timezone.now())
    assert client.get(reverse("image", args=[items[1].pk])).status_code == 410


@pytest.mark.django_db
def test_an_image_that_was_taken_turned_is_copied_upright(project, labeler, manager, tmp_path) -> None:
    folder = tmp_path / "turned" / "circle"
    folder.mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20), "red").save(folder / "a.jpg", exif=exif)
    importing.add_folder(project, tmp_path / "turned", manager)
    factories.run_jobs("quick")
    factories.answer_all(project, labeler)
    job = exporting.start(project, manager, Choice("folders"), review.Filters())
    factories.run_jobs("quick")
    with Archive(fetched(job, tmp_path)) as files:
        (entry,) = [each for each in files.entries() if each.name.endswith(".jpg")]
        copied = Image.open(io.BytesIO(entry.read()))
    assert (copied.size, copied.getexif().get(0x0112)) == ((20, 40), None)


@pytest.mark.django_db
@pytest.mark.parametrize("task_type", ["multiclass", "segmentation"])
def test_images_of_every_kind_are_copied_under_their_own_names_in_every_format(
    task_type, manager, labeler, tmp_path
) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type=task_type)
    folder = tmp_path / "sent"
    for name, kind in (("a", "PNG"), ("b", "GIF"), ("c", "HEIF"), ("b", "WEBP"), ("e", "TIFF")):
        place = folder / f"{names.ENDINGS[kind][1:]}s" / f"{name}{names.ENDINGS[kind]}"
        place.parent.mkdir(parents=True)
        place.write_bytes(factories.picture_file((64, 48), kind))
    (folder / "d.dcm").write_bytes(Path(str(get_testdata_file("CT_small.dcm"))).read_bytes())
    importing.add_folder(project, folder, manager)
    factories.run_jobs("quick")
    items = {each.path: each for each in project.items.all()}
    for item in items.values():
        assert item.state == Item.State.UNLABELED, (item.path, item.reason)
        annotation = factories.make_annotation(item, "square", labeler)
        if task_type == "segmentation":
            annotation.regions.update(polygon=[[1.0, 1, 9, 1, 9, 9, 1, 9]])
        Item.objects.filter(pk=item.pk).update(current_annotation=annotation, state=Item.State.LABELED)
    wanted = {"a.png", "b.gif", "c.heic", f"b-{items['webps/b.webp'].pk}.webp", "d.dcm", "e.tif"}
    for form in catalog.offered(task_type):
        path = tmp_path / form.name
        report = exporting.write(project, review.Filters(), path, Choice(form.name, "copy"))
        assert (report["images"], report["left_out"]["count"]) == (6, 0)
        if form.name != "dataset":
            inside = {name.rsplit("/", 1)[-1] for name in zipfile.ZipFile(path).namelist()}
            assert wanted <= inside, (form.name, inside)
