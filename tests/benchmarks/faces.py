"""How many faces are hidden, of a portrait in many ways that pictures come; how long a look takes.

    python -m tests.benchmarks.faces

The portrait is the astronaut that scikit-image ships, with the face marked by hand; the pictures without one
are its others. A face counts as hidden when nine tenths of it are.

recall           share of faces that are hidden, of all pictures
recall_KIND      of those that were made smaller, turned, greyed or darkened, blurred, partly covered
smallest         pixels of a face's height down to which every one was hidden
false_pictures   share of pictures without a face in which something is hidden
seconds          for a look at a picture of 512 x 512, and of 4,000 x 3,000

The last line of output is one JSON object.
"""

import argparse
import importlib.util
import io
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from labeling import masking
from tests.benchmarks.backbone import say

FACE = (181, 77, 269, 179)  # of the astronaut, from brow to chin
HIDDEN = 0.9
HEIGHTS = (12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256, 400, 600, 900)
WITHOUT = (
    "brick", "cell", "chelsea", "clock_motion", "coffee", "coins", "grass", "gravel", "horse",
    "hubble_deep_field", "ihc", "moon", "motorcycle_left", "page", "retina", "rocket", "text",
)  # fmt: skip
SMALLER_SIDES = (64, 100, 160, 320)  # of what is pasted into a large picture: faces of 13 to 64 pixels


@dataclass(frozen=True, slots=True)
class Case:
    """A picture, and which of its pixels are a face."""

    kind: str
    name: str
    picture: Image.Image
    face: Image.Image  # mode "L"

    @property
    def height(self) -> int:
        _, top, _, bottom = self.face.getbbox() or (0, 0, 0, 0)
        return bottom - top


def folder() -> Path | None:
    """Return where scikit-image's pictures are, without importing it."""
    found = importlib.util.find_spec("skimage")
    return Path(found.origin).with_name("data") if found and found.origin else None


def portrait(pictures: Path) -> Case:
    picture = Image.open(pictures / "astronaut.png").convert("RGB")
    face = Image.new("L", picture.size)
    ImageDraw.Draw(face).ellipse(FACE, fill=255)
    return Case("plain", "as it is", picture, face)


def cases(pictures: Path) -> Iterator[Case]:
    whole = portrait(pictures)
    yield whole
    yield from smaller(whole)
    yield from turned(whole)
    yield from toned(whole)
    yield from blurred(whole)
    yield from covered(whole)
    yield from pasted(whole, pictures)


def resized(case: Case, share: float, kind: str, name: str) -> Case:
    size = (round(case.picture.width * share), round(case.picture.height * share))
    return Case(kind, name, case.picture.resize(size, Image.Resampling.LANCZOS), case.face.resize(size))


def smaller(whole: Case) -> Iterator[Case]:
    for height in HEIGHTS:
        yield resized(whole, height / whole.height, "sizes", f"{height} px")


def turned(whole: Case) -> Iterator[Case]:
    for degrees in range(15, 360, 15):
        for share in (1.0, 0.4):
            picture = whole.picture.rotate(
                degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(90, 90, 90)
            )
            face = whole.face.rotate(degrees, expand=True)
            yield resized(Case("", "", picture, face), share, "turned", f"{degrees}°, x {share}")
    flip = Image.Transpose.FLIP_LEFT_RIGHT
    yield Case("turned", "mirrored", whole.picture.transpose(flip), whole.face.transpose(flip))


def toned(whole: Case) -> Iterator[Case]:
    grey = whole.picture.convert("L").convert("RGB")
    yield Case("toned", "grey", grey, whole.face)
    yield resized(Case("", "", grey, whole.face), 0.3, "toned", "grey, x 0.3")
    for share in (0.15, 0.3, 1.8):
        lit = ImageEnhance.Brightness(whole.picture).enhance(share)
        yield Case("toned", f"brightness {share}", lit, whole.face)
    for share in (0.2, 0.4):
        flat = ImageEnhance.Contrast(whole.picture).enhance(share)
        yield Case("toned", f"contrast {share}", flat, whole.face)
    negative = Image.eval(whole.picture, lambda value: 255 - value)
    yield Case("toned", "negative", negative, whole.face)


def blurred(whole: Case) -> Iterator[Case]:
    for radius in (1, 2, 4, 6):
        yield Case(
            "blurred", f"by {radius}", whole.picture.filter(ImageFilter.GaussianBlur(radius)), whole.face
        )
    for quality in (5, 15):
        out = io.BytesIO()
        whole.picture.save(out, "JPEG", quality=quality)
        yield Case("blurred", f"JPEG {quality}", Image.open(out).convert("RGB"), whole.face)
    chance = np.random.default_rng(0)
    for deviation in (20, 50):
        noise = chance.normal(0, deviation, (*whole.picture.size[::-1], 3))
        noisy = np.clip(np.asarray(whole.picture) + noise, 0, 255).astype(np.uint8)
        yield Case("blurred", f"noise {deviation}", Image.fromarray(noisy), whole.face)


