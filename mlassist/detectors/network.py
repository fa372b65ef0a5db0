"""A one-stage detector on the maps of a pretrained backbone, with a mask head where outlines are wanted.

FCOS (Tian et al. 2019, arXiv 1904.01355): each place of the maps at strides 8, 16 and 32 says which class is
there and how far its edges are. Head, loss and suppression are torchvision's; the masks are those of Mask
R-CNN (He et al. 2017, arXiv 1703.06870), on the boxes that the detector finds.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import maskrcnn_inference, maskrcnn_loss
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign, clip_boxes_to_image

from mlassist.backbones.recipe import DEVIATION, MEAN

WIDTH = 128
STRIDES = (4, 8, 16, 32)
CONVOLUTIONS = 2  # in each tower of the head: as many as few images can teach
MOST_MASKS = 24  # learned from on an image: more would take longer than the rest
JITTER = 0.06  # of a box's sides: how far those that are found will be off
MASK_SIDE = 14  # of the map that a mask is made from; the mask has twice as many
SCORE_FLOOR = 0.03
SUPPRESSED_ABOVE = 0.55  # overlap: less would drop one of two cells that touch
MOST_OBJECTS = 300

Maps = list[torch.Tensor]
Targets = list[dict[str, torch.Tensor]]
Detections = list[dict[str, torch.Tensor]]


class Detector(nn.Module):
    """`stages` make maps at strides 4 to 32 from normalised pixels; `widths` are their channels."""

    def __init__(self, stages: nn.Module, widths: Sequence[int], classes: int, *, masks: bool) -> None:
        super().__init__()
        self.stages = stages
        self.first = 0 if masks else 1  # masks of small objects need the finest map, boxes do not
        self.shape_of_maps = list(zip(widths, STRIDES, strict=True))[self.first :]
        self.pyramid = FeaturePyramidNetwork(list(widths[self.first :]), WIDTH)
        self.fcos = FCOS(
            Outputs(WIDTH),
            classes,
            anchor_generator=AnchorGenerator(tuple((side,) for side in STRIDES[1:]), ((1.0,),) * 3),
            head=FCOSHead(WIDTH, 1, classes, CONVOLUTIONS),
            score_thresh=SCORE_FLOOR,
            nms_thresh=SUPPRESSED_ABOVE,
            detections_per_img=MOST_OBJECTS,
        )
        self.masks = MaskHead(classes) if masks else None

    @property
    def has_masks(self) -> bool:
        return self.masks is not None

    @property
    def body(self) -> list[nn.Parameter]:
        """What pre-training has learned."""
        return list(self.stages.parameters())

    @property
    def head(self) -> list[nn.Parameter]:
        """All that is learned from nothing."""
        known = {id(each) for each in self.body}
        return [each for each in self.parameters() if id(each) not in known]

    def loss_of(self, pixels: torch.Tensor, targets: Targets) -> torch.Tensor:
        """Return the mean loss of images (n, 3, h, w) uint8 whose sides all strides divide."""
        size = (pixels.shape[2], pixels.shape[3])
        return self.loss(self.maps(normalised(pixels, MEAN, DEVIATION)), targets, size)

    def find(self, pixels: torch.Tensor, sizes: list[tuple[int, int]]) -> Detections:
        """Return {boxes, scores, labels, masks?} per image; `sizes` are (height, width) without padding."""
        size = (pixels.shape[2], pixels.shape[3])
        return self.found(self.maps(normalised(pixels, MEAN, DEVIATION)), sizes, size)

    def maps(self, pixels: torch.Tensor) -> Maps:
        """Return what the head needs of the backbone, (n, width, h / stride, w / stride) each."""
        return self.stages(pixels)[self.first :]

    def refined(self, maps: Maps) -> Maps:
        named = OrderedDict((str(at), each) for at, each in enumerate(maps))
        return list(self.pyramid(named).values())

    def loss(self, maps: Maps, targets: Targets, size: tuple[int, int]) -> torch.Tensor:
        """Return the mean loss of some images of `size` (height, width).

        `targets` are {boxes (n, 4) float, labels (n,) int, masks? (n, h, w) uint8 at stride 2}.
        """
        refined = self.refined(maps)
        outputs = {name: each.float() for name, each in self.fcos.head(self.coarse(refined)).items()}
        anchors, counts = self.anchors(refined, len(targets), size)
        total: torch.Tensor = sum(self.fcos.compute_loss(targets, outputs, anchors, counts).values())
        if self.masks is not None:
            total = total + self.masks.loss(refined, targets, size)
        return total

    def found(self, maps: Maps, sizes: list[tuple[int, int]], size: tuple[int, int]) -> Detections:
        refined = self.refined(maps)
        outputs = {name: each.float() for name, each in self.fcos.head(self.coarse(refined)).items()}
        anchors, counts = self.anchors(refined, len(sizes), size)
        levels = {name: list(each.split(counts, dim=1)) for name, each in outputs.items()}
        detections = self.fcos.postprocess_detections(
            levels, [list(each.split(counts)) for each in anchors], sizes
        )
        if self.masks is not None:
            for detection, masks in zip(detections, self.masks.found(refined, detections, size), strict=True):
                detection["masks"] = masks
        return detections

    def coarse(self, refined: Maps) -> Maps:
        return refined[1 - self.first :]

    def anchors(
        self, refined: Maps, count: int, size: tuple[int, int]
    ) -> tuple[list[torch.Tensor], list[int]]:
        coarse = self.coarse(refined)
        blank = torch.empty((count, 0, *size), device=coarse[0].device)
        anchors = self.fcos.anchor_generator(ImageList(blank, [size] * count), coarse)
        return anchors, [each.shape[2] * each.shape[3] for each in coarse]


class Outputs(nn.Module):
    """Stands where FCOS has its backbone: maps come from outside, so that they can be kept."""

    def __init__(self, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels


class MaskHead(nn.Module):
    """What of a box belongs to the object: (n, 1, 28, 28) for each."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.pool = MultiScaleRoIAlign(
            ["0", "1", "2", "3"], MASK_SIDE, 2, canonical_scale=56, canonical_level=3
        )
        self.layers = MaskRCNNHeads(WIDTH, (WIDTH, WIDTH), 1)
        self.predictor = MaskRCNNPredictor(WIDTH, WIDTH, classes)

    def logits(self, refined: Maps, boxes: list[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        named = {str(at): each.float() for at, each in enumerate(refined)}
        return self.predictor(self.layers(self.pool(named, boxes, [size] * len(boxes))))

    def loss(self, refined: Maps, targets: Targets, size: tuple[int, int]) -> torch.Tensor:
        boxes = [jittered(each["boxes"], size) for each in targets]
        kept = [torch.randperm(len(each))[:MOST_MASKS] for each in boxes]
        boxes = [each[places] for each, places in zip(boxes, kept, strict=True)]
        if not sum(map(len, boxes)):
            return refined[0].sum() * 0
        halved = [each / 2 for each in boxes]  # masks are kept at stride 2
        return maskrcnn_loss(
            self.logits(refined, boxes, size).float(),
            halved,
            [each["masks"] for each in targets],
            [each["labels"] for each in targets],
            kept,
        )

    def found(self, refined: Maps, detections: Detections, size: tuple[int, int]) -> list[torch.Tensor]:
        boxes = [each["boxes"] for each in detections]
        if not sum(map(len, boxes)):
            return [torch.zeros(0, 1, 2 * MASK_SIDE, 2 * MASK_SIDE) for _ in boxes]
        logits = self.logits(refined, boxes, size).float()
        return list(maskrcnn_inference(logits, [each["labels"] for each in detections]))


def jittered(boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Move the edges a little, as those that are found will be off."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    moved = clip_boxes_to_image(boxes + torch.randn_like(boxes) * JITTER * sides, size)
    low, high = torch.minimum(moved[:, :2], moved[:, 2:]), torch.maximum(moved[:, :2], moved[:, 2:])
    return torch.cat([low, torch.maximum(high, low + 1)], 1)


def normalised(pixels: torch.Tensor, mean: Sequence[float], deviation: Sequence[float]) -> torch.Tensor:
    """Return what a backbone takes from (n, 3, h, w) uint8."""
    middle = 255 * torch.tensor(mean, device=pixels.device).view(1, 3, 1, 1)
    spread = 255 * torch.tensor(deviation, device=pixels.device).view(1, 3, 1, 1)
    return ((pixels - middle) / spread).contiguous(memory_format=torch.channels_last)


def padded(size: tuple[int, int], step: int = STRIDES[-1]) -> tuple[int, int]:
    """Return the next (height, width) that all strides divide."""
    return -(-size[0] // step) * step, -(-size[1] // step) * step
