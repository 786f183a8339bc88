"""Face parser: pictures in, probabilities of face parts out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.grid import resize_map
from .bisenet import BiSeNet
from .config import FaceParsingConfig

SIZE = 512  # pixels; what the published weights were trained at
MASK_SIZE = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures


class FaceParser(nn.Module):
    """BiSeNet with its preprocessing and softmax. `size` is the side in pixels of the network's input."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: FaceParsingConfig, size: int = SIZE) -> None:
        super().__init__()
        self.config = config
        self.size = size
        self.network: nn.Module = BiSeNet(config)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)
        self.eval()

    def logits(self, pictures: Tensor, smooth: bool = True) -> Tensor:
        """Compute the logits of pictures (B, 3, H, W) in [0, 1]: (B, classes, size / 8, size / 8).

        Pictures are stretched to `size`: `smooth`ly, as the network expects them, or to the nearest pixel, as the
        earlier pack and the published part swap do.
        """
        wanted = (self.size, self.size)
        if pictures.shape[2:] != wanted:
            sized = resize_map(pictures, wanted) if smooth else F.interpolate(pictures, wanted, mode="nearest")
            pictures = sized.contiguous(memory_format=torch.channels_last)
        return self.network((pictures - self.mean) / self.deviation).float()

    def probabilities(self, pictures: Tensor, size: tuple[int, int]) -> Tensor:
        """Compute the probabilities of pictures (B, 3, H, W) in [0, 1]: (B, classes, *size), which sum to 1."""
        return torch.softmax(resize_map(self.logits(pictures), size, align_corners=True), dim=1)

    def subsampled_probabilities(self, pictures: Tensor) -> Tensor:
        """Compute probabilities at every eighth pixel (its top left), as the earlier pack did: (B, classes, 64, 64).

        Only those pixels are computed, of the map of `size` that the published code makes.
        """
        return torch.softmax(_sample_pixels(self.logits(pictures, smooth=False), self.size, MASK_SIZE), dim=1)

    def full_size_probabilities(self, pictures: Tensor) -> Tensor:
        """Compute probabilities at the network's size, as the published part swap did: (B, classes, size, size)."""
        logits = self.logits(pictures, smooth=False)
        return torch.softmax(resize_map(logits, (self.size, self.size), align_corners=True), dim=1)


def _sample_pixels(logits: Tensor, size: int, count: int) -> Tensor:
    """Sample logits (B, C, h, w) as if stretched to `size` with aligned corners: (B, C, count, count).

    Of each side, the pixels i size / count are taken.
    """
    places = 2 * (torch.arange(count, device=logits.device) * size // count) / (size - 1) - 1
    x, y = places.expand(count, count), places[:, None].expand(count, count)
    grid = torch.stack([x, y], dim=-1).expand(logits.shape[0], -1, -1, -1)
    return F.grid_sample(logits, grid, mode="bilinear", padding_mode="border", align_corners=True)
