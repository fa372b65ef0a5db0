"""A model of boxes or outlines that nobody has taught, as a detector of the loop. For workers.

What is kept of it is whole: its examples, tests and suggestions may be gone when it looks again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from labeling.models import Project
from mlassist.autolabel import engines, looking, rivals
from mlassist.autolabel.looking import CannotLook, Locating
from mlassist.backbones import catalog
from mlassist.detectors import teaching
from mlassist.detectors.looking import Seen
from mlassist.detectors.scoring import Scoring
from mlassist.detectors.shapes import Shapes
from mlassist.detectors.storing import HeldOut, Ready
from mlassist.detectors.teaching import Rival
from mlassist.detectors.views import mirrored
from mlassist.models import Trial
from mlassist.objects import LookAt
from mlassist.runs import Step

if TYPE_CHECKING:
    from mlassist.detecting import Material


@dataclass(frozen=True, slots=True)
class Untaught:
    """Looks at an image and at its mirror image, as detectors do.

    That takes twice as long, and where images are crowded it is all that tells sure ones from others.
    """

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


def compete(
    project: Project, material: "Material", classes: list[int], folder: Path, look_at: LookAt, step: Step
) -> Rival | None:
    """Return what the project's model that nobody has taught finds on answered images but its examples.

    None where there is no such model, people have drawn on too few of these, or it cannot look.
    """
    trial = rivals.trial(project)
    if trial is None:
        return None
    shown = {each["item"] for each in trial.examples}
    new = {item: place for place, item in enumerate(material.items) if item not in shown}
    if sum(len(material.labeled.truth[place]) > 0 for place in new.values()) < teaching.FEWEST_IMAGES:
        return None

    def find() -> dict[str, list[Seen]]:
        ready = Ready(
            trial.title, of(trial, classes), Scoring.untried(len(classes)), classes, HeldOut([], [], [])
        )
        looks = look_at(ready, list(new), lambda done: step.progress(done, len(new)))
        return {str(new[item]): [seen] for item, seen in looks}

    try:
        told, model = to_keep(trial)
        found = teaching.remembered(folder / f"trial-{trial.pk}.seen", find)
    except CannotLook as error:
        step.say(f"{trial.title} does not compete: {error}")
        return None
    return Rival(trial.title, [int(at) for at in found], [seen for (seen,) in found.values()], told, model)


def to_keep(trial: Trial) -> tuple[dict[str, Any], bytes]:
    """Return what it takes to look in the same way later: notes, and what was made of examples."""
    told = {
        "engine": trial.engine,
        "prompts": trial.prompts,
        "weights": weights_of(trial.engine),
        "trial": trial.pk,
    }
    return told, looking.model_of(trial) if trial.model else b""


def kept(project: Project, told: Mapping[str, Any], model: bytes, classes: list[int]) -> Untaught:
    """Return a model that was kept. Raises CannotLook, also where its weights are others by now."""
    if weights_of(told["engine"]) != told["weights"]:
        raise CannotLook(f"{told['engine']} has other weights than when people's answers judged it.")
    as_tried = Trial(project=project, engine=told["engine"], prompts=told["prompts"])
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
