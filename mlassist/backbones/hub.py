"""Vision encoders of Hugging Face, from a folder on this machine. Needs the optional `transformers`.

Nothing is downloaded and no code that comes with a model is run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoImageProcessor, AutoModel

from mlassist.backbones.recipe import Recipe

STANDARD = 224


class Encoder(nn.Module):
    """A model of the library as a function from pixels to one vector per image: (n, dimension)."""

    def __init__(self, model: nn.Module, *, has_pooler: bool) -> None:
        super().__init__()
        self.model = model
        self.has_pooler = has_pooler

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        # Models of images and text, such as CLIP, have a function for the images alone.
        see: Callable[..., Any] = getattr(self.model, "get_image_features", self.model)
        seen = see(pixel_values=pixels)
        if isinstance(seen, torch.Tensor):
            return seen
        pooled = seen.pooler_output if self.has_pooler else None
        if pooled is None:  # the class token of a transformer, or the mean of a map
            last = seen.last_hidden_state
            pooled = last[:, 0] if last.ndim == 3 else last.mean((2, 3))
        return pooled.flatten(1)


def read(folder: Path) -> tuple[nn.Module, Recipe]:
    """Return a model and its own preprocessing. Raises OSError or ValueError."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            "its config.json is damaged, or of a kind of model that the installed transformers does not know"
        ) from error
    model, found = AutoModel.from_pretrained(
        folder,
        config=config,
        local_files_only=True,
        trust_remote_code=False,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,  # told below, in fewer words
        output_loading_info=True,
    )
    if found["mismatched_keys"]:
        raise ValueError("its weights are not of the sizes that its config.json says")
    missing = set(found["missing_keys"])
    pooler = {name for name in missing if name.startswith("pooler.")}
    if missing - pooler:
        raise ValueError(
            f"it lacks {len(missing - pooler)} of its weights, {min(missing - pooler)} among them"
        )
    try:
        looks = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            "its preprocessor_config.json, which says how to prepare images, is missing or damaged"
        ) from error
    size = getattr(looks, "crop_size", None) or looks.size or {}
    side = size.get("height") or size.get("shortest_edge") or STANDARD
    return Encoder(model.eval(), has_pooler=not pooler), Recipe(
        side, tuple(looks.image_mean), tuple(looks.image_std), root=False
    )
