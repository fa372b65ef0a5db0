"""What may be chosen as a backbone, from the file system alone: no torch, nothing loaded.

Weights come with Loupe, or are put into `LOUPE_WEIGHTS_DIR` by whoever runs it: files of torchvision under
the names of its downloads, folders of Hugging Face models, and files made by `mlassist.backbones.train`.
What the libraries' own caches hold counts as here too.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from django.conf import settings
from safetensors import safe_open

from clustering import embeddings

BUNDLED = Path(__file__).parents[1] / "weights" / "bundled.safetensors"
IMAGENET = "Trained on ImageNet: weights for research, under ImageNet's terms."
UNSTATED = "No licence is stated beside the weights. Ask where they come from before you use them."

# Title and the name of the file that torchvision downloads.
TORCHVISION = {
    "mobilenet_v3_small": ("MobileNet V3 Small", "mobilenet_v3_small-047dcff4.pth"),
    "mobilenet_v3_large": ("MobileNet V3 Large", "mobilenet_v3_large-5c1a4163.pth"),
    "regnet_y_400mf": ("RegNet Y 400MF", "regnet_y_400mf-e6988f5f.pth"),
    "resnet18": ("ResNet-18", "resnet18-f37072fd.pth"),
    "resnet50": ("ResNet-50", "resnet50-11ad3fa6.pth"),
    "efficientnet_b0": ("EfficientNet B0", "efficientnet_b0_rwightman-7f5810bc.pth"),
    "convnext_tiny": ("ConvNeXt Tiny", "convnext_tiny-983f1562.pth"),
    "regnet_y_3_2gf": ("RegNet Y 3.2GF", "regnet_y_3_2gf-9180c971.pth"),
    "vit_b_16": ("ViT-B/16", "vit_b_16-c867db91.pth"),
}
# Worth fetching; any other vision encoder in a folder of its own is found as well.
HUB = {
    "facebook/dinov2-small": "DINOv2 Small",
    "openai/clip-vit-base-patch32": "CLIP ViT-B/32",
    "google/siglip-base-patch16-224": "SigLIP Base",
}
HUB_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
LONGEST_NAME = 80


class UnknownBackbone(Exception):
    """Why a name cannot be chosen, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A backbone that may be chosen; `problem` says why it cannot be loaded, and is empty when it should."""

    name: str
    title: str
    licence: str
    place: Path | None
    problem: str = ""

    @property
    def megabytes(self) -> float | None:
        """Return the size of the weights as stored."""
        if self.place is None:
            return None
        files = [self.place] if self.place.is_file() else weight_files(self.place)
        return sum(file.stat().st_size for file in files) / 1e6


def offers() -> list[Offer]:
    """Return everything that may be chosen, what can be loaded first."""
    found = [bundled(), *torchvision_weights(), *hub_models(), *own_files()]
    return sorted(found, key=lambda offer: bool(offer.problem))


def find(name: str) -> Offer:
    """Return an offer by its name. Raises UnknownBackbone."""
    if name.startswith("tuned/"):
        return tuned(name)
    for offer in offers():
        if offer.name == name:
            return offer
    raise UnknownBackbone(f"There is no backbone called {name}.")


def bundled() -> Offer:
    licence = "Trained on Tiny ImageNet for Loupe: weights for research, under ImageNet's terms."
    return Offer("bundled", "Loupe's own", licence, BUNDLED)


def tuned(name: str) -> Offer:
    """Return a project's fine-tuned backbone, whose weights lie in storage."""
    place = embeddings.local_copy(stored_name(name))
    problem = "" if place.is_file() else "Its weights are no longer in storage."
    return Offer(name, "Fine-tuned here", "As the backbone it was made from.", place, problem)


def stored_name(name: str) -> str:
    """Return where storage keeps a fine-tuned backbone called tuned/PROJECT/NUMBER."""
    return f"backbones/{name.removeprefix('tuned/')}.safetensors"


