"""Real images for benchmarks: archives of a data folder, scikit-learn's digits. Not a benchmark itself."""

import io
import os
import tempfile
import xml.etree.ElementTree as ET
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CELLS = ("Platelets", "RBC", "WBC")
TILE = 64


@dataclass(frozen=True, slots=True)
class Photos:
    """Encoded images with what is true of them: class numbers, or a row of 0 and 1 for each image.

    Images with the same `group` come from one picture, so that training and testing must not share it.
    """

    files: list[bytes]
    truth: np.ndarray
    classes: tuple[str, ...]
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.files)

    def some(self, count: int) -> "Photos":
        """Return that many of the images, drawn at random and in random order."""
        return self.at(np.random.default_rng(0).permutation(len(self))[:count])

    def at(self, rows: np.ndarray) -> "Photos":
        return Photos([self.files[row] for row in rows], self.truth[rows], self.classes, self.group[rows])


def set_up() -> None:
    """Let Loupe's own code be used without its database."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    os.environ.setdefault("LOUPE_LOG_LEVEL", "WARNING")
    import django

    django.setup()


def decoder(side: int) -> Callable[[bytes], Image.Image]:
    """Return the product's way from a file to an upright image whose shorter side is `side` or more."""
    from labeling import decoding

    return lambda file: decoding.decode(file, at_least=side)


def open_any(file: bytes) -> Image.Image:
    """Decode a file of any format, WebP included, which the product does not take."""
    return Image.open(io.BytesIO(file)).convert("RGB")


def cifar10(folder: Path, of_each: int | None = None) -> Photos | None:
    """Return `cifar10.zip`, or the first images of each class; None when it is not there."""
    return class_folders(folder / "cifar10.zip", "", ".jpg", of_each)


def tiny_imagenet(folder: Path, of_each: int | None = None) -> Photos | None:
    """Return the validation images of `tiny_imagenet.zip`, or the first of each class."""
    return class_folders(folder / "tiny_imagenet.zip", "/val/", ".webp", of_each)


def class_folders(path: Path, within: str, suffix: str, of_each: int | None) -> Photos | None:
    if not path.exists():
        return None
    with zipfile.ZipFile(path) as archive:
        by_class: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(archive.namelist()):
            if within in name and name.endswith(suffix):
                by_class[name.split("/")[-2]].append(name)
        chosen = [name for each in sorted(by_class) for name in by_class[each][:of_each]]
        classes = tuple(sorted(by_class))
        truth = np.array([classes.index(name.split("/")[-2]) for name in chosen])
        return Photos([archive.read(name) for name in chosen], truth, classes, np.arange(len(chosen)))


def digits() -> Photos:
    """Return scikit-learn's handwritten digits as the sample project has them."""
    import json

    from deploy import digits

    with tempfile.TemporaryDirectory() as folder:
        images, answers = digits.write(Path(folder))
        names = json.loads(answers.read_text())
        files = [(images / name).read_bytes() for name in sorted(names)]
    classes = tuple(sorted(set(names.values())))
    truth = np.array([classes.index(names[name]) for name in sorted(names)])
    return Photos(files, truth, classes, np.arange(len(files)))


def blood(folder: Path) -> Photos | None:
    """Return `bccd.zip` with the kinds of cells that occur in each image; None when it is not there."""
    path = folder / "bccd.zip"
    if not path.exists():
        return None
    with zipfile.ZipFile(path) as archive:
        boxes = sorted(name for name in archive.namelist() if name.endswith(".xml"))
        files = [archive.read(name.replace("/voc/", "/images/").replace(".xml", ".jpg")) for name in boxes]
        present = [set(names_of(archive.read(name))) for name in boxes]
    truth = np.array([[cell in each for cell in CELLS] for each in present], int)
    return Photos(files, truth, CELLS, np.arange(len(files)))


def names_of(boxes: bytes) -> Iterator[str]:
    """Yield the name of each box in a Pascal VOC file."""
    for found in ET.fromstring(boxes).iter("object"):
        yield found.findtext("name") or ""


def nuclei_or_blood(folder: Path) -> Photos | None:
    """Return the images of `nuclei.zip` (0) and `bccd.zip` (1); None when either is not there."""
    cells, path = blood(folder), folder / "nuclei.zip"
    if cells is None or not path.exists():
        return None
    with zipfile.ZipFile(path) as archive:
        nuclei = [archive.read(name) for name in sorted(archive.namelist()) if name.endswith(".jpg")]
    files = nuclei + cells.files
    truth = np.repeat([0, 1], [len(nuclei), len(cells)])
    return Photos(files, truth, ("nuclei", "blood"), np.arange(len(files)))


def grey_tiles(photos: Photos, of_each_class: int) -> Photos:
    """Cut small squares out of the images at random, without colour and each stretched to full contrast.

    Whole images of two microscopes are told apart by their colour alone.
    """
    rng = np.random.default_rng(0)
    files, truth, group = [], [], []
    for number in range(len(photos.classes)):
        mine = np.flatnonzero(photos.truth == number)
        for source in np.resize(mine, of_each_class):
            whole = Image.open(io.BytesIO(photos.files[source])).convert("L")
            left, top = (int(rng.integers(0, size - TILE + 1)) for size in whole.size)
            tile = np.asarray(whole.crop((left, top, left + TILE, top + TILE)), np.float32)
            low, high = tile.min(), tile.max()
            stretched = ((tile - low) * (255 / max(high - low, 1))).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(stretched).save(buffer, "PNG")
            files.append(buffer.getvalue())
            truth.append(number)
            group.append(source)
    return Photos(files, np.array(truth), photos.classes, np.array(group))
