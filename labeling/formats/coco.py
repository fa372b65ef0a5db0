"""COCO instances JSON (https://cocodataset.org/#format-data), written as a stream.

A class of a whole image becomes an annotation whose box is the whole image and whose
`image_level` is true: readers that need a box (pycocotools, torchvision's CocoDetection,
FiftyOne's importer) take it as it is, and others can tell it from a drawn box.

A polygon stays a polygon with as many parts as it has, unless one is a hole: then it becomes a mask of
uncompressed run lengths, which the same readers decode. It is no crowd: `iscrowd` stays 0.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from labeling import geometry
from labeling.formats.records import Category, Picture, Shape
from labeling.formats.runs import run_lengths


def annotation(number: int, picture: Picture, shape: Shape) -> dict[str, Any]:
    """Return the COCO annotation of one region."""
    body: dict[str, Any] = {"id": number, "image_id": picture.id, "category_id": shape.category, "iscrowd": 0}
    if shape.polygon:
        body |= outline(shape.polygon, picture)
    else:
        body["bbox"] = shape.bbox or [0.0, 0.0, float(picture.width), float(picture.height)]
        body["area"] = body["bbox"][2] * body["bbox"][3]
        body["segmentation"] = []
    if not shape.polygon and not shape.bbox:
        body["image_level"] = True
    own = {"region_origin": shape.origin, "labeled_as": shape.labeled_as}
    said = {name: value for name, value in own.items() if value}
    return {**body, "provenance": picture.provenance | said}


def outline(polygon: list[list[float]], picture: Picture) -> dict[str, Any]:
    """Return segmentation, box and area of a polygon, by the even-odd rule.

    COCO fills each part of a polygon by itself: what has holes can only be said as a mask.
    """
    segmentation: Any = polygon
    if geometry.has_holes(polygon):
        counts = run_lengths(polygon, picture.width, picture.height)
        segmentation = {"size": [picture.height, picture.width], "counts": counts}
    return {
        "segmentation": segmentation,
        "bbox": geometry.bounds(polygon),
        "area": geometry.combined(polygon).area,
    }


def write(info: dict[str, Any], categories: Iterable[Category], pictures: Iterable[Picture]) -> Iterator[str]:
    """Yield the file in pieces. Only the annotations of one image are held at a time.

    Images and annotations are two lists, so annotations wait in a second pass: `pictures` must be
    iterable twice.
    """
    yield '{"info": ' + json.dumps(info) + ',\n"licenses": [],\n"categories": '
    yield json.dumps(
        [{"id": each.id, "name": each.name, "supercategory": each.supercategory} for each in categories]
    )
    yield ',\n"images": ['
    separator = "\n"
    for picture in pictures:
        yield separator + json.dumps(
            {
                "id": picture.id,
                "file_name": picture.file_name,
                "width": picture.width,
                "height": picture.height,
            }
        )
        separator = ",\n"
    yield '\n],\n"annotations": ['
    separator, number = "\n", 0
    for picture in pictures:
        for shape in picture.shapes:
            number += 1
            yield separator + json.dumps(annotation(number, picture, shape))
            separator = ",\n"
    yield "\n]}\n"
