"""Encoder of pictures of one face into a set of tokens (section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import START_OCTAVE, FSRTConfig
from .position import pixel_centres, position_code
from .transformer import Transformer


class SRTConvBlock(nn.Module):
    """Two 3x3 convolutions without bias, each with ReLU; the second halves the resolution."""

    def __init__(self, in_features: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_features, hidden, 3, padding=1, bias=False),
            nn.ReLU(),
            nn.Conv2d(hidden, 2 * hidden, 3, stride=2, padding=1, bias=False),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, in, H, W) to (B, 2 hidden, H/2, W/2)."""
        return self.layers(x)


class ImprovedFSRTEncoder(nn.Module):
    """Encoder of pictures, their keypoints and expressions into the set latent, in which pictures have no order."""

    def __init__(self, config: FSRTConfig) -> None:
        super().__init__()
        sizes = config.encoder
        self.kp_octaves, self.pix_octaves = config.kp_octaves, config.pix_octaves
        blocks = [SRTConvBlock(3 + sum(config.query_parts), sizes.width)]
        blocks += [SRTConvBlock(sizes.width * 2**i, sizes.width * 2**i) for i in range(1, sizes.num_conv_blocks)]
        self.conv_blocks = nn.Sequential(*blocks)
        self.per_patch_linear = nn.Conv2d(sizes.width * 2**sizes.num_conv_blocks, sizes.dim, 1)
        self.transformer = Transformer(sizes.dim, sizes.depth, sizes.inner, config.head_dim, sizes.hidden)

    def planes(self, picture: Tensor, points: Tensor, expression: Tensor) -> Tensor:
        """Stack a picture (1, 3, H, W), its keypoints' code, every pixel's code and its expression: (1, C, H, W)."""
        height, width = picture.shape[2:]
        code = position_code(points.flatten(1), self.kp_octaves, START_OCTAVE)
        pixels = position_code(pixel_centres(height, width, picture.device), self.pix_octaves, START_OCTAVE)
        constant = (part[:, :, None, None].expand(-1, -1, height, width) for part in (code, expression))
        keypoint_planes, expression_planes = constant
        return torch.cat([picture, keypoint_planes, pixels.movedim(-1, 0)[None], expression_planes], dim=1)

    def tokens(self, picture: Tensor, points: Tensor, expression: Tensor) -> Tensor:
        """Encode one picture's patches, row by row: (1, H/8 * W/8, dim)."""
        maps: Tensor = self.per_patch_linear(self.conv_blocks(self.planes(picture, points, expression)))
        return maps.flatten(2).mT.float()

    def forward(self, pictures: Tensor, points: Tensor, expression: Tensor) -> Tensor:
        """Map pictures (S, 3, H, W), keypoints (S, K, 2) and expressions (S, n) to tokens of all (1, S * T, dim)."""
        each = zip(*(torch.split(part, 1) for part in (pictures, points, expression)), strict=True)
        return self.transformer(torch.cat([self.tokens(*one) for one in each], dim=1))
