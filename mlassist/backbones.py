"""Pretrained networks that embed images. The only module that imports torch: workers only, never the web.

A backbone turns prepared images (n, side, side, 3) uint8 into L2-normalised float32 vectors. `bundled`
comes with Loupe: a RegNet-X 400MF trained on Tiny ImageNet, so its weights carry ImageNet's terms.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.regnet import RegNet

BATCH = 64
WEIGHTS = Path(__file__).parent / "weights"

# The colours that the weights were trained with, for pixels from 0 to 255.
MEAN = 255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
SCALE = 1 / (255 * torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backbone:
    """A loaded network; `prepare` and `embed` may be called from several threads at once."""

    name: str
    side: int
    dimension: int
    network: nn.Module
    dtype: torch.dtype
    device: str

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
        """Return the mean direction of each image's and its mirror image's features."""
        with torch.inference_mode():
            pixels = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
            pixels = ((pixels - MEAN.to(self.device)) * SCALE.to(self.device)).to(self.dtype)
            both = torch.cat([pixels, pixels.flip(3)]).contiguous(memory_format=torch.channels_last)
            seen = directions(self.network(both).float())
            return nn.functional.normalize(seen[: len(images)] + seen[len(images) :]).cpu().numpy()


def directions(features: torch.Tensor) -> torch.Tensor:
    """Signed square root, which tames bursts, then length one."""
    return nn.functional.normalize(features.sign() * features.abs().sqrt())


class LastStages(nn.Module):
    """A RegNet that gives the pooled outputs of its last two stages side by side."""

    def __init__(self, network: RegNet) -> None:
        super().__init__()
        self.stem = network.stem
        self.block1, self.block2, self.block3, self.block4 = network.trunk_output.children()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        third = self.block3(self.block2(self.block1(self.stem(pixels))))
        fourth = self.block4(third)
        return torch.cat([third.mean((2, 3)), fourth.mean((2, 3))], 1)


def bundled() -> tuple[nn.Module, int, int]:
    """Return (network, side, dimension) of the backbone that comes with Loupe."""
    weights = load_file(WEIGHTS / "bundled.safetensors")
    network = torchvision.models.regnet_x_400mf()
    network.fc = nn.Identity()
    network.load_state_dict(
        {name: tensor.float() for name, tensor in weights.items() if not name.startswith("fc.")}
    )
    network.eval()
    fuse_batch_norms(network)
    return LastStages(network), 96, 560


REGISTRY: dict[str, Callable[[], tuple[nn.Module, int, int]]] = {"bundled": bundled}


def fuse_batch_norms(module: nn.Module) -> None:
    """Fold each batch norm into the convolution before it: the same function with less memory traffic."""
    previous: tuple[str, nn.Conv2d] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and previous is not None:
            setattr(module, previous[0], fuse_conv_bn_eval(previous[1], child))
            setattr(module, name, nn.Identity())
        else:
            fuse_batch_norms(child)
        previous = (name, child) if isinstance(child, nn.Conv2d) else None


@lru_cache(maxsize=1)
def load(name: str) -> Backbone:
    """Load a backbone once per process, in the number format that is fastest here."""
    network, side, dimension = REGISTRY[name]()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = network.to(memory_format=torch.channels_last).to(device).eval()
    dtype = torch.bfloat16 if has_bfloat16(device) else torch.float32
    log.info("Backbone %s on %s in %s.", name, device, dtype)
    return Backbone(name, side, dimension, network.to(dtype), dtype, device)


def has_bfloat16(device: str) -> bool:
    """Tell whether the hardware computes in bfloat16: twice as fast, and as good for these features."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))
