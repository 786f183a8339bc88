"""MRFA as an `Animator`, the driver's interface."""

from __future__ import annotations

from torch import Tensor

from ..core.types import FLOW, OCCLUSION, Animator, AnimatorSpec, Mapped, Motion, Prepared
from .config import MRFAConfig
from .correlation import destinations
from .model import MRFA
from .raft_flow import Step

FRAME, BACKGROUND = "frame", "background"  # in a motion's `extra`


class MRFAAnimator(Animator):
    """MRFA's network; see `core.types.Animator`."""

    config: MRFAConfig

    def __init__(self, config: MRFAConfig) -> None:
        super().__init__()
        self.config = config
        self.model = MRFA(config)
        self.spec = AnimatorSpec(
            name="MRFA",
            size=config.size,
            multiple=config.size,
            modes=("relative", "standard"),
            has_background=config.has_background,
            fixed_size=True,
            has_flow=True,
            pixel_bytes=82 * config.generator.block_expansion,
            keep_in_fp32=("model.encoder", "model.bg_predictor") if config.has_background else ("model.encoder",),
        )
        self.eval()

    def motion(self, driving: Tensor) -> Motion:
        """Detect keypoints and jacobians of driving frames (B, 3, H, W); keep the frames for a background predictor."""
        motion = self.model.encoder(driving)
        return Motion(motion.points, motion.jacobians, {FRAME: driving} if self.config.has_background else {})

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Encode the source: its feature pyramid and structure."""
        return self.model.encode(source, motion.points)

    def move_background(self, prepared: Prepared, motion: Motion) -> Motion:
        """Add the background's motion (B, 3, 3) to B driving motions; only with weights that can predict it."""
        assert self.model.bg_predictor is not None  # the spec offers it only then
        frames = motion.extra[FRAME]
        matrix = self.model.bg_predictor(prepared.features["source"].expand_as(frames), frames)
        return Motion(motion.points, motion.jacobians, {**motion.extra, BACKGROUND: matrix})

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        """Draw the source in B poses: (B, 3, H, W) in [0, 1]."""
        return self._drawn(prepared, motion)[0]

    def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
        """Draw as `render` does, with the flow and occlusion map of the last refinement."""
        picture, step = self._drawn(prepared, motion)
        return Mapped(picture, {FLOW: destinations(step.flow), OCCLUSION: step.occlusion.float()})

    def _drawn(self, prepared: Prepared, motion: Motion) -> tuple[Tensor, Step]:
        features = prepared.features
        prior = self.model.dense_motion(
            features["small"], features["heatmaps"], prepared.motion, motion, motion.extra.get(BACKGROUND)
        )
        return self.model.decoder(features, motion.points, prior)
