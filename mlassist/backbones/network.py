"""Networks that Loupe trains itself, and the maps and features that it takes from them.

`loupe` is a ResNet made for processors without a graphics card. Plain 3x3 convolutions reach 0.3 to
0.45 TFLOP/s in bfloat16 on two cores, grouped ones half of that and depthwise ones less, so the basic block
of He et al. (2016) wins over leaner designs per second. The stem is one 3x3 convolution, and shortcuts
average before they project (ResNet-D, He et al. 2019).
"""

from collections.abc import Callable

import torch
import torchvision
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

STEM = 32
WIDTHS = (32, 80, 192, 384)
DEPTHS = (1, 2, 3, 2)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or width_in != width:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False),
                nn.Conv2d(width_in, width, 1, bias=False),
                nn.BatchNorm2d(width),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = functional.relu(self.norm1(self.conv1(x)), inplace=True)
        return functional.relu(self.norm2(self.conv2(inner)) + self.shortcut(x), inplace=True)


class Network(nn.Module):
    """Four stages at strides 4, 8, 16 and 32, and a linear head for pre-training."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, STEM, 3, 2, 1, bias=False), nn.BatchNorm2d(STEM), nn.ReLU(inplace=True)
        )
        self.trunk = nn.ModuleList()
        before = STEM
        for width, depth in zip(WIDTHS, DEPTHS, strict=True):
            blocks = [Block(before, width, 2), *(Block(width, width, 1) for _ in range(depth - 1))]
            self.trunk.append(nn.Sequential(*blocks))
            before = width
        self.head = nn.Linear(before, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Block):
                nn.init.zeros_(module.norm2.weight)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = self.stem(pixels)
        for stage in self.trunk:
            x = stage(x)
        return self.head(x.mean((2, 3)))


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "loupe": Network,
    "resnet18": torchvision.models.resnet18,
    "regnet_x_400mf": torchvision.models.regnet_x_400mf,
}


def stages_of(network: nn.Module) -> list[nn.Module]:
    """Return what makes the maps at strides 4, 8, 16 and 32, each from the one before."""
    if isinstance(network, Network):
        first, *later = network.trunk
        return [nn.Sequential(network.stem, first), *later]
    if isinstance(network, torchvision.models.ResNet):
        stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        return [nn.Sequential(stem, network.layer1), network.layer2, network.layer3, network.layer4]
    assert isinstance(network, torchvision.models.RegNet)
    first, *later = network.trunk_output.children()
    return [nn.Sequential(network.stem, first), *later]


class Stages(nn.Module):
    """The maps of all four stages: (n, width, side / stride, side / stride) each."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages_of(network))

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        maps, x = [], pixels
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class PooledStages(nn.Module):
    """The means of the last stages' maps side by side: (n, dimension)."""

    def __init__(self, network: nn.Module, last: int) -> None:
        super().__init__()
        self.maps = Stages(network)
        self.last = last

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.cat([each.mean((2, 3)) for each in self.maps(pixels)[-self.last :]], 1)


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
