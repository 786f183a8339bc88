"""FSRT: once-only work, decoding by pixels, several sources."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from first_order_motion.animation import pixels
from first_order_motion.animation.best_frame import find_best_frame
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions, Hooks
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import InputError
from first_order_motion.core.types import Motion, Prepared
from first_order_motion.module_fsrt.animator import EXPRESSION, FSRTAnimator
from first_order_motion.module_fsrt.config import START_OCTAVE, FSRTConfig
from first_order_motion.module_fsrt.position import pixel_centres, position_code
from support.architectures import CPU, FSRT, SIDE, blobs, driven, one_thread, source_picture, tiny
from support.drivers import SAME
from support.optimized import published_form
from torch import Tensor, nn

FRAMES = 5
STANDARD = AnimateOptions(Retargeting("standard"))
ALL = SIDE * SIDE


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def no_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where more pixels at once are worth it."""
    monkeypatch.setattr(pixels, "CPU_LIMIT", 2**40)


def model() -> FSRTAnimator:
    animator: nn.Module = tiny("fsrt")
    assert isinstance(animator, FSRTAnimator)
    return animator


# --- exactness ---


def test_position_codes_are_the_published_float32_ones() -> None:
    """Also where they are rounding noise: the uppermost sines are not zero, and training saw what they are."""
    grid = pixel_centres(256, 256, CPU)
    assert grid[0, 3].tolist() == [(3 + 0.5 - 128) / 128, (0.5 - 128) / 128]
    code = position_code(grid, 16, -1)
    for coordinate in (0, 1):
        for octave in (-1, 0, 7, 14):
            angle = grid[..., coordinate] * (torch.tensor(2.0**octave) * math.pi)
            column = 16 * coordinate + octave + 1
            assert torch.equal(code[..., column], angle.sin())
            assert torch.equal(code[..., 32 + column], angle.cos())
    assert 1e-4 < code[..., 15].abs().max() < 5e-3
    exact = torch.sin(grid.double()[..., 0] * 2**14 * math.pi)
    assert (code[..., 15] - exact).abs().max() > 1e-4


def published_decoder(animator: FSRTAnimator, latent: Tensor, motion: Motion) -> Tensor:
    """Colours of all pixels in one pose, written out: whole queries, materialised attention."""
    decoder, config = animator.decoder, animator.config
    points = position_code(motion.points.flatten(1), config.kp_octaves, START_OCTAVE)
    places = position_code(pixel_centres(SIDE, SIDE, CPU), config.pix_octaves, START_OCTAVE).flatten(0, 1)
    pose = [part.expand(ALL, -1) for part in (points, motion.extra[EXPRESSION])]
    x = decoder.allocation_transformer.input_mlp(torch.cat([pose[0], places, pose[1]], dim=1))
    for attend, feed_forward in decoder.allocation_transformer.transformer.layers:
        net = attend.fn
        parts = net.to_q(attend.norm(x)), *net.to_kv(latent[0]).chunk(2, dim=1)
        query, keys, values = (part.unflatten(1, (-1, config.head_dim)).transpose(0, 1) for part in parts)
        weights = (query @ keys.mT / config.head_dim**0.5).softmax(dim=-1)
        x = x + net.to_out((weights @ values).transpose(0, 1).flatten(1))
        x = x + feed_forward.fn(feed_forward.norm(x))
    return decoder.render_mlp(x)


@torch.inference_mode()
def test_the_split_first_layer_and_kept_keys_are_the_published_decoder() -> None:
    animator, source = model(), source_picture().movedim(-1, 1)
    own, motion = animator.motion(source), animator.motion(blobs(3)[2:].movedim(-1, 1))
    latent = animator.encoder(source, own.points, own.extra[EXPRESSION])
    found = animator.render(animator.prepare(source), motion)
    wanted = published_decoder(animator, latent, motion).clamp(0, 1).T.view(1, 3, SIDE, SIDE)
    torch.testing.assert_close(found, wanted, **SAME)


@torch.inference_mode()
def test_the_folded_expression_is_the_convolution_averaged() -> None:
    animator = model()
    detection, net = animator.kp_detector(blobs(4).movedim(-1, 1)), animator.expression_encoder
    maps = F.conv2d(detection.features, net.expression.weight, net.expression.bias)
    maps = maps.unflatten(1, (FSRT.num_kp, FSRT.expression_per_kp))
    wanted = (maps * detection.heatmap[:, :, None]).sum(dim=(-2, -1)).flatten(1)
    torch.testing.assert_close(net.latent(detection), wanted, rtol=0, atol=1e-5)


# --- once per clip ---


