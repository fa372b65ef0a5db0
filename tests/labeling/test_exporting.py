"""COCO exports: what other tools read, with provenance for every label."""

import hashlib
import io
import json
import uuid
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO
from pydicom.data import get_testdata_file

from labeling import (
    accounts,
    exporting,
    geometry,
    importing,
    jobs,
    labeled,
    packing,
    queue,
    review,
    storing,
    submission,
)
from labeling.exporting import Choice
from labeling.formats import catalog, coco, names, runs
from labeling.formats.files import Archive
from labeling.formats.records import Category, Heading, Picture, Problem, Shape
from labeling.labeled import Labeled
from labeling.models import Annotation, Item, Job, Project, User
from tests import factories
from tests.labeling.test_formats import put
from tests.labeling.test_geometry import place, star, stars

coordinate = st.floats(0, 5_000, allow_nan=False, width=32)
boxes = st.tuples(coordinate, coordinate, coordinate, coordinate).map(list)
polygons = st.lists(
    st.lists(coordinate, min_size=6, max_size=20).map(lambda points: points[: len(points) // 2 * 2]),
    min_size=1,
    max_size=3,
)
shapes = st.builds(Shape, category=st.integers(1, 3), bbox=st.none() | boxes) | st.builds(
    Shape, category=st.integers(1, 3), polygon=polygons
)
pictures = st.lists(st.tuples(st.text(), st.lists(shapes, max_size=4)), max_size=5)


def read_back(path: Path) -> COCO:
    """Load with pycocotools, as users do."""
    return COCO(str(path))


@given(pictures)
def test_coco_has_the_members_that_its_readers_want(given_pictures) -> None:
    wanted = [
        Picture(number, name, 640, 480, regions, {"origin": "person"})
        for number, (name, regions) in enumerate(given_pictures, 1)
    ]
    heading = Heading("", "detection", [Category(n, f"class {n}") for n in (1, 2, 3)])
    (part,) = coco.write(heading, wanted)
    part.content.seek(0)
    body = json.load(part.content)
    assert [(each["id"], each["file_name"]) for each in body["images"]] == [
        (p.id, p.file_name) for p in wanted
    ]
    assert [each["id"] for each in body["annotations"]] == list(range(1, len(body["annotations"]) + 1))
    written = iter(body["annotations"])
    for picture in wanted:
        for shape in picture.shapes:
            each = next(written)
            assert (each["image_id"], each["category_id"]) == (picture.id, shape.category)
            if shape.polygon and geometry.has_holes(shape.polygon):
                assert each["segmentation"]["size"] == [480, 640]
                assert sum(each["segmentation"]["counts"]) == 480 * 640
            elif shape.polygon:
                assert each["segmentation"] == shape.polygon
            else:
                assert each["bbox"] == (shape.bbox or [0, 0, 640, 480])
                assert ("image_level" in each) == (not shape.bbox)


def test_area_and_box_of_a_polygon() -> None:
    square = [10.0, 10.0, 20.0, 10.0, 20.0, 30.0, 10.0, 30.0]
    body = coco.outline([square, [0.0, 0.0, 2.0, 0.0, 0.0, 2.0]], Picture(1, "", 40, 40))
    assert (body["area"], body["bbox"]) == (202, [0, 0, 20, 30])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
@given(place, place, st.lists(st.floats(30, 100), min_size=3, max_size=30), st.floats(0.2, 0.8))
def test_a_hole_stays_a_hole_for_pycocotools(x, y, radii, share) -> None:
    ring, hole = star(x, y, radii), star(x, y, [share * radius for radius in radii])
    picture = Picture(1, "", 1_000, 900)
    shape = Shape(1, polygon=[ring, hole], origin="edited")
    written = json.loads(json.dumps(coco.annotation(1, picture, shape)))
    reader = COCO()
    reader.dataset = {"images": [{"id": 1, "width": 1_000, "height": 900}], "annotations": [written]}
    reader.createIndex()
    seen = reader.annToMask(written).astype(bool)
    assert (seen == runs.pixels(written["segmentation"]["counts"], 1_000, 900)).all()
    enclosed = geometry.combined([ring, hole])
    rim = geometry.area_of_ring(ring).length + geometry.area_of_ring(hole).length
    assert written["area"] == pytest.approx(enclosed.area)
    assert abs(seen.sum() - enclosed.area) < rim
    if seen.any():
        rows, columns = np.nonzero(seen)
        left, top, width, height = written["bbox"]
        assert left - 1 <= columns.min() <= columns.max() <= left + width + 1
        assert top - 1 <= rows.min() <= rows.max() <= top + height + 1
    assert (written["iscrowd"], written["provenance"]) == (0, {"region_origin": "edited"})


@given(stars)
def test_runs_hold_the_pixels_whose_centre_is_enclosed(ring) -> None:
    mask = runs.pixels(runs.run_lengths([ring], 1_000, 1_000), 1_000, 1_000)
    rows, columns = np.nonzero(mask)
    area = geometry.area_of_ring(ring)
    if len(rows):
        centres = shapely.points(columns + 0.5, rows + 0.5)
        assert shapely.distance(area, centres).max() < 1e-6
    assert abs(mask.sum() - area.area) <= area.length + 1


def test_a_shape_that_reaches_over_the_border_is_cut_off_there() -> None:
    counts = runs.run_lengths([[-5, -5, 3, -5, 3, 20, -5, 20]], 10, 8)
    mask = runs.pixels(counts, 10, 8)
    assert mask[:, :3].all()
    assert not mask[:, 3:].any()
    assert runs.run_lengths([[0, 0, 10, 0, 10, 8, 0, 8]], 10, 8) == [0, 80]


@pytest.mark.django_db
def test_an_export_holds_every_label_and_loads_in_pycocotools(
    project, labeler, manager, items, tmp_path
) -> None:
    factories.answer_all(project, labeler)
    job = exporting.start(project, manager, "coco", review.Filters())
    factories.run_jobs("quick")
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    data = default_storage.open(job.result["name"]).read()
    assert hashlib.sha256(data).hexdigest() == job.result["sha256"]
    (tmp_path / "export.json").write_bytes(data)
    loaded = read_back(tmp_path / "export.json")
    names = {category["id"]: category["name"] for category in loaded.loadCats(loaded.getCatIds())}
    assert len(loaded.getImgIds()) == len(items)
    for annotation in loaded.loadAnns(loaded.getAnnIds()):
        item = Item.objects.get(pk=annotation["image_id"])
        assert names[annotation["category_id"]] == factories.true_class(item)
        assert annotation["bbox"] == [0, 0, item.width, item.height]
        assert annotation["provenance"]["labeler"] == labeler.email
        assert annotation["provenance"]["origin"] == "person"
        assert annotation["provenance"]["instructions_version"] == 1
    assert job.result["by_origin"] == {"person": 12, "confirmed": 0, "auto": 0, "imported": 0}


@pytest.mark.django_db
def test_torchvision_pairs_every_picture_with_its_class(project, labeler, items, tmp_path) -> None:
    from torchvision.datasets import CocoDetection

    factories.answer_all(project, labeler)
    exporting.write(project, review.Filters(), tmp_path / "export.json")
    pictures = CocoDetection(items[0].source.location, str(tmp_path / "export.json"))
    names = dict(project.classes.values_list("id", "name"))
    assert len(pictures) == len(items)
    for (picture, targets), key in zip(pictures, pictures.ids, strict=True):
        assert picture.size == (32, 32)
        assert [names[each["category_id"]] for each in targets] == [
            factories.true_class(Item.objects.get(pk=key))
        ]


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


def draw_all(project: Project, labeler: User) -> None:
    """Answer every image of `make_scenes` with the shapes that it holds."""
    while page := queue.claim(project, labeler, 1):
        item = page.claims.get().item
        regions = tuple(
            submission.RegionInput(each["class"], each.get("bbox"), each.get("polygon"))
            for each in factories.true_regions(item)
        )
        submission.submit(page, labeler, [submission.Answer(item.pk, uuid.uuid4(), regions)])


def fetched(job: Job, folder: Path) -> Path:
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    path = folder / f"{job.pk}-{Path(job.result['name']).name}"
    path.write_bytes(default_storage.open(job.result["name"]).read())
    return path


def pictures_of(job: Job, folder: Path) -> list[Picture]:
    """Return the images of a ZIP archive that was exported."""
    with Archive(fetched(job, folder)) as files:
        records = list(catalog.FORMATS[job.payload["format"]].read(files))
    assert not [each for each in records if isinstance(each, Problem)]
    return [each for each in records if isinstance(each, Picture)]


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
