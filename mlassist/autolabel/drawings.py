"""How sure a finder of objects may be: it looks at images on which people have drawn since."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from labeling import answers
from labeling.models import Project
from mlassist import detecting, objects
from mlassist.autolabel import calibration, examples
from mlassist.autolabel.calibration import Line
from mlassist.detectors import matching
from mlassist.detectors.shapes import Shapes
from mlassist.training import prompted

MOST_IMAGES = 6  # each takes as long as one of the test

Find = Callable[[np.ndarray], Sequence[Mapping[str, Any]]]


def lines(project: Project, classes: Sequence[int], find: Find) -> Mapping[int, Line]:
    """Return by class how likely objects are right by the confidence that `find` tells.

    As with whole images, those that have an example or were answered beside a proposal do not tell.
    """
    given = answers.training(project).without(np.concatenate([examples.items(project), prompted(project)]))
    order = np.random.default_rng(project.seed % 2**32).permutation(len(given))[:MOST_IMAGES]
    truth = objects.drawn(project, given, classes)
    pictures = dict(detecting.read(given.items[order].tolist()))
    kinds: list[int] = []
    sure, right = [np.zeros(0)], [np.zeros(0, bool)]
    for at in order.tolist():
        picture = pictures.get(int(given.items[at]))
        if picture is None:
            continue
        found = Shapes.of_regions(find(picture), classes)
        kinds += [classes[place] for place in found.classes.tolist()]
        sure.append(found.scores)
        right.append(matching.pairs(found, truth[at]) >= 0)
    return calibration.lines(kinds, np.concatenate(sure), np.concatenate(right), classes)
