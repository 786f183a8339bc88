"""Configuration of MRFA, read off a checkpoint's tensors or from a published YAML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import CheckpointError
from ..core.layers.dense_motion import PUBLISHED_DENSE_MOTION, DenseMotionConfig
from ..core.weights.checkpoint import State
from ..core.weights.config import fill, refuse_unknown
from ..core.weights.shapes import count_numbered, hourglass_sizes, widths

PUBLISHED_SIZE = 256
SHRINK = 4  # side of a picture over side of the maps that keypoints, prior and structures are worked out on
DEFAULT_WIDTH = 64  # of the background predictor
BACKGROUND_KEY = "bg_predictor.bg_encoder.conv1.weight"
PRIOR = "mtia"  # the published files' keypoint encoder, of three that the published code knows
RAFT_KEYS = {"prior_only", "num_kp", "dim", "size", "generator", "driving_encoder", "source_encoder"}

BOUNDS = {  # least and most
    "num_kp": (1, 1000),
    "num_blocks": (1, 16),
    "blocks": (1, 16),
    "modules": (1, 16),
    "depth": (1, 64),
    "heads": (1, 256),
    "mlp_ratio": (1, 64),
    "patch": (1, 256),
}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Sizes of the keypoint encoder. `width` is that of the HRNet's finest branch, of `blocks` in each module;
    `modules` counts those of its last stage. Tokens are `patch` cells wide. `heads` cannot be read off tensors.
    """

    width: int = 32
    blocks: int = 4
    modules: int = 4
    dim: int = 192
    depth: int = 12
    heads: int = 8
    mlp_ratio: int = 3
    patch: int = 4


@dataclass(frozen=True, slots=True)
class StructureConfig:
    """Sizes of the structure encoders' hourglasses; `dim` is the length of the vectors that are compared."""

    block_expansion: int = 32
    max_features: int = 512
    num_blocks: int = 5
    dim: int = 256


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Sizes of the feature pyramid; there is one refinement for each of its num_blocks + 1 maps."""

    block_expansion: int = 64
    max_features: int = 512
    num_blocks: int = 5

    @property
    def widths(self) -> list[int]:
        """Channels of the pyramid's maps, finest first."""
        return [min(self.max_features, self.block_expansion * 2**i) for i in range(self.num_blocks + 1)]


@dataclass(frozen=True, slots=True)
class MRFAConfig:
    """Settings of a whole model. The defaults are those of vox; celebvhq has a background predictor beside them.

    `size` is the side in pixels of the only pictures the network can work on, `refine_width` the width of most of the
    refinement's layers, from which the others follow.
    """

    size: int = PUBLISHED_SIZE
    num_kp: int = 10
    encoder: EncoderConfig = EncoderConfig()
    dense_motion: DenseMotionConfig = PUBLISHED_DENSE_MOTION
    structure: StructureConfig = StructureConfig()
    generator: GeneratorConfig = GeneratorConfig()
    refine_width: int = 128
    has_background: bool = False
    background_width: int = DEFAULT_WIDTH

    def check(self) -> None:
        """Raise ValueError where sizes do not go together."""
        if self.dense_motion.scale_factor != 1 / SHRINK:
            raise ValueError(f"the scale is {self.dense_motion.scale_factor}; {1 / SHRINK} was expected")
        halvings = max(self.dense_motion.num_blocks, self.structure.num_blocks, 2)
        multiple = SHRINK * math.lcm(2**halvings, self.encoder.patch)
        if self.size % multiple or self.size < 2 * 2**self.generator.num_blocks or self.generator.num_blocks < 2:
            raise ValueError(f"pictures of {self.size} pixels do not go with {multiple}-pixel cells of the networks")
        if self.encoder.dim % 4 or self.encoder.dim % self.encoder.heads:
            raise ValueError(f"tokens of {self.encoder.dim} numbers do not divide among {self.encoder.heads} heads")

    @property
    def context(self) -> int:
        """Channels of the source's context features, which the refinement sees."""
        return 3 * self.refine_width // 2

    @property
    def side(self) -> int:
        """Side of the maps that keypoints, prior and structures are worked out on."""
        return self.size // SHRINK


