"""Channel pruning: a FOMM rebuilt slimmer, of the channels whose filters have the largest L1 norms (Li et al. 2017).

The result is an ordinary FOMM of smaller widths. Norms are taken of filters with the batch norms behind them folded in,
for that is what reaches the next layer. Channels that are added to each other go together: those of the residual stream
count by all the layers that write to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from ..core.errors import InputError
from ..core.layers.blocks import ResBlock2d, SameBlock2d
from ..core.layers.dense_motion import DenseMotionConfig
from ..core.layers.hourglass import Hourglass
from ..core.weights.checkpoint import Checkpoint
from ..core.weights.config import to_metadata
from ..core.weights.convert import to_safetensors
from ..module_fomm.animator import FOMMAnimator
from ..module_fomm.architecture import FOMM, PARTS
from ..module_fomm.config import FOMMConfig, GeneratorConfig, KPDetectorConfig
from ..module_fomm.dense_motion import DenseMotionNetwork
from ..module_fomm.generator import OcclusionAwareGenerator
from ..module_fomm.keypoint_detector import KPDetector

Part = TypeVar("Part", KPDetectorConfig, DenseMotionConfig, GeneratorConfig)
Layer = TypeVar("Layer", bound=nn.Module)

LEAST, INNER = 16, 4
"""Channels below which a layer saves no time worth having, and how many times as many the innermost ones need."""


@dataclass(frozen=True, slots=True)
class Slimming:
    """Amount of a network that is kept.

    That is a share of the channels by layer, but `least` at full size and INNER times as many where maps are smallest,
    of layers that have so many.

    `blocks` is the number of residual blocks, None for all.
    """

    keep: float = 0.5
    least: int = LEAST
    blocks: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise InputError(f"is {self.keep:g}; a share above 0, up to 1, was wanted. Choose another.", "keep")
        for name, value, bound in (("least", self.least, 1), ("blocks", self.blocks, 0)):
            if value is not None and value < bound:
                raise InputError(f"is {value}; {bound} or more was wanted. Choose another number.", name)

    def of(self, config: FOMMConfig) -> FOMMConfig:
        """Return the configuration of what is kept."""
        kp, motion, generator = config.kp_detector, config.dense_motion, config.generator
        slim = self._narrower(generator, generator.num_down_blocks)
        if self.blocks is not None:
            slim = replace(slim, num_bottleneck_blocks=min(self.blocks, generator.num_bottleneck_blocks))
        return replace(
            config,
            kp_detector=self._narrower(kp, kp.num_blocks),
            dense_motion=self._narrower(motion, motion.num_blocks),
            generator=slim,
        )

    def _narrower(self, part: Part, doublings: int) -> Part:
        first = part.block_expansion
        widest = min(part.max_features, first * 2**doublings)  # files without a description tell no more
        return replace(
            part,
            block_expansion=self._width(first, self.least),
            max_features=self._width(widest, INNER * self.least),
        )

    def _width(self, width: int, least: int) -> int:
        return max(round(width * self.keep), min(width, least))


@torch.no_grad()
def prune(wide: FOMMAnimator, config: FOMMConfig) -> FOMMAnimator:
    """Build a model of a configuration that is nowhere wider than a loaded model's, from the largest of its channels.

    Batch norms keep the statistics that their channels had, so the result wants fine-tuning.

    Raises InputError for mobile models, whose channels cannot be told apart by the filters in front of them.
    """
    if wide.config.mobile_net:
        raise InputError(
            "is a mobile FOMM, which pruning cannot take; a plain one was wanted. Choose another.", "checkpoint"
        )
    narrow = FOMMAnimator(config, wide.spec.size)
    _detector(wide.kp_detector, narrow.kp_detector)
    _dense_motion(wide.generator.dense_motion_network, narrow.generator.dense_motion_network)
    _generator(wide.generator, narrow.generator)
    return narrow


def write(model: FOMMAnimator, path: Path, dtype: torch.dtype | None = None) -> None:
    """Write a model as a file that loads everywhere; CheckpointError if it cannot be. `dtype` converts its numbers."""
    states = {part: model.get_submodule(part).state_dict() for part in PARTS}
    to_safetensors(Checkpoint(path, states), path, dtype, to_metadata(FOMM.id, model.config, model.spec.size))


def count_weights(model: nn.Module) -> int:
    """Count the numbers that training sets."""
    return sum(value.numel() for value in model.parameters())


def _detector(wide: KPDetector, narrow: KPDetector) -> None:
    features = _hourglass(wide.predictor, narrow.predictor)
    _copy_heads([(wide.kp, narrow.kp), (wide.jacobian, narrow.jacobian)], features)
    narrow.down.load_state_dict(wide.down.state_dict())


def _dense_motion(wide: DenseMotionNetwork, narrow: DenseMotionNetwork) -> None:
    features = _hourglass(wide.hourglass, narrow.hourglass)
    _copy_heads([(wide.mask, narrow.mask), (wide.occlusion, narrow.occlusion)], features)
    narrow.down.load_state_dict(wide.down.state_dict())


def _generator(wide: OcclusionAwareGenerator, narrow: OcclusionAwareGenerator) -> None:
    residual = _kept_blocks(wide.bottleneck, len(narrow.bottleneck))
    first, last = cast(SameBlock2d, wide.first), cast(SameBlock2d, narrow.first)
    encoders = [*zip([first, *_each(wide.down_blocks)], [last, *_each(narrow.down_blocks)], strict=True)]
    kept = _all(first.conv.in_channels)
    for block, slim in encoders[:-1]:
        kept = _copy_block(block, slim, kept)
    block, slim = encoders[-1]
    written = norms_of(block.conv, block.norm) + sum(norms_of(inner.conv2) for inner in residual)
    stream = largest(written, slim.conv.out_channels)
    _copy_block(block, slim, kept, stream)
    for inner, slim in zip(residual, cast(Iterable[ResBlock2d], narrow.bottleneck), strict=True):
        _copy_residual(inner, slim, stream)
    kept = stream
    for block, slim in zip(_each(wide.up_blocks), _each(narrow.up_blocks), strict=True):
        kept = _copy_block(block, slim, kept)
    _copy_heads([(wide.final, narrow.final)], kept)


def _hourglass(wide: Hourglass, narrow: Hourglass) -> Tensor:
    """Copy what is kept of an hourglass; returns the numbers of the channels that are left of its output."""
    inner = [*_each(wide.encoder.down_blocks)]
    maps = [_all(inner[0].conv.in_channels)]  # of which none is dropped
    for block, slim in zip(inner, _each(narrow.encoder.down_blocks), strict=True):
        maps.append(_copy_block(block, slim, maps[-1]))
    given = maps.pop()
    for block, slim in zip(_each(wide.decoder.up_blocks), _each(narrow.decoder.up_blocks), strict=True):
        kept = _copy_block(block, slim, given)
        given = torch.cat([kept, block.conv.out_channels + maps.pop()])  # the encoder's map lies behind
    return given


def norms_of(conv: nn.Conv2d, norm: nn.Module | None = None) -> Tensor:
    """Sum up the absolute weights of every filter (N), times what the batch norm behind multiplies it by."""
    sums = conv.weight.abs().flatten(1).sum(1)
    if isinstance(norm, nn.BatchNorm2d):
        assert norm.running_var is not None
        sums = sums * norm.weight.abs() / (norm.running_var + norm.eps).sqrt()
    return sums


def largest(norms: Tensor, count: int) -> Tensor:
    """Return the numbers of the channels with the `count` largest norms, in their order."""
    return norms.topk(count).indices.sort().values


def _kept_blocks(bottleneck: nn.Sequential, count: int) -> list[ResBlock2d]:
    """Choose the residual blocks that add most to the stream, in their order."""
    blocks = [*cast(Iterable[ResBlock2d], bottleneck)]
    if not blocks:
        return []
    added = torch.stack([norms_of(block.conv2).sum() for block in blocks])
    return [blocks[int(number)] for number in largest(added, count)]


def _copy_block(wide: SameBlock2d, narrow: SameBlock2d, given: Tensor, kept: Tensor | None = None) -> Tensor:
    """Copy a convolution with its norm; returns the numbers of the channels that it keeps."""
    if kept is None:
        kept = largest(norms_of(wide.conv, wide.norm), narrow.conv.out_channels)
    _copy(wide.conv, narrow.conv, kept, given)
    _copy(wide.norm, narrow.norm, kept)
    return kept


def _copy_residual(wide: ResBlock2d, narrow: ResBlock2d, stream: Tensor) -> None:
    inner = largest(norms_of(wide.conv1, wide.norm2), narrow.conv1.out_channels)
    _copy(wide.norm1, narrow.norm1, stream)
    _copy(wide.conv1, narrow.conv1, inner, stream)
    _copy(wide.norm2, narrow.norm2, inner)
    _copy(wide.conv2, narrow.conv2, stream, inner)


def _copy_heads(heads: Sequence[tuple[nn.Module | None, nn.Module | None]], given: Tensor) -> None:
    """Copy layers that put out what is no choice: keypoints, masks, colours."""
    for wide, narrow in heads:
        if wide is not None and narrow is not None:
            _copy(wide, narrow, _all(cast(nn.Conv2d, wide).out_channels), given)


def _copy(wide: Layer, narrow: Layer, kept: Tensor, given: Tensor | None = None) -> None:
    """Copy the tensors of a layer for the channels that it keeps, of those that it is given."""
    own = narrow.state_dict()
    for name, value in wide.state_dict().items():
        if value.ndim > 1 and given is not None:
            value = value[:, given]
        own[name].copy_(value[kept] if value.ndim else value)


def _all(channels: int) -> Tensor:
    return torch.arange(channels)


def _each(blocks: nn.ModuleList) -> Iterable[SameBlock2d]:
    return cast(Iterable[SameBlock2d], blocks)
