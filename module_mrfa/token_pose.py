"""Keypoints by a transformer whose first tokens stand for them (TokenPose, Li et al., ICCV 2021)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.attention import Attention, FeedForward
from ..core.types import Motion
from .config import MRFAConfig
from .hrnet import HRNet

TEMPERATURE = 10000  # of the position code


def position_code(side: int, dim: int) -> Tensor:
    """Encode rows, then columns, of side x side patches by sines and cosines: (1, side^2, dim)."""
    half = dim // 2
    place = 2 * math.pi * torch.arange(1, side + 1, dtype=torch.float32) / (side + 1e-6)
    channel = torch.arange(half, dtype=torch.float32)
    angle = place[:, None] / TEMPERATURE ** (2 * torch.floor(channel / 2) / half)
    code = torch.where(torch.arange(half) % 2 == 0, angle.sin(), angle.cos())  # (side, half)
    rows, columns = code[:, None].expand(side, side, half), code[None].expand(side, side, half)
    return torch.cat([rows, columns], dim=-1).flatten(0, 1)[None]


class PreNorm(nn.Module):
    """Layer norm before another layer."""

    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, n, dim) to the same shape."""
        return self.fn(self.norm(x))


class Residual(nn.Module):
    """Residual connection around another layer."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, n, dim) to the same shape."""
        return x + self.fn(x)


class Transformer(nn.Module):
    """Layers of attention and feed-forward; patches get their position code again before each but the first."""

    def __init__(self, dim: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(
                Residual(PreNorm(dim, Attention(dim, dim, dim // heads))),
                Residual(PreNorm(dim, FeedForward(dim, hidden))),
            )
            for _ in range(depth)
        )

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Map tokens (B, n, dim), the last of them patches with position code (1, patches, dim), to the same shape."""
        again = F.pad(code, (0, 0, x.shape[1] - code.shape[1], 0))
        for depth, layer in enumerate(self.layers):
            x = layer(x + again if depth else x)
        return x


class TokenPose(nn.Module):
    """Transformer that reads keypoints and their local linear maps off features, by two tokens each."""

    pos_embedding: Tensor

    def __init__(self, config: MRFAConfig) -> None:
        super().__init__()
        sizes = config.encoder
        self.patch, self.num_kp = sizes.patch, config.num_kp
        self.keypoint_token = nn.Parameter(torch.randn(1, 2 * config.num_kp, sizes.dim))
        self.register_buffer("pos_embedding", position_code(config.side // sizes.patch, sizes.dim))
        self.patch_to_embedding = nn.Linear(sizes.width * sizes.patch**2, sizes.dim)
        self.transformer = Transformer(sizes.dim, sizes.depth, sizes.heads, sizes.mlp_ratio * sizes.dim)
        self.mlp_head = nn.Sequential(nn.LayerNorm(sizes.dim), nn.Linear(sizes.dim, 2))
        self.sigmoid = nn.Sigmoid()
        self.mlp_head_jacobian = nn.Sequential(nn.LayerNorm(sizes.dim), nn.Linear(sizes.dim, 4))

    def patches(self, features: Tensor) -> Tensor:
        """Cut (B, C, h, w) into patches (B, patches, patch^2 C): row by row, and so inside each, channels fastest."""
        batch, channels, height, width = features.shape
        side = self.patch
        cut = features.reshape(batch, channels, height // side, side, width // side, side)
        return cut.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)

    def forward(self, features: Tensor) -> Motion:
        """Map (B, C, h, w) to keypoints (B, K, 2) in [-1, 1] and jacobians (B, K, 2, 2)."""
        embedded = self.patch_to_embedding(self.patches(features)) + self.pos_embedding
        tokens = torch.cat([self.keypoint_token.expand(embedded.shape[0], -1, -1), embedded], dim=1)
        points, maps = self.transformer(tokens, self.pos_embedding)[:, : 2 * self.num_kp].chunk(2, dim=1)
        logits, jacobians = self.mlp_head(points).float(), self.mlp_head_jacobian(maps).float()
        return Motion(2 * self.sigmoid(logits) - 1, jacobians.view(-1, self.num_kp, 2, 2))


class KeypointEncoder(nn.Module):
    """Detector of keypoints and jacobians; the published code calls it `mtia`."""

    def __init__(self, config: MRFAConfig) -> None:
        super().__init__()
        sizes = config.encoder
        self.pre_feature = HRNet(sizes.width, sizes.blocks, sizes.modules)
        self.transformer = TokenPose(config)

    def forward(self, image: Tensor) -> Motion:
        """Map pictures (B, 3, H, W) in [0, 1] to keypoints (B, K, 2) in [-1, 1] and jacobians (B, K, 2, 2)."""
        return self.transformer(self.pre_feature(image))
