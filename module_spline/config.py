"""Configuration of the Thin-Plate Spline model, read off a checkpoint's tensors or from a published YAML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import CheckpointError
from ..core.layers.dense_motion import PUBLISHED_DENSE_MOTION, DenseMotionConfig
from ..core.weights.checkpoint import State
from ..core.weights.config import fill, refuse_unknown
from ..core.weights.shapes import blur_scale, hourglass_sizes, widths

POINTS_PER_SPLINE = 5

BOUNDS = {"num_channels": (3, 3), "num_blocks": (1, 16), "num_down_blocks": (0, 16)}  # least and most


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Sizes of the inpainting network (`generator_params`)."""

    block_expansion: int = 64
    max_features: int = 512
    num_down_blocks: int = 3


@dataclass(frozen=True, slots=True)
class AVDConfig:
    """Settings of the AVD network (`avd_network_params`)."""

    id_bottle_size: int = 128
    pose_bottle_size: int = 128


@dataclass(frozen=True, slots=True)
class SplineConfig:
    """Settings of a whole model. The defaults are those of every published file.

    `width` is that of the keypoint detector's first layer; `has_avd` whether there is an AVD network.
    """

    num_tps: int = 10
    num_channels: int = 3
    width: int = 64
    generator: GeneratorConfig = GeneratorConfig()
    dense_motion: DenseMotionConfig = PUBLISHED_DENSE_MOTION
    has_avd: bool = True
    avd: AVDConfig = AVDConfig()

    def check(self) -> None:
        """Raise ValueError where the networks do not fit each other."""
        if not 1 <= self.masks_from_hourglass <= self.dense_motion.num_blocks:
            raise ValueError(
                f"{self.generator.num_down_blocks} down blocks do not go with a scale of "
                f"{self.dense_motion.scale_factor} and an hourglass of {self.dense_motion.num_blocks} blocks"
            )

    @property
    def num_points(self) -> int:
        """Keypoints of all splines together."""
        return POINTS_PER_SPLINE * self.num_tps

    @property
    def doublings(self) -> int:
        """Number of doublings from the dense motion's maps to the size of the picture."""
        return round(-math.log2(self.dense_motion.scale_factor))

    @property
    def masks_from_hourglass(self) -> int:
        """Number of occlusion masks (one per size of the inpainting network) that are no finer than the flow."""
        return self.generator.num_down_blocks + 1 - self.doublings

    @property
    def multiple(self) -> int:
        """Number of pixels that both sides of a picture must be a multiple of."""
        return 2 ** max(self.doublings + self.dense_motion.num_blocks, self.generator.num_down_blocks)


def from_published(published: Mapping[str, Any]) -> SplineConfig:
    """Read a published YAML (`vox-256.yaml` and its kin), already parsed; unknown keys are an error."""
    model = published.get("model_params", published)
    common = model.get("common_params", model)
    if common is not model:
        refuse_unknown(common, {"num_tps", "num_channels", "bg", "multi_mask"}, "common_params")
    if not common.get("multi_mask", True):
        raise CheckpointError("multi_mask is false; only models with occlusion masks of several sizes are known.")
    return SplineConfig(
        num_tps=common["num_tps"],
        num_channels=common.get("num_channels", 3),
        generator=fill(GeneratorConfig, model["generator_params"], "generator_params"),
        dense_motion=fill(DenseMotionConfig, model["dense_motion_params"], "dense_motion_params", scale_factor=1),
        avd=fill(AVDConfig, model.get("avd_network_params", {}), "avd_network_params"),
    )


def from_states(states: Mapping[str, State]) -> SplineConfig:
    """Read every size off the tensors of a checkpoint; raises KeyError if it is not a spline model's."""
    detector, inpainting, motion = (states[n] for n in ("kp_detector", "inpainting_network", "dense_motion_network"))
    avd = states.get("avd_network")
    first = inpainting["first.conv.weight"].shape[0]
    down = widths(inpainting, "down_blocks.")
    return SplineConfig(
        num_tps=detector["fg_encoder.fc.weight"].shape[0] // (2 * POINTS_PER_SPLINE),
        num_channels=inpainting["final.weight"].shape[0],
        width=detector["fg_encoder.conv1.weight"].shape[0],
        generator=GeneratorConfig(first, max(down, default=first), len(down)),
        dense_motion=DenseMotionConfig(
            **hourglass_sizes(motion, "hourglass."),
            scale_factor=blur_scale(motion, "", PUBLISHED_DENSE_MOTION.scale_factor),
        ),
        has_avd=avd is not None,
        avd=AVDConfig() if avd is None else AVDConfig(_last(avd, "id_encoder."), _last(avd, "pose_encoder.")),
    )


def _last(state: State, prefix: str) -> int:
    return state[f"{prefix}9.weight"].shape[0]
