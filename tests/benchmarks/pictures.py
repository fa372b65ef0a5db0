"""Pictures with boxes or outlines by hand, from archives of a data folder. Not a benchmark itself."""

import io
import json
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from mlassist.detectors.shapes import Shapes

PARTS = (205, 87, 72)  # of 364 images: to learn from, to choose by, to test with


@dataclass(frozen=True, slots=True)
class Pictures:
    """Images (h, w, 3) uint8 in random order, with what people drew on each."""

    name: str
    images: list[np.ndarray]
    truth: list[Shapes]
    classes: list[str]

    def __len__(self) -> int:
        return len(self.images)

    def parts(self) -> tuple["Pictures", "Pictures", "Pictures"]:
        """Return what to learn from, to choose by and to test with."""
        edges = np.round(np.cumsum((0, *PARTS)) / sum(PARTS) * len(self)).astype(int)
        learn, choose, test = (self.at(range(*pair)) for pair in pairwise(edges))
        return learn, choose, test

    def at(self, rows: "range | np.ndarray") -> "Pictures":
        return Pictures(
            self.name, [self.images[row] for row in rows], [self.truth[row] for row in rows], self.classes
        )

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return [(each.shape[1], each.shape[0]) for each in self.images]


def load(path: Path) -> Pictures:
    """Read an archive with `images/` and `voc/` or a COCO file, shuffled once and for all."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        notes = [name for name in names if name.endswith(".json")]
        read = coco(archive, notes[0]) if notes else voc(archive, names)
    images, regions, classes = read
    order = np.random.default_rng(0).permutation(len(images))
    truth = [Shapes.of_regions(regions[row], range(len(classes))) for row in order]
    return Pictures(path.stem, [images[row] for row in order], truth, classes)


def voc(archive: zipfile.ZipFile, names: list[str]) -> tuple[list[np.ndarray], list[list[dict]], list[str]]:
    images, regions = [], []
    classes: list[str] = []
    for name in (each for each in names if each.endswith(".xml")):
        root = ET.fromstring(archive.read(name))
        images.append(pixels(archive, name.replace("/voc/", "/images/").replace(".xml", ".jpg")))
        found = []
        for each in root.iter("object"):
            label = each.findtext("name", "")
            if label not in classes:
                classes.append(label)
            left, top, right, bottom = (
                float(each.findtext(f"bndbox/{edge}", "0")) for edge in ("xmin", "ymin", "xmax", "ymax")
            )
            found.append({"class": classes.index(label), "bbox": [left, top, right - left, bottom - top]})
        regions.append(found)
    return images, regions, classes


def coco(archive: zipfile.ZipFile, notes: str) -> tuple[list[np.ndarray], list[list[dict]], list[str]]:
    whole = json.loads(archive.read(notes))
    number = {each["id"]: at for at, each in enumerate(whole["categories"])}
    folder = PurePosixPath(notes).parent / "images"
    by_image: dict[int, list[dict]] = {each["id"]: [] for each in whole["images"]}
    for each in whole["annotations"]:
        by_image[each["image_id"]].append(
            {"class": number[each["category_id"]], "polygon": each["segmentation"]}
        )
    images = [pixels(archive, str(folder / Path(each["file_name"]).name)) for each in whole["images"]]
    return images, list(by_image.values()), [each["name"] for each in whole["categories"]]


def pixels(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))