@pytest.mark.parametrize("sources", [1, 3])
@pytest.mark.parametrize("batch", [1, 2, 8])
def test_what_the_sources_and_the_size_settle_is_made_once(
    monkeypatch: pytest.MonkeyPatch, sources: int, batch: int
) -> None:
    animator = model()
    asked, counts = animator.decoder.allocation_transformer, dict.fromkeys(("set", "keys", "pixels", "poses"), 0)

    def counted(name: str, amount: Callable[[Tensor], int]) -> Callable[..., None]:
        def hook(_module: object, inputs: tuple[Tensor], _output: object) -> None:
            counts[name] += amount(inputs[0])

        return hook

    handles = [
        animator.encoder.transformer.register_forward_hook(counted("set", lambda _: 1)),
        animator.kp_detector.register_forward_hook(counted("poses", len)),
        *(layer[0].fn.to_kv.register_forward_hook(counted("keys", lambda _: 1)) for layer in asked.transformer.layers),
    ]
    made = asked.pixel_part

    def pixel_part(height: int, width: int) -> Tensor:
        counts["pixels"] += 1
        return made(height, width)

    monkeypatch.setattr(asked, "pixel_part", pixel_part)
    try:
        driven(animator, blobs(sources, start=2.6), blobs(FRAMES), replace(STANDARD, batch=batch, max_pixels=1000))
    finally:
        for handle in handles:
            handle.remove()
    assert counts == {"set": 1, "keys": FSRT.decoder.depth, "pixels": 1, "poses": sources + FRAMES}


# --- pixels at once ---


class Decoding:
    """The model, noting how many pixels it is asked for at once; fails on demand before it decodes."""

    def __init__(self, fail: Callable[[int], None] = lambda count: None) -> None:
        self.animator, self.fail, self.sizes = model(), fail, list[int]()
        self.spec, self.prepare, self.motion = self.animator.spec, self.animator.prepare, self.animator.motion

    def decode(self, prepared: Prepared, motion: Motion, queries: Tensor) -> Tensor:
        self.sizes.append(len(queries))
        self.fail(len(queries))
        return self.animator.decode(prepared, motion, queries)


def test_the_model_decodes_by_pixels_and_no_other_does() -> None:
    assert model().spec.query_bytes > 0 == tiny("fomm").spec.query_bytes
    with pytest.raises(InputError, match="FOMM offers no decoding of single pixels"):
        tiny("fomm").decode(None, None, None)  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_cap")
@pytest.mark.parametrize("mode", ["standard", "relative"])
def test_pixels_and_frames_at_once_change_nothing(mode: str) -> None:
    options = AnimateOptions(Retargeting(mode))
    animator = published_form("fsrt")
    wanted = driven(animator, source_picture(), blobs(FRAMES), replace(options, batch=1))
    for batch, most in [(1, 333), (3, 1000), (8, ALL - 1), (8, ALL), (5, 2 * ALL + 7), (8, 10**9)]:
        got = driven(animator, source_picture(), blobs(FRAMES), replace(options, batch=batch, max_pixels=most))
        torch.testing.assert_close(got, wanted, **SAME)


SIZES = {
    (1, 10**9): [ALL] * 5,
    (3, 3000): [3000, ALL - 3000] * 5,
    (8, 10**9): [5 * ALL],
    (8, 2 * ALL + 5): [2 * ALL, 2 * ALL, ALL],
    (4, 3 * ALL): [3 * ALL, ALL, ALL],
}


@pytest.mark.usefixtures("no_cap")
@pytest.mark.parametrize(("batch", "most"), SIZES)
def test_no_more_pixels_are_decoded_at_once_than_asked_for(batch: int, most: int) -> None:
    decoding = Decoding()
    driven(decoding, source_picture(), blobs(FRAMES), replace(STANDARD, batch=batch, max_pixels=most))  # type: ignore[arg-type]
    assert decoding.sizes == SIZES[batch, most]


def scarce(limit: int) -> Callable[[int], None]:
    def fail(count: int) -> None:
        if count > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")

    return fail


