"""Which kinds of detectors there are, by looking at files: no torch, nothing loaded.

Two are made from the bundled backbone; others are torchvision's with their COCO weights, where these are.
A file is called as torchvision calls it, and is looked for where backbones are.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

RESTING, TUNED = "head alone", "whole network"
FEWEST_TO_TUNE = 40  # images: fewer teach a whole backbone nothing


@dataclass(frozen=True, slots=True)
class Kind:
    """`name` and `file` are torchvision's; `background`: its first class is none; `sized`: it scales images
    by itself.
    """

    name: str
    title: str
    file: str
    masks: bool = False
    background: bool = True
    sized: bool = False


KINDS = (
    Kind(
        "fasterrcnn_mobilenet_v3_large_fpn",
        "Faster R-CNN MobileNet V3 from COCO",
        "fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth",
    ),
    Kind(
        "fasterrcnn_resnet50_fpn_v2",
        "Faster R-CNN ResNet-50 v2 from COCO",
        "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth",
    ),
    Kind(
        "fcos_resnet50_fpn",
        "FCOS ResNet-50 from COCO",
        "fcos_resnet50_fpn_coco-99b0c9b7.pth",
        background=False,
    ),
    Kind(
        "retinanet_resnet50_fpn_v2",
        "RetinaNet ResNet-50 v2 from COCO",
        "retinanet_resnet50_fpn_v2_coco-5905b1c5.pth",
        background=False,
    ),
    Kind(
        "ssdlite320_mobilenet_v3_large",
        "SSDlite MobileNet V3 from COCO",
        "ssdlite320_mobilenet_v3_large_coco-a79551df.pth",
        sized=True,
    ),
    Kind(
        "maskrcnn_resnet50_fpn_v2",
        "Mask R-CNN ResNet-50 v2 from COCO",
        "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth",
        masks=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A detector whose weights are here."""

    kind: Kind
    place: Path

    @property
    def title(self) -> str:
        return self.kind.title


def offers(*, masks: bool) -> Iterator[Offer]:
    """Yield the detectors that can be taught here: those with a mask head where outlines are wanted."""
    home = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
    for kind in KINDS:
        places = (settings.LOUPE_WEIGHTS_DIR / kind.file, home / "hub" / "checkpoints" / kind.file)
        place = next((each for each in places if each.is_file()), None)
        if place is not None and kind.masks == masks:
            yield Offer(kind, place)
