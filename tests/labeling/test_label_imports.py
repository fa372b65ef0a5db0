"""Labels from files: checked before anything changes, taken in once, and taken back."""

import io
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from labeling import (
    classes,
    gallery,
    importing,
    label_applying,
    label_classes,
    label_imports,
    queue,
    reports,
    review,
    submission,
)
from labeling.answering import Answer, RegionInput
from labeling.formats import masks
from labeling.formats.records import Category, Heading, Picture, Shape
from labeling.formats.runs import run_lengths
from labeling.importing import ImportRefused
from labeling.labeled import categories
from labeling.models import (
    Annotation,
    Event,
    Item,
    LabelClass,
    LabelImport,
    Project,
    QueueEntry,
    User,
)
from tests import factories

pytestmark = pytest.mark.django_db
CSV = "file_name,class\n"


def send(project: Project, content: str | bytes, name: str = "labels.csv", **fields: Any) -> LabelImport:
    """Send a file of labels and have it checked."""
    data = content.encode() if isinstance(content, str) else content
    given = label_imports.receive(project, [SimpleUploadedFile(name, data)], project.created_by, **fields)
    factories.run_jobs("quick")
    given.refresh_from_db()
    return given


def take_in(given: LabelImport, mode: str = "labels", **fields: Any) -> dict[str, int]:
    label_imports.apply(given, given.created_by, mode=mode, **{"wanted": {}, **fields})
    factories.run_jobs("quick")
    given.refresh_from_db()
    assert given.state == "applied"
    return label_applying.outcomes(given)


def take_back(given: LabelImport) -> dict[str, int]:
    label_imports.undo(given, given.created_by)
    factories.run_jobs("quick")
    given.refresh_from_db()
    assert given.state == "undone"
    return label_applying.outcomes(given)


def truth_of(items: list[Item]) -> str:
    return CSV + "".join(f"{item.path},{factories.true_class(item)}\n" for item in items)


def person_labels(item: Item, labeler: User) -> Annotation:
    label = factories.make_annotation(item, "circle", labeler)
    queue.finish({item.pk: label.pk})
    return label


def queued(project: Project) -> list[tuple[Any, ...]]:
    columns = (
        "item_id",
        "kind",
        "priority",
        "why",
        "inclusion_probability",
        "needed",
        "open_slots",
        "hint_id",
    )
    return list(QueueEntry.objects.filter(project=project).order_by("item_id").values_list(*columns))


def rectangle(x: float, y: float, wide: float, high: float, **value: Any) -> dict[str, Any]:
    return {
        "type": "rectanglelabels", "original_width": 640, "original_height": 480,
        "value": {"x": x, "y": y, "width": wide, "height": high, "rectanglelabels": ["circle"], **value},
    }  # fmt: skip