@pytest.mark.usefixtures("no_cap")
def test_out_of_memory_halves_the_pixels_for_good(caplog: pytest.LogCaptureFixture) -> None:
    wanted, frees = driven(model(), source_picture(), blobs(3), STANDARD), list[int]()
    decoding = Decoding(scarce(1500))
    hooks = Hooks(free_memory=lambda: frees.append(1))
    got = driven(decoding, source_picture(), blobs(3), STANDARD, hooks)  # type: ignore[arg-type]
    torch.testing.assert_close(got, wanted, **SAME)
    whole, part = 3 * ALL, 3 * ALL // 16
    assert decoding.sizes == [whole, whole // 2, whole // 4, whole // 8, *[part] * 16]
    assert len(frees) == 4 + 1
    assert "with 12288 pixels at once; going on with 6144" in caplog.text


def test_out_of_memory_with_one_pixel_propagates() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        driven(Decoding(scarce(0)), source_picture(), blobs(2), STANDARD)  # type: ignore[arg-type]


class Stop(Exception):  # noqa: N818 (what ComfyUI raises is no error either)
    """Somebody pressed cancel."""


def test_a_picture_under_way_can_be_cancelled() -> None:
    decoding, checks = Decoding(), iter(range(1, 100))

    def check_cancelled() -> None:
        if next(checks) == 4:  # the chunk's own, then before every 1000 pixels
            raise Stop

    options = replace(STANDARD, max_pixels=1000)
    frames = animate(decoding, source_picture(), TensorClip(blobs(2)), CPU, options, Hooks(check_cancelled))  # type: ignore[arg-type]
    with pytest.raises(Stop):
        next(frames)
    assert decoding.sizes == [1000, 1000]


def test_frames_come_one_by_one_where_pixels_are_slow() -> None:
    frames = animate(model(), source_picture(), TensorClip(blobs(3)), CPU, replace(STANDARD, batch=3))
    assert [len(part) for part in frames] == [1, 1, 1]


MIB = 2**20
GPUS = {"free": (8000 * MIB, 0, 65536), "scarce": (480 * MIB, 0, 10240), "cached": (80 * MIB, 400 * MIB, 10240),
        "none": (MIB, 0, 4096)}  # fmt: skip


@pytest.mark.parametrize(("free", "cached", "wanted"), GPUS.values(), ids=GPUS)
def test_a_gpus_free_memory_is_asked(monkeypatch: pytest.MonkeyPatch, free: int, cached: int, wanted: int) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 10 * free))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: cached + 5)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 5)
    with torch.device("meta"):
        full = FSRTAnimator(FSRTConfig()).spec.query_bytes
    assert full == 24 * 1024
    device = torch.device("cuda")
    assert pixels.pixels_at_once(65536, full, device) == wanted
    assert pixels.pixels_at_once(100, full, device) == 100
    assert pixels.pixels_at_once(65536, full, torch.device("mps")) == 65536
    assert pixels.pixels_at_once(65536, full, CPU) == pixels.CPU_LIMIT


@torch.inference_mode()
def test_any_choice_of_pixels_is_as_in_the_whole_picture() -> None:
    animator = model()
    prepared, motion = animator.prepare(source_picture().movedim(-1, 1)), animator.motion(blobs(3).movedim(-1, 1))
    whole = animator.render(prepared, motion).movedim(1, -1).reshape(-1, 3)
    queries = torch.randperm(len(whole), generator=torch.Generator().manual_seed(1))[:500]
    torch.testing.assert_close(animator.decode(prepared, motion, queries), whole[queries], **SAME)


# --- several sources ---


def test_pictures_of_one_face_have_no_order() -> None:
    first, second = source_picture(), blobs(1, seed=5)
    wanted = driven(model(), torch.cat([first, second]), blobs(3), STANDARD)
    torch.testing.assert_close(driven(model(), torch.cat([second, first]), blobs(3), STANDARD), wanted, **SAME)
    torch.testing.assert_close(driven(model(), [first, second], blobs(3), STANDARD), wanted, **SAME)
    assert (driven(model(), first, blobs(3), STANDARD) - wanted).abs().max() > 1e-3


def test_movement_is_added_to_the_first_picture_pose() -> None:
    first, second = source_picture(), blobs(1, seed=5)
    relative = AnimateOptions(Retargeting("relative"))
    one, other = (driven(model(), both, blobs(3), relative) for both in ([first, second], [second, first]))
    assert (one - other).abs().max() > 1e-3


def test_pictures_may_differ_in_size_and_channels() -> None:
    second = blobs(2, 50, 90, seed=5)
    alpha = torch.cat([second, torch.ones(2, 50, 90, 1)], dim=-1)
    wanted = driven(model(), [source_picture(), second], blobs(2), STANDARD)
    assert torch.equal(driven(model(), [source_picture()[0], alpha], blobs(2), STANDARD), wanted)


@pytest.mark.parametrize(
    ("second", "says"),
    [(blobs(0), "source_2 has 0 pictures"), (torch.rand(2, 3), "source_2 has shape"),
     (blobs(1) * torch.nan, "source_2 holds NaN")],
    ids=["empty", "shape", "nan"],
)  # fmt: skip
def test_a_bad_second_input_is_named(second: Tensor, says: str) -> None:
    with pytest.raises(InputError, match=says):
        driven(model(), [source_picture(), second], blobs(1), STANDARD)


def test_other_architectures_take_the_first_of_several() -> None:
    options = AnimateOptions()
    wanted = driven(tiny("fomm"), source_picture(), blobs(2), options)
    assert torch.equal(driven(tiny("fomm"), [source_picture(), blobs(3)], blobs(2), options), wanted)


def test_the_best_frame_is_that_of_the_first_picture() -> None:
    clip = blobs(FRAMES)
    clip[3] = source_picture()[0]
    sources = [torch.cat([source_picture(), clip[1:2]]), clip[2:3]]
    assert find_best_frame(model(), sources, TensorClip(clip), CPU, STANDARD, Hooks()) == 3


def test_another_size_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    driven(model(), source_picture(), blobs(1), replace(STANDARD, size=SIDE))
    assert caplog.records == []
    driven(model(), source_picture(), blobs(1), replace(STANDARD, size=2 * SIDE))
    assert "trained at 64 pixels; at 128" in caplog.text
