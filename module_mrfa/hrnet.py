"""HRNet (Sun et al. 2019), cut after its third stage: the trunk of the keypoint encoder.

Branches at a quarter, an eighth and a sixteenth of the picture's side, exchanged after every module. Keys are the
published ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.resnet import BasicBlock

BOTTLENECKS = 4
EXPANSION = 4  # of the first layer's blocks


class ConvNorm(nn.Sequential):
    """Convolution without bias, norm, and layers `after` them."""

    def __init__(self, in_features: int, out_features: int, kernel: int, stride: int = 1, *after: nn.Module) -> None:
        conv = nn.Conv2d(in_features, out_features, kernel, stride, padding=kernel // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(out_features), *after)


class Bottleneck(nn.Module):
    """Residual block of 1x1, 3x3 and 1x1 convolutions; the input is projected where the width changes."""

    FOLDS = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"))

    def __init__(self, in_features: int, features: int) -> None:
        super().__init__()
        wide = EXPANSION * features
        self.conv1 = nn.Conv2d(in_features, features, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(features)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(features)
        self.conv3 = nn.Conv2d(features, wide, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(wide)
        self.downsample = ConvNorm(in_features, wide, 1) if in_features != wide else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, 4 features, H, W)."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class HighResolutionModule(nn.Module):
    """Branches at several resolutions, then each of the first `outputs` becomes the sum of all, at its size."""

    def __init__(self, widths: Sequence[int], blocks: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width, width, 1) for _ in range(blocks))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleDict({str(j): _resampler(widths, j, i) for j in range(len(widths)) if j != i})
            for i in range(outputs)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Map maps finest first, each of half the side of the one before, to the first `outputs` of them."""
        maps = [branch(m) for branch, m in zip(self.branches, maps, strict=True)]
        return [self.fuse(i, maps) for i in range(len(self.fuse_layers))]

    def fuse(self, i: int, maps: Sequence[Tensor]) -> Tensor:
        """Sum all branches at the size of the i-th, in their order."""
        layers = self.fuse_layers[i]
        assert isinstance(layers, nn.ModuleDict)
        brought = [m if j == i else layers[str(j)](m) for j, m in enumerate(maps)]
        total = brought[0]
        for other in brought[1:]:
            total = total + other
        return F.relu(total)


def _resampler(widths: Sequence[int], j: int, i: int) -> nn.Module:
    """Make the layers from branch j to the size and width of branch i: nearest pixels upwards, strides downwards."""
    if j > i:
        return ConvNorm(widths[j], widths[i], 1, 1, nn.Upsample(scale_factor=2 ** (j - i), mode="nearest"))
    steps = [ConvNorm(widths[j], widths[j], 3, 2, nn.ReLU()) for _ in range(i - j - 1)]
    return nn.Sequential(*steps, ConvNorm(widths[j], widths[i], 3, 2))


class HRNet(nn.Module):
    """Network that gives features at a quarter of a picture's side."""

    FOLDS = (("conv1", "bn1"), ("conv2", "bn2"))

    def __init__(self, width: int, blocks: int, modules: int) -> None:
        super().__init__()
        stem, widths = 2 * width, [width, 2 * width, 4 * width]
        self.conv1 = nn.Conv2d(3, stem, 3, 2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = nn.Conv2d(stem, stem, 3, 2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(stem)
        wide = EXPANSION * stem
        self.layer1 = nn.Sequential(*(Bottleneck(wide if i else stem, stem) for i in range(BOTTLENECKS)))
        first, second = (ConvNorm(wide, widths[i], 3, i + 1, nn.ReLU()) for i in (0, 1))
        self.transition1 = nn.ModuleList([first, nn.Sequential(second)])
        self.stage2 = nn.Sequential(HighResolutionModule(widths[:2], blocks, 2))
        third = ConvNorm(widths[1], widths[2], 3, 2, nn.ReLU())
        self.transition2 = nn.ModuleDict({"2": nn.Sequential(third)})
        outputs = [*[3] * (modules - 1), 1]
        self.stage3 = nn.Sequential(*(HighResolutionModule(widths, blocks, count) for count in outputs))

    def forward(self, image: Tensor) -> Tensor:
        """Map pictures (B, 3, H, W) in [0, 1] to (B, width, H/4, W/4)."""
        x = F.relu(self.bn1(self.conv1(image)))
        x = self.layer1(F.relu(self.bn2(self.conv2(x))))
        fine, middle = self.stage2([transition(x) for transition in self.transition1])
        return self.stage3([fine, middle, self.transition2["2"](middle)])[0]
