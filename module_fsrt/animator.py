"""FSRT as an `Animator`, the driver's interface."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from ..core.types import Animator, AnimatorSpec, Motion, Prepared
from .config import FSRTConfig
from .decoder import PIXELS, ImprovedFSRTDecoder
from .encoder import ImprovedFSRTEncoder
from .keypoint_detector import ExpressionEncoder, KPDetector

log = logging.getLogger(__name__)

EXPRESSION = "expression"  # in a motion's `extra`
FLOAT = 4  # bytes


class FSRTAnimator(Animator):
    """Keypoint detector, expression encoder, encoder and decoder; see `core.types.Animator`."""

    config: FSRTConfig

    def __init__(self, config: FSRTConfig, size: int = 256) -> None:
        super().__init__()
        self.config = config
        self.kp_detector = KPDetector(config)
        self.expression_encoder = ExpressionEncoder(config, self.kp_detector.predictor.out_features)
        self.encoder = ImprovedFSRTEncoder(config)
        self.decoder = ImprovedFSRTDecoder(config)
        widest = max(config.decoder.render_width, config.decoder.hidden)
        colours = f"decoder.render_mlp.{2 * (config.decoder.render_layers - 1)}"
        self.spec = AnimatorSpec(
            name="FSRT",
            size=size,
            multiple=config.multiple,
            modes=("standard", "relative"),
            several_sources=True,
            query_bytes=4 * FLOAT * widest,
            keep_in_fp32=(
                "kp_detector",
                "expression_encoder",
                "encoder",
                "decoder.allocation_transformer.input_mlp.0",
                colours,
            ),
            pose_extras=(EXPRESSION,),
        )
        self.eval()

    def prepare(self, source: Tensor) -> Prepared:
        """Encode pictures (S, 3, H, W) of one face.

        Their order does not matter, except that relative motion starts from the keypoints of the first.
        """
        prepared = super().prepare(source)
        return Prepared(prepared.motion[:1], prepared.features)

    def motion(self, driving: Tensor) -> Motion:
        """Detect keypoints of driving frames (B, 3, H, W), and their expressions, which are never relative."""
        detection = self.kp_detector(driving)
        return Motion(detection.points, extra={EXPRESSION: self.expression_encoder(detection)})

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Encode pictures (S, 3, H, W) of one face into the set latent, as the decoder's keys and values."""
        height, width = source.shape[2:]
        if height != self.spec.size:
            log.warning("FSRT was trained at %d pixels; at %d, positions are new to it.", self.spec.size, height)
        latent = self.encoder(source, motion.points, motion.extra[EXPRESSION])
        return self.decoder.prepare(latent, height, width)

    def decode(self, prepared: Prepared, motion: Motion, queries: Tensor) -> Tensor:
        """Decode the colours (N, 3) of single pixels; see `core.types.Animator`."""
        return self.decoder(prepared.features, motion.points, motion.extra[EXPRESSION], queries).clamp(0, 1)

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        """Draw the source in B poses, all pixels at once: (B, 3, H, W) in [0, 1]."""
        height, width = prepared.features[PIXELS].shape[:2]
        queries = torch.arange(motion.points.shape[0] * height * width, device=motion.points.device)
        return self.decode(prepared, motion, queries).view(-1, height, width, 3).movedim(-1, 1)