def from_published(published: Mapping[str, Any]) -> MRFAConfig:
    """Read a published YAML (`vox1.yaml`, `celebvhq.yaml`), already parsed.

    It describes three kinds of keypoint encoder; `train_params` tells which one was trained.
    """
    prior = published["train_params"]["prior_model"]
    if prior != PRIOR:
        raise CheckpointError(f"prior_model is {prior!r}; only {PRIOR!r} was ever published")
    raft, detector, motion = published["raft_flow"], published["mtia_kp_detector"]["MODEL"], published["dense_motion"]
    refuse_unknown(raft, RAFT_KEYS, "raft_flow")
    if raft.get("prior_only"):
        raise CheckpointError("prior_only is true; only models with refinement were published")
    pyramid, driving = raft["generator"], raft["driving_encoder"]
    return MRFAConfig(
        size=raft["size"],
        num_kp=raft["num_kp"],
        encoder=EncoderConfig(
            width=detector["BASE_CHANNEL"],
            blocks=detector["EXTRA"]["STAGE3"]["NUM_BLOCKS"][0],
            modules=detector["EXTRA"]["STAGE3"]["NUM_MODULES"],
            dim=detector["DIM"],
            depth=detector["TRANSFORMER_DEPTH"],
            heads=detector["TRANSFORMER_HEADS"],
            mlp_ratio=detector["TRANSFORMER_MLP_RATIO"],
            patch=detector["PATCH_SIZE"][0],
        ),
        dense_motion=fill(
            DenseMotionConfig,
            _without(motion, "num_kp", "num_channels", "estimate_occlusion_map"),
            "dense_motion",
        ),
        structure=fill(StructureConfig, _without(driving, "in_features"), "driving_encoder", dim=raft["dim"]),
        generator=GeneratorConfig(pyramid["block_expansion"], pyramid["max_features"], pyramid["num_up_blocks"]),
        has_background=False,  # of both files' YAML alike; the tensors tell
    )


def _without(section: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name not in names}


def from_state(state: State) -> MRFAConfig:
    """Read every size but the number of heads off the tensors of a checkpoint; raises KeyError if some lack."""
    token = state["encoder.transformer.keypoint_token"].shape
    trunk, layers = "encoder.pre_feature.", "encoder.transformer.transformer.layers."
    width = state[trunk + "stage2.0.branches.0.0.conv1.weight"].shape[0]
    background = state.get(BACKGROUND_KEY)
    first, down = state["decoder.generator.first.conv.weight"].shape[0], widths(state, "decoder.generator.down_blocks.")
    return MRFAConfig(
        size=SHRINK * state["decoder.pos_embedding"].shape[-1],
        num_kp=token[1] // 2,
        encoder=EncoderConfig(
            width=width,
            blocks=count_numbered(state, trunk + "stage2.0.branches.0.{}.conv1.weight"),
            modules=count_numbered(state, trunk + "stage3.{}.branches.0.0.conv1.weight"),
            dim=token[2],
            depth=count_numbered(state, layers + "{}.0.fn.norm.weight"),
            mlp_ratio=state[layers + "0.1.fn.fn.net.0.weight"].shape[0] // token[2],
            patch=math.isqrt(state["encoder.transformer.patch_to_embedding.weight"].shape[1] // width),
        ),
        dense_motion=DenseMotionConfig(**hourglass_sizes(state, "dense_motion.hourglass.")),
        structure=StructureConfig(
            **hourglass_sizes(state, "decoder.kp."), dim=state["decoder.kp_head.weight"].shape[0]
        ),
        generator=GeneratorConfig(first, max(down, default=first), len(down)),
        refine_width=state["decoder.refine.convc1.weight"].shape[0],
        has_background=background is not None,
        background_width=DEFAULT_WIDTH if background is None else background.shape[0],
    )