def base_of(name: str) -> str:
    """Return the backbone that one was fine-tuned from, or itself."""
    place = tuned(name).place if name.startswith("tuned/") else None
    return trained_as(place).get("base", name) if place is not None and place.is_file() else name


def learned_from(name: str) -> np.ndarray:
    """Return the ids of the items that a fine-tuned backbone has learned from; empty for any other."""
    if not name.startswith("tuned/"):
        return np.empty(0, np.int64)
    with safe_open(tuned(name).place, "np") as weights:
        return weights.get_tensor("learned_from")


def torchvision_weights() -> Iterator[Offer]:
    home = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
    for name, (title, file) in TORCHVISION.items():
        places = (settings.LOUPE_WEIGHTS_DIR / file, home / "hub" / "checkpoints" / file)
        place = next((each for each in places if each.is_file()), None)
        problem = (
            "" if place else f"Not here. Put torchvision's file {file} into the folder LOUPE_WEIGHTS_DIR."
        )
        yield Offer(f"torchvision/{name}", title, IMAGENET, place, problem)


def hub_models() -> Iterator[Offer]:
    folders = dict(hub_folders())
    missing = (
        "" if find_spec("transformers") else "Needs transformers: pip install -r deploy/requirements-hub.txt"
    )
    for name, folder in folders.items():
        problem = missing
        if len(f"hub/{name}") > LONGEST_NAME:
            problem = f"Its name is too long. Give the folder one of at most {LONGEST_NAME - 4} characters."
        elif not weight_files(folder):
            problem = f"The folder has a config.json but no weights ({', '.join(HUB_WEIGHTS)})."
        yield Offer(f"hub/{name}", HUB.get(name, name), licence_of(folder), folder, problem)
    for name, title in HUB.items():
        if name not in folders:
            problem = f"Not here. Put its folder into LOUPE_WEIGHTS_DIR as {name}."
            yield Offer(f"hub/{name}", title, "See its model card.", None, problem)


def hub_folders() -> Iterator[tuple[str, Path]]:
    """Yield (name, folder) of Hugging Face models: those in the library's cache, then those in our folder."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")) / "hub"
    for cached in sorted(home.glob("models--*")):
        current = cached / "refs" / "main"
        snapshot = cached / "snapshots" / (current.read_text().strip() if current.is_file() else "")
        if (snapshot / "config.json").is_file():
            yield cached.name.removeprefix("models--").replace("--", "/"), snapshot
    for pattern in ("*/config.json", "*/*/config.json"):
        for config in sorted(settings.LOUPE_WEIGHTS_DIR.glob(pattern)):
            yield str(config.parent.relative_to(settings.LOUPE_WEIGHTS_DIR)), config.parent


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a Hugging Face model's weights, empty when there are none."""
    safe = sorted(folder.glob("*.safetensors"))
    return safe or sorted(folder.glob("pytorch_model*.bin"))


def licence_of(folder: Path) -> str:
    """Read the licence off a model card's head."""
    card = folder / "README.md"
    text = card.read_text(errors="replace") if card.is_file() else ""
    found = re.search(r"^license:\s*(\S+)", text, re.MULTILINE)
    return f"Licence: {found[1]}." if found else UNSTATED


def own_files() -> Iterator[Offer]:
    for file in sorted(settings.LOUPE_WEIGHTS_DIR.glob("*.safetensors")):
        name = f"file/{file.stem}"
        problem = (
            "" if trained_as(file) else "Not made by mlassist.backbones.train, so its network is unknown."
        )
        if len(name) > LONGEST_NAME:
            problem = f"Its name is too long. Give it one of at most {LONGEST_NAME - 5} characters."
        yield Offer(name, file.stem, "As the images it was trained on.", file, problem)


def trained_as(file: Path) -> dict[str, str]:
    """Return what `mlassist.backbones.train` noted in the head of a weight file; empty for other files."""
    try:
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            head = json.loads(opened.read(min(size, 10_000_000)))
        return json.loads(head["__metadata__"]["settings"])
    except (ValueError, KeyError, TypeError):
        return {}
