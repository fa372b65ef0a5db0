"""Loading a backbone and embedding with it. Imports torch: workers only, never the web.

A backbone turns prepared images (n, side, side, 3) uint8 into L2-normalised float32 vectors.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from mlassist.backbones import catalog, network
from mlassist.backbones.catalog import Offer
from mlassist.backbones.recipe import OWN, OWN_STAGES, Recipe

DAMAGED = "it is damaged or cut short; copy it here again"

log = logging.getLogger(__name__)


class CannotLoad(Exception):
    """Why a backbone cannot be used here, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Backbone:
    """A loaded network; `prepare` and `embed` may be called from several threads at once.

    `fingerprint` tells its weights and recipe from all others, whatever their name.
    """

    name: str
    fingerprint: str
    network: nn.Module
    recipe: Recipe
    dimension: int
    dtype: torch.dtype
    device: str

    @property
    def side(self) -> int:
        return self.recipe.side

    def prepare(self, image: Image.Image) -> np.ndarray:
        """Scale the shorter side to `side` and cut the middle square out: (side, side, 3) uint8."""
        scale = self.side / min(image.size)
        if scale != 1:
            size = (max(self.side, round(image.width * scale)), max(self.side, round(image.height * scale)))
            image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        left, top = (image.width - self.side) // 2, (image.height - self.side) // 2
        return np.asarray(image.crop((left, top, left + self.side, top + self.side)))

    @staticmethod
    def use_one_thread() -> None:
        """Have what the calling thread computes on the CPU use that thread alone."""
        torch.set_num_threads(1)

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Return the direction of each image's features, (n, dimension) float32."""
        with torch.inference_mode():
            return self.directions(self.network(self.pixels(images))).cpu().numpy()

    def pixels(self, images: np.ndarray) -> torch.Tensor:
        """Return what the network takes: (n, 3, side, side), the colours' mean and deviation taken out."""
        raw = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
        mean = 255 * torch.tensor(self.recipe.mean, device=self.device).view(1, 3, 1, 1)
        scale = 1 / (255 * torch.tensor(self.recipe.deviation, device=self.device).view(1, 3, 1, 1))
        return ((raw - mean) * scale).to(self.dtype).contiguous(memory_format=torch.channels_last)

    def directions(self, features: torch.Tensor) -> torch.Tensor:
        features = features.float()
        if self.recipe.root:
            features = features.sign() * features.abs().sqrt()
        return nn.functional.normalize(features)


_loaded: dict[tuple[str, str], Backbone] = {}  # by name and its files' signature: the last one loaded


def load(name: str) -> Backbone:
    """Load a backbone, once per process for as long as its files stay the same. Raises CannotLoad."""
    try:
        offer = catalog.find(name)
    except catalog.UnknownBackbone as error:
        raise CannotLoad(catalog.GONE) from error
    if offer.problem or offer.place is None:
        raise CannotLoad(offer.problem)
    try:
        key = name, offer.signature
        if key not in _loaded:
            _loaded.clear()  # first: two large networks may be too much
            loaded = read_whole(offer, offer.place)
            if offer.signature != key[1]:
                raise OSError("it was replaced in the meantime")
            _loaded[key] = loaded
    except OSError as error:
        raise cannot_read(offer, error) from error
    return _loaded[key]


def read_whole(offer: Offer, place: Path) -> Backbone:
    """Read a backbone in the number format that is fastest here. Raises CannotLoad."""
    weights = offer.fingerprint
    try:
        module, recipe = read(offer, place)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, ImportError, SafetensorError) as error:
        raise cannot_read(offer, error) from error
    except Exception as error:
        # Whatever unpickling comes to; its own words would be advice to trust the file.
        raise CannotLoad(f"{place.name} is damaged or not a weight file of {offer.title}.") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if has_bfloat16(device) else torch.float32
    module = module.to(memory_format=torch.channels_last).to(device, dtype).eval()
    with torch.inference_mode():
        blank = torch.zeros(1, 3, recipe.side, recipe.side, dtype=dtype, device=device)
        dimension = module(blank).shape[1]
    fingerprint = sha256(f"{weights} {recipe} {dimension}".encode()).hexdigest()
    log.info("Backbone %s (%s) on %s in %s.", offer.name, fingerprint[:8], device, dtype)
    return Backbone(offer.name, fingerprint, module, recipe, dimension, dtype, device)


