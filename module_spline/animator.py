"""Thin-Plate Spline Motion Model as an `Animator`, the driver's interface."""

from __future__ import annotations

from torch import Tensor

from ..core.layers.mlp import AVDNetwork
from ..core.types import Animator, AnimatorSpec, Mapped, Motion, Prepared
from .config import SplineConfig
from .dense_motion import DenseMotion, DenseMotionNetwork
from .inpainting import InpaintingNetwork
from .keypoint_detector import KPDetector


class SplineAnimator(Animator):
    """Keypoint detector, dense motion, inpainting and perhaps AVD; see `core.types.Animator`."""

    config: SplineConfig

    avd_network: AVDNetwork | None

    def __init__(self, config: SplineConfig, size: int = 256) -> None:
        super().__init__()
        self.config = config
        self.kp_detector = KPDetector(config)
        self.dense_motion_network = DenseMotionNetwork(config)
        self.inpainting_network = InpaintingNetwork(config)
        bottles = config.avd.id_bottle_size, config.avd.pose_bottle_size
        self.avd_network = AVDNetwork(2 * config.num_points, *bottles) if config.has_avd else None
        self.spec = AnimatorSpec(
            name="Thin-Plate Spline",
            size=size,
            multiple=config.multiple,
            modes=("relative", "standard", "avd") if config.has_avd else ("relative", "standard"),
            has_flow=True,
            pixel_bytes=21 * config.generator.block_expansion,
            keep_in_fp32=("kp_detector", *(["avd_network"] if config.has_avd else [])),
            keep_in_tf32=("dense_motion_network",),
        )
        self.eval()

    def motion(self, driving: Tensor) -> Motion:
        """Detect keypoints of driving frames (B, 3, H, W)."""
        return Motion(self.kp_detector(driving))

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Encode the source: its keypoints' heatmaps, its small copy and its encoder features at every size."""
        return self.inpainting_network.encode(source) | self.dense_motion_network.encode(source, motion.points)

    def avd(self, prepared: Prepared, motion: Motion) -> Motion:
        """Bring B driving poses into the source's own shape, by the AVD network, which must be there."""
        assert self.avd_network is not None  # the spec offers the mode only with it
        rows = self.avd_network(prepared.motion.points.flatten(1), motion.points.flatten(1))
        return Motion(rows.view_as(motion.points))

    def render(self, prepared: Prepared, motion: Motion, background: Tensor | None = None) -> Tensor:
        """Draw the source in B poses: (B, 3, H, W) in [0, 1].

        `background` (B, 3, 3) from a `BGMotionPredictor` is for reconstructing the source's own video.
        """
        return self._drawn(prepared, motion, background)[0]

    def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
        """Draw as `render` does, with the flow and the finest occlusion map."""
        picture, dense = self._drawn(prepared, motion, None)
        return Mapped(picture, dense.maps((picture.shape[2], picture.shape[3])))

    def _drawn(self, prepared: Prepared, motion: Motion, background: Tensor | None) -> tuple[Tensor, DenseMotion]:
        dense = self.dense_motion_network(prepared.features, prepared.motion.points, motion.points, background)
        return self.inpainting_network.decode(prepared.features, dense), dense
