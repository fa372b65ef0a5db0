"""Models of images and words: CLIP, SigLIP for classes, Grounding DINO, OWLv2 for boxes, SAM for outlines.

From a folder on this machine; nothing is downloaded and no code of a model is run.

Needs torch and the optional transformers.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoModelForZeroShotObjectDetection,
    AutoProcessor,
    AutoTokenizer,
)

from labeling import outlining
from labeling.models import Project
from mlassist import detecting
from mlassist.autolabel import drawings, masks, prompts, sentences, windows
from mlassist.autolabel.calibration import Line
from mlassist.autolabel.looking import CannotLook, Found, Region, Scored, Seeing, as_sure_as_right
from mlassist.autolabel.thresholds import FLOOR
from mlassist.backbones import catalog
from mlassist.heads import Head
from mlassist.models import Trial
from mlassist.pool import Pool

SAME = 0.6  # overlap from which two boxes are about one object
MOST_BOXES = 200
TOKENS = 200  # of phrases that are looked for at once
HERE = {"local_files_only": True, "trust_remote_code": False}


def folder_of(name: str) -> Path:
    """Return where a model lies. Raises CannotLook."""
    for known, folder in catalog.hub_folders():
        if known == name:
            return folder
    raise CannotLook(sentences.NO_LONGER_HERE % {"name": name})


def loaded(kind: Any, folder: Path, **given: Any) -> Any:
    """Load a part of a model from its folder. Raises CannotLook."""
    try:
        return kind.from_pretrained(folder, **HERE, **given)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CannotLook(sentences.CANNOT_BE_READ % {"name": folder.name, "reason": reason}) from error


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


# Classes of whole images


def classifier(trial: Trial, name: str) -> Scored | Seeing:
    """Return a head whose classes are what a text encoder makes of their prompts."""
    project = trial.project
    told = {int(label): prompts.sentences(said) for label, said in trial.prompts.items()}
    told = {label: said for label, said in told.items() if said}
    head = head_of(folder_of(name), told, multilabel=project.task_type == Project.TaskType.MULTILABEL)
    backbone = f"hub/{name}"
    if project.backbone == backbone:
        head = as_sure_as_right(head, project, Pool.of(project))
    return seen_by(head, project, backbone)


def seen_by(head: Head, project: Project, backbone: str) -> Scored | Seeing:
    """Return a head with the project's own embeddings, where it looks through the same backbone."""
    if project.backbone == backbone:
        return Scored(head, Pool.of(project), backbone)
    return Seeing(head, backbone)


@torch.inference_mode()
def head_of(folder: Path, told: dict[int, list[str]], *, multilabel: bool) -> Head:
    """Return a linear map from the image encoder's directions to classes, by their sentences."""
    model = loaded(AutoModel, folder).eval()
    words = loaded(AutoTokenizer, folder)
    longest = model.config.text_config.max_position_embeddings
    sentences = [each for said in told.values() for each in said]
    # SigLIP was trained on sentences of one length; for CLIP, what is behind the end makes no difference.
    tokens = words(sentences, padding="max_length", max_length=longest, truncation=True, return_tensors="pt")
    known = {key: value for key, value in tokens.items() if key in ("input_ids", "attention_mask")}
    if "siglip" in model.config.model_type:
        known.pop("attention_mask", None)
    found = model.get_text_features(**known)
    vectors = found if isinstance(found, torch.Tensor) else found.pooler_output
    directions = prompts.mean_directions(vectors.float().numpy(), [len(said) for said in told.values()])
    scale = float(model.logit_scale.exp()) if hasattr(model, "logit_scale") else 100.0
    bias = np.zeros(len(told), np.float32)
    if multilabel and hasattr(model, "logit_bias"):
        bias += float(model.logit_bias)
    elif multilabel:
        # CLIP only compares: each class with a picture of anything.
        anything = words(["a photo."], padding="max_length", max_length=longest, return_tensors="pt")
        plain = model.get_text_features(**{key: anything[key] for key in known})
        plain = (plain if isinstance(plain, torch.Tensor) else plain.pooler_output).float().numpy()
        directions = directions - prompts.mean_directions(plain, [1])
    weights = (scale * directions.T).astype(np.float32)
    return Head("prompts", np.array(list(told), np.int64), weights, bias, 1.0, multilabel)