def cannot_read(offer: Offer, error: Exception) -> CannotLoad:
    place = offer.place.name if offer.place else offer.name
    reason = first_line(error).removesuffix(".")
    return CannotLoad(f"{place} cannot be read as {offer.title}: {reason}.")


def first_line(error: Exception) -> str:
    if isinstance(error, SafetensorError):
        return DAMAGED
    return str(error).strip().partition("\n")[0] or type(error).__name__


def read(offer: Offer, place: Path) -> tuple[nn.Module, Recipe]:
    """Return a network from pixels to features, and how to use it."""
    kind, _, rest = offer.name.partition("/")
    if kind == "tuned":
        return tuned_network(place)
    if kind == "torchvision":
        return torchvision_network(rest, place)
    if kind == "hub":
        from mlassist.backbones import hub

        return hub.read(place)
    own = trained_here(place)
    network.fuse_batch_norms(own)
    recipe = OWN if offer.side is None else replace(OWN, side=offer.side)
    return network.PooledStages(own, OWN_STAGES), recipe


def tuned_network(place: Path) -> tuple[nn.Module, Recipe]:
    """Return a fine-tuned network, made like the one that it was tuned from."""
    base = catalog.find(catalog.trained_as(place)["base"])
    if base.problem or base.place is None:
        raise ValueError(f"it was made from {base.title}. {base.problem}")
    module, recipe = read(base, base.place)
    weights = load_file(place)
    weights.pop("learned_from", None)  # in files from before that was a row
    fill(module, {name: each.float() if each.is_floating_point() else each for name, each in weights.items()})
    return module, recipe


def fill(module: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Give a network its weights. Raises ValueError, in fewer words than torch, if they are not its own."""
    try:
        module.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError("it does not hold the weights of this network, or not only these") from error


def trained_here(place: Path) -> nn.Module:
    """Return a network that `mlassist.backbones.train` has made, with its head, ready to use."""
    weights = {
        name: each.float() if each.is_floating_point() else each for name, each in load_file(place).items()
    }
    last = next(reversed([name for name in weights if name in ("head.bias", "fc.bias")]))
    architecture = catalog.trained_as(place)["architecture"]
    if architecture not in network.ARCHITECTURES:
        raise ValueError(
            f"its architecture, {architecture}, is not one of {', '.join(network.ARCHITECTURES)}"
        )
    own = network.ARCHITECTURES[architecture](num_classes=len(weights[last]))
    fill(own, weights)
    return own.eval()


def torchvision_network(name: str, place: Path) -> tuple[nn.Module, Recipe]:
    """Return one of torchvision's classifiers without its last layer, and its own preprocessing."""
    presets = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    whole = torchvision.models.get_model(name)
    fill(whole, stored(place))
    last = [path for path, module in whole.named_modules() if isinstance(module, nn.Linear)][-1]
    parent, _, leaf = last.rpartition(".")
    setattr(whole.get_submodule(parent), leaf, nn.Identity())
    whole.eval()
    network.fuse_batch_norms(whole)
    (side,) = presets.crop_size
    return whole, Recipe(side, tuple(presets.mean), tuple(presets.std))


def stored(place: Path) -> Mapping[str, torch.Tensor]:
    """Return what torch has saved. Raises ValueError when a part of the file is missing."""
    try:
        found: Mapping[str, torch.Tensor] = torch.load(place, map_location="cpu", weights_only=True)
    except RuntimeError as error:
        raise ValueError(DAMAGED) from error
    return found


def bundled_classifier() -> tuple[nn.Module, int]:
    """Return the bundled network with the head of its pre-training, and the side that this one sees best."""
    with safe_open(catalog.BUNDLED, "pt") as file:
        report = json.loads(file.metadata()["report"])
    return trained_here(catalog.BUNDLED), report["side"]


def bundled_stages() -> nn.Module:
    """Return the bundled network's four maps, at strides 4, 8, 16 and 32, from pixels without mean."""
    own = trained_here(catalog.BUNDLED)
    network.fuse_batch_norms(own)
    return network.Stages(own).eval()


def has_bfloat16(device: str) -> bool:
    """Tell whether the hardware computes in bfloat16: twice as fast, and as good for these features.

    AVX-512 alone has it too, and was measured to embed a fifth and learn two thirds slower with it.
    """
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))
