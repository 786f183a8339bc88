"""Articulated Animation as an `Animator`, the driver's interface."""

from __future__ import annotations

from torch import Tensor

from ..core.layers.decoder import last_convolutions
from ..core.layers.dense_motion import DenseMotion
from ..core.types import Animator, AnimatorSpec, Mapped, Motion, Prepared
from .avd import RegionAVDNetwork
from .config import ArticulateConfig
from .generator import Generator
from .region_predictor import COVARIANCE, RegionPredictor


class ArticulateAnimator(Animator):
    """Region predictor, generator and, where the weights have one, AVD network; see `core.types.Animator`."""

    config: ArticulateConfig

    def __init__(self, config: ArticulateConfig, size: int = 256) -> None:
        super().__init__()
        self.config = config
        self.region_predictor = RegionPredictor(config)
        self.generator = Generator(config)
        self.avd_network = RegionAVDNetwork(config.num_regions, config.avd_network) if config.avd else None
        self.spec = AnimatorSpec(
            name="Articulated Animation",
            size=size,
            multiple=config.multiple,
            modes=("avd", "relative", "standard") if config.avd else ("relative", "standard"),
            has_flow=True,
            pixel_bytes=15 * config.generator.block_expansion,
            keep_in_fp32=("region_predictor", *(["avd_network"] if config.avd else [])),
            keep_in_tf32=(
                *last_convolutions("generator.bottleneck", config.generator.num_bottleneck_blocks, 5),
                "generator.up_blocks",
            ),
            pose_extras=(COVARIANCE,),
            unsigned_frames=True,
        )
        self.eval()

    def motion(self, driving: Tensor) -> Motion:
        """Predict shifts, affines and covariances of driving frames (B, 3, H, W)."""
        return self.region_predictor(driving)

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Encode the source: its regions' heatmaps, its encoder features and its shrunken copy."""
        return self.generator.encode(source) | self.generator.pixelwise_flow_predictor.encode(source, motion)

    def avd(self, prepared: Prepared, motion: Motion) -> Motion:
        """Bring B driving poses into the source's own shape."""
        assert self.avd_network is not None  # `spec.modes` would not offer it
        return self.avd_network.retarget(prepared.motion, motion)

    def render(self, prepared: Prepared, motion: Motion, background: Tensor | None = None) -> Tensor:
        """Draw the source in B poses: (B, 3, H, W) in [0, 1].

        `background` (B, 3, 3) from a `BGMotionPredictor` is for reconstructing the source's own video.
        """
        return self._drawn(prepared, motion, background)[0]

    def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
        """Draw as `render` does, with flow and occlusion map."""
        picture, dense = self._drawn(prepared, motion, None)
        return Mapped(picture, self.generator.maps(dense, picture))

    def _drawn(self, prepared: Prepared, motion: Motion, background: Tensor | None) -> tuple[Tensor, DenseMotion]:
        features = prepared.features
        dense = self.generator.pixelwise_flow_predictor(
            features["small"], features["heatmaps"], prepared.motion, motion, background
        )
        return self.generator.decode(features, dense), dense
