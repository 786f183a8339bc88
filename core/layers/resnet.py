"""ResNet-18 (He et al. 2015), which reads numbers or maps off a picture; keys are torchvision's."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

EXPANSIONS = (1, 2, 4, 8)  # of the width, layer by layer


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, the first of them striding; the input is added, projected where the shape changes."""

    FOLDS = (("conv1", "bn1"), ("conv2", "bn2"))

    def __init__(self, in_features: int, out_features: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_features, out_features, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_features)
        self.conv2 = nn.Conv2d(out_features, out_features, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_features)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_features != out_features:
            projection = nn.Conv2d(in_features, out_features, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H / stride, W / stride), halves rounded up."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """ResNet of eight basic blocks, which gives `out_features` numbers; with None there is no last layer, only maps.

    `width` is 64 in every published network.
    """

    FOLDS = (("conv1", "bn1"),)

    def __init__(self, in_features: int, out_features: int | None, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_features, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _layer(width, width, 1)
        self.layer2, self.layer3, self.layer4 = (
            _layer(EXPANSIONS[i - 1] * width, EXPANSIONS[i] * width, 2) for i in (1, 2, 3)
        )
        self.fc = None if out_features is None else nn.Linear(EXPANSIONS[-1] * width, out_features)

    def stem(self, x: Tensor) -> Tensor:
        """Map (B, in_features, H, W) to (B, width, H/4, W/4) by the layers before the blocks."""
        return F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Map (B, in_features, H, W) to the four layers' outputs, at 1/4, 1/8, 1/16 and 1/32 of the size."""
        maps = [self.stem(x)]
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps.append(layer(maps[-1]))
        return maps[1:]

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in_features, H, W) to (B, out_features)."""
        assert self.fc is not None
        return self.fc(self.maps(x)[-1].contiguous().mean(dim=(2, 3)))


def _layer(in_features: int, out_features: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(in_features, out_features, stride), BasicBlock(out_features, out_features, 1))
