"""Files of labels are looked at before anything changes, whoever has made them."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from labeling import importing, label_classes, label_imports, reports
from labeling.formats import masks
from labeling.formats.records import Category, Heading, Picture, Shape
from labeling.formats.runs import run_lengths
from labeling.importing import ImportRefused
from labeling.models import Annotation, LabelImport
from tests import factories
from tests.labeling.sent import CSV, archive, queued, send, take_in, truth_of

pytestmark = pytest.mark.django_db


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
