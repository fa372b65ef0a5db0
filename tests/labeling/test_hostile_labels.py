"""Files of labels that would fill the memory or take for ever, and what one bad part does to the others."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from labeling import exporting, review
from labeling.api import ranges
from labeling.formats import (
    coco,
    cvat,
    dataset,
    folders,
    label_studio,
    manifest,
    provenance,
    tables,
    voc,
    xmlstream,
    yolo,
)
from labeling.formats.files import Archive, Files, Single
from labeling.formats.records import Category, Heading, Picture, Problem, Shape, Unreadable
from tests import factories

Read = Callable[[Files], Any]


def read(reader: Read, folder: Path, content: str | bytes, name: str) -> tuple[list[Picture], list[str]]:
    """Return the images of a file, and what is wrong with it."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = list(reader(Single(path, name)))
    return [each for each in found if isinstance(each, Picture)], [
        each.said for each in found if isinstance(each, Problem)
    ]


def of_coco(*annotations: dict[str, Any], **image: Any) -> str:
    body = {"id": 1, "file_name": "a.png", "width": 8, "height": 8} | image
    regions = [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]} | each for each in annotations]
    return json.dumps({"images": [body], "categories": [{"id": 1, "name": "cell"}], "annotations": regions})


def test_a_number_without_end_is_no_run_length(tmp_path) -> None:
    mask = {"size": [8, 8], "counts": "o" * 200 + "0"}
    pictures, wrong = read(coco.read, tmp_path, of_coco({"segmentation": mask}), "a.json")
    assert pictures[0].shapes == []
    assert wrong == ["These are no packed run lengths."]


def test_members_of_the_wrong_kind_keep_no_label_out(tmp_path) -> None:
    content = of_coco({}, provenance=[1], original_path=[1], coco_url=5)
    pictures, wrong = read(coco.read, tmp_path, content, "a.json")
    assert (pictures[0].file_name, len(pictures[0].shapes), pictures[0].provenance, wrong) == (
        "a.png",
        1,
        {},
        [],
    )


@pytest.mark.parametrize(
    ("reader", "name", "bad", "good"),
    [
        (manifest.read, "a.manifest", '{"source-ref": "a", "l": {"image_size": 5}, "l-metadata": {}}\n',
         '{"source-ref": "b"}\n'),
        (manifest.read, "b.manifest", '{"source-ref": "a", "l": {"image_size": [5]}, "l-metadata": {}}\n',
         '{"source-ref": "b"}\n'),
        (label_studio.read, "a.json", '[{"data": {"image": "a"}, "annotations": 5, "predictions": 5},',
         '{"data": {"image": "b"}, "annotations": [{"result": []}]}]'),
        (label_studio.read, "b.json",
         '[{"data": {"image": "a"}, "annotations": [{"result": [{"id": [1], "type": "labels"}]}]},',
         '{"data": {"image": "b"}, "annotations": [{"result": []}]}]'),
        (tables.read, "a.csv", "file_name,class,polygon\na,x," + "[" * 100_000 + "\n", "b,x,\n"),
    ],
)  # fmt: skip
def test_one_hostile_image_keeps_nobody_from_the_others(tmp_path, reader, name, bad, good) -> None:
    pictures, _ = read(reader, tmp_path, bad + good, name)
    assert pictures[-1].file_name == "b"


def test_an_image_of_infinite_size_is_one_problem(tmp_path) -> None:
    sides = "<annotation><size><width>inf</width><height>1</height></size></annotation>"
    assert len(read(voc.read, tmp_path, sides, "a.xml")[1]) == 1


def test_what_repeats_itself_without_end_is_not_unpacked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(dataset, "VALUES", 10_000)
    table = pa.table({"image_id": [1], "regions": [[0.0] * 1_000_000]})
    pq.write_table(table.replace_schema_metadata({dataset.CLASSES: b"[]"}), tmp_path / "bomb")
    with pytest.raises(Unreadable, match="far more"):
        read(dataset.read, tmp_path, (tmp_path / "bomb").read_bytes(), "a.parquet")
    with pytest.raises(Unreadable, match="no Parquet file"):
        read(dataset.read, tmp_path, b"PAR1" + bytes(50) + b"PAR1", "b.parquet")


def test_no_element_line_or_list_fills_the_memory(tmp_path, monkeypatch) -> None:
    for limited in (xmlstream, manifest):
        monkeypatch.setattr(limited, "LONGEST", 1 << 10)
    many = "<annotations><image>" + "<box/>" * 100_000 + "</image></annotations>"
    with pytest.raises(Unreadable, match="longer than"):
        read(cvat.read, tmp_path, many, "a.xml")
    line = '{"source-ref": "a", "more": "' + "x" * 5_000 + '"}\n{"source-ref": "b"}\n'
    assert [each.file_name for each in read(manifest.read, tmp_path, line, "a.manifest")[0]] == ["b"]
    for reader in (coco, tables):
        monkeypatch.setattr(reader, "MOST_SHAPES", 2)
    assert [len(read(coco.read, tmp_path, of_coco({}, {}, {}), "b.json")[0][0].shapes)] == [2]
    assert len(read(tables.read, tmp_path, "file_name,class\n" + "a,x\n" * 3, "a.csv")[0][0].shapes) == 2
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("data.yaml", "# " + "x" * yolo.LONGEST_YAML)
    with pytest.raises(Unreadable, match="only name classes"), Archive(tmp_path / "a.zip") as files:
        list(yolo.read(files))


def test_no_file_of_an_export_calculates_anything(tmp_path) -> None:
    image = factories.picture_file((8, 8))
    heading = Heading("x", "multiclass", [Category(1, "=1+1", "@a")], {}, lambda picture: image)
    told = dict.fromkeys(provenance.KINDS)
    parts = {
        each.name: each.content
        for each in folders.write(heading, [Picture(1, "a.png", 8, 8, [Shape(1)], told)])
    }
    table = parts["classes.csv"]
    assert isinstance(table, bytes)
    assert table.decode().splitlines()[1] == "'=1+1,1,'=1+1,'@a"
    (tmp_path / "classes.csv").write_bytes(table)
    found = dict(folders.classes(Single(tmp_path / "classes.csv", "classes.csv")))
    assert found == {"=1+1": Category(1, "=1+1", "@a")}


def test_an_answer_that_is_shorter_than_it_says_ends_its_connection() -> None:
    def parts(start: int, end: int) -> Any:
        yield from (b"ab", b"cd")

    with pytest.raises(ranges.ShortBody):
        list(ranges.respond(None, 9, "image/png", parts).streaming_content)  # type: ignore[attr-defined]
    assert list(ranges.respond(None, 4, "image/png", parts)) == [b"ab", b"cd"]
    assert ranges.part("bytes=٣-٤", 9) is None


@pytest.mark.django_db
def test_an_export_whose_file_was_deleted_is_not_there(project, manager, labeler, items, api) -> None:
    factories.answer(project, labeler)
    job = exporting.start(project, manager, "csv", review.Filters())
    factories.run_jobs("quick")
    job.refresh_from_db()
    default_storage.delete(job.result["name"])
    assert api(manager).get(reverse("export-file", args=[project.pk, job.pk])).status_code == 404
