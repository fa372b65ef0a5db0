"""Vision encoders of Hugging Face, from a folder on this machine. Needs the optional `transformers`.

Nothing is downloaded and no code that comes with a model is run.
"""

from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoImageProcessor, AutoModel

from mlassist.backbones.recipe import Recipe

STANDARD = 224


class Encoder(nn.Module):
    """A model of the library as a function from pixels to one vector per image: (n, dimension)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if hasattr(self.model, "get_image_features"):  # models of images and text, such as CLIP
            seen = self.model.get_image_features(pixel_values=pixels)
        else:
            seen = self.model(pixel_values=pixels)
        if isinstance(seen, torch.Tensor):
            return seen
        pooled = seen.pooler_output
        if pooled is None:  # the class token of a transformer, or the mean of a map
            last = seen.last_hidden_state
            pooled = last[:, 0] if last.ndim == 3 else last.mean((2, 3))
        return pooled.flatten(1)


def read(folder: Path) -> tuple[nn.Module, Recipe]:
    """Return a model's image side and how its own preprocessing looks. Raises OSError or ValueError."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    model = AutoModel.from_pretrained(
        folder, config=config, local_files_only=True, trust_remote_code=False, dtype=torch.float32
    )
    looks = AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    size = getattr(looks, "crop_size", None) or looks.size or {}
    side = size.get("height") or size.get("shortest_edge") or STANDARD
    return Encoder(model.eval()), Recipe(side, tuple(looks.image_mean), tuple(looks.image_std), root=False)
