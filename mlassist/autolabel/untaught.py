"""A model of boxes or outlines that nobody has taught, as a detector of the loop. For workers.

What is kept of it is whole: its examples, tests and suggestions may be gone when it looks again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from labeling.models import Project
from mlassist.autolabel import engines, looking
from mlassist.autolabel.looking import CannotLook, Locating
from mlassist.backbones import catalog
from mlassist.detectors.looking import Seen
from mlassist.detectors.shapes import Shapes
from mlassist.detectors.views import mirrored
from mlassist.models import Trial


@dataclass(frozen=True, slots=True)
class Untaught:
    """Looks at an image and at its mirror image, as detectors do."""

    engine: Locating
    classes: list[int]

    @property
    def takes_all_cores(self) -> bool:
        return self.engine.takes_all_cores

    def at(self, pixels: np.ndarray) -> Seen:
        found = self.engine.find(pixels)
        flipped = Shapes.of_regions(self.engine.boxes(np.ascontiguousarray(pixels[:, ::-1])), self.classes)
        return Seen(Shapes.of_regions(found, self.classes), mirrored(flipped, pixels.shape[1]))


def of(trial: Trial, classes: list[int]) -> Untaught:
    """Return the model of a trial. Raises CannotLook."""
    return Untaught(cast(Locating, looking.ready(trial)), classes)


def to_keep(trial: Trial) -> tuple[dict[str, Any], bytes]:
    """Return what it takes to look in the same way later: notes, and what was made of examples."""
    noted = {"engine": trial.engine, "prompts": trial.prompts, "weights": weights_of(trial.engine)}
    return noted, looking.model_of(trial) if trial.model else b""


def kept(project: Project, noted: Mapping[str, Any], model: bytes, classes: list[int]) -> Untaught:
    """Return a model that was kept. Raises CannotLook, also where its weights are others by now."""
    if weights_of(noted["engine"]) != noted["weights"]:
        raise CannotLook(f"{noted['engine']} has other weights than when people's answers judged it.")
    as_tried = Trial(project=project, engine=noted["engine"], prompts=noted["prompts"])
    found = looking.load(as_tried, model) if model else looking.make(as_tried)
    return Untaught(cast(Locating, found), classes)


def weights_of(engine: str) -> str:
    """Return what tells the networks behind a model from all others. Raises CannotLook."""
    if engine == engines.EXAMPLES:
        return catalog.bundled().fingerprint
    folders = dict(catalog.hub_folders())
    parts = engine.removeprefix("hub/").split("+")
    gone = [each for each in parts if each not in folders]
    if gone:
        raise CannotLook(f"{gone[0]} is no longer here.")
    return "+".join(catalog.Offer(each, each, "", folders[each]).fingerprint for each in parts)
