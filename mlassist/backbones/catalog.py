"""What may be chosen as a backbone, by looking at files: no torch, nothing loaded.

Weights come with Loupe, or are put into `LOUPE_WEIGHTS_DIR` by whoever runs it: files of torchvision under
the names of its downloads, folders of Hugging Face models, and files made by `mlassist.backbones.train`.
What the libraries' own caches hold counts as here too.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings

from clustering import embeddings
from mlassist.models import TunedBackbone

BUNDLED = Path(__file__).parents[1] / "weights" / "bundled.safetensors"
IMAGENET = "Trained on ImageNet: weights for research, under ImageNet's terms."
GONE = "Its weights are no longer here. Put them back, or choose another backbone."
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
    "swin_t": ("Swin Tiny", "swin_t-704ceda3.pth"),
    "vit_b_16": ("ViT-B/16", "vit_b_16-c867db91.pth"),
}
# Worth fetching; any other vision encoder in a folder of its own is found as well.
HUB = {
    "facebook/dinov2-small": "DINOv2 Small",
    "openai/clip-vit-base-patch32": "CLIP ViT-B/32",
    "google/siglip-base-patch16-224": "SigLIP Base",
}
# Kinds of models that find objects or outlines: they look for words or places, and embed no image.
FINDERS = frozenset({"grounding-dino", "mm-grounding-dino", "owlv2", "owlvit"})
OUTLINERS = frozenset({"sam", "sam2"})
HUB_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
HUB_SETTINGS = ("config.json", "preprocessor_config.json")
LONGEST_NAME = 80
MOST_TEXT = 100_000  # of a model card or the like


class UnknownBackbone(Exception):
    """Why a name cannot be chosen, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A backbone that may be chosen; `problem` says why it cannot be loaded, and is empty when it should.

    `side` is another one than its weights were made for: it looks at images with more pixels, or with fewer.
    """

    name: str
    title: str
    licence: str
    place: Path | None
    problem: str = ""
    side: int | None = None

    @property
    def megabytes(self) -> float | None:
        """Return the size of the weights as stored."""
        if self.place is None:
            return None
        files = [self.place] if self.place.is_file() else weight_files(self.place)
        return sum(file.stat().st_size for file in files) / 1e6

    @property
    def files(self) -> list[Path]:
        """Return all files that decide what the network makes of an image."""
        assert self.place is not None
        if not self.place.is_dir():
            return [self.place]
        chosen = (self.place / name for name in HUB_SETTINGS)
        return [*weight_files(self.place), *(file for file in chosen if file.is_file())]

    @property
    def signature(self) -> str:
        """Return what changes when a file is replaced, without reading any."""
        found = [(file.name, file.stat()) for file in self.files]
        noted = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]
        return hashlib.sha256(repr(noted).encode()).hexdigest()[:16]

    @property
    def fingerprint(self) -> str:
        """Return what tells these weights from all others, by reading all of them."""
        digest = hashlib.sha256()
        for file in self.files:
            with file.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
        return digest.hexdigest()[:16]


def offers() -> list[Offer]:
    """Return everything that may be chosen, what can be loaded first."""
    found = [bundled(), *torchvision_weights(), *hub_models(), *own_files()]
    return sorted(found, key=lambda offer: bool(offer.problem))


def find(name: str) -> Offer:
    """Return an offer by its name, looking only where its kind lies. Raises UnknownBackbone."""
    kind = name.partition("/")[0]
    plain, _, side = name.rpartition("@")
    if can_look_closer(plain) and side.isdecimal():
        offer = find(plain)
        return replace(offer, name=name, title=f"{offer.title} at {side} pixels", side=int(side))
    if kind == "tuned":
        return tuned(name)
    kinds: dict[str, Callable[[], Iterable[Offer]]] = {
        "bundled": lambda: [bundled()],
        "torchvision": torchvision_weights,
        "hub": hub_models,
        "file": own_files,
    }
    for offer in kinds.get(kind, list)():
        if offer.name == name:
            return offer
    raise UnknownBackbone(f"There is no backbone called {name}.")


def can_look_closer(name: str) -> bool:
    """Tell whether a network takes images of any size: ours are convolutions that end in a mean."""
    return name.partition("/")[0] in ("bundled", "file") and "@" not in name


def at_side(name: str, side: int) -> str:
    """Return what a backbone is called that looks at images with so many pixels."""
    return f"{name}@{side}"


def bundled() -> Offer:
    licence = "Trained on Tiny ImageNet for Loupe: weights for research, under ImageNet's terms."
    return Offer("bundled", "Loupe's own", licence, BUNDLED)


def tuned(name: str) -> Offer:
    """Return a project's fine-tuned backbone; fetches its weights where the storage is remote."""
    try:
        place: Path | None = embeddings.local_copy(stored_name(name))
    except OSError:
        place = None
    there = place is not None and place.is_file()
    problem = "" if there else "Its weights are no longer in storage."
    title = f"Fine-tuned from {title_of(trained_as(place).get('base', ''))}" if place and there else name
    return Offer(name, title, "As the backbone it was made from.", place if there else None, problem)


