"""How large a detector looks at images, from the sizes of the objects that people drew."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlassist.detectors.shapes import Shapes

SMALL_AT = 24.0  # pixels that a rather small object shall have: three cells of the finest map
RATHER_SMALL = 20  # per cent of the objects of a class are smaller
FEWEST_OF_CLASS = 5  # objects that say how large a class is
MOST_PIXELS = 640 * 512  # of an image as it is looked at: that is what time goes with
FEWEST_PIXELS = 256 * 256
MOST_ENLARGED = 3.0
STEP = 32  # the coarsest stride: sides are multiples of it


@dataclass(frozen=True, slots=True)
class Ruler:
    """`factor` times as large; or the longer side is `factor` pixels where `relative`.

    Microscopes and scanners show more of the world on larger images. Cameras show the same scene with more
    pixels.
    """

    factor: float
    relative: bool

    def scale(self, width: int, height: int) -> float:
        """Return how many times as large an image is looked at."""
        wanted = self.factor / max(width, height) if self.relative else self.factor
        return min(wanted, math.sqrt(MOST_PIXELS / (width * height)))


def ruler(sizes: Sequence[tuple[int, int]], objects: Sequence[Shapes]) -> Ruler:
    """Choose the ruler by which objects differ less in size, and a factor that shows the smallest class well.

    `sizes` are (width, height) of the images, `objects` what is on each.
    """
    longest = [np.full(len(each), max(size)) for size, each in zip(sizes, objects, strict=True)]
    classes = np.concatenate([each.classes for each in objects])
    sides = np.concatenate([each.sides for each in objects])
    shares = sides / np.concatenate(longest)
    typical = float(np.median([math.sqrt(width * height) for width, height in sizes]))
    if not len(sides):
        return Ruler(float(np.median([max(size) for size in sizes])), relative=True)
    relative = float(np.log(shares).std()) < float(np.log(sides).std()) - 1e-6
    known = shares if relative else sides
    large_enough = [each for each in np.unique(classes) if (classes == each).sum() >= FEWEST_OF_CLASS]
    groups = [known[classes == each] for each in large_enough] or [known]
    small = min(float(np.percentile(each, RATHER_SMALL)) for each in groups)
    factor = SMALL_AT / small
    at_original = float(np.median([max(size) for size in sizes])) if relative else 1.0
    least, most = math.sqrt(FEWEST_PIXELS) / typical, math.sqrt(MOST_PIXELS) / typical
    enlarged = min(max(factor / at_original, least), most, MOST_ENLARGED)
    return Ruler(enlarged * at_original, relative)
