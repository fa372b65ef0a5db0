"""A detector as one file, with all that using it takes."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import torch
from safetensors.torch import load, save
from torch import nn

from mlassist.detectors import catalog, learning, zoo
from mlassist.detectors.learning import Finder
from mlassist.detectors.looking import Look, Looks, Seen
from mlassist.detectors.scaling import Ruler
from mlassist.detectors.scoring import Scoring
from mlassist.detectors.shapes import Shapes


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the detector's kind did on images that it had not seen: item ids, losses, confidences.

    `strict` losses are 0 or 1, others 1 - F1.
    """

    items: list[int]
    losses: list[float]
    confidences: list[float]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """A detector ready to look; `classes` are the ids of the project's classes in its order."""

    kind: str
    look: Looks
    scoring: Scoring
    classes: list[int]
    held_out: HeldOut

    def regions(self, found: Shapes) -> list[dict[str, Any]]:
        """Return what is shown of an image as regions {class, confidence, bbox | polygon}."""
        return self.told(self.scoring.kept(found))

    def told(self, found: Shapes) -> list[dict[str, Any]]:
        """Return all of some objects as regions."""
        chances = self.scoring.chances(found)
        made = []
        for place, (left, top, right, bottom) in enumerate(found.boxes.tolist()):
            region: dict[str, Any] = {
                "class": self.classes[int(found.classes[place])],
                "confidence": round(float(chances[place]), 4),
            }
            if found.polygons:
                region["polygon"] = found.polygons[place]
            else:
                region["bbox"] = [round(each, 2) for each in (left, top, right - left, bottom - top)]
            made.append(region)
        return made

    def confidence(self, seen: Seen) -> float:
        return self.scoring.confidence(seen)


def to_bytes(
    kind: str, finder: Finder, ruler: Ruler, scoring: Scoring, classes: list[int], held_out: HeldOut
) -> bytes:
    weights = {
        name: each.half().contiguous() if each.is_floating_point() else each.contiguous()
        for name, each in finder.state_dict().items()
    }
    looks = {
        "zoo": finder.kind.name if isinstance(finder, zoo.Pretrained) else "",
        "masks": finder.has_masks,
        "ruler": asdict(ruler),
    }
    return packed(weights, looks, kind, scoring, classes, held_out)


def untaught_to_bytes(
    kind: str, told: dict[str, Any], model: bytes, scoring: Scoring, classes: list[int], held_out: HeldOut
) -> bytes:
    """Store a model that nobody has taught: what it is told, and what was made of its examples."""
    weights = {"model": torch.frombuffer(bytearray(model), dtype=torch.uint8)} if model else {}
    return packed(weights, {"untaught": told}, kind, scoring, classes, held_out)


def packed(
    weights: dict[str, torch.Tensor],
    looks: dict[str, Any],
    kind: str,
    scoring: Scoring,
    classes: list[int],
    held_out: HeldOut,
) -> bytes:
    noted = {
        **looks,
        "kind": kind,
        "scoring": scoring.to_json(),
        "classes": classes,
        "held_out": asdict(held_out),
    }
    return save(weights, metadata={"detector": json.dumps(noted)})


def notes(data: bytes) -> dict[str, Any]:
    """Return what is noted beside the weights."""
    noted: dict[str, Any] = json.loads(metadata(data)["detector"])
    return noted


def untaught_model(data: bytes) -> bytes:
    """Return what was made of the examples of a model that nobody has taught."""
    stored = load(data)
    return stored["model"].numpy().tobytes() if stored else b""


def from_bytes(data: bytes, stages: nn.Module) -> Ready:
    """Return a stored detector; `stages` are those of the backbone that it was taught on."""
    noted = notes(data)
    weights = {name: each.float() if each.is_floating_point() else each for name, each in load(data).items()}
    finder: Finder
    if noted["zoo"]:
        (kind,) = (each for each in catalog.KINDS if each.name == noted["zoo"])
        finder = zoo.Pretrained(kind, len(noted["classes"]))
    else:
        finder = learning.untaught(stages, len(noted["classes"]), masks=noted["masks"], seed=0)
    finder.load_state_dict(weights)
    return ready(noted, Look(finder, Ruler(**noted["ruler"])))


def ready(noted: dict[str, Any], look: Looks) -> Ready:
    """Return a detector that looks by something, with what is noted of it."""
    return Ready(
        noted["kind"],
        look,
        Scoring.from_json(noted["scoring"]),
        noted["classes"],
        HeldOut(**noted["held_out"]),
    )


def metadata(data: bytes) -> dict[str, str]:
    """Return the notes in the head of a safetensors file."""
    size = int.from_bytes(data[:8], "little")
    noted: dict[str, str] = json.loads(data[8 : 8 + size])["__metadata__"]
    return noted
