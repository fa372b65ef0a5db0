"""torchvision's detectors with their COCO weights, where these are there (`catalog.py`).

They have seen a hundred thousand labeled photos, and learn a new task from fewer images than a detector that
begins with a backbone.
"""

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import get_model
from torchvision.ops import roi_align

from mlassist.detectors.catalog import Kind, Offer
from mlassist.detectors.network import MASK_SIDE, Detections, Targets


class Pretrained(nn.Module):
    """One of torchvision's detectors, with as many classes as a project has."""

    def __init__(self, kind: Kind, classes: int) -> None:
        super().__init__()
        self.kind = kind
        self.shift = int(kind.background)
        scaling = {} if kind.sized else {"_skip_resize": True}
        self.whole = get_model(
            kind.name, weights=None, weights_backbone=None, num_classes=classes + self.shift, **scaling
        )
        self.new: set[str] = set()

    @property
    def has_masks(self) -> bool:
        return self.kind.masks

    @property
    def head(self) -> list[nn.Parameter]:
        """What COCO's classes could not teach."""
        return [each for name, each in self.whole.named_parameters() if name in self.new]

    @property
    def body(self) -> list[nn.Parameter]:
        return [each for name, each in self.whole.named_parameters() if name not in self.new]

    def take(self, weights: dict[str, torch.Tensor]) -> None:
        """Take COCO's weights, but for the layers that name its classes."""
        own = self.whole.state_dict()
        fitting = {
            name: each for name, each in weights.items() if name in own and own[name].shape == each.shape
        }
        self.new = {name for name in own if name not in fitting}
        if len(self.new) > len(own) // 4:
            raise ValueError(f"it does not hold the weights of {self.kind.title}")
        self.whole.load_state_dict(fitting, strict=False)

    def train(self, mode: bool = True) -> "Pretrained":
        """Let batch norms keep COCO's statistics: a few images would upset them."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def loss_of(self, pixels: torch.Tensor, targets: Targets) -> torch.Tensor:
        """Return the mean loss of images (n, 3, h, w) uint8."""
        self.train()
        wanted = [self.target(each, (pixels.shape[2], pixels.shape[3])) for each in targets]
        return sum(self.whole(list(pixels / 255), wanted).values())

    def target(self, target: dict[str, torch.Tensor], size: tuple[int, int]) -> dict[str, torch.Tensor]:
        made = {"boxes": target["boxes"].reshape(-1, 4), "labels": target["labels"] + self.shift}
        if self.has_masks:
            masks = target["masks"][:, None].float()
            made["masks"] = (
                functional.interpolate(masks, size)[:, 0].byte()
                if len(masks)
                else masks.new_zeros(0, *size).byte()
            )
        return made

    def find(self, pixels: torch.Tensor, sizes: list[tuple[int, int]]) -> Detections:
        """Return {boxes, scores, labels, masks?} per image; `sizes` are (height, width) without padding."""
        self.eval()
        cut = [each[:, :height, :width] / 255 for each, (height, width) in zip(pixels, sizes, strict=True)]
        made = self.whole(cut)
        for each in made:
            named = each["labels"] >= self.shift
            for name in ("boxes", "scores", "labels", "masks"):
                if name in each:
                    each[name] = each[name][named]
            each["labels"] = each["labels"] - self.shift
            if "masks" in each:
                numbered = torch.arange(len(each["boxes"]))[:, None].to(each["boxes"])
                boxes = torch.cat([numbered, each["boxes"]], 1)
                each["masks"] = roi_align(each["masks"], boxes, (2 * MASK_SIDE, 2 * MASK_SIDE), aligned=True)
        return made


def load(offer: Offer, classes: int) -> Pretrained:
    """Return a detector with COCO's weights. Raises ValueError when the file is another's."""
    made = Pretrained(offer.kind, classes)
    made.take(torch.load(offer.place, map_location="cpu", weights_only=True))
    return made
