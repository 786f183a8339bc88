"""Configuration of Articulated Animation, read off a checkpoint's tensors or from a published YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import CheckpointError
from ..core.weights.checkpoint import State
from ..core.weights.config import fill
from ..core.weights.shapes import blur_scale, generator_sizes, hourglass_sizes

PUBLISHED_SCALE = 0.25  # every published file's; stands in where a copy lost its blur kernels

BOUNDS = {  # least and most
    "num_blocks": (1, 16),
    "num_down_blocks": (0, 16),
    "num_bottleneck_blocks": (0, 64),
    "pad": (0, 64),
}


@dataclass(frozen=True, slots=True)
class RegionPredictorConfig:
    """Settings of the region predictor (`region_predictor_params`).

    Neither temperature nor `pad` can be read off tensors. The published code pads by 3 where a YAML has no `pad`; only
    vox256's has none.
    """

    block_expansion: int = 32
    max_features: int = 1024
    num_blocks: int = 5
    temperature: float = 0.1
    scale_factor: float = 0.25
    pad: int = 3


@dataclass(frozen=True, slots=True)
class FlowPredictorConfig:
    """Settings of the flow predictor (`pixelwise_flow_predictor_params`)."""

    block_expansion: int = 64
    max_features: int = 1024
    num_blocks: int = 5
    scale_factor: float = 0.25


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Settings of the generator (`generator_params`) without the flow predictor's."""

    block_expansion: int = 64
    max_features: int = 512
    num_down_blocks: int = 2
    num_bottleneck_blocks: int = 6


@dataclass(frozen=True, slots=True)
class BGPredictorConfig:
    """Settings of the background predictor (`bg_predictor_params`)."""

    block_expansion: int = 32
    max_features: int = 1024
    num_blocks: int = 5


@dataclass(frozen=True, slots=True)
class AVDConfig:
    """Settings of the AVD network (`avd_network_params`)."""

    id_bottle_size: int = 64
    pose_bottle_size: int = 64


@dataclass(frozen=True, slots=True)
class ArticulateConfig:
    """Settings of a whole model; the defaults are vox256's.

    `affine_background` and `avd` say whether there is a network for the background ("affine", else "zero") and
    one for animation via disentanglement.
    """

    num_regions: int = 10
    region_predictor: RegionPredictorConfig = RegionPredictorConfig()
    pixelwise_flow_predictor: FlowPredictorConfig = FlowPredictorConfig()
    generator: GeneratorConfig = GeneratorConfig()
    bg_predictor: BGPredictorConfig = BGPredictorConfig()
    avd_network: AVDConfig = AVDConfig()
    affine_background: bool = True
    avd: bool = True
    align_corners: bool = False

    @property
    def multiple(self) -> int:
        """Number of pixels that both sides of a picture must be a multiple of."""
        regions, flow = self.region_predictor, self.pixelwise_flow_predictor
        halvings = max(2**regions.num_blocks / regions.scale_factor, 2**flow.num_blocks / flow.scale_factor)
        return max(int(halvings), 2**self.generator.num_down_blocks)


# Settings that every published file shares, by section; networks of other kinds were never published.
FIXED = {
    "model_params": {"num_channels": 3, "estimate_affine": True, "revert_axis_swap": True},
    "region_predictor_params": {"pca_based": True},
    "generator_params": {"skips": True},
    "pixelwise_flow_predictor_params": {
        "use_deformed_source": True,
        "use_covar_heatmap": True,
        "estimate_occlusion_map": True,
    },
}
INERT = {"fast_svd"}  # changes how the published code decomposes covariances, not the result
BACKGROUNDS = {"affine": True, "zero": False}
SECTIONS = {
    "region_predictor_params": ("region_predictor", RegionPredictorConfig),
    "pixelwise_flow_predictor_params": ("pixelwise_flow_predictor", FlowPredictorConfig),
    "generator_params": ("generator", GeneratorConfig),
    "bg_predictor_params": ("bg_predictor", BGPredictorConfig),
    "avd_network_params": ("avd_network", AVDConfig),
}


def from_published(config: Mapping[str, Any]) -> ArticulateConfig:
    """Read a published YAML (`vox256.yaml` and its kin), already parsed; unknown keys are an error."""
    model = dict(config.get("model_params", config))
    generator = dict(model["generator_params"])
    model["pixelwise_flow_predictor_params"] = generator.pop("pixelwise_flow_predictor_params")
    background = dict(model.get("bg_predictor_params", {}))
    affine = background.pop("bg_type", "zero")
    if affine not in BACKGROUNDS:
        raise CheckpointError(f"bg_type is {affine!r}; only {', '.join(BACKGROUNDS)} were ever published.")
    model |= {"generator_params": generator, "bg_predictor_params": background}
    parts: dict[str, object] = {
        field: fill(kind, _varying(model.pop(name, {}), name), name) for name, (field, kind) in SECTIONS.items()
    }
    parts["affine_background"] = BACKGROUNDS[affine]
    return fill(ArticulateConfig, _varying(model, "model_params") | parts, "model_params")


def _varying(given: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Drop the settings that every published file shares from a section; CheckpointError where one differs."""
    fixed = FIXED.get(section, {})
    for name, wanted in fixed.items():
        if given.get(name, wanted) != wanted:
            raise CheckpointError(f"{section} sets {name} to {given[name]!r}; only {wanted!r} was ever published.")
    return {name: value for name, value in given.items() if name not in fixed and name not in INERT}


def from_states(components: Mapping[str, State], pad: int) -> ArticulateConfig:
    """Read every size off the tensors of a checkpoint; raises LookupError if it is not an articulated model's.

    `pad` cannot be told from them. An empty or absent background predictor is one of type "zero".
    """
    regions, generator = components["region_predictor"], components["generator"]
    flow, avd = "pixelwise_flow_predictor.", components.get("avd_network", {})
    return ArticulateConfig(
        num_regions=regions["regions.weight"].shape[0],
        region_predictor=RegionPredictorConfig(
            **hourglass_sizes(regions, "predictor."), scale_factor=blur_scale(regions, "", PUBLISHED_SCALE), pad=pad
        ),
        pixelwise_flow_predictor=FlowPredictorConfig(
            **hourglass_sizes(generator, flow + "hourglass."), scale_factor=blur_scale(generator, flow, PUBLISHED_SCALE)
        ),
        generator=GeneratorConfig(**generator_sizes(generator)),
        avd_network=AVDConfig(*(avd[f"{name}_encoder.9.weight"].shape[0] for name in ("id", "pose") if avd)),
        affine_background=bool(components.get("bg_predictor")),
        avd=bool(avd),
    )
