"""Decoder of the set latent into the colour of any pixel under any pose (section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.layers.attention import KeysValues
from ..core.layers.mlp import MLP
from .config import START_OCTAVE, FSRTConfig
from .position import pixel_centres, position_code
from .transformer import Transformer

PIXELS = "pixels"


class FSRTPixelPredictor(nn.Module):
    """Transformer that attends to the set latent with a query for every pixel.

    A query is keypoint code, pixel code and expression, one after the other. Its first layer being linear, the
    pixels' share of that (`pixel_part`) is made once per size, the pose's (`pose_part`) once per frame.
    """

    def __init__(self, config: FSRTConfig) -> None:
        super().__init__()
        sizes, self.parts = config.decoder, config.query_parts
        self.kp_octaves, self.pix_octaves = config.kp_octaves, config.pix_octaves
        query = sum(self.parts)
        self.input_mlp = nn.Sequential(nn.Linear(query, sizes.first), nn.ReLU(), nn.Linear(sizes.first, query))
        self.transformer = Transformer(
            query, sizes.depth, sizes.inner, config.head_dim, sizes.hidden, kv_dim=config.encoder.dim
        )

    @property
    def first(self) -> nn.Linear:
        """Return the layer that queries enter."""
        return cast(nn.Linear, self.input_mlp[0])

    def pixel_part(self, height: int, width: int) -> Tensor:
        """Apply the first layer, without its bias, to the codes of all pixels of a picture: (height, width, first)."""
        _, weight, _ = torch.split(self.first.weight, [*self.parts], dim=1)
        centres = pixel_centres(height, width, weight.device)
        return F.linear(position_code(centres, self.pix_octaves, START_OCTAVE), weight)

    def pose_part(self, points: Tensor, expression: Tensor) -> Tensor:
        """Apply the first layer to queries without pixels: keypoints (B, K, 2), expressions (B, n) -> (B, first)."""
        code = position_code(points.flatten(1), self.kp_octaves, START_OCTAVE)
        nowhere = code.new_zeros(code.shape[0], self.parts[1])
        return self.first(torch.cat([code, nowhere, expression], dim=1))

    def forward(self, first: Tensor, memory: list[KeysValues]) -> Tensor:
        """Attend with N queries, as the first layer gave them (1, N, first): (1, N, query)."""
        x: Tensor = self.input_mlp[1:](first)
        return self.transformer(x.float(), memory)


class ImprovedFSRTDecoder(nn.Module):
    """Decoder of colours, pixel by pixel."""

    def __init__(self, config: FSRTConfig) -> None:
        super().__init__()
        self.allocation_transformer = FSRTPixelPredictor(config)
        sizes = config.decoder
        widths = [sum(config.query_parts), *[sizes.render_width] * (sizes.render_layers - 1), 3]
        self.render_mlp = MLP(widths, norm=False)

    def prepare(self, latent: Tensor, height: int, width: int) -> dict[str, Tensor]:
        """Compute all that depends on the set latent (1, T, dim) and the size of the picture alone."""
        predictor = self.allocation_transformer
        found = {PIXELS: predictor.pixel_part(height, width)}
        for number, (keys, values) in enumerate(predictor.transformer.keys_values(latent)):
            found |= {f"keys{number}": keys, f"values{number}": values}
        return found

    def forward(self, prepared: Mapping[str, Tensor], points: Tensor, expression: Tensor, queries: Tensor) -> Tensor:
        """Decode colours (N, 3), not clamped, of N pixels of the pictures in B poses.

        `queries` (N) counts the pixels of all pictures, picture by picture and row by row.
        """
        pixels, predictor = prepared[PIXELS].flatten(0, 1), self.allocation_transformer
        pose, count = predictor.pose_part(points, expression), pixels.shape[0]
        first = pixels[queries % count].add_(pose[queries // count])[None]  # (1, N, first)
        memory = [(prepared[f"keys{i}"], prepared[f"values{i}"]) for i in range(len(predictor.transformer.layers))]
        return self.render_mlp(predictor(first, memory))[0]
