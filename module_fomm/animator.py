"""FOMM as an `Animator`, the driver's interface."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ..core.layers.dense_motion import DenseMotion
from ..core.types import Animator, AnimatorSpec, Mapped, Motion, Prepared
from .config import FOMMConfig
from .generator import OcclusionAwareGenerator
from .keypoint_detector import KPDetector


class FOMMAnimator(Animator):
    """Keypoint detector and generator, ready to animate; see `core.types.Animator`."""

    PIXEL_WIDTHS: ClassVar = 7  # bytes that drawing takes for a pixel, in units of the generator's width
    config: FOMMConfig

    def __init__(self, config: FOMMConfig, size: int = 256, generator: OcclusionAwareGenerator | None = None) -> None:
        super().__init__()
        self.config = config
        self.kp_detector = KPDetector(config)
        self.generator = generator or OcclusionAwareGenerator(config)
        self.spec = AnimatorSpec(
            name="FOMM",
            size=size,
            multiple=config.multiple,
            modes=("relative", "standard"),
            has_flow=True,
            pixel_bytes=self.PIXEL_WIDTHS * config.generator.block_expansion,
            keep_in_fp32=("kp_detector",),
        )
        self.eval()

    def motion(self, driving: Tensor) -> Motion:
        """Detect keypoints and jacobians of driving frames (B, 3, H, W)."""
        return self.kp_detector(driving)

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Encode the source: encoder features, and a shrunken copy and heatmaps for the dense motion."""
        return self.generator.encode(source) | self.generator.dense_motion_network.encode(source, motion)

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        """Draw the source in B poses: (B, 3, H, W) in [0, 1]."""
        return self._drawn(prepared, motion)[0]

    def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
        """Draw as `render` does, with flow and occlusion map."""
        picture, dense = self._drawn(prepared, motion)
        return Mapped(picture, self.generator.maps(dense, picture))

    def _drawn(self, prepared: Prepared, motion: Motion) -> tuple[Tensor, DenseMotion]:
        dense = self.generator.dense_motion_network(prepared.features, prepared.motion, motion)
        return self.generator.decode(prepared.features, dense), dense
