"""Exports: what a filter chooses, in every format, checked, compared, fetched, read by the code beside it."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from labeling import accounts, exporting, labeled, packing, review
from labeling.exporting import Choice
from labeling.formats import catalog
from labeling.formats.files import Archive
from labeling.formats.records import Category, Heading, Picture, Shape
from labeling.labeled import Labeled
from labeling.models import Annotation, Item, Job, Project
from tests import factories
from tests.labeling.exported import draw_all, pictures_of, read_back
from tests.labeling.test_formats import put


def test_the_code_beside_a_data_set_reads_it(tmp_path) -> None:
    import torch

    classes = [Category(3, 'a "quoted" 𐀀'), Category(5, "b\\n")]
    pictures = [
        Picture(number, f"{number}.png", 48, 32, [Shape(classes[number % 2].id)], {"origin": "person"}, split)
        for number, split in enumerate(["train", "train", "val"])
    ]
    heading = Heading('Set """', "multiclass", classes, {}, lambda _: factories.picture_file())
    with Archive(put(catalog.FORMATS["dataset"].write(heading, pictures), tmp_path / "set.zip")) as files:
        for each in files.entries():
            (tmp_path / each.name).parent.mkdir(exist_ok=True)
            (tmp_path / each.name).write_bytes(each.read())
    code: dict[str, Any] = {"__file__": str(tmp_path / "load.py")}
    exec((tmp_path / "load.py").read_text(), code)
    found = code["torch_dataset"]("train")
    assert isinstance(found, torch.utils.data.Dataset)
    assert [(image.size, target) for image, target in (found[0], found[1])] == [
        ((48, 32), 0), ((48, 32), 1),
    ]  # fmt: skip
    assert code["CLASSES"] == [each.name for each in classes]


@pytest.mark.django_db
def test_the_code_beside_a_data_set_fetches_linked_images_and_says_what_it_lacks(
    project, labeler, manager, items, tmp_path, live_server, settings, monkeypatch
) -> None:
    settings.LOUPE_URL = live_server.url
    factories.answer_all(project, labeler)

    def loaded(images: str) -> Any:
        folder = tmp_path / images
        exporting.write(project, review.Filters(), tmp_path / "set.zip", Choice("dataset", images))
        zipfile.ZipFile(tmp_path / "set.zip").extractall(folder)
        code: dict[str, Any] = {"__file__": str(folder / "load.py")}
        exec((folder / "load.py").read_text(), code)
        return code["torch_dataset"]

    with pytest.raises(RuntimeError, match="images were left out"):
        loaded("none")("all")[0]
    assert loaded("none")("all", images=items[0].source.location)[0][0].size == (32, 32)
    linked = loaded("link")("all")
    monkeypatch.delenv("LOUPE_TOKEN", raising=False)
    with pytest.raises(RuntimeError, match="set LOUPE_TOKEN"):
        linked[0]
    monkeypatch.setenv("LOUPE_TOKEN", accounts.issue_token(manager, "training", manager))
    assert linked[0][0].size == (32, 32)
    Path(items[0].source.location, items[0].path).unlink()
    assert len(loaded("copy")("all")) == len(items) - 1


@pytest.mark.django_db
def test_a_filtered_export_holds_just_what_the_filter_chooses(
    project, labeler, manager, items, tmp_path
) -> None:
    factories.answer_all(project, labeler)
    square = project.classes.get(name="square")
    report = exporting.write(project, review.Filters(classes=(square.pk,)), tmp_path / "squares.json")
    assert report["images"] == report["annotations"] == 4
    assert read_back(tmp_path / "squares.json").dataset["info"]["filter"] == {"class": ["square"]}


