"""What other programs read in exports: as many images and labels, of the same classes, in the same places.

`make readers` installs them into an environment of their own and runs this; elsewhere it is left out.
"""

import json
import os
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

dm = pytest.importorskip("datumaro", reason="`make readers` runs these in an environment of their own")
sv = pytest.importorskip("supervision")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import shapely  # noqa: E402
from PIL import Image  # noqa: E402
from pycocotools.coco import COCO  # noqa: E402

FOLDER = Path(os.environ.get("LOUPE_EXPORTS", "."))
SPLITS = ("train", "val", "test")
DRAWN = ("detection", "segmentation")
Boxes = dict[int, list[tuple[str, list[float]]]]


@pytest.fixture(params=["multiclass", *DRAWN])
def kind(request: Any) -> str:
    return request.param


def truth(kind: str) -> dict[str, Any]:
    return json.loads((FOLDER / kind / "truth.json").read_text())


def area_of(region: dict[str, Any]) -> Any:
    if region["bbox"]:
        x, y, width, height = region["bbox"]
        return shapely.box(x, y, x + width, y + height)
    rings = [shapely.Polygon(np.reshape(part, (-1, 2))) for part in region["polygon"]]
    area = rings[0]
    for ring in rings[1:]:
        area = area.symmetric_difference(ring)
    return area


def true_boxes(kind: str) -> Boxes:
    """Return class and corners of each region, by image."""
    return {
        int(key): [(each["class"], list(area_of(each).bounds)) for each in image["regions"]]
        for key, image in truth(kind)["images"].items()
    }


def number_of(path: str | Path) -> int:
    """Return the number of an image, which is its name; datumaro puts the class of a folder before it."""
    return int(Path(path).stem.rpartition(":")[2])


def is_same(found: Boxes, wanted: Boxes, within: float) -> None:
    assert found.keys() == wanted.keys()
    for key, boxes in wanted.items():
        left, right = sorted(found[key]), sorted(boxes)
        assert [name for name, _ in left] == [name for name, _ in right]
        assert np.abs(np.array([box for _, box in left]) - [box for _, box in right]).max() <= within


def by_supervision(sets: list[Any]) -> Boxes:
    found: Boxes = {}
    for each in sets:
        for path, _, detections in each:
            found[number_of(path)] = [
                (each.classes[column], box.tolist())
                for column, box in zip(detections.class_id, detections.xyxy, strict=True)
            ]
    return found


def by_datumaro(dataset: Any) -> Boxes:
    names = [each.name for each in dataset.categories()[dm.AnnotationType.label]]
    found: Boxes = {}
    for item in dataset:
        # Where there is an outline, a box around it comes along.
        outlines = [each for each in item.annotations if each.type.name in ("polygon", "mask")]
        drawn = outlines or [each for each in item.annotations if each.type.name == "bbox"]
        boxes = [(names[each.label], each.get_bbox()) for each in drawn]
        found[number_of(item.id + ".x")] = [(name, [x, y, x + w, y + h]) for name, (x, y, w, h) in boxes]
    return found


def test_pycocotools_reads_every_region(kind: str) -> None:
    images = truth(kind)["images"]
    seen: Counter[int] = Counter()
    for path in sorted((FOLDER / kind / "coco").glob("annotations/*.json")):
        coco = COCO(str(path))
        names = {key: each["name"] for key, each in coco.cats.items()}
        for key, image in coco.imgs.items():
            wanted = images[str(key)]
            assert [image["width"], image["height"]] == wanted["size"]
            assert Image.open(FOLDER / kind / "coco/images" / image["file_name"]).size == tuple(
                wanted["size"]
            )
            regions = coco.loadAnns(sorted(coco.getAnnIds(imgIds=[key])))
            assert [names[each["category_id"]] for each in regions] == [
                each["class"] for each in wanted["regions"]
            ]
            seen[key] += 1
            for one, other in zip(regions, wanted["regions"], strict=True):
                if other["polygon"]:
                    area = area_of(other)
                    assert abs(coco.annToMask(one).sum() - area.area) <= area.length
                    assert one["area"] == pytest.approx(area.area)
    assert seen == Counter(map(int, images))


@pytest.mark.parametrize("kind", DRAWN, indirect=True)
def test_supervision_reads_coco_yolo_and_voc(kind: str) -> None:
    root, wanted = FOLDER / kind, true_boxes(kind)
    is_drawn = kind == "segmentation"
    sets = [
        sv.DetectionDataset.from_coco(str(root / "coco/images"), str(path), force_masks=is_drawn)
        for path in sorted((root / "coco").glob("annotations/*.json"))
    ]
    is_same(by_supervision(sets), wanted, 0.01)
    for name in ["yolo", *(["yolo_seg"] if is_drawn else [])]:
        sets = [
            sv.DetectionDataset.from_yolo(
                str(root / name / "images" / split),
                str(root / name / "labels" / split),
                str(root / name / "data.yaml"),
                force_masks=name == "yolo_seg",
            )
            for split in SPLITS
        ]
        assert [each.classes for each in sets] == [truth(kind)["classes"]] * 3
        is_same(by_supervision(sets), wanted, 1.01)
    voc = sv.DetectionDataset.from_pascal_voc(str(root / "voc/JPEGImages"), str(root / "voc/Annotations"))
    is_same(by_supervision([voc]), wanted, 1.01)