def title_of(name: str) -> str:
    try:
        return find(name).title
    except UnknownBackbone:
        return name


def stored_name(name: str) -> str:
    """Return where storage keeps a fine-tuned backbone called tuned/PROJECT/NUMBER."""
    return f"backbones/{name.removeprefix('tuned/')}.safetensors"


def base_of(name: str) -> str:
    """Return the backbone that one was fine-tuned from, or itself."""
    return TunedBackbone.objects.filter(name=name).values_list("base", flat=True).first() or name


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
        ""
        if find_spec("transformers")
        else "Needs transformers: .venv/bin/python -m pip install -r deploy/requirements-hub.txt"
    )
    for name, folder in folders.items():
        if model_type(folder) in FINDERS | OUTLINERS:
            continue
        problem = missing
        if not weight_files(folder):
            problem = f"The folder has a config.json but no weights ({', '.join(HUB_WEIGHTS)})."
        yield named("hub", name, HUB.get(name, name), licence_of(folder), folder, problem)
    for name, title in HUB.items():
        if name not in folders:
            problem = f"Not here. Put its folder into LOUPE_WEIGHTS_DIR as {name}."
            yield Offer(f"hub/{name}", title, "See its model card.", None, problem)


def hub_folders() -> Iterator[tuple[str, Path]]:
    """Yield (name, folder) of Hugging Face models: those in the library's cache, then those in our folder."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")) / "hub"
    for cached in sorted(home.glob("models--*")):
        snapshot = cached / "snapshots" / text_of(cached / "refs" / "main").strip()
        if (snapshot / "config.json").is_file():
            yield cached.name.removeprefix("models--").replace("--", "/"), snapshot
    for pattern in ("*/config.json", "*/*/config.json"):
        for config in sorted(settings.LOUPE_WEIGHTS_DIR.glob(pattern)):
            yield str(config.parent.relative_to(settings.LOUPE_WEIGHTS_DIR)), config.parent


def model_type(folder: Path) -> str:
    """Return the kind of a Hugging Face model by its config; empty where that cannot be read."""
    try:
        config = json.loads(text_of(folder / "config.json"))
    except ValueError:
        return ""
    return str(config.get("model_type", "")) if isinstance(config, dict) else ""


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a Hugging Face model's weights, empty when there are none."""
    for pattern in ("*.safetensors", "pytorch_model*.bin"):
        found = sorted(file for file in folder.glob(pattern) if file.is_file())
        if found:
            return found
    return []


def licence_of(folder: Path) -> str:
    """Read the licence off a model card's head."""
    found = re.search(r"^license:\s*([\w.+-]+)", text_of(folder / "README.md"), re.MULTILINE)
    return f"Licence: {found[1]}." if found else UNSTATED


def text_of(file: Path) -> str:
    """Return how a text begins; empty when it cannot be read."""
    try:
        with file.open(errors="replace") as opened:
            return opened.read(MOST_TEXT)
    except OSError:
        return ""


def own_files() -> Iterator[Offer]:
    for file in sorted(settings.LOUPE_WEIGHTS_DIR.glob("*.safetensors")):
        place, problem = (file, "") if file.is_file() else (None, "It is not a file, or a link to nowhere.")
        if place and head_of(place) is None:
            problem = "It is empty, damaged, or not a safetensors file. Copy it here again."
        elif place and "architecture" not in trained_as(place):
            problem = "Not made by mlassist.backbones.train, so its network is unknown."
        yield named("file", file.stem, file.stem, "As the images it was trained on.", place, problem)


def named(kind: str, name: str, title: str, licence: str, place: Path | None, problem: str) -> Offer:
    """Return an offer that is called as its file is, as far as that can be the name of a row."""
    most = LONGEST_NAME - len(f"{kind}/")
    plain = "".join(each if each.isprintable() else "?" for each in name)
    if plain != name or len(plain) > most:
        plain = plain if len(plain) <= most else f"{plain[: most - 1]}…"
        title = plain
        problem = f"Its name is too long or cannot be shown. Give it one of at most {most} plain characters."
    return Offer(f"{kind}/{plain}", title, licence, place, problem)


def head_of(file: Path) -> dict[str, Any] | None:
    """Return the head of a safetensors file; None when it has none that can be read."""
    try:
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            head = json.loads(opened.read(min(size, 10_000_000)))
    except (OSError, ValueError, RecursionError):
        return None
    return head if isinstance(head, dict) else None


def trained_as(file: Path) -> dict[str, str]:
    """Return what `mlassist.backbones.train` noted in the head of a weight file; empty for other files."""
    try:
        noted = json.loads((head_of(file) or {})["__metadata__"]["settings"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return noted if isinstance(noted, dict) else {}