# Boxes, and outlines after them


class Detecting:
    """A detector that is told what to look for, and what outlines its boxes where outlines are wanted."""

    takes_all_cores = True

    def __init__(self, folder: Path, told: dict[int, list[str]], outlining: Path | None) -> None:
        self.lines: dict[int, Line] = {}
        self.model = loaded(AutoModelForZeroShotObjectDetection, folder).eval().to(device())
        self.prepare = loaded(AutoImageProcessor, folder)
        self.words = loaded(AutoTokenizer, folder)
        self.told = told
        self.is_grounded = "grounding-dino" in self.model.config.model_type
        self.outliner = Outlining(outlining) if outlining else None

    def look(self, items: Sequence[int]) -> Iterator[tuple[int, Found]]:
        for item in items:
            pictures = dict(detecting.read([item]))
            yield item, self.find(pictures[item]) if item in pictures else None

    def to_bytes(self) -> bytes:
        return json.dumps({label: asdict(line) for label, line in self.lines.items()}).encode()

    def find(self, picture: np.ndarray) -> list[Region]:
        """Return regions {class, confidence, bbox | polygon}."""
        picture = np.array(picture)  # torch takes no array that cannot be written
        found = self.boxes(picture)
        return self.outliner.outlined(picture, found) if self.outliner and found else found

    @torch.inference_mode()
    def boxes(self, picture: np.ndarray) -> list[Region]:
        """Return regions {class, confidence, bbox}."""
        height, width = picture.shape[:2]
        looks = self.prepare(images=np.array(picture), return_tensors="pt").to(device())
        parts = list(self.grounded(looks) if self.is_grounded else self.queried(looks))
        boxes = np.concatenate([boxes for boxes, _, _ in parts])
        sure = np.concatenate([sure for _, sure, _ in parts])
        labels = np.concatenate([labels for _, _, labels in parts])
        for label, line in self.lines.items():
            own = labels == label
            sure[own] = line.at(sure[own])
        longer = (max(width, height),) * 2 if self.model.config.model_type == "owlv2" else (width, height)
        corners = boxes * np.array([*longer, *longer])
        corners = np.concatenate([corners[:, :2] - corners[:, 2:] / 2, corners[:, 2:]], 1)
        chosen = np.flatnonzero(sure >= FLOOR)
        kept = chosen[windows.apart(corners[chosen], sure[chosen], SAME)][:MOST_BOXES]
        return [
            {
                "class": int(labels[at]),
                "confidence": round(float(sure[at]), 4),
                "bbox": windows.within(corners[at], width, height),
            }
            for at in kept.tolist()
        ]

    def queried(self, looks: Any) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield (boxes, confidence, class) of OWLv2, which scores each box for each phrase."""
        phrases = [(label, f"a photo of a {each}") for label, said in self.told.items() for each in said]
        longest = self.model.config.text_config.max_position_embeddings
        tokens = self.words(
            [each for _, each in phrases], padding="max_length", max_length=longest, truncation=True,
            return_tensors="pt",
        ).to(device())  # fmt: skip
        given = {key: tokens[key] for key in ("input_ids", "attention_mask")}
        found = self.model(**given, pixel_values=looks["pixel_values"])
        chances = found.logits[0].float().sigmoid().cpu().numpy()
        best = chances.argmax(1)
        labels = np.array([label for label, _ in phrases])[best]
        yield found.pred_boxes[0].float().cpu().numpy(), chances.max(1), labels

    def grounded(self, looks: Any) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield the same of Grounding DINO, which scores each box for each token of a text."""
        phrases = [(label, each.lower().rstrip(".")) for label, said in self.told.items() for each in said]
        for some in in_texts(phrases):
            text = "".join(f"{phrase}. " for _, phrase in some).strip()
            ends = np.cumsum([len(phrase) + 2 for _, phrase in some])
            tokens = self.words(text, return_tensors="pt", return_offsets_mapping=True, truncation=True)
            offsets = tokens.pop("offset_mapping")[0].numpy()
            found = self.model(**tokens.to(device()), **looks)
            chances = found.logits[0].float().sigmoid().cpu().numpy()[:, : len(offsets)]
            scores = np.stack(
                [
                    chances[:, within(offsets, int(end) - len(phrase) - 2, int(end) - 2)].max(1, initial=0.0)
                    for end, (_, phrase) in zip(ends, some, strict=True)
                ],
                1,
            )
            labels = np.array([label for label, _ in some])[scores.argmax(1)]
            yield found.pred_boxes[0].float().cpu().numpy(), scores.max(1), labels


