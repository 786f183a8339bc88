"""Perceptual loss on VGG19 (Johnson et al. 2016; FOMM, section 3.3), whose weights are the user's to bring."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from ..core.layers.antialias import shrink
from ..core.layers.heatmap import at_least_float32
from ..core.weights.build import load_strict
from ..core.weights.checkpoint import read_checkpoint

logger = logging.getLogger(__name__)

FILE: Final = "vgg19-dcbb9e9d.pth"
"""Name under which torchvision publishes the weights, and torch keeps them."""

STAGES: Final = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,))  # widths; the published loss reads no further
CUTS: Final = (1, 6, 11, 20, 29)  # layers behind which features are compared: relu1_1, relu2_1 ... relu5_1
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures


class VGG19(nn.Module):
    """First part of VGG19, up to relu5_1, under torchvision's keys; it is never trained."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for widths in STAGES:
            if layers:
                layers.append(nn.MaxPool2d(2))
            for width in widths:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Map pictures (B, 3, H, W) in [0, 1], of 16 pixels at least, to the features behind each of CUTS."""
        out = (picture - self.mean) / self.std
        features: list[Tensor] = []
        for index, layer in enumerate(self.features):
            out = layer(out)
            if index in CUTS:
                features.append(out)
        return features


def cached_vgg19() -> Path:
    """Name the place where torch keeps the weights once torchvision has fetched them."""
    return Path(torch.hub.get_dir()) / "checkpoints" / FILE


def load_vgg19(path: Path | None = None) -> VGG19 | None:
    """Read VGG19 from torchvision's file, or from torch's cache; None where there is none.

    Nothing is ever fetched. Raises CheckpointError for a file of something else, MissingWeightsError for a given path
    without a file.
    """
    if path is None:
        path = cached_vgg19()
        if not path.is_file():
            return None
    network = VGG19()
    wanted = network.state_dict().keys()
    state = read_checkpoint(path).components.get("", {})
    load_strict(network, {key: value for key, value in state.items() if key in wanted}, f"VGG19 in {path.name}")
    logger.info("compares pictures by the features of VGG19 in %s", path)
    return network.eval()


def warn_without_vgg19() -> None:
    """Log that pictures are not compared as published, and what would change that."""
    logger.warning(
        "%s is not there: pictures are compared by their pixels instead, which is too weak for real faces. Name "
        "torchvision's file %s to train with the published loss.",
        cached_vgg19(), FILE,
    )  # fmt: skip


class ImagePyramid(nn.Module):
    """Pictures at several scales, each shrunk from the whole with FOMM's anti-alias filter."""

    def __init__(self, scales: tuple[float, ...], channels: int = 3) -> None:
        super().__init__()
        self.scales = scales
        self.levels = nn.ModuleList(shrink(channels, scale) for scale in scales)

    def forward(self, picture: Tensor) -> dict[float, Tensor]:
        """Map pictures (B, C, H, W) to those of every scale, by scale."""
        return {scale: level(picture) for scale, level in zip(self.scales, self.levels, strict=True)}


class PerceptualDistance(nn.Module):
    """Distances of pictures' features at several scales."""

    def __init__(self, vgg: VGG19, scales: tuple[float, ...]) -> None:
        super().__init__()
        self.vgg = vgg
        self.pyramid = ImagePyramid(scales)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare pictures (B, 3, H, W): mean absolute differences (scales, layers); `target` gets no gradient."""
        with torch.no_grad():
            wanted = [self.vgg(level) for level in self.pyramid(target).values()]
        found = [self.vgg(level) for level in self.pyramid(prediction).values()]
        rows = [
            torch.stack([(at_least_float32(a) - b).abs().mean() for a, b in zip(*features, strict=True)])
            for features in zip(found, wanted, strict=True)
        ]
        return torch.stack(rows)
