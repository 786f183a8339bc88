"""Channel pruning: nothing that counts is lost, what goes together stays together, and what comes out is a FOMM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.registry import load_animator
from first_order_motion.core.errors import InputError
from first_order_motion.core.layers.blocks import ResBlock2d, SameBlock2d
from first_order_motion.core.types import Animator
from first_order_motion.core.weights.checkpoint import read_checkpoint
from first_order_motion.deploy.compress import LEAST, Slimming, count_weights, largest, norms_of, prune, write
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.config import DenseMotionConfig, FOMMConfig, GeneratorConfig, KPDetectorConfig
from first_order_motion.training.preview import transfer
from support.architectures import FOMM, FOMM_LIKE_MGIF, FOMM_POINTS_ONLY, SIDE, seeded
from torch import Tensor, nn

HALF = Slimming(0.5, least=1)
PUBLISHED = FOMMConfig()


def network(config: FOMMConfig = FOMM) -> FOMMAnimator:
    return seeded(FOMMAnimator(config, SIDE))  # type: ignore[return-value]


def drawn_by(model: Animator) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return transfer(model, *torch.rand(2, 2, 3, SIDE, SIDE, generator=generator).unbind())


@torch.no_grad()
def silence(model: nn.Module) -> None:
    """Have every second channel of every block put out nothing, whatever it is given."""

    def still(*tensors: Tensor | None) -> None:
        for tensor in tensors:
            if tensor is not None:
                tensor[1::2] = 0

    for block in model.modules():
        if isinstance(block, SameBlock2d):
            assert isinstance(block.norm, nn.BatchNorm2d)
            still(block.conv.weight, block.norm.weight, block.norm.bias)
        elif isinstance(block, ResBlock2d):
            assert isinstance(block.norm1, nn.BatchNorm2d) and isinstance(block.norm2, nn.BatchNorm2d)
            still(block.norm1.weight, block.norm1.bias, block.norm2.weight, block.norm2.bias)
            still(block.conv1.weight, block.conv2.weight, block.conv2.bias)


@pytest.mark.parametrize("config", [FOMM, FOMM_LIKE_MGIF, FOMM_POINTS_ONLY])
def test_channels_that_put_out_nothing_are_those_left_out_and_nothing_changes(config: FOMMConfig) -> None:
    model = network(config)
    silence(model)
    small = prune(model, HALF.of(config))
    assert count_weights(small) < 0.5 * count_weights(model)
    torch.testing.assert_close(drawn_by(small), drawn_by(model), rtol=0, atol=1e-5)


@pytest.mark.parametrize("downs", [0, 1])
def test_the_stream_may_begin_at_any_depth(downs: int) -> None:
    config = replace(FOMM, generator=replace(FOMM.generator, num_down_blocks=downs))
    model = network(config)
    silence(model)
    torch.testing.assert_close(drawn_by(prune(model, HALF.of(config))), drawn_by(model), rtol=0, atol=1e-5)


def test_keeping_all_is_the_same_model() -> None:
    model = network()
    assert torch.equal(drawn_by(prune(model, Slimming(1.0).of(FOMM))), drawn_by(model))


def test_the_residual_block_that_adds_least_goes() -> None:
    config = replace(FOMM, generator=replace(FOMM.generator, num_bottleneck_blocks=3))
    model = network(config)
    idle = model.generator.bottleneck[1]
    assert isinstance(idle, ResBlock2d) and idle.conv2.bias is not None
    nn.init.zeros_(idle.conv2.weight)
    nn.init.zeros_(idle.conv2.bias)
    small = prune(model, Slimming(1.0, blocks=2).of(config))
    assert len(small.generator.bottleneck) == 2
    torch.testing.assert_close(drawn_by(small), drawn_by(model), rtol=0, atol=1e-6)


def test_channels_count_by_their_filters_with_the_norm_behind() -> None:
    conv, norm = nn.Conv2d(1, 3, 1, bias=False), nn.BatchNorm2d(3)
    conv.weight.data[:, 0, 0, 0] = torch.tensor([3.0, -2.0, 1.0])
    norm.weight.data.copy_(torch.tensor([0.1, -1.0, 5.0]))
    assert norm.running_var is not None
    norm.running_var.copy_(torch.tensor([1.0, 1.0, 4.0]))
    torch.testing.assert_close(norms_of(conv, norm), torch.tensor([0.3, 2.0, 2.5]), rtol=1e-4, atol=0)
    assert largest(norms_of(conv), 2).tolist() == [0, 1] and largest(norms_of(conv, norm), 2).tolist() == [1, 2]


def test_published_and_half_widths_come_to_the_same_small_model() -> None:
    small = Slimming(0.125, blocks=4).of(PUBLISHED)
    assert small == Slimming(0.25, blocks=4).of(Slimming(0.5).of(PUBLISHED))
    as_read_off_tensors = replace(PUBLISHED, generator=replace(PUBLISHED.generator, max_features=256))
    assert small == Slimming(0.125, blocks=4).of(as_read_off_tensors)
    assert small.kp_detector == KPDetectorConfig(block_expansion=LEAST, max_features=128)
    assert small.dense_motion == DenseMotionConfig(block_expansion=LEAST, max_features=128)
    assert small.generator == GeneratorConfig(block_expansion=LEAST, max_features=64, num_bottleneck_blocks=4)
    with torch.device("meta"):
        assert 4 * count_weights(FOMMAnimator(small)) < 10.1e6


def test_narrow_networks_are_not_narrowed_further() -> None:
    assert Slimming(0.1).of(FOMM) == FOMM


def test_a_pruned_file_loads_and_has_half_the_size_in_16_bits(tmp_path: Path) -> None:
    small = prune(network(), HALF.of(FOMM))
    write(small, tmp_path / "whole.safetensors")
    write(small, tmp_path / "half.safetensors", torch.float16)
    loaded = load_animator(tmp_path / "whole.safetensors", "fomm")
    assert loaded.config == small.config and loaded.spec.size == SIDE
    assert torch.equal(drawn_by(loaded), drawn_by(small))
    rounded = drawn_by(load_animator(tmp_path / "half.safetensors", "fomm"))
    assert 0 < (rounded - drawn_by(small)).abs().max() < 0.1
    tensors = [
        sum(value.nbytes for state in read_checkpoint(path).components.values() for value in state.values())
        for path in (tmp_path / "half.safetensors", tmp_path / "whole.safetensors")
    ]
    assert tensors[0] < 0.52 * tensors[1]


@pytest.mark.parametrize(
    ("given", "says"),
    [({"keep": 0.0}, "keep is 0;"), ({"keep": 1.5}, "keep is 1.5;"), ({"keep": float("nan")}, "keep is nan;"),
     ({"least": 0}, "least is 0;"), ({"blocks": -1}, "blocks is -1;")],
)  # fmt: skip
def test_shares_and_numbers_that_cannot_be_are_refused(given: dict[str, float], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Slimming(**given)  # type: ignore[arg-type]
