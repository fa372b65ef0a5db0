"""Labeled photos for pre-training: unpacked once, cut at random, made ready for the network."""

import io
import math
import os
import shutil
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from mlassist.backbones.bar import Bar
from mlassist.backbones.recipe import DEVIATION, MEAN

SPLITS = ("train", "val")
SUFFIXES = {".webp": "WebP", ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
FORMATS = ", ".join(dict.fromkeys(SUFFIXES.values()))
LAYOUT = f"It should hold train/CLASS/IMAGE and val/CLASS/IMAGE, for two classes or more, as {FORMATS}."


class NotPhotos(Exception):
    """Why an archive cannot be trained on, in a sentence for people."""


class Photos:
    """An archive's images as bytes on disk: (n, side, side, 3) uint8 per split, memory-mapped.

    `identity` tells the archive's contents from all others, whatever its name.
    """

    def __init__(self, archive: Path, cache: Path) -> None:
        self.archive, self.cache = archive, cache
        self.cropper = Cropper()

    def __enter__(self) -> "Photos":
        done = self.cache / "done"
        with zipfile.ZipFile(self.archive) as archive:
            listed = [(each.filename, each.file_size, each.CRC) for each in archive.infolist()]
            self.identity = sha256(repr(listed).encode()).hexdigest()
            if not done.exists():
                splits = self.sorted_out(archive.namelist())
                shutil.rmtree(self.cache, ignore_errors=True)
                self.cache.mkdir()
                for split in SPLITS:
                    self.unpack(archive, split, splits[split])
                done.write_text(self.identity)
        if done.read_text() != self.identity:
            raise NotPhotos(
                f"{self.cache} was unpacked from another archive than {self.archive}."
                " Delete it, or give the weights another name."
            )
        self.images = {split: np.load(self.cache / f"{split}.npy", mmap_mode="r") for split in SPLITS}
        self.labels = {split: np.load(self.cache / f"{split}.labels.npy") for split in SPLITS}
        self.classes = int(self.labels["train"].max()) + 1
        return self

    def __exit__(self, *_: object) -> None:
        self.cropper.pool.shutdown()

    def sorted_out(self, listed: list[str]) -> dict[str, list[str]]:
        """Return the images of each split, and number the classes. Raises NotPhotos."""
        splits: dict[str, list[str]] = {split: [] for split in SPLITS}
        for name in sorted(listed):
            path = PurePosixPath(name)
            # Archives made on a Mac have a hidden file of attributes beside each image.
            if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
                continue
            split = path.parts[-3] if len(path.parts) > 2 else ""
            if split in splits:
                splits[split].append(name)
            elif not set(splits).isdisjoint(path.parts):
                raise NotPhotos(f"{self.archive} cannot be trained on because of {name}. {LAYOUT}")
        folders = {
            split: {PurePosixPath(name).parent.name for name in names} for split, names in splits.items()
        }
        if len(folders["train"]) < 2 or not folders["val"]:
            raise NotPhotos(
                f"{self.archive} has images of {len(folders['train'])} classes in train/"
                f" and of {len(folders['val'])} in val/. {LAYOUT}"
            )
        strange = folders["val"] - folders["train"]
        if strange:
            raise NotPhotos(f"The class {min(strange)} of {self.archive} is in val/ but not in train/.")
        # Folders called 0 to 199 keep their numbers.
        self.number = {
            name: at for at, name in enumerate(sorted(folders["train"], key=lambda x: (len(x), x)))
        }
        return splits

    def unpack(self, archive: zipfile.ZipFile, split: str, names: list[str]) -> None:
        blobs = (blob_of(archive, name) for name in names)
        shape = pixels_of(names[0], blob_of(archive, names[0])).shape
        out = np.lib.format.open_memmap(
            self.cache / f"{split}.npy", mode="w+", dtype=np.uint8, shape=(len(names), *shape)
        )
        bar = Bar(f"unpacking {split}", len(names))
        for at, pixels in enumerate(self.cropper.pool.map(pixels_of, names, blobs)):
            if pixels.shape != shape:
                raise NotPhotos(
                    f"{names[at]} is {pixels.shape[1]}x{pixels.shape[0]} pixels, but {names[0]} is"
                    f" {shape[1]}x{shape[0]}. All images of a split must have one size."
                )
            out[at] = pixels
            bar.at(at + 1)
        out.flush()
        bar.end()
        labels = np.array([self.number[PurePosixPath(name).parent.name] for name in names])
        np.save(self.cache / f"{split}.labels.npy", labels)

    def crops(self, rows: np.ndarray, size: int, smallest: float, rng: np.random.Generator) -> "Batch":
        """Return random views of training images in varied light, with their classes; see Cropper."""
        views = self.cropper.crops(self.images["train"], rows, size, smallest, rng)
        labels = torch.from_numpy(self.labels["train"][rows])
        light = rng.uniform(0.75, 1.25, (len(rows), 1, 1, 1)) * rng.uniform(0.93, 1.07, (len(rows), 3, 1, 1))
        return Batch(views, torch.from_numpy(light).float(), labels, labels, 1.0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Images (n, 3, size, size) uint8 with their classes; all show `share` of their own and of another.

    `light` (n, 3, 1, 1) is what brightness and tint multiply each colour with.
    """

    images: torch.Tensor
    light: torch.Tensor
    labels: torch.Tensor
    others: torch.Tensor
    share: float

    def to(self, device: str) -> "Batch":
        tensors = (self.images, self.light, self.labels, self.others)
        images, light, labels, others = (each.to(device) for each in tensors)
        return Batch(images, light, labels, others, self.share)


def mixed(batch: Batch, rng: np.random.Generator) -> Batch:
    """Replace the same rectangle of each image by that of another (CutMix, arXiv 1905.04899)."""
    size = batch.images.shape[-1]
    side = round(size * math.sqrt(rng.random()))
    top, left = rng.integers(0, size - side + 1, 2)
    order = torch.from_numpy(rng.permutation(len(batch.images)))
    images = batch.images.clone()
    window = (..., slice(top, top + side), slice(left, left + side))
    images[window] = batch.images[order][window]
    return Batch(images, batch.light, batch.labels, batch.labels[order], 1 - side**2 / size**2)


class Cropper:
    """Cuts random parts out of images with a thread per core."""

    def __init__(self) -> None:
        self.threads = os.cpu_count() or 1
        self.pool = ThreadPoolExecutor(self.threads, initializer=torch.set_num_threads, initargs=(1,))

    def __enter__(self) -> "Cropper":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()

    def crops(
        self, images: np.ndarray, rows: np.ndarray, size: int, smallest: float, rng: np.random.Generator
    ) -> torch.Tensor:
        """Cut at least a `smallest` share out of each image, mirror half: (n, 3, size, size) uint8."""
        count = len(rows)
        height, width = images.shape[1:3]
        area = rng.uniform(smallest, 1, count) * height * width
        ratio = np.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3), count))
        wide = np.minimum(np.sqrt(area * ratio), width).round().astype(int)
        high = np.minimum(np.sqrt(area / ratio), height).round().astype(int)
        left = rng.integers(0, width - wide + 1)
        top = rng.integers(0, height - high + 1)
        mirrored = rng.random(count) < 0.5
        out = torch.empty((count, 3, size, size), dtype=torch.uint8, memory_format=torch.channels_last)

        def cut(part: range) -> None:
            for at in part:
                region = images[rows[at], top[at] : top[at] + high[at], left[at] : left[at] + wide[at]]
                pixels = torch.from_numpy(np.array(region)).permute(2, 0, 1)[None]
                scaled = functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
                out[at] = scaled[0].flip(2) if mirrored[at] else scaled[0]

        step = math.ceil(count / self.threads)
        list(self.pool.map(cut, (range(at, min(at + step, count)) for at in range(0, count, step))))
        return out


def blob_of(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # the last if it is encrypted
        raise NotPhotos(f"{name} cannot be taken out of the archive: {error}") from error


def pixels_of(name: str, blob: bytes) -> np.ndarray:
    try:
        return np.asarray(Image.open(io.BytesIO(blob)).convert("RGB"))
    except Exception as error:  # whatever a decoder comes to
        raise NotPhotos(f"{name} in the archive is damaged or not an image.") from error


def normalized(images: torch.Tensor, light: torch.Tensor | float = 1.0) -> torch.Tensor:
    """Take the colours' mean and deviation out of uint8 pixels, seen in another `light` (n, 3, 1, 1)."""
    mean, deviation = (
        torch.tensor(each, device=images.device).view(1, 3, 1, 1) for each in (MEAN, DEVIATION)
    )
    return images * (light / (255 * deviation)) - mean / deviation
