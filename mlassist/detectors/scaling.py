"""How large a detector looks at images, from the sizes of the objects that people drew."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlassist.detectors.shapes import Shapes

SMALL_AT = 24.0  # pixels that a rather small object shall have: three cells of the finest map
LEAST_AT = 12.0  # pixels that it needs to be found at all
RATHER_SMALL = 20  # per cent of the objects of a class are smaller
FEWEST_OF_CLASS = 5  # objects that say how large a class is
MOST_PIXELS = 640 * 512  # of an image as it is looked at: that is what time goes with
MOST_CLOSE = 4 * MOST_PIXELS  # where objects are too small otherwise
FEWEST_PIXELS = 256 * 256
MOST_ENLARGED = 3.0
STEP = 32  # the coarsest stride: sides are multiples of it
CLEARLY_LESS = 0.9  # of the spread that a simpler ruler leaves


@dataclass(frozen=True, slots=True)
class Ruler:
    """`factor` times as large; or the longer side is `factor` pixels where `relative`.

    Microscopes and scanners show more of the world on larger images. Cameras show the same scene with more
    pixels. Where images come from many instruments, each with a size of its own, `own` has (longer side,
    times as large) of each.
    """

    factor: float
    relative: bool
    own: tuple[tuple[int, float], ...] = ()

    def scale(self, width: int, height: int) -> float:
        """Return how many times as large an image is looked at."""
        longest = max(width, height)
        wanted = dict(self.own).get(longest, self.factor / longest if self.relative else self.factor)
        return min(wanted, math.sqrt(MOST_CLOSE / (width * height)))

    def closer(self, times: float) -> "Ruler":
        """Return the ruler by which images are looked at so many times as large."""
        own = tuple((length, factor * times) for length, factor in self.own)
        return replace(self, factor=self.factor * times, own=own)


def ruler(sizes: Sequence[tuple[int, int]], objects: Sequence[Shapes]) -> Ruler:
    """Choose the ruler by which objects differ least in size, so that the smallest class shows well.

    `sizes` are (width, height) of the images, `objects` what is on each.
    """
    areas = np.array([width * height for width, height in sizes], float)
    longest = np.array([max(size) for size in sizes])
    counts = [len(each) for each in objects]
    if not sum(counts):
        return Ruler(float(np.median(longest)), relative=True)
    classes = np.concatenate([each.classes for each in objects])
    sides = np.concatenate([each.sides for each in objects])
    image = np.repeat(np.arange(len(objects)), counts)
    shares = sides / longest[image]
    relative = float(np.log(shares).std()) < float(np.log(sides).std()) - 1e-6
    unit = float(np.median(longest)) if relative else 1.0
    usual = enlarged(shares * unit if relative else sides, classes, float(np.median(areas)))
    simple = Ruler(usual * unit, relative)
    drawn = np.flatnonzero(counts)
    typical = np.array([np.log(sides[image == each]).mean() for each in drawn])
    if by_instrument(typical, longest[drawn]) > CLEARLY_LESS * spread(typical, longest[drawn], relative):
        return simple
    own = []
    for length in np.unique(longest[drawn]):
        here = longest[image] == length
        own.append((int(length), enlarged(sides[here], classes[here], np.median(areas[longest == length]))))
    return Ruler(simple.factor, relative, tuple(own))


def enlarged(sides: np.ndarray, classes: np.ndarray, area: float) -> float:
    """Return how many times as large images of `area` pixels show their smallest class well."""
    large_enough = [each for each in np.unique(classes) if (classes == each).sum() >= FEWEST_OF_CLASS]
    groups = [sides[classes == each] for each in large_enough] or [sides]
    small = min(float(np.percentile(each, RATHER_SMALL)) for each in groups)
    least, most, close = (math.sqrt(pixels / area) for pixels in (FEWEST_PIXELS, MOST_PIXELS, MOST_CLOSE))
    factor = min(max(SMALL_AT / small, least), most)
    return float(min(max(factor, min(LEAST_AT / small, close)), MOST_ENLARGED))


def spread(typical: np.ndarray, longest: np.ndarray, relative: bool) -> float:
    """Return how far the log sizes of objects on images differ from their mean."""
    return float((typical - np.log(longest) * relative).std())


def by_instrument(typical: np.ndarray, longest: np.ndarray) -> float:
    """Return how far the log sizes on an image differ from those on others as large, if there are any."""
    off = np.full(len(typical), np.inf)
    for at, length in enumerate(longest):
        others = (longest == length) & (np.arange(len(longest)) != at)
        off[at] = typical[at] - typical[others].mean() if others.any() else typical[at] - typical.mean()
    return float(np.sqrt(np.mean(off**2)))