@pytest.mark.parametrize("kind", DRAWN, indirect=True)
def test_datumaro_reads_coco_and_voc(kind: str) -> None:
    root, wanted = FOLDER / kind, true_boxes(kind)
    found: Boxes = {}
    for path in sorted((root / "coco").glob("annotations/*.json")):
        found |= by_datumaro(dm.Dataset.import_from(str(path), "coco_instances"))
    is_same(found, wanted, 1.01)
    # Datumaro takes VOC's first pixel, which is 1, for 1.
    is_same(by_datumaro(dm.Dataset.import_from(str(root / "voc"), "voc_detection")), wanted, 1.51)


def test_supervision_and_datumaro_read_image_folders() -> None:
    said = truth("multiclass")["images"]
    wanted = {int(key): each["regions"][0]["class"] for key, each in said.items()}
    found: dict[int, str] = {}
    for split in SPLITS:
        root = FOLDER / "multiclass/folders" / split
        if root.exists():
            folders = sv.ClassificationDataset.from_folder_structure(str(root))
            found |= {number_of(path): folders.classes[each.class_id[0]] for path, _, each in folders}
    assert found == wanted
    again: dict[int, str] = {}
    for split in SPLITS:
        dataset = dm.Dataset.import_from(str(FOLDER / "multiclass/folders" / split), "imagenet")
        names = [each.name for each in dataset.categories()[dm.AnnotationType.label]]
        again |= {number_of(each.id + ".x"): names[each.annotations[0].label] for each in dataset}
    assert again == wanted


def test_pandas_reads_the_table_and_a_manifest(kind: str) -> None:
    wanted = Counter(
        (int(key), each["class"]) for key, image in truth(kind)["images"].items() for each in image["regions"]
    )
    (path,) = (FOLDER / kind / "csv").glob("*.csv")
    table = pd.read_csv(path)
    assert Counter(zip(table["image_id"], table["class"], strict=True)) == wanted
    assert set(table["split"]) == set(SPLITS)
    if kind == "segmentation":
        return
    lines = pd.read_json(FOLDER / kind / "manifest/output.manifest", lines=True)
    assert len(lines) == len(truth(kind)["images"])
    assert all((FOLDER / kind / "manifest" / each).exists() for each in lines["source-ref"])
    if kind == "multiclass":
        assert Counter(each["class-name"] for each in lines["label-metadata"]) == Counter(
            name for _, name in wanted.elements()
        )


def test_the_data_set_loads_with_pandas_and_hugging_face(kind: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    code = runpy.run_path(str(FOLDER / kind / "dataset/load.py"))
    said = truth(kind)
    assert code["CLASSES"] == said["classes"]
    frames = pd.concat([code["frame"](split) for split in SPLITS])
    assert sorted(frames["image_id"]) == sorted(map(int, said["images"]))
    loaded = code["hugging_face"]()
    assert list(loaded) == ["train", "validation", "test"]
    for split in loaded.values():
        for row in split:
            wanted = said["images"][str(row["image_id"])]
            assert row["image"].size == tuple(wanted["size"])
            assert [(each["class"], each["bbox"], each["polygon"]) for each in row["regions"]] == [
                (each["class"], each["bbox"], each["polygon"]) for each in wanted["regions"]
            ]


def test_masks_are_pictures_of_class_numbers() -> None:
    """Each pixel that lies more than one pixel from every border has the class of what was drawn there."""
    root, said = FOLDER / "segmentation/masks", truth("segmentation")
    numbers = {name: number for number, name in enumerate(said["classes"], 1)}
    paths = list((root / "masks").rglob("*.png"))
    assert len(paths) == len(said["images"])
    for path in paths:
        seen = np.asarray(Image.open(path))
        image = said["images"][str(number_of(path))]
        y, x = np.mgrid[: seen.shape[0], : seen.shape[1]] + 0.5
        wanted, near = np.zeros(seen.shape, int), np.zeros(seen.shape, bool)
        for each in image["regions"]:
            area = area_of(each)
            wanted[shapely.contains_xy(area, x, y)] = numbers[each["class"]]
            near |= shapely.distance(area.boundary, shapely.points(x, y)) < 1
        assert (seen == wanted)[~near].all()
        assert set(np.unique(seen)) == {0} | {numbers[each["class"]] for each in image["regions"]}