@pytest.mark.django_db
def test_an_export_of_some_classes_has_no_labels_of_others(
    manager, reviewer, labeler, tmp_path, client, api
) -> None:
    project = factories.make_project(manager=manager, reviewer=reviewer, task_type="detection")
    for item in factories.make_scenes(project, 2, size=(160, 120)):
        annotation = factories.make_annotation(item, "square", manager)
        for title in ("circle", "triangle"):
            annotation.regions.create(label_class=project.classes.get(name=title), bbox=[1, 1, 9, 9])
        annotation.regions.filter(bbox__isnull=True).update(bbox=[2, 2, 9, 9])
        Item.objects.filter(pk=item.pk).update(current_annotation=annotation, state=Item.State.LABELED)
    some = [project.classes.get(name=title).pk for title in ("circle", "square")]
    at = reverse("api-exports", args=[project.pk])
    for classes, count in ((some[0], 2), (some, 4)):
        asked = {"format": "yolo", "filter": {"class": classes}}
        body = api(reviewer).post(at, asked, format="json").json()
        preview = api(reviewer).post(reverse("api-export-preview", args=[project.pk]), asked, format="json")
        assert (preview.json()["images"], preview.json()["labels"]) == (2, count)
        factories.run_jobs("quick")
        found = pictures_of(Job.objects.get(pk=body["id"]), tmp_path)
        assert [len(each.shapes) for each in found] == [count // 2] * 2
    client.force_login(reviewer)
    page = client.get(reverse("exports", args=[project.pk])).content.decode()
    assert "class circle or square" in page
    answer = api(reviewer).post(at, {"filter": {"class": some, "reviewed": "yes"}}, format="json")
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, exporting.NOTHING)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("choice", "why"),
    [
        (Choice("yolo99"), "there is coco"),
        (Choice("yolo"), "YOLO detection has boxes"),
        (Choice("yolo_seg"), "YOLO segmentation has polygons"),
        (Choice("folders", images="link"), "choose copies"),
        (Choice("csv", split=(50, 50, 50)), "add up to 100"),
        (Choice("csv", split=(0, 50, 50)), "train needs more than 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(project, manager, choice, why) -> None:
    with pytest.raises(exporting.ExportRefused, match=why):
        exporting.start(project, manager, choice, review.Filters())


@pytest.mark.django_db
@pytest.mark.parametrize("task_type", ["multiclass", "segmentation"])
def test_every_format_has_all_images_with_labels_provenance_and_split(
    task_type, manager, reviewer, labeler, tmp_path
) -> None:
    project = factories.make_project(manager=manager, reviewer=reviewer, labeler=labeler, task_type=task_type)
    if task_type == "multiclass":
        items = factories.make_items(project, 10)
        factories.answer_all(project, labeler)
    else:
        items = factories.make_scenes(project, 3, size=(160, 120))
        draw_all(project, labeler)
    choices = [Choice(each.name, "copy", (60, 20, 20)) for each in catalog.offered(task_type)]
    started = [exporting.start(project, manager, each, review.Filters()) for each in choices]
    factories.run_jobs("quick")
    splits = set()
    for job in started:
        found = {each.id: each for each in pictures_of(job, tmp_path)}
        assert found.keys() == {each.pk for each in items}
        for item in Item.objects.filter(pk__in=found).prefetch_related("current_annotation__regions"):
            picture = found[item.pk]
            assert (picture.file_name, picture.width) == (item.path, item.width)
            regions = item.current_annotation.regions.values_list("label_class")
            is_flat = catalog.FORMATS[job.payload["format"]].flatten
            assert len(picture.shapes) == (regions.distinct() if is_flat else regions).count()
            assert picture.provenance["labeler"] == labeler.email
            assert picture.provenance["annotation_id"] == item.current_annotation_id
        splits.add(tuple(found[item.pk].split for item in items))
        assert sum(job.result["by_split"].values()) == len(items)
        assert sum(job.result["by_class"].values()) == job.result["annotations"]
    assert len(splits) == 1  # the same images in every format, whenever it is made


@pytest.mark.django_db
def test_look_alikes_that_were_shown_together_are_in_one_split(project, labeler, items, tmp_path) -> None:
    factories.answer_all(project, labeler)
    together = [item.pk for item in items[::3]]
    Annotation.objects.filter(item__in=together).update(group=5)
    for seed in range(4):
        Project.objects.filter(pk=project.pk).update(seed=seed)
        project.refresh_from_db()
        found = {each.id: each.split for each in Labeled(project, review.Filters(), split=(50, 25, 25))}
        assert len({found[item] for item in together}) == 1
        assert len(set(found.values())) > 1


@pytest.mark.django_db
def test_a_damaged_file_is_not_offered(project, labeler, items, tmp_path) -> None:
    factories.answer_all(project, labeler)
    form, path = catalog.FORMATS["dataset"], tmp_path / "set.zip"
    heading = Heading(project.name, project.task_type, labeled.categories(project, review.Filters()))
    tally = packing.Tally()
    rows = packing.noted(iter(Labeled(project, review.Filters())), tally, lambda _: None)
    packing.write(form, heading, rows, path, alone=False)
    packing.check(form, heading, tally, path, lambda _: None, str, alone=False)
    tally.by_class[heading.categories[0].id] += 1
    with pytest.raises(packing.Unsound, match=r"12 images with 12 labels .* not the 12 with 13"):
        packing.check(form, heading, tally, path, lambda _: None, str, alone=False)
    tally.note(Picture(99, "a.gif", 1, 1, [], {"origin": "person"}))
    with pytest.raises(packing.Unsound, match=r"13 with 13 that it should have\. 99 is not in it\.$"):
        packing.check(form, heading, tally, path, lambda _: None, str, alone=False)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(packing.Unsound, match="cannot be read again"):
        packing.check(form, heading, tally, path, lambda _: None, str, alone=False)


@pytest.mark.django_db
def test_two_exports_tell_what_came_went_and_was_relabeled(project, labeler, reviewer, items, client) -> None:
    for _ in range(2):
        factories.answer(project, labeler, size=4)
    first = exporting.start(project, reviewer, "csv", review.Filters())
    factories.run_jobs("quick")
    labeled_then = list(project.items.filter(state="labeled").order_by("id"))
    review.reject(project, [labeled_then[0].pk], reviewer)
    changed_item = labeled_then[1]
    was = factories.true_class(changed_item)
    other = project.classes.exclude(name=was).first()
    changed_item.current_annotation.regions.update(label_class=other)
    factories.answer(project, reviewer, size=4)
    second = exporting.start(project, reviewer, "manifest", review.Filters())
    factories.run_jobs("quick")
    client.force_login(reviewer)
    address = reverse("api-export-changes", args=[project.pk, second.pk])
    said = client.get(address, {"since": first.pk, "part": "relabeled"}).json()
    assert said["results"] == [
        {"item": changed_item.pk, "file_name": changed_item.path, "before": [was], "after": [other.name]}
    ]  # fmt: skip
    now = set(project.items.filter(state="labeled").values_list("pk", flat=True))
    then = {each.pk for each in labeled_then}
    assert (said["added"], said["removed"], said["relabeled"]) == (len(now - then), len(then - now), 1)
    assert said["unchanged"] == len(now & then) - 1
    assert sum(each["after"] for each in said["by_class"]) == len(now)
    page = client.get(reverse("export-changes", args=[project.pk, second.pk])).content.decode()
    assert changed_item.path in page
    assert "1 has other labels" in page
    assert client.get(address, {"since": 10**6}).status_code == 404


@pytest.mark.django_db
def test_a_download_that_broke_off_goes_on_where_it_stopped(
    project, labeler, reviewer, items, client
) -> None:
    factories.answer_all(project, labeler)
    job = exporting.start(project, reviewer, "csv", review.Filters())
    factories.run_jobs("quick")
    client.force_login(reviewer)
    address = reverse("export-file", args=[project.pk, job.pk])

    def get(**headers: str) -> tuple[int, bytes, Any]:
        answer = client.get(address, headers=headers)
        body = answer.getvalue()
        return answer.status_code, body, answer.headers

    status, whole, headers = get()
    assert (status, headers["Accept-Ranges"]) == (200, "bytes")
    status, rest, said = get(Range="bytes=100-")
    assert (status, rest, said["Content-Range"]) == (
        206,
        whole[100:],
        f"bytes 100-{len(whole) - 1}/{len(whole)}",
    )
    assert get(Range="bytes=5-9")[:2] == (206, whole[5:10])
    assert get(Range="bytes=-7")[:2] == (206, whole[-7:])
    assert get(Range="bytes=5-9", **{"If-Range": headers["ETag"]})[:2] == (206, whole[5:10])
    assert get(Range="bytes=5-9", **{"If-Range": '"another"'})[:2] == (200, whole)
    assert get(Range="bytes=1-2,4-5")[:2] == (200, whole)
    assert get(Range=f"bytes={len(whole)}-")[0] == 416
