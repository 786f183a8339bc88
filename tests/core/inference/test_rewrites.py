"""The inference form equals the plain one, rewrite by rewrite; so do lower precisions, nearly."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from first_order_motion.animation.engine import (
    PRECISIONS,
    Engine,
    dtype_for,
    optimize_for_inference,
    pad_to_fixed_batch,
)
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.core.errors import InputError
from first_order_motion.core.inference import rewrites as inference_form
from first_order_motion.core.inference import upsample_conv
from first_order_motion.core.inference.precision import allow_tf32, inference_mode, to_mixed_precision
from first_order_motion.core.inference.rewrites import Form, rewrite
from first_order_motion.core.inference.small_output_conv import (
    FoldedConv2d,
    SmallOutputConv2d,
    is_small_output,
    small_output_conv,
)
from first_order_motion.core.inference.winograd import WinogradConv2d
from first_order_motion.core.layers.blocks import ResBlock2d
from first_order_motion.core.types import Animator, Motion, Prepared
from skimage.metrics import peak_signal_noise_ratio
from support.architectures import (
    CPU,
    TINY,
    blobs,
    driven,
    every_architecture,
    one_thread,
    source_picture,
    tiny,
)
from torch import Tensor, nn

PLAIN = Form(**dict.fromkeys((field.name for field in fields(Form)), False))
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
FRAMES = 5
PSNR = {
    "bfloat16": 30.0,
    "float16": 45.0,
}  # against float32, of nets this narrow; `tests/benchmarks/forms.py` for real ones


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread(), torch.no_grad():
        yield


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def conv(*args: int, bias: bool = True, **kwargs: int) -> nn.Conv2d:
    torch.manual_seed(1)
    return nn.Conv2d(*args, bias=bias, **kwargs)


# --- layers ---


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (7, 4)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("many_weights", [0, 2**16], ids=["phases", "transposed"])
def test_doubling_inside_the_convolution(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], bias: bool, many_weights: int
) -> None:
    monkeypatch.setattr(upsample_conv, "MANY_WEIGHTS", many_weights)
    layer, x = conv(6, 5, 3, padding=1, bias=bias), drawn(2, 6, *size)
    fast = upsample_conv.upsample_conv(layer, CPU)
    assert isinstance(fast, nn.ConvTranspose2d) == bool(many_weights)
    torch.testing.assert_close(fast(x), layer(F.interpolate(x, scale_factor=2)), **CLOSE)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (5, 4), (8, 13)])
@pytest.mark.parametrize("tile_bytes", [1, 2**21], ids=["row by row", "whole"])
@pytest.mark.parametrize("bias", [True, False])
def test_winograd(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], tile_bytes: int, bias: bool) -> None:
    monkeypatch.setattr("first_order_motion.core.inference.winograd.TILE_BYTES", tile_bytes)
    layer, x = conv(6, 5, 3, padding=1, bias=bias), drawn(3, 6, *size)
    fast = WinogradConv2d(layer)
    torch.testing.assert_close(fast(x), layer(x), **CLOSE)
    assert torch.equal(fast(x)[1:2], fast(x[1:2]))  # a picture alone


@pytest.mark.parametrize("outputs", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(7, 7), (8, 12), (9, 6)])
@pytest.mark.parametrize(("device", "kernel"), [("cpu", 7), ("cuda", 7), ("cuda", 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_few_outputs(outputs: int, size: tuple[int, int], device: str, kernel: int, bias: bool) -> None:
    layer, x = conv(16, outputs, kernel, padding=kernel // 2, bias=bias), drawn(2, 16, *size)
    assert is_small_output(layer, torch.device(device))
    fast = small_output_conv(layer, torch.device(device))
    assert type(fast) is (FoldedConv2d if device == "cuda" else SmallOutputConv2d)
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        torch.testing.assert_close(fast(given), layer(x), **CLOSE)


def test_few_outputs_leaves_alone_what_it_cannot_be() -> None:
    others = [
        conv(16, 5, 7, padding=3),
        conv(16, 3, 6, padding=3),
        conv(16, 3, 7),
        conv(16, 3, 7, padding=3, stride=2),
        conv(3, 3, 7, padding=3),
    ]
    assert not any(is_small_output(layer, torch.device(name)) for layer in others for name in ("cpu", "cuda"))


# --- whole networks ---


def rewritten(name: str, form: Form) -> Animator:
    model = copy.deepcopy(tiny(name))
    rewrite(model, CPU, form)
    return model


@pytest.fixture
def _narrow_counts_as_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference_form, "WIDE", 1)


@every_architecture
@pytest.mark.parametrize("switch", [field.name for field in fields(Form)])
@pytest.mark.usefixtures("_narrow_counts_as_wide")
def test_each_rewrite_leaves_the_picture(name: str, switch: str) -> None:
    options = AnimateOptions(batch=FRAMES)
    wanted = driven(tiny(name), source_picture(), blobs(FRAMES), options)
    got = driven(rewritten(name, replace(PLAIN, **{switch: True})), source_picture(), blobs(FRAMES), options)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-3)
    assert (got - wanted).abs().mean() < 1e-5


@every_architecture
@pytest.mark.usefixtures("_narrow_counts_as_wide")
def test_no_norm_is_left_behind_a_layer_that_can_take_it(name: str) -> None:
    model = rewritten(name, Form())
    norms = [key for key, module in model.named_modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)]
    before = {key.rpartition(".")[2] for key in norms}
    assert before <= {"norm1"}  # of the residual blocks, whose ReLU stands between
    kinds = {type(module) for module in model.modules()}
    assert nn.InstanceNorm2d not in kinds
    assert WinogradConv2d in kinds or not any(isinstance(module, ResBlock2d) for module in model.modules())


@every_architecture
def test_a_short_chunk_is_drawn_at_the_size_of_those_before(name: str) -> None:
    model, pictures = tiny(name), blobs(5).movedim(-1, 1)
    prepared, sizes = model.prepare(source_picture().movedim(-1, 1)), list[int]()

    def render(prepared: Prepared, motion: Motion) -> Tensor:
        sizes.append(len(motion))
        return model.render(prepared, motion)

    draw = pad_to_fixed_batch(render)
    for count in (3, 5, 2):
        motion = model.motion(pictures[:count])
        torch.testing.assert_close(draw(prepared, motion), model.render(prepared, motion), rtol=0, atol=1e-5)
    assert sizes == [3, 5, 5]


# --- precision ---


@every_architecture
@pytest.mark.parametrize("precision", PSNR)
def test_a_lower_precision_hardly_shows(monkeypatch: pytest.MonkeyPatch, name: str, precision: str) -> None:
    monkeypatch.setattr(
        "first_order_motion.core.inference.precision.HEAVY", 64
    )  # the tiny networks have no heavy layers
    options = AnimateOptions(batch=FRAMES)
    wanted = driven(tiny(name), source_picture(), blobs(FRAMES), options)
    model = optimize_for_inference(copy.deepcopy(tiny(name)), CPU, Engine(precision))
    got = driven(model, source_picture(), blobs(FRAMES), options)
    assert got.dtype == torch.float32
    psnr = peak_signal_noise_ratio(wanted.numpy(), got.numpy(), data_range=1)
    assert PSNR[precision] < psnr < 100  # and it does something


@every_architecture
def test_maps_are_sampled_in_float32(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Coordinates need all their bits, and PyTorch's bfloat16 sampling on the CPU can give what is no number."""
    seen: set[torch.dtype] = set()
    sampling = F.grid_sample

    def watched(maps: Tensor, grid: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        seen.update((maps.dtype, grid.dtype))
        return sampling(maps, grid, *args, **kwargs)

    monkeypatch.setattr(F, "grid_sample", watched)
    monkeypatch.setattr("first_order_motion.core.inference.precision.HEAVY", 64)
    model = optimize_for_inference(copy.deepcopy(tiny(name)), CPU, Engine("bfloat16"))
    assert any(weights.dtype == torch.bfloat16 for weights in model.parameters())
    driven(model, source_picture(), blobs(1), AnimateOptions())
    assert seen <= {torch.float32}


@every_architecture
def test_what_poses_are_read_by_stays_exact(name: str) -> None:
    model = copy.deepcopy(tiny(name))
    wanted = model.motion(blobs(2).movedim(-1, 1))
    to_mixed_precision(model, torch.bfloat16, model.spec.keep_in_fp32)
    got = model.motion(blobs(2).movedim(-1, 1))
    assert torch.equal(got.points, wanted.points)
    assert not any(name.startswith(model.spec.keep_in_tf32) for name in model.spec.keep_in_fp32)
    assert TINY[name].motion in model.spec.keep_in_fp32


def test_residual_streams_stay_in_16_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("first_order_motion.core.inference.precision.HEAVY", 0)
    model = optimize_for_inference(copy.deepcopy(tiny("fomm")), CPU, Engine("bfloat16"))
    seen: set[torch.dtype] = set()
    for block in model.modules():
        if isinstance(block, ResBlock2d):
            block.register_forward_hook(lambda _block, _args, output: seen.add(output.dtype))
    driven(model, source_picture(), blobs(1), AnimateOptions())
    assert seen == {torch.bfloat16}


def test_precision_by_name() -> None:
    assert [dtype_for(name, CPU) for name in PRECISIONS[1:]] == [torch.float32, torch.bfloat16, torch.float16]
    with pytest.raises(InputError, match=r"'half'; choose one of: auto, float32"):
        dtype_for("half", CPU)


@pytest.mark.parametrize(
    ("processor", "dtype"),
    [
        ({"architecture": "x86_64", "amx_tile": True, "amx_bf16": True, "avx512_bf16": True}, torch.bfloat16),
        ({"architecture": "x86_64", "amx_tile": True, "amx_bf16": False}, torch.float32),
        ({"architecture": "x86_64", "avx512_bf16": True}, torch.float32),  # slower than float32 where it was measured
        ({"architecture": "x86_64", "avx2": True}, torch.float32),
        ({"architecture": "aarch64", "neon": True, "bf16": True}, torch.bfloat16),
        ({"architecture": "aarch64", "neon": True, "bf16": False}, torch.float32),
    ],
)
def test_automatic_precision_on_processors(
    monkeypatch: pytest.MonkeyPatch, processor: dict[str, object], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert dtype_for("auto", CPU) == dtype
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert dtype_for("auto", CPU) == torch.float32


@pytest.mark.parametrize("amx", [True, False])
def test_automatic_precision_with_an_older_pytorch(monkeypatch: pytest.MonkeyPatch, amx: bool) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    assert dtype_for("auto", CPU) == (torch.bfloat16 if amx else torch.float32)


WITHOUT_TENSOR_CORES = [
    "GeForce GTX 1660 SUPER",
    "GeForce GTX 1650",
    "T500",
    "T400 4GB",
    "Quadro T2000",
    "GeForce MX450",
]


@pytest.mark.parametrize(
    ("capability", "card", "dtype"),
    [
        ((9, 0), "NVIDIA H100", torch.bfloat16),
        ((7, 0), "Tesla V100-SXM2-16GB", torch.float16),
        ((7, 5), "Tesla T4", torch.float16),
        ((7, 5), "NVIDIA GeForce RTX 2070", torch.float16),
        ((7, 5), "Quadro RTX 4000", torch.float16),
        *(((7, 5), f"NVIDIA {card}", torch.float32) for card in WITHOUT_TENSOR_CORES),
        ((7, 5), None, torch.float32),
        ((6, 1), "NVIDIA GeForce GTX 1080", torch.float32),
    ],
)
def test_automatic_precision_on_cuda(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], card: str | None, dtype: torch.dtype
) -> None:
    def name(_: torch.device) -> str:
        if card is None:
            raise RuntimeError("the driver does not tell")
        return card

    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", name)
    assert dtype_for("auto", torch.device("cuda")) == dtype


@pytest.mark.parametrize("before", [True, False])
def test_float32_is_exact_on_tensor_cores_too(before: bool) -> None:
    convolutions = torch.backends.cudnn
    kept = convolutions.allow_tf32
    convolutions.allow_tf32 = before
    seen: Callable[[], bool] = inference_mode()(
        lambda: convolutions.allow_tf32 or not torch.is_inference_mode_enabled()
    )
    try:
        assert seen() is False
        assert convolutions.allow_tf32 is before
    finally:
        convolutions.allow_tf32 = kept


def test_tensorfloat_32_is_let_in_where_it_is_named_alone() -> None:
    network = nn.Sequential(conv(64, 64, 3, padding=1), conv(64, 64, 3, padding=1), conv(64, 3, 3, padding=1))
    seen: list[bool] = []
    for layer in network:
        forward = layer.forward
        layer.forward = lambda x, forward=forward: (seen.append(torch.backends.cudnn.allow_tf32), forward(x))[1]
    allow_tf32(network, ("1", "2"))
    with inference_mode():
        network(drawn(1, 64, 4, 4))
        assert not torch.backends.cudnn.allow_tf32
    assert seen == [False, True, False]  # the last is too narrow to gain


def test_tensorfloat_32_stays_out_until_the_last_thread_leaves() -> None:
    place, first, second = torch.backends.cudnn, inference_mode(), inference_mode()
    before = place.allow_tf32
    place.allow_tf32 = True
    try:
        with ThreadPoolExecutor(1) as other:
            first.__enter__()
            other.submit(second.__enter__).result()
            first.__exit__(None, None, None)
            assert not place.allow_tf32
            other.submit(second.__exit__, None, None, None).result()
        assert place.allow_tf32
    finally:
        place.allow_tf32 = before
