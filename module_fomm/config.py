"""Configuration of FOMM, read off a checkpoint's tensors or from a published YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from typing_extensions import Self

from ..core.errors import CheckpointError
from ..core.layers.antialias import blur_sigma
from ..core.layers.dense_motion import PUBLISHED_DENSE_MOTION, DenseMotionConfig
from ..core.weights.checkpoint import State
from ..core.weights.config import fill, refuse_unknown
from ..core.weights.shapes import MOBILE_SIGMA, MOBILE_TAPS, blur_scale, generator_sizes, hourglass_sizes

# Assumed where no blur kernel is stored: copies that lost their buffers exist, while weights for whole pictures
# (scale 1, which has no kernel) were never published.
PUBLISHED_SCALE = 0.25

BOUNDS = {  # least and most
    "num_kp": (1, 1000),
    "num_channels": (3, 3),
    "num_blocks": (1, 16),
    "num_down_blocks": (0, 16),
    "num_bottleneck_blocks": (0, 64),
    "pad": (0, 64),
}


@dataclass(frozen=True, slots=True)
class KPDetectorConfig:
    """Settings of the keypoint detector (`kp_detector_params`).

    The temperature cannot be read off tensors; every published file has 0.1.
    """

    block_expansion: int = 32
    max_features: int = 1024
    num_blocks: int = 5
    temperature: float = 0.1
    scale_factor: float = 0.25
    single_jacobian_map: bool = False
    pad: int = 0


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Settings of the generator (`generator_params`) without the dense motion network's.

    `RETIRED` are settings that files converted by earlier versions still state, with the one value they may have.
    """

    RETIRED: ClassVar = {"skips": False}

    block_expansion: int = 64
    max_features: int = 512
    num_down_blocks: int = 2
    num_bottleneck_blocks: int = 6
    estimate_occlusion_map: bool = True


@dataclass(frozen=True, slots=True)
class FOMMConfig:
    """Settings of a whole model. The defaults are those of vox, and of every published file but mgif.

    `align_corners` is how pictures and features are sampled along the flow: False computes what the
    published code does on today's PyTorch, True what it did on the PyTorch the weights were trained with.
    `sigma` is the blur of the anti-aliased shrinking; None derives it from the scale. `mobile_net` has all three
    networks built of depthwise-separable blocks with stacked 3x3 heads, as PaddleGAN's mobile model is.
    """

    num_kp: int = 10
    num_channels: int = 3
    estimate_jacobian: bool = True
    kp_detector: KPDetectorConfig = KPDetectorConfig()
    dense_motion: DenseMotionConfig = PUBLISHED_DENSE_MOTION
    generator: GeneratorConfig = GeneratorConfig()
    align_corners: bool = False
    sigma: float | None = None
    mobile_net: bool = False

    def at_scale(self, scale_factor: float) -> Self:
        """Return the configuration for pictures shrunk by another factor, with the weights' own blur kernel.

        Community checkpoints for 512 pixels use 0.125, which keeps keypoints and motion at 64x64.
        """
        if scale_factor == self.kp_detector.scale_factor:
            return self
        sigma = blur_sigma(self.kp_detector.scale_factor) if self.sigma is None else self.sigma
        return replace(
            self,
            kp_detector=replace(self.kp_detector, scale_factor=scale_factor),
            dense_motion=replace(self.dense_motion, scale_factor=scale_factor),
            sigma=sigma,
        )

    @property
    def multiple(self) -> int:
        """Number of pixels that both sides of a picture must be a multiple of."""
        kp, motion = self.kp_detector, self.dense_motion
        halvings = max(2**kp.num_blocks / kp.scale_factor, 2**motion.num_blocks / motion.scale_factor)
        return max(int(halvings), 2**self.generator.num_down_blocks)


def from_published(config: Mapping[str, Any]) -> FOMMConfig:
    """Read a published YAML (`vox-256.yaml` and its kin), already parsed; unknown keys are an error."""
    params = config.get("model_params", config)
    common = dict(params["common_params"])
    refuse_unknown(common, {"num_kp", "num_channels", "estimate_jacobian"}, "common_params")
    generator, detector = dict(params["generator_params"]), dict(params["kp_detector_params"])
    mobile = generator.pop("mobile_net", False)
    if detector.pop("mobile_net", False) != mobile:
        raise CheckpointError("mobile_net differs in kp_detector_params and generator_params; give both the same.")
    motion = fill(DenseMotionConfig, generator.pop("dense_motion_params"), "dense_motion_params", scale_factor=1)
    kp = fill(KPDetectorConfig, detector, "kp_detector_params", scale_factor=1)
    return FOMMConfig(
        num_kp=common.pop("num_kp"),
        num_channels=common.pop("num_channels", 3),
        estimate_jacobian=common.pop("estimate_jacobian", False),
        kp_detector=kp,
        dense_motion=motion,
        generator=fill(GeneratorConfig, generator, "generator_params", estimate_occlusion_map=False),
        sigma=MOBILE_SIGMA if mobile else None,
        mobile_net=mobile,
    )


def from_states(kp_detector: State, generator: State) -> FOMMConfig:
    """Read every size off the tensors of a checkpoint; raises KeyError if it is not a FOMM's."""
    mobile = "kp.2.weight" in kp_detector
    inner = ".2" if mobile else ""  # the last of three layers
    num_kp = kp_detector[f"kp{inner}.weight"].shape[0]
    jacobian = kp_detector.get(f"jacobian{inner}.weight")
    final = generator["final.4.weight" if mobile else "final.weight"]
    blur = kp_detector.get("down.weight")
    own_blur = mobile and (blur is None or blur.shape[-1] == MOBILE_TAPS)
    motion = "dense_motion_network."
    return FOMMConfig(
        num_kp=num_kp,
        num_channels=final.shape[0],
        estimate_jacobian=jacobian is not None,
        kp_detector=KPDetectorConfig(
            **hourglass_sizes(kp_detector, "predictor."),
            scale_factor=blur_scale(kp_detector, "", PUBLISHED_SCALE),
            single_jacobian_map=jacobian is not None and jacobian.shape[0] == 4 and num_kp > 1,
        ),
        dense_motion=DenseMotionConfig(
            **hourglass_sizes(generator, motion + "hourglass."),
            scale_factor=blur_scale(generator, motion, PUBLISHED_SCALE),
        ),
        generator=GeneratorConfig(
            **generator_sizes(generator),
            estimate_occlusion_map=motion + f"occlusion{'.4' if mobile else ''}.weight" in generator,
        ),
        sigma=MOBILE_SIGMA if own_blur else None,
        mobile_net=mobile,
    )
