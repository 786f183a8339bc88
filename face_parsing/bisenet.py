"""BiSeNet without its spatial path, for which ResNet's finest map stands in. Keys are the published ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.resnet import ResNet18
from .config import FaceParsingConfig


class ConvBNReLU(nn.Module):
    """Convolution without bias, norm and ReLU at one resolution."""

    FOLDS = (("conv", "bn"),)

    def __init__(self, in_features: int, out_features: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_features, out_features, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        return F.relu(self.bn(self.conv(x)))


class AttentionRefinementModule(nn.Module):
    """Attention to channels by their averages over the map (section 3.2)."""

    FOLDS = (("conv_atten", "bn_atten"),)

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(in_features, out_features)
        self.conv_atten = nn.Conv2d(out_features, out_features, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, out, H, W)."""
        features = self.conv(x)
        return features * torch.sigmoid(self.bn_atten(self.conv_atten(global_average(features))))


class ContextPath(nn.Module):
    """Context path: a ResNet whose coarse maps are refined and upsampled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.resnet = ResNet18(3, None, width)
        self.arm16 = AttentionRefinementModule(4 * width, 2 * width)
        self.arm32 = AttentionRefinementModule(8 * width, 2 * width)
        self.conv_head32 = ConvBNReLU(2 * width, 2 * width)
        self.conv_head16 = ConvBNReLU(2 * width, 2 * width)
        self.conv_avg = ConvBNReLU(8 * width, 2 * width, kernel_size=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (B, 3, H, W) to ResNet's map at 1/8, and the context at 1/8 and at 1/16, each (B, 2 width, ...)."""
        _, fine, middle, coarse = self.resnet.maps(x)
        context = self.arm32(coarse) + self.conv_avg(global_average(coarse))
        context16 = self.conv_head32(F.interpolate(context, middle.shape[2:], mode="nearest"))
        context = self.arm16(middle) + context16
        return fine, self.conv_head16(F.interpolate(context, fine.shape[2:], mode="nearest")), context16


class FeatureFusionModule(nn.Module):
    """Fusion of fine and context features, whose channels are weighed up to twofold (section 3.3)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.convblk = ConvBNReLU(features, features, kernel_size=1)
        self.conv1 = nn.Conv2d(features, features // 4, 1, bias=False)
        self.conv2 = nn.Conv2d(features // 4, features, 1, bias=False)

    def forward(self, fine: Tensor, context: Tensor) -> Tensor:
        """Fuse two maps (B, features / 2, H, W): (B, features, H, W)."""
        features = self.convblk(torch.cat([fine, context], dim=1))
        narrow = F.relu(self.conv1(global_average(features)))
        return features * torch.sigmoid(self.conv2(narrow)) + features


class BiSeNetOutput(nn.Module):
    """Head of a 3x3 block and a 1x1 convolution to the classes."""

    def __init__(self, in_features: int, middle: int, num_classes: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(in_features, middle)
        self.conv_out = nn.Conv2d(middle, num_classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to logits (B, classes, H, W)."""
        return self.conv_out(self.conv(x))


class BiSeNet(nn.Module):
    """Face parsing network, which gives logits at an eighth of the pictures' size.

    The auxiliary heads `conv_out16` and `conv_out32` serve training; they are here because the file has them.
    """

    def __init__(self, config: FaceParsingConfig) -> None:
        super().__init__()
        width, classes = config.width, config.num_classes
        self.cp = ContextPath(width)
        self.ffm = FeatureFusionModule(4 * width)
        self.conv_out = BiSeNetOutput(4 * width, 4 * width, classes)
        self.conv_out16 = BiSeNetOutput(2 * width, width, classes)
        self.conv_out32 = BiSeNetOutput(2 * width, width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures (B, 3, H, W) to logits (B, classes, H / 8, W / 8) of the main head alone."""
        fine, context, _ = self.cp(x)
        return self.conv_out(self.ffm(fine, context))


def global_average(features: Tensor) -> Tensor:
    """Average the channels of maps (B, C, H, W) over all places: (B, C, 1, 1)."""
    return features.mean(dim=(2, 3), keepdim=True)
