"""Objects like a few boxes, as a model of the Auto-label page. Needs torch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image

from labeling import images, outlining
from labeling.hints import Hints
from labeling.models import Item, Project
from mlassist import detecting, embedding
from mlassist.autolabel import boxes, drawings, sentences, trials, windows
from mlassist.autolabel.looking import CannotLook, Found, Region
from mlassist.backbones.loading import bundled_stages
from mlassist.detectors.shapes import Shapes
from mlassist.models import Trial

OTHERS = 8  # images that say what is usual
AT_A_TIME = 32  # images between two queries
SAME = 0.5  # overlap of what is around two outlines, from which they are of one object
OUTLINED = 0.2  # confidence from which a box is worth an outline: it takes a tenth of a second


class Located:
    """Looks for objects by windows; where outlines are wanted, what stands out in a box gives one."""

    takes_all_cores = False

    def __init__(self, finder: boxes.Finder, project: Project) -> None:
        self.finder = finder
        self.draws_outlines = project.task_type == Project.TaskType.SEGMENTATION

    def look(self, items: Sequence[int]) -> Iterator[tuple[int, Found]]:
        rows = Item.objects.select_related("source")
        lanes = embedding.cores()
        with ThreadPoolExecutor(lanes, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for start in range(0, len(items), AT_A_TIME):
                some = list(rows.filter(pk__in=items[start : start + AT_A_TIME]))
                yield from zip((each.pk for each in some), pool.map(self.one, some), strict=True)

    def one(self, item: Item) -> Found:
        try:
            return self.find(np.asarray(images.open_upright(item)))
        except images.BrokenImage:
            return None

    def find(self, picture: np.ndarray) -> list[Region]:
        found = self.boxes(picture)
        return outlined(picture, found) if self.draws_outlines else found

    def boxes(self, picture: np.ndarray) -> list[Region]:
        return self.finder.find(picture)

    def to_bytes(self) -> bytes:
        return self.finder.to_bytes()


def outlined(picture: np.ndarray, found: Sequence[Region]) -> list[Region]:
    """Return regions with the outline of what stands out in each box; where nothing does, it is left out.

    Two boxes that hardly overlap may be around one object: it is told of once, as the surest box has it.
    """
    height, width = picture.shape[:2]
    small = outlining.reduced(Image.fromarray(picture))
    made: list[Region] = []
    for each in found:
        if each["confidence"] < OUTLINED:
            continue
        rings = outlining.cut_out(small, Hints(box=tuple(each["bbox"])), width, height)
        polygon = outlining.sound(rings, width, height)
        if polygon:
            made.append({"class": each["class"], "confidence": each["confidence"], "polygon": polygon})
    shapes = Shapes.of_regions(made, sorted({each["class"] for each in made}))
    corners = np.concatenate([shapes.boxes[:, :2], shapes.boxes[:, 2:] - shapes.boxes[:, :2]], 1)
    return [made[at] for at in windows.apart(corners, shapes.scores, SAME)]


def by_example(trial: Trial) -> Located:
    """Return a finder taught by the boxes that a trial has noted. Raises CannotLook."""
    wanted = {each["item"] for each in trial.examples}
    usual = trials.first(trial.project, trial.source, OTHERS)
    pictures = dict(detecting.read([*wanted, *(each.pk for each in usual if each.pk not in wanted)]))
    shown = [
        boxes.Shown(each["class"], pictures[each["item"]], each["bbox"])
        for each in trial.examples
        if each["item"] in pictures and "bbox" in each
    ]
    if not shown:
        raise CannotLook(sentences.NO_EXAMPLES)
    others = [picture for item, picture in pictures.items() if item not in wanted]
    try:
        finder = boxes.learn(bundled_stages(), shown, others)
    except boxes.NoWindow as error:
        raise CannotLook(sentences.NO_WINDOW) from error
    finder.follow(drawings.lines(trial.project, list(finder.templates), finder.find))
    return Located(finder, trial.project)


def load(trial: Trial, data: bytes) -> Located:
    return Located(boxes.Finder.from_bytes(data, bundled_stages()), trial.project)
