"""Which proposed objects people may check by their crops: groups of one class that look alike.

Needs no torch: how to embed crops is handed in by the process that can.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from labeling import checks, suggestions
from labeling.models import Project, QueueEntry, Suggestion
from labeling.suggestions import AskedObject
from mlassist.models import ModelVersion
from mlassist.runs import Step

SURE = 0.5  # chance from which an object is likelier right than not
SMALLEST, LARGEST = 4, checks.MOST_ON_A_PAGE
FEWEST = 18  # objects: for less than two pages nobody changes their way of working
MOST = 2_000  # objects that are asked about after a round
CANDIDATES = 3_000  # objects that are embedded for it
REACH = 20  # nearest look-alikes among which a group is looked for
FAR = 2.0  # times as far as the last that a seed needs: farther ones show something else
NEAR = 0.05  # below that, a distance (1 - cosine) tells no difference
PLACE = 0.01  # in a group, which holds fewer than a hundred
AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Candidate:
    """An object that a model proposes on an image that people are asked about singly."""

    item: int
    label_class: int
    bbox: list[float]
    chance: float


# Returns one row per object, (n, dimension); zeros where the image cannot be read.
Embed = Callable[[Sequence[Candidate]], np.ndarray]


def ask(project: Project, version: ModelVersion, embed: Embed, step: Step) -> None:
    """Have people check the objects that a version proposes, in place of those asked about before."""
    found = candidates(project, version)
    groups: list[np.ndarray] = []
    if len(found) >= FEWEST:
        groups = alike(embed(found), np.array([each.label_class for each in found]))
    asked = list(in_order(found, groups))[:MOST]
    asked = asked if len(asked) >= FEWEST else []
    count = suggestions.ask_about_objects(project, version.number, asked)
    step.metrics |= {"objects_to_check": count}
    step.say(f"{count} of {len(found)} likely objects wait to be checked by their crops")


def candidates(project: Project, version: ModelVersion) -> list[Candidate]:
    """Return likely objects that nobody has confirmed, those of the images that are asked next first."""
    waiting = QueueEntry.objects.filter(project=project, kind="manual", item__suggestion__isnull=False)
    items = list(waiting.order_by("priority", "item_id").values_list("item_id", flat=True)[:CANDIDATES])
    found: list[Candidate] = []
    for start in range(0, len(items), AT_A_TIME):
        some = items[start : start + AT_A_TIME]
        proposals = Suggestion.objects.filter(model_version=version.number).in_bulk(some)
        for item in some:
            if item in proposals:
                found += likely(proposals[item])
        if len(found) >= CANDIDATES:
            break
    return found[:CANDIDATES]


def likely(proposal: Suggestion) -> Iterator[Candidate]:
    for region in proposal.regions:
        if region["confidence"] >= SURE and not region.get("confirmed"):
            yield Candidate(proposal.item_id, region["class"], checks.box_of(region), region["confidence"])


def alike(vectors: np.ndarray, classes: np.ndarray) -> list[np.ndarray]:
    """Return groups of 4 to 9 rows of one class that look alike, the most alike first; outliers lead each.

    A group is a seed with its nearest mutual neighbours, as in grids of whole images, as far as these are
    about as near as those that it needs.
    """
    found: list[tuple[float, np.ndarray]] = []
    readable = np.linalg.norm(vectors, axis=1) > 0
    for each in np.unique(classes):
        rows = np.flatnonzero((classes == each) & readable)
        found += [(likeness, rows[members]) for likeness, members in within_class(vectors[rows])]
    return [rows for _, rows in sorted(found, key=lambda group: -group[0])]


def within_class(vectors: np.ndarray) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (mean cosine to the seed, rows) of disjoint groups of look-alikes."""
    if len(vectors) < SMALLEST:
        return
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    reach = min(REACH, len(vectors) - 1)
    near = np.argsort(-cosines, axis=1, kind="stable")[:, :reach]
    close = np.zeros(cosines.shape, bool)
    np.put_along_axis(close, near, values=True, axis=1)
    close &= close.T
    needed = np.take_along_axis(cosines, near[:, SMALLEST - 2, None], axis=1)
    close &= 1 - cosines <= np.maximum(FAR * (1 - needed), NEAR)
    promise = np.take_along_axis(cosines, near[:, : LARGEST - 1], axis=1).mean(1)
    free = np.ones(len(vectors), bool)
    for seed in np.argsort(-promise, kind="stable").tolist():
        others = [row for row in near[seed].tolist() if close[seed, row] and free[row]][: LARGEST - 1]
        if not free[seed] or len(others) < SMALLEST - 1:
            continue
        rows = np.array([seed, *others])
        free[rows] = False
        centre = vectors[rows].mean(0)
        yield float(cosines[seed, others].mean()), rows[np.argsort(vectors[rows] @ centre, kind="stable")]


def in_order(found: Sequence[Candidate], groups: Sequence[np.ndarray]) -> Iterator[AskedObject]:
    for number, rows in enumerate(groups):
        for position, row in enumerate(rows.tolist()):
            each = found[row]
            priority = number + position * PLACE
            yield AskedObject(each.item, each.label_class, each.bbox, each.chance, number, round(priority, 2))