def in_texts(phrases: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Yield phrases in as many parts as one text can hold; a token has about four letters."""
    part: list[tuple[int, str]] = []
    for each in phrases:
        if part and sum(len(phrase) + 4 for _, phrase in [*part, each]) / 4 > TOKENS:
            yield part
            part = []
        part.append(each)
    if part:
        yield part


def within(offsets: np.ndarray, start: int, end: int) -> np.ndarray:
    """Return which tokens lie in a part of the text."""
    inside = (offsets[:, 0] >= start) & (offsets[:, 1] <= end) & (offsets[:, 1] > offsets[:, 0])
    return np.flatnonzero(inside)


class Outlining:
    """SAM or SAM 2: the outline of what stands in a box."""

    def __init__(self, folder: Path) -> None:
        self.model: nn.Module = loaded(AutoModel, folder).eval().to(device())
        self.prepare = loaded(AutoProcessor, folder)

    @torch.inference_mode()
    def outlined(self, picture: np.ndarray, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return regions with polygons in place of boxes; those that cover nothing are left out."""
        corners = [[x, y, x + width, y + height] for x, y, width, height in (each["bbox"] for each in found)]
        looks = self.prepare(images=picture, input_boxes=[corners], return_tensors="pt").to(device())
        seen = self.model(**looks, multimask_output=False)
        sizes = [looks["original_sizes"].cpu()]
        if "reshaped_input_sizes" in looks:
            sizes.append(looks["reshaped_input_sizes"].cpu())
        covered = self.prepare.post_process_masks(seen.pred_masks.float().cpu(), *sizes)[0]
        made = []
        for each, mask in zip(
            found, covered.numpy().reshape(len(found), -1, *picture.shape[:2]), strict=True
        ):
            rings = [np.reshape(part, (-1, 2)) for part in masks.polygon(mask[0] > 0)]
            polygon = outlining.sound(rings, picture.shape[1], picture.shape[0])
            if polygon:
                made.append({"class": each["class"], "confidence": each["confidence"], "polygon": polygon})
        return made


def detector(trial: Trial, name: str, kept: bytes) -> Detecting:
    """Return a detector that looks for the prompts of a trial; `name` may have an outliner after a plus.

    How sure it may be is what people's drawings say now, or said when it was tried, if that was kept.
    """
    boxes, _, outlines = name.partition("+")
    told = {int(label): prompts.alternatives(said) for label, said in trial.prompts.items()}
    told = {label: said for label, said in told.items() if said}
    made = Detecting(folder_of(boxes), told, folder_of(outlines) if outlines else None)
    if kept:
        made.lines = {int(label): Line(**line) for label, line in json.loads(kept).items()}
    else:
        made.lines = dict(drawings.lines(trial.project, list(told), made.boxes))
    return made