def archive(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return out.getvalue()


# Checking


def test_checking_a_file_changes_nothing_and_says_what_fits(project, items) -> None:
    before = queued(project)
    broken, *rest = items
    text = truth_of(rest[:3]) + f"nowhere.png,circle\n{broken.path},hexagon\n"
    given = send(project, text)
    assert (given.state, given.format) == ("ready", "csv")
    report = given.report
    assert (report["images"], report["by_path"], report["unmatched"]) == (5, 4, 1)
    assert report["without"] == len(items) - 4
    assert report["list"] == [
        {"kind": "unmatched", "place": "nowhere.png", "said": "There is no such image in the project."}
    ]
    choices = {each.name: each.choice for each in label_classes.proposed(given)}
    assert choices["hexagon"] == "new"
    assert (
        choices[factories.true_class(rest[0])] == project.classes.get(name=factories.true_class(rest[0])).pk
    )
    assert queued(project) == before
    assert not Annotation.objects.filter(project=project).exists()
    assert project.classes.count() == 3


def test_images_are_found_by_path_then_name_then_stem_and_never_guessed(project, tmp_path) -> None:
    for place in ("a/1.png", "a/2.png", "b/2.png", "b/3.png", "c/é.png"):
        factories.write_image(tmp_path / place, seed=len(place) + ord(place[0]) + ord(place[2]))
    importing.add_folder(project, tmp_path, project.created_by)
    factories.run_jobs("quick")
    rows = {
        "a/1.png": "by_path",
        "C:\\data\\b\\2.png": "by_path",
        "https://host/some/3.png?x=1": "by_name",
        "E\u0301.JPG": "by_stem",
        "2.png": "ambiguous",
        "4.png": "unmatched",
    }
    given = send(project, CSV + "".join(f"{name},circle\n" for name in rows))
    assert {name: given.report.get(name) for name in set(rows.values())} == Counter(rows.values())
    found = dict(given.labels.values_list("item__path", "outcome"))
    assert set(found) == {"a/1.png", "b/2.png", "b/3.png", "c/é.png"}
    assert "a/2.png and b/2.png" in next(
        each["said"] for each in given.report["list"] if each["kind"] == "ambiguous"
    )


def test_shapes_are_clipped_scaled_or_refused_and_counted(manager) -> None:
    project = factories.make_project(manager=manager, task_type="detection")
    first, second, third = factories.make_scenes(project, 3, size=(64, 48))
    rows = [
        (first, 64, 48, "-5,4,20,20"),  # reaches out
        (first, 64, 48, "60,40,1000000000,1000000000"),
        (first, 64, 48, "900,900,10,10"),
        (first, 64, 48, "nan,1,5,5"),
        (first, 64, 48, "3,3,0.001,9"),
        (first, 64, 48, ",,,"),  # a class of the whole image
        (first, 64, 48, "8,8,10,10"),
        (first, 64, 48, "8,8,10,10"),
        (second, 128, 96, "20,20,40,40"),  # made on a copy of twice the size
        (third, 48, 64, "1,1,5,5"),  # turned
    ]
    lines = [f"{item.path},{wide},{high},circle,{box}" for item, wide, high, box in rows]
    given = send(project, "\n".join(["file_name,width,height,class,x,y,box_width,box_height", *lines]))
    counts = {
        "clipped": 1, "outside": 2, "unreadable": 1, "flawed": 1, "wrong_type": 1, "repeated": 1,
        "scaled": 1, "wrong_size": 1, "taken_regions": 3, "problems": 6,
    }  # fmt: skip
    assert {name: given.report.get(name) for name in counts} == counts
    boxes = {row.item_id: [each["bbox"] for each in row.regions] for row in given.labels.all()}
    assert boxes == {first.pk: [[0, 4, 15, 20], [8, 8, 10, 10]], second.pk: [[10, 10, 20, 20]], third.pk: []}
    assert take_in(given) == {"label": 2, "left_out": 1}


HOSTILE = {
    "empty.json": b"  ",
    "deep.json": b"[" * 100_000,
    "nul.csv": b"file_name,class\n\0\0,\0\n",
    "latin.csv": "file_name,class\nä.png,Käfer\n".encode("latin-1"),
    "wide.json": '{"images": [], "categories": []}'.encode("utf-16"),
    "doctype.xml": b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><annotations>&d;</annotations>',
    "doctype16.xml": '<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>'.encode("utf-16"),
    "outside.xml": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>',
    "huge.json": json.dumps(
        {
            "categories": [{"id": 1, "name": "x\ud800\0"}],
            "images": [{"id": 1, "file_name": "a", "width": 10**9, "height": 10**9}],
            "annotations": [
                {
                    "image_id": 1,
                    "category_id": 1,
                    "segmentation": {"size": [10**9, 10**9], "counts": [10**18]},
                }
            ],
        }
    ).encode(),
    "odd.json": b'[{"data": {"image": 7}}, {"data": {"img": "a"}, "annotations": [{"result": [3, {}]}]}, 5]',
    "cut.zip": b"PK\x03\x04 and nothing else",
    "names.zip": archive(
        {"data.yaml": b"a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b, *b]", "labels/a.txt": b""}
    ),
    "bomb.zip": archive({"a.json": b"[" + b" " * (64 << 20)}),
    "picture.png": factories.picture_file(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_sentence(project, items, name) -> None:
    given = send(project, HOSTILE[name], name)
    assert given.state in ("ready", "unreadable")
    assert given.report.get("taken", 0) == 0
    said = given.report.get("error") or given.report["list"][0]["said"]
    assert said.endswith((".", "…")) or name == "doctype.xml"
    assert not Annotation.objects.filter(project=project).exists()


def test_an_archive_that_lies_about_a_size_does_not_fill_the_memory(project, items) -> None:
    packed = bytearray(archive({"a.csv": CSV.encode() + b"x" * (2 << 20)}))
    at = packed.rfind(b"PK\x01\x02")
    packed[at + 24 : at + 28] = (20).to_bytes(4, "little")
    given = send(project, bytes(packed), "a.zip", format_name="csv")
    assert given.state == "unreadable"


def test_a_file_of_no_known_kind_can_be_read_as_what_somebody_says_it_is(project, items) -> None:
    given = send(project, truth_of(items[:2]), "labels.txt")
    assert given.state == "unreadable"
    assert "does not recognise" in given.report["error"]
    with pytest.raises(ImportRefused):
        label_imports.apply(given, None, mode="labels", wanted={})
    label_imports.discard(given)
    assert not LabelImport.objects.exists()
    assert not any(Path(importing.settings.MEDIA_ROOT, "uploads").iterdir())


TABLES = {
    "excel.csv": "file_name\tclass\n{path}\tcircle\n".encode("utf-16"),
    "german.csv": b"Filename;Label\r\n{path};circle\r\n",
    "tabs.tsv": b"path\tcategory\n{path}\tcircle\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_spreadsheets_are_read(project, items, name) -> None:
    encoding = "utf-16" if name == "excel.csv" else "utf-8"
    given = send(project, TABLES[name].decode(encoding).format(path=items[0].path).encode(encoding), name)
    assert (given.state, given.format, given.report.get("free")) == ("ready", "csv", 1), given.report


SAID = {
    "bare.csv": (b"a/1.png,circle\na/2.png,circle\n", "names no column for file_name and none for class"),
    "two.csv": (b"image,path,class\n1,2,circle\n", "no column for file_name.*For example: “file_name,class"),
    "numbers.json": (b"[1,2,3]", r"does not recognise.*COCO \(JSON.*Label Studio \(JSON, a list of tasks"),
    "cut.json": (b'{"images": [{"id": 1, "file_na', "cut off.*COCO needs"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_cannot_be_read_is_told_what_its_format_needs(project, items, name) -> None:
    content, said = SAID[name]
    given = send(project, content, name)
    assert given.state == "unreadable"
    assert re.search(said, given.report["error"]), given.report["error"]


def test_numbers_are_no_tasks_of_label_studio(project, items) -> None:
    given = send(project, b"[1,2,3]", "numbers.json", format_name="label_studio")
    assert given.state == "unreadable"
    assert "A task needs data that names its image." in given.report["error"]


def test_labels_of_another_kind_are_told_of_in_a_sentence(manager) -> None:
    project = factories.make_project(manager=manager, task_type="segmentation")
    (item,) = factories.make_scenes(project, 1, size=(64, 48))
    given = send(project, f"file_name,class,x,y,box_width,box_height\n{item.path},circle,1,1,9,9\n")
    assert "box is taken in as a rectangle, while this project asks for outlines" in words(given)
    shape = Shape(1, mask=run_lengths([[2, 2, 20, 2, 20, 20, 2, 20]], 64, 48))
    parts = masks.write(
        Heading("x", "semantic", [Category(1, "circle")]), [Picture(1, item.path, 64, 48, [shape])]
    )
    content = {each.name: each.content for each in parts}
    mask = next(each for name, each in content.items() if name.endswith(".png"))
    name = f"masks/{Path(item.path).stem}.png"
    packed = archive({"classes.json": content["classes.json"], name: mask})
    given = send(project, packed, "masks.zip")
    assert (given.format, given.report["merged"], given.report["traced"]) == ("masks", 1, 1), given.report
    assert any("one region, not one for each object" in each for each in words(given))


def words(given: LabelImport) -> list[str]:
    return [each.words for each in reports.lines(given)]


# Taking in, and back


def test_final_labels_count_at_once_and_are_taken_back_as_a_whole(project, items, manager) -> None:
    before = queued(project)
    given = send(project, truth_of(items))
    assert take_in(given) == {"label": len(items)}
    for item in Item.objects.filter(pk__in=[each.pk for each in items]):
        label = item.current_annotation
        assert (item.state, label.source, label.origin) == ("labeled", "import", "imported")
        assert [each.label_class.name for each in label.regions.all()] == [factories.true_class(item)]
    assert queued(project) == []
    assert gallery.select(project, gallery.Filters(source="imported")).count() == len(items)
    event = Event.objects.get(verb="import_labels")
    assert (event.data["labels"], event.actor) == (len(items), manager)
    assert take_back(given) == {"undone": len(items)}
    assert queued(project) == before
    assert not Item.objects.filter(project=project, state="labeled").exists()
    assert Annotation.objects.filter(project=project, withdrawal="undone").count() == len(items)


def test_what_people_did_is_left_alone_and_is_never_undone(project, items, labeler, reviewer) -> None:
    page = queue.claim(project, labeler, 1)
    held = page.claims.get().item_id
    answered = next(each for each in items if each.pk != held)
    theirs = person_labels(answered, labeler)
    given = send(project, truth_of(items))
    assert given.report["labeled"] == 1
    assert (given.report["held"], given.report["free"], given.report["beside"]) == (1, len(items) - 2, 1)
    assert take_in(given) == {"label": len(items) - 2, "kept": 1, "held": 1}
    assert label_applying.left_alone(given)[0] == {
        "item": held, "path": Item.objects.get(pk=held).path, "why": "held",
    }  # fmt: skip
    assert Item.objects.get(pk=answered.pk).current_annotation == theirs
    submission.submit(
        page, labeler, [Answer(held, factories.uuid.uuid4(), (RegionInput(project.classes.first().pk),))]
    )
    assert Item.objects.get(pk=held).current_annotation.labeler == labeler
    mine = [each for each in items if each.pk not in (held, answered.pk)]
    review.judge(project, reviewer, "approve", [mine[0].pk])
    review.reject(project, [mine[1].pk], reviewer)
    assert take_back(given) == {"undone": len(items) - 4, "changed": 2, "kept": 1, "held": 1}
    assert Item.objects.get(pk=mine[0].pk).state == "labeled"
    assert Item.objects.get(pk=answered.pk).current_annotation == theirs


def test_an_imported_label_can_be_kept_beside_what_people_said(project, items, labeler) -> None:
    theirs = person_labels(items[0], labeler)
    given = send(project, CSV + f"{items[0].path},square\n")
    assert take_in(given, answered="beside") == {"beside": 1}
    beside = Annotation.objects.get(item=items[0], source="import")
    assert not beside.counted
    assert Item.objects.get(pk=items[0].pk).current_annotation == theirs
    assert take_back(given) == {"undone": 1}


def test_classes_are_mapped_added_or_left_out(project, items, circle) -> None:
    one, two, three, four = items[:4]
    text = f"{one.path},disc\n{two.path},Hexagon\n{three.path},dust\n{four.path},SQUARE\n"
    given = send(project, CSV + text)
    assert take_in(given, wanted={"disc": circle, "dust": None}) == {"label": 3, "left_out": 1}
    labels = {each.pk: each.current_annotation for each in Item.objects.filter(project=project)}
    assert [labels[each.pk].regions.get().label_class.name for each in (one, two, four)] == [
        "circle", "Hexagon", "square",
    ]  # fmt: skip
    assert labels[three.pk] is None
    assert LabelClass.objects.filter(project=project).count() == 4


def test_a_class_of_which_nothing_is_taken_in_is_not_added(project, items, labeler) -> None:
    person_labels(items[0], labeler)
    given = send(project, CSV + f"{items[0].path},plane\n{items[1].path},alien\n")
    assert {each.name: each.choice for each in label_classes.proposed(given)} == {
        "plane": None,
        "alien": "new",
    }
    # Somebody labels the other one before it is taken in: then nothing comes of the class either.
    person_labels(items[1], labeler)
    assert take_in(given, wanted={"plane": "new"}) == {"kept": 2}
    assert not classes.in_use(project).exclude(name__in=factories.CLASSES).exists()
    assert {each.name for each in categories(project, review.Filters())} == set(factories.CLASSES)


def test_an_import_that_was_undone_is_taken_in_again_with_its_classes(project, items) -> None:
    given = send(project, CSV + f"{items[0].path},alien\n{items[1].path},circle\n")
    assert take_in(given) == {"label": 2}
    assert take_back(given) == {"undone": 2}
    assert not classes.in_use(project).filter(name="alien").exists()
    assert "alien" not in {each.name for each in categories(project, review.Filters())}
    with pytest.raises(ImportRefused, match="taken back"):
        label_imports.apply(given, None, mode="suggestions", wanted={})
    again = label_imports.check_again(given, given.created_by)
    assert label_imports.check_again(given, given.created_by) == again != given
    factories.run_jobs("quick")
    again.refresh_from_db()
    assert {each.name: each.choice for each in label_classes.proposed(again)}["alien"] == "new"
    assert take_in(again) == {"label": 2}
    assert (
        classes.in_use(project).get(name="alien").regions.filter(annotation__withdrawn_at=None).count() == 1
    )
    once_more = label_imports.check_again(again, None)
    factories.run_jobs("quick")
    label_imports.discard(once_more)
    assert Path(again.location).exists()


def test_what_was_left_alone_is_taken_in_from_the_same_file_later(project, items, labeler) -> None:
    page = queue.claim(project, labeler, 1)
    given = send(project, truth_of(items))
    assert take_in(given) == {"label": len(items) - 1, "held": 1}
    queue.release(page)
    again = label_imports.check_again(given, given.created_by)
    factories.run_jobs("quick")
    again.refresh_from_db()
    assert (again.report["free"], again.report["labeled"]) == (1, len(items) - 1)
    assert take_in(again) == {"label": 1, "kept": len(items) - 1}


def test_a_worker_that_is_killed_in_the_middle_goes_on_and_writes_nothing_twice(
    project, items, monkeypatch
) -> None:
    monkeypatch.setattr(label_applying, "CHUNK", 4)
    given = send(project, truth_of(items))
    job = label_imports.apply(given, given.created_by, mode="labels", wanted={})
    again = label_imports.apply(given, given.created_by, mode="labels", wanted={})
    assert again == job
    finish = queue.finish
    calls = []

    def killed(current: dict[int, int]) -> None:
        calls.append(current)
        if len(calls) == 2:
            raise RuntimeError("killed")
        finish(current)

    monkeypatch.setattr(label_applying.queue, "finish", killed)
    with pytest.raises(AssertionError, match="killed"):
        factories.run_jobs("quick")
    assert Annotation.objects.filter(project=project).count() == 4
    monkeypatch.setattr(label_applying.queue, "finish", finish)
    label_imports.apply(given, given.created_by, mode="labels", wanted={})
    factories.run_jobs("quick")
    given.refresh_from_db()
    assert given.state == "applied"
    assert Annotation.objects.filter(project=project, withdrawn_at=None).count() == len(items)
    assert Event.objects.filter(verb="import_labels").count() == 1


def test_suggestions_are_shown_to_people_and_are_no_models(manager, labeler) -> None:
    project = factories.make_project(manager=manager, labeler=labeler, task_type="detection")
    Project.objects.filter(pk=project.pk).update(assist_mode="off")
    items = factories.make_scenes(project, 4, size=(64, 48))
    QueueEntry.objects.filter(pk=items[3].pk).update(kind="validation", inclusion_probability=0.2)
    QueueEntry.objects.filter(pk__in=[each.pk for each in items[:3]]).update(
        kind="manual", inclusion_probability=None
    )
    tasks = [
        {
            "data": {"image": f"/data/upload/3/0123abcd-{item.file_name}"},
            "predictions": [{"score": 0.75, "result": [rectangle(25, 25, 50, 50)]}],
        }
        for item in items
    ]
    given = send(project, json.dumps(tasks), "tasks.json")
    assert (given.format, given.report["predictions"], given.report["blind"]) == ("label_studio", 4, 1)
    assert take_in(given, "suggestions") == {"suggestion": 3, "blind": 1}
    assert Item.objects.filter(project=project, state="unlabeled").count() == 4
    project.refresh_from_db()
    page = queue.claim(project, labeler, 1)
    while page.kind != "manual":
        queue.release(page)
        page = queue.claim(project, labeler, 1)
    claim = page.claims.get()
    (region,) = claim.proposal["regions"]
    assert (region["bbox"], claim.proposal["model"]) == ([16, 12, 32, 24], None)
    assert claim.why == "as an imported file suggests it"
    confirmed = RegionInput(region["class"], region["bbox"], origin="accepted")
    submission.submit(page, labeler, [Answer(claim.item_id, factories.uuid.uuid4(), (confirmed,))])
    label = Item.objects.get(pk=claim.item_id).current_annotation
    assert (label.origin, label.model_version) == ("confirmed", None)
    assert take_back(given) == {"undone": 3, "blind": 1}
    assert Item.objects.get(pk=claim.item_id).current_annotation == label
    assert not QueueEntry.objects.filter(project=project, hint__isnull=False).exists()


def test_folders_of_the_images_name_their_classes(project, items) -> None:
    given = label_imports.from_folders(project, project.created_by)
    factories.run_jobs("quick")
    given.refresh_from_db()
    assert take_in(given) == {"label": len(items)}
    for item in Item.objects.filter(project=project):
        assert item.current_annotation.regions.get().label_class.name == factories.true_class(item)


# Round trips


# Over HTTP


def test_labels_come_in_over_http(project, items, manager, api) -> None:
    client = api(manager)
    url = reverse("api-label-imports", args=[project.pk])
    upload = SimpleUploadedFile("labels.csv", (truth_of(items[:3]) + "x.png,circle\n").encode())
    made = client.post(url, {"file": upload}, format="multipart")
    assert made.status_code == 201, made.data
    factories.run_jobs("quick")
    place = reverse("api-label-import", args=[project.pk, made.data["id"]])
    assert client.get(place).data["report"]["unmatched"] == 1
    refused = client.post(f"{place}apply/", {"as": "labels", "classes": {"zebra": None}}, format="json")
    assert refused.status_code == 400
    for _ in range(2):
        body = {"as": "labels", "classes": {"circle": "new"}}
        assert client.post(f"{place}apply/", body, format="json").status_code == 202
        factories.run_jobs("quick")
    assert client.get(place).data["outcomes"] == {"label": 3}
    assert client.delete(place).status_code == 400
    assert client.post(f"{place}undo/").status_code == 202
    factories.run_jobs("quick")
    assert client.get(place).data["state"] == "undone"
    client.force_login(manager)
    table = client.get(reverse("label-import-problems", args=[project.pk, made.data["id"]]))
    assert "x.png" in table.content.decode()


def test_a_folder_of_yolo_labels_comes_in_from_a_page(manager, client) -> None:
    project = factories.make_project(manager=manager, task_type="detection")
    items = factories.make_scenes(project, 2, size=(64, 48))
    files = {
        "set/data.yaml": b"names: [circle, square]",
        f"set/labels/train/{Path(items[0].path).stem}.txt": b"0 0.5 0.5 0.5 0.5\n",
        "set/labels/val/unknown.txt": b"1 0.5 0.5 0.5 0.5\n",
    }
    client.force_login(manager)
    body = {
        "files": [SimpleUploadedFile(name.rsplit("/")[-1], content) for name, content in files.items()],
        "paths": list(files),
        "format": "",
    }
    made = client.post(reverse("api-label-imports", args=[project.pk]), body).json()
    page = reverse("label-import", args=[project.pk, made["id"]])
    assert "Looking at the file" in client.get(page).content.decode()
    factories.run_jobs("quick")
    text = client.get(page).content.decode()
    assert "found by file name without its ending" in text
    circle = project.classes.get(name="circle")
    client.post(page, {"do": "labels", "class-0": str(circle.pk), "class-1": ""})
    live = client.get(reverse("label-import-live", args=[project.pk, made["id"]]))
    assert "HX-Refresh" not in live.headers
    factories.run_jobs("quick")
    live = client.get(reverse("label-import-live", args=[project.pk, made["id"]]))
    assert live.headers["HX-Refresh"] == "true"
    region = Item.objects.get(pk=items[0].pk).current_annotation.regions.get()
    assert (region.label_class, region.bbox) == (circle, [16, 12, 32, 24])
    assert "image labeled" in client.get(page).content.decode()
    client.post(page, {"do": "undo"})
    factories.run_jobs("quick")
    assert "taken back" in client.get(page).content.decode()
    assert client.get(reverse("label-imports", args=[project.pk])).status_code == 200
