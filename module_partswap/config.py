"""Configuration of Part Swap, read off a checkpoint's tensors, from a published YAML, or derived from a FOMM's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import CheckpointError
from ..core.layers.antialias import blur_sigma
from ..core.layers.dense_motion import PUBLISHED_DENSE_MOTION, DenseMotionConfig
from ..core.weights.checkpoint import State
from ..core.weights.config import fill, refuse_unknown
from ..core.weights.shapes import blur_scale, generator_sizes, hourglass_sizes
from ..module_fomm.config import FOMMConfig, GeneratorConfig

PUBLISHED_SCALE = 0.25  # every published file's; stands in where a copy lost its blur kernels

BOUNDS = {  # least and most
    "num_segments": (1, 1000),
    "num_channels": (3, 3),
    "num_blocks": (1, 16),
    "num_down_blocks": (0, 16),
    "num_bottleneck_blocks": (0, 64),
}


@dataclass(frozen=True, slots=True)
class SegmentationConfig:
    """Settings of the segmentation module (`segmentation_module_params`).

    The temperature cannot be read off tensors; every published file has 0.1.
    """

    block_expansion: int = 32
    max_features: int = 1024
    num_blocks: int = 5
    temperature: float = 0.1
    scale_factor: float = 0.25


@dataclass(frozen=True, slots=True)
class ReconstructionConfig:
    """Settings of the reconstruction module (`reconstruction_module_params`)."""

    block_expansion: int = 64
    max_features: int = 512
    num_down_blocks: int = 2
    num_bottleneck_blocks: int = 6
    estimate_visibility: bool = True


@dataclass(frozen=True, slots=True)
class PartSwapConfig:
    """Settings of a whole model; the defaults are those of vox-10segments.

    `first_order`: the flow comes from FOMM's dense motion network instead of the segments. `has_segments`: there
    is a head for segments, which plain FOMM weights lack. `align_corners` and `sigma` are as in `FOMMConfig`.
    """

    num_segments: int = 10
    num_channels: int = 3
    estimate_affine_part: bool = True
    segmentation_module: SegmentationConfig = SegmentationConfig()
    reconstruction_module: ReconstructionConfig = ReconstructionConfig()
    dense_motion: DenseMotionConfig = PUBLISHED_DENSE_MOTION
    first_order: bool = False
    has_segments: bool = True
    align_corners: bool = False
    sigma: float | None = None

    def at_scale(self, scale_factor: float) -> PartSwapConfig:
        """Return the configuration for pictures shrunk by another factor, with the weights' own blur kernel."""
        if scale_factor == self.segmentation_module.scale_factor:
            return self
        sigma = blur_sigma(self.segmentation_module.scale_factor) if self.sigma is None else self.sigma
        return replace(
            self,
            segmentation_module=replace(self.segmentation_module, scale_factor=scale_factor),
            dense_motion=replace(self.dense_motion, scale_factor=scale_factor),
            sigma=sigma,
        )

    @property
    def fomm(self) -> FOMMConfig:
        """Configuration of a FOMM with these settings, for its dense motion network."""
        return FOMMConfig(
            num_kp=self.num_segments,
            num_channels=self.num_channels,
            estimate_jacobian=self.estimate_affine_part,
            dense_motion=self.dense_motion,
            generator=GeneratorConfig(estimate_occlusion_map=self.reconstruction_module.estimate_visibility),
            align_corners=self.align_corners,
            sigma=self.sigma,
        )

    @property
    def multiple(self) -> int:
        """Number of pixels that both sides of a picture must be a multiple of."""
        segments, motion = self.segmentation_module, self.dense_motion
        halvings = 2**segments.num_blocks / segments.scale_factor
        if self.first_order:
            halvings = max(halvings, 2**motion.num_blocks / motion.scale_factor)
        return max(int(halvings), 2**self.reconstruction_module.num_down_blocks)


def from_published(config: Mapping[str, Any]) -> PartSwapConfig:
    """Read a published YAML (`vox-256-sem-10segments.yaml` and its kin), already parsed; unknown keys are an error.

    `first_order_motion_model`, which the published tool takes as an option, may stand beside its sections.
    """
    params = config.get("model_params", config)
    common = dict(params["common_params"])
    refuse_unknown(common, {"num_segments", "num_channels", "estimate_affine_part"}, "common_params")
    return PartSwapConfig(
        num_segments=common["num_segments"],
        num_channels=common.get("num_channels", 3),
        estimate_affine_part=common.get("estimate_affine_part", False),
        segmentation_module=fill(
            SegmentationConfig, params["segmentation_module_params"], "segmentation_module_params", scale_factor=1
        ),
        reconstruction_module=fill(
            ReconstructionConfig,
            params["reconstruction_module_params"],
            "reconstruction_module_params",
            estimate_visibility=False,
        ),
        first_order=params.get("first_order_motion_model", False),
    )


def from_states(states: Mapping[str, State]) -> PartSwapConfig:
    """Read every size off tensors in the first published layout; raises KeyError if they are not a part swap's."""
    segmentation, reconstruction = states["segmentation_module"], states["reconstruction_module"]
    motion = "dense_motion_network."
    first_order = motion + "mask.weight" in reconstruction
    visible = motion + "occlusion.weight" in reconstruction if first_order else True
    published = PUBLISHED_DENSE_MOTION
    if first_order:
        published = DenseMotionConfig(
            **hourglass_sizes(reconstruction, motion + "hourglass."),
            scale_factor=blur_scale(reconstruction, motion, PUBLISHED_SCALE),
        )
    return PartSwapConfig(
        num_segments=segmentation["shift.weight"].shape[0],
        num_channels=reconstruction["final.weight"].shape[0],
        estimate_affine_part="affine.weight" in segmentation,
        segmentation_module=SegmentationConfig(
            **hourglass_sizes(segmentation, "predictor."), scale_factor=blur_scale(segmentation, "", PUBLISHED_SCALE)
        ),
        reconstruction_module=ReconstructionConfig(**generator_sizes(reconstruction), estimate_visibility=visible),
        dense_motion=published,
        first_order=first_order,
        has_segments="segmentation.weight" in segmentation,
    )


def from_fomm(config: FOMMConfig) -> PartSwapConfig:
    """Derive the configuration from a FOMM's. Its detector's padding is dropped: part swap always pads by 3."""
    kp, generator = config.kp_detector, config.generator
    if kp.single_jacobian_map:
        raise CheckpointError("a FOMM with one jacobian for all keypoints cannot swap parts")
    return PartSwapConfig(
        num_segments=config.num_kp,
        num_channels=config.num_channels,
        estimate_affine_part=config.estimate_jacobian,
        segmentation_module=SegmentationConfig(
            kp.block_expansion, kp.max_features, kp.num_blocks, kp.temperature, kp.scale_factor
        ),
        reconstruction_module=ReconstructionConfig(
            generator.block_expansion,
            generator.max_features,
            generator.num_down_blocks,
            generator.num_bottleneck_blocks,
            generator.estimate_occlusion_map,
        ),
        dense_motion=config.dense_motion,
        first_order=True,
        has_segments=False,
        align_corners=config.align_corners,
        sigma=config.sigma,
    )