def covered(whole: Case) -> Iterator[Case]:
    left, top, right, bottom = FACE
    middle, across = (top + bottom) // 2, (left + right) // 2
    parts = {
        "left half": (left - 20, top - 30, across, bottom + 10),
        "right half": (across, top - 30, right + 20, bottom + 10),
        "mouth and nose": (left - 10, middle, right + 10, bottom + 10),
        "eyes": (left - 10, top + 12, right + 10, top + 38),
        "upper half": (left - 40, top - 50, right + 40, middle),
        "cut off at the left": (0, 0, across, 512),
        "cut off at the right": (across, 0, 512, 512),
        "cut off at the chin": (0, middle + 10, 512, 512),
    }
    for name, part in parts.items():
        for share in (1.0, 0.4):
            picture, face = whole.picture.copy(), whole.face.copy()
            picture.paste((40, 60, 110), part)
            face.paste(0, part)
            yield resized(Case("", "", picture, face), share, "covered", f"{name}, x {share}")


def pasted(whole: Case, pictures: Path) -> Iterator[Case]:
    """Put the portrait, small, into large pictures of other things."""
    for name in ("coffee", "motorcycle_left", "rocket", "chelsea"):
        for side in SMALLER_SIDES:
            ground = Image.open(pictures / file_of(pictures, name)).convert("RGB").resize((2_400, 1_600))
            face = Image.new("L", ground.size)
            ground.paste(whole.picture.resize((side, side)), (1_500, 300))
            face.paste(whole.face.resize((side, side)), (1_500, 300))
            yield Case("in a large picture", f"{name}, {side}", ground, face)


def file_of(pictures: Path, name: str) -> str:
    return next(each.name for each in pictures.iterdir() if each.stem == name)


def is_hidden(case: Case, boxes: list[masking.Box]) -> bool:
    """Tell whether boxes, with what is hidden around them, cover the face."""
    left = case.face.copy()
    for box in boxes:
        left.paste(0, masking.around(box, *case.picture.size))
    return float(np.asarray(left, float).sum()) <= (1 - HIDDEN) * float(np.asarray(case.face, float).sum())


def measure(pictures: Path, *, tells: bool = False) -> dict[str, Any]:
    from mlassist.centerface import CenterFace

    finder = CenterFace()
    found: dict[str, list[bool]] = defaultdict(list)
    sizes: list[tuple[int, bool]] = []
    for case in cases(pictures):
        hidden = is_hidden(case, [each.bbox for each in finder.find(case.picture)])
        found[case.kind].append(hidden)
        if case.kind == "sizes":
            sizes.append((case.height, hidden))
        if tells and not hidden:
            say(f"missed: {case.kind}, {case.name}")
    false = []
    for name in WITHOUT:
        seen = finder.find(Image.open(pictures / file_of(pictures, name)).convert("RGB"))
        false.append(bool(seen))
        if tells and seen:
            say(f"wrong: {name}, {[(round(each.score, 2), [round(x) for x in each.bbox]) for each in seen]}")
    missed = [height for height, hidden in sizes if not hidden]
    every = [hidden for each in found.values() for hidden in each]
    return {
        "pictures": len(every),
        "recall": round(float(np.mean(every)), 3),
        **{
            f"recall_{kind.replace(' ', '_')}": round(float(np.mean(each)), 3) for kind, each in found.items()
        },
        "smallest": min(height for height, _ in sizes if height > max(missed, default=0)),
        "pictures_without": len(false),
        "false_pictures": round(float(np.mean(false)), 3),
        **seconds(portrait(pictures).picture, finder),
    }


def seconds(picture: Image.Image, finder: Any) -> dict[str, float]:
    large = picture.resize((4_000, 3_000))
    taken = {}
    for name, each in {"seconds": picture, "seconds_large": large}.items():
        times = []
        for _ in range(5):
            start = time.perf_counter()
            finder.find(each)
            times.append(time.perf_counter() - start)
        taken[name] = round(float(np.median(times)), 2)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tell", action="store_true", help="name what was missed and what was no face")
    given = parser.parse_args()
    pictures = folder()
    if pictures is None:
        raise SystemExit("This needs the pictures of scikit-image: pip install scikit-image")
    print(json.dumps(measure(pictures, tells=given.tell)))


if __name__ == "__main__":
    main()
