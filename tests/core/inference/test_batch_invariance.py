"""Optimised networks give a picture the same result in batches of any size, by one thread and by two."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator

import pytest
import torch
from first_order_motion.animation.engine import Engine, optimize_for_inference
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.inference import rewrites
from first_order_motion.core.inference.batch_invariance import CLASSES, RowwiseLinear, make_batch_invariant
from first_order_motion.core.inference.optimize import optimize
from first_order_motion.core.inference.rewrites import form_for, rewrite
from first_order_motion.core.inference.small_output_conv import SmallOutputConv2d
from first_order_motion.core.inference.upsample_conv import PhasedConv2d, upsample_conv
from first_order_motion.core.inference.winograd import WinogradConv2d
from first_order_motion.core.layers.antialias import AntiAliasInterpolation2d
from first_order_motion.core.layers.matmul import MatMul
from first_order_motion.core.types import Animator
from support.architectures import CPU, TINY, blobs, every_architecture, source_picture, tiny
from support.optimized import threads
from torch import Tensor, nn

FRAMES = 6
BATCHES = (2, 3, 5)


@pytest.fixture(autouse=True)
def _narrow_counts_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewrites, "WIDE", 1)


@pytest.fixture(autouse=True, params=[1, 2], ids=["one thread", "two threads"])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    with threads(request.param), torch.inference_mode():
        yield


# --- layers ---


def phased() -> nn.Module:
    conv = nn.Conv2d(24, 8, 3, padding=1)
    return PhasedConv2d(torch.randn(2, 2, 8, 24, 2, 2), conv.bias)


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "conv 3x3": (lambda: nn.Conv2d(16, 24, 3, padding=1), (16, 8, 8)),
    "conv 7x7": (lambda: nn.Conv2d(19, 18, 7, padding=3), (19, 32, 32)),
    "conv 1x1": (lambda: nn.Conv2d(13, 16, 1), (13, 16, 16)),
    "conv with stride": (lambda: nn.Conv2d(8, 16, 3, 2, padding=1), (8, 8, 8)),
    "large map": (lambda: nn.Conv2d(16, 8, 3, padding=1), (16, 64, 64)),
    "few outputs": (lambda: SmallOutputConv2d(nn.Conv2d(16, 3, 7, padding=3)), (16, 12, 12)),
    "shrinking": (lambda: AntiAliasInterpolation2d(3, 0.25), (3, 64, 64)),
    "phased": (phased, (24, 8, 8)),
    "transposed": (lambda: upsample_conv(nn.Conv2d(16, 8, 3, padding=1), CPU), (16, 32, 32)),
    "winograd": (lambda: WinogradConv2d(nn.Conv2d(16, 8, 3, padding=1)), (16, 9, 8)),
    "linear": (lambda: nn.Linear(320, 100), (320,)),
    "linear on tokens": (lambda: nn.Linear(48, 16), (26, 48)),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def drawn(name: str, count: int = 7) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(4)
    build, shape = LAYERS[name]
    return make_batch_invariant(build().eval()), torch.randn(count, *shape)


@every_layer
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_row_is_the_same_alone(name: str, channels_last: bool) -> None:
    layer, x = drawn(name)
    if channels_last and x.dim() == 4:
        layer, x = (thing.to(memory_format=torch.channels_last) for thing in (layer, x))
    alone = torch.cat([layer(row) for row in x.split(1)])
    for count in (2, 3, 5, 7):
        assert torch.equal(layer(x[:count]), alone[:count])


def test_a_product_is_the_same_alone() -> None:
    layer, a, b = make_batch_invariant(MatMul()), torch.randn(5, 64, 32), torch.randn(5, 32, 48)
    for second in (b, b[:1]):
        alone = [layer(row, other) for row, other in zip(a.split(1), second.expand(5, -1, -1).split(1), strict=True)]
        assert torch.equal(layer(a, second), torch.cat(alone))
        torch.testing.assert_close(layer(a, second), a @ second)


@every_layer
def test_it_survives_copies_and_pickling(name: str) -> None:
    layer, x = drawn(name)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert type(other) is type(layer) and torch.equal(other(x), layer(x))


def test_weights_names_and_hooks_stay() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.Conv2d(3, 2, 1))
    state, seen = dict(network.state_dict()), list[int]()
    network[0].register_forward_pre_hook(lambda _module, args: seen.append(args[0].shape[0]))
    make_batch_invariant(make_batch_invariant(network))
    assert [type(layer) for layer in network] == [CLASSES[nn.Linear], CLASSES[nn.Conv2d]]
    assert all(value is state[key] or torch.equal(value, state[key]) for key, value in network.state_dict().items())
    network[0](torch.ones(2, 4))
    assert seen == [2]


def test_gradients_pass_as_in_a_plain_layer() -> None:
    with torch.inference_mode(False):
        layer, x = make_batch_invariant(nn.Linear(4, 3)), torch.ones(2, 4, requires_grad=True)
        assert isinstance(layer, RowwiseLinear)
        layer(x).sum().backward()
        assert x.grad is not None and layer.weight.grad is not None
        product = make_batch_invariant(MatMul())
        product(x[None].expand(2, -1, -1), torch.ones(2, 4, 1)).sum().backward()


# --- whole networks ---


def formed(name: str, fast: bool) -> Animator:
    return optimize_for_inference(copy.deepcopy(tiny(name)), CPU, Engine(fast=fast))


def assert_the_same_in_batches(model: Animator, mode: str) -> None:
    clip, options = TensorClip(blobs(FRAMES)), Retargeting(mode)
    runs = {
        batch: torch.cat([*animate(model, source_picture(), clip, CPU, AnimateOptions(options, batch=batch))])
        for batch in (1, *BATCHES)
    }
    assert (runs[1][1:] - runs[1][:-1]).abs().amax(dim=(1, 2, 3)).min() > 1e-3  # the pose does show
    for batch in BATCHES:
        torch.testing.assert_close(runs[batch], runs[1], rtol=0, atol=1e-5)


@every_architecture
@pytest.mark.parametrize("fast", [False, True], ids=["published form", "fast form"])
def test_batches_change_nothing(name: str, fast: bool) -> None:
    model = formed(name, fast)
    for mode in model.spec.modes:
        assert_the_same_in_batches(model, mode)


def test_every_layer_that_depends_on_the_batch_is_exchanged() -> None:
    for name in TINY:
        for fast in (False, True):
            assert not [layer for layer in formed(name, fast).modules() if type(layer) in CLASSES]


def test_optimize_puts_the_steps_in_order() -> None:
    network = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.Conv2d(64, 64, 3)).eval()
    by_hand = make_batch_invariant(copy.deepcopy(network))
    rewrite(by_hand, CPU, form_for(CPU))
    got = optimize(copy.deepcopy(network), CPU, torch.bfloat16, keep_in_fp32=["2"])
    assert got[0].weight.dtype == torch.float32 and got[2].weight.dtype == torch.float32
    lowered = optimize(copy.deepcopy(network), CPU, torch.bfloat16)
    assert lowered[2].weight.dtype == torch.bfloat16 and not lowered[2].weight.requires_grad
    plain = optimize(copy.deepcopy(network), CPU, fast=False)
    assert isinstance(plain[1], nn.BatchNorm2d) and type(plain[0]) is CLASSES[nn.Conv2d]
