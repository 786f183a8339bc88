"""No silent black picture: overflow in 16 bits ends in float32, NaN of the weights in one line that names the file."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from first_order_motion.animation import predictor as front_door
from first_order_motion.animation.best_frame import KEYPOINTS
from first_order_motion.animation.engine import Engine, optimize_for_inference
from first_order_motion.animation.frames import ClipFrom, TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.parse_faces import parse_faces
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.predictor import Origin, Predictor
from first_order_motion.cli.main import main
from first_order_motion.core.errors import CheckpointError
from first_order_motion.core.inference import precision
from first_order_motion.core.inference.overflow import LAYERS, OverflowWatch
from first_order_motion.core.inference.precision import runs_in_16_bits, to_mixed_precision
from first_order_motion.core.installation import PACK
from first_order_motion.core.types import Animator, Motion
from first_order_motion.face_parsing.parser import FaceParser
from support.architectures import CPU, blobs, every_architecture, one_thread, source_picture, tiny
from support.drivers import Around, Streamed
from support.optimized import published_form
from torch import Tensor, nn

FRAMES = 5
OPTIONS = AnimateOptions(batch=2)
FILE = "weights.pth"


@pytest.fixture(autouse=True)
def _small_layers_count(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(precision, "HEAVY", 64)
    with one_thread():
        yield


def last_layer(animator: Animator, dtype: torch.dtype) -> nn.Module:
    """The last layer of a type that a picture goes through."""
    passed: list[nn.Module] = []
    layers = [each for each in animator.modules() if isinstance(each, LAYERS) and each.weight.dtype == dtype]
    hooks = [layer.register_forward_hook(lambda layer, _, __: passed.append(layer)) for layer in layers]
    list(animate(animator, source_picture(), TensorClip(blobs(1)), CPU))
    for hook in hooks:
        hook.remove()
    return passed[-1]


def spoilt(name: str, dtype: str, value: float, calls: int = 0) -> Animator:
    """A row's model in a precision; its last layer of that precision gives `value`, after some calls that do not."""
    animator = optimize_for_inference(copy.deepcopy(tiny(name)), CPU, Engine(dtype, fast=False))
    wanted = getattr(torch, dtype)
    layer = last_layer(animator, wanted)
    seen: list[int] = []

    def spoil(_: nn.Module, __: object, output: Tensor) -> Tensor:
        seen.append(len(seen))
        # What was float16 is so no more in the copy that a model of unknown origin falls back to.
        return output.clone().fill_(value) if len(seen) > calls and output.dtype == wanted else output

    layer.register_forward_hook(spoil, prepend=True)
    return animator


def predictor_of(animator: Animator, name: str) -> Predictor:
    return Predictor(animator, CPU, Origin(FILE, lambda: published_form(name)))


def frames(predictor: Predictor, count: int = FRAMES) -> Tensor:
    return torch.cat([*predictor.animate(source_picture(), Streamed(blobs(count)), OPTIONS)])


@every_architecture
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_overflow_ends_in_float32_and_is_said(name: str, value: float, caplog: pytest.LogCaptureFixture) -> None:
    predictor = predictor_of(spoilt(name, "float16", value), name)
    wanted = frames(Predictor(published_form(name), CPU))
    assert torch.equal(frames(predictor), wanted)
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [text for text in said if "float32" in text and FILE in text] != []
    caplog.clear()
    assert torch.equal(frames(predictor), wanted)
    assert "going on in float32" not in caplog.text  # remembered


def test_overflow_in_the_midst_keeps_what_was_made(caplog: pytest.LogCaptureFixture) -> None:
    """Every frame comes once, and those before are the lowered model's."""
    predictor = predictor_of(spoilt("fomm", "float16", math.inf, calls=2), "fomm")
    got, exact = frames(predictor), frames(Predictor(published_form("fomm"), CPU))
    assert got.shape == exact.shape
    assert torch.equal(got[4:], exact[4:])
    assert not torch.equal(got[:4], exact[:4])
    torch.testing.assert_close(got[:4], exact[:4], rtol=0, atol=0.02)
    assert caplog.text.count("going on in float32") == 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_model_of_unknown_origin_is_copied_to_float32(dtype: str) -> None:
    lowered = spoilt("fomm", dtype, math.nan)
    predictor = Predictor(lowered, CPU)
    got = frames(predictor)
    assert runs_in_16_bits(lowered) and not runs_in_16_bits(predictor.animator)
    torch.testing.assert_close(got, frames(Predictor(published_form("fomm"), CPU)), rtol=0, atol=0.05)


@pytest.mark.parametrize("origin", [None, Origin(FILE, lambda: published_form("fomm"))])
def test_animations_side_by_side_fall_back_together(origin: Origin | None, caplog: pytest.LogCaptureFixture) -> None:
    """The second one meets the overflow when the model is exchanged already."""
    predictor = Predictor(spoilt("fomm", "float16", math.inf, calls=2), CPU, origin)
    begun = [predictor.animate(source_picture(), Streamed(blobs(FRAMES)), OPTIONS) for _ in range(2)]
    got = [[next(one)] for one in begun]
    for made, rest in zip(got, begun, strict=True):
        made += rest
    exact = frames(Predictor(published_form("fomm"), CPU))
    for made in got:
        torch.testing.assert_close(torch.cat(made), exact, rtol=0, atol=0.05)
    assert caplog.text.count("going on in float32") == 1


@every_architecture
def test_nan_of_the_weights_is_one_line_that_names_the_file(name: str) -> None:
    predictor = predictor_of(spoilt(name, "float32", math.nan), name)
    with pytest.raises(CheckpointError, match=rf"^{FILE} makes pictures of NaN; [^\n]*$"):
        next(predictor.animate(source_picture(), blobs(2), OPTIONS))


def test_the_maps_are_checked_too() -> None:
    wanted = next(predictor_of(published_form("partswap"), "partswap").animate_mapped(source_picture(), blobs(2)))
    lowered = predictor_of(spoilt("partswap", "float16", math.inf), "partswap")
    got = next(lowered.animate_mapped(source_picture(), blobs(2)))
    assert torch.equal(got.pictures, wanted.pictures)
    exact = predictor_of(spoilt("partswap", "float32", math.nan), "partswap")
    with pytest.raises(CheckpointError, match=FILE):
        next(exact.animate_mapped(source_picture(), blobs(2)))


class Lost(Around):
    """A model that sees no pose."""

    def motion(self, driving: Tensor) -> Motion:
        motion = super().motion(driving)
        return Motion(motion.points * math.nan, motion.jacobians, motion.extra)


def test_a_pose_of_nan_is_no_black_picture() -> None:
    """Without an occlusion map nothing carries it into the picture."""
    with pytest.raises(CheckpointError, match="NaN"):
        frames(Predictor(Lost(tiny("fomm_points_only")), CPU))


def test_the_best_frame_is_searched_again_after_overflow() -> None:
    class LostIn16Bits(Lost):
        def motion(self, driving: Tensor) -> Motion:
            return super().motion(driving) if runs_in_16_bits(self) else self.animator.motion(driving)

    lowered = optimize_for_inference(copy.deepcopy(tiny("fomm")), CPU, Engine("float16", fast=False))
    predictor = predictor_of(LostIn16Bits(lowered), "fomm")
    clip = torch.cat([blobs(3), source_picture()])
    got = torch.cat([*predictor.animate(source_picture(), clip, OPTIONS, best_frame=KEYPOINTS)])
    wanted = torch.cat([*animate(published_form("fomm"), source_picture(), TensorClip(clip), CPU,
                                 AnimateOptions(batch=2, anchor=3))])  # fmt: skip
    assert torch.equal(got, wanted)


def test_a_face_parser_of_nan_is_named() -> None:
    class Broken(FaceParser):
        size = 64

        def __init__(self) -> None:
            nn.Module.__init__(self)

        def probabilities(self, pictures: Tensor, size: tuple[int, int]) -> Tensor:
            return torch.full((len(pictures), 19, *size), math.nan)

    for hard in (False, True):
        with pytest.raises(CheckpointError, match=r"^parser\.pth makes"):
            list(parse_faces(Broken(), TensorClip(blobs(2)), (1,), CPU, hard_edges=hard, file="parser.pth"))


def test_the_watch_sees_what_sigmoids_and_rectifiers_hide() -> None:
    for sign in (1, -1):
        layer = nn.Conv2d(8, 8, 1, bias=False)
        layer.weight.data.copy_(sign * 300 * torch.eye(8)[..., None, None])
        network = nn.Sequential(layer, nn.ReLU(), nn.Sigmoid())
        to_mixed_precision(network, torch.float16)
        watch = OverflowWatch(network)
        assert network(torch.full((1, 8, 2, 2), 100.0)).isfinite().all()
        assert watch.total.isfinite()
        assert network(torch.full((1, 8, 2, 2), 1000.0)).isfinite().all()
        assert not watch.total.isfinite()


@pytest.mark.parametrize("factor", [1e7, 1e-7])
def test_weights_that_16_bits_cannot_hold_stay_in_float32(factor: float, caplog: pytest.LogCaptureFixture) -> None:
    network = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1))
    with torch.no_grad():
        network[0].weight *= factor
    to_mixed_precision(network, torch.float16)
    assert [layer.weight.dtype for layer in network] == [torch.float32, torch.float16]
    assert caplog.messages == ["1 layers with weights that torch.float16 cannot hold run in float32."]


def test_the_command_line_writes_nothing_from_weights_of_nan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(files: object, *_: object) -> Animator:
        model = copy.deepcopy(tiny("fomm"))
        last_layer(model, torch.float32).register_forward_hook(lambda _m, _i, out: out.clone().fill_(math.nan))
        return model

    monkeypatch.setattr(front_door.registry, "load_files", broken)
    samples = PACK / "workflows" / "samples"
    torch.save({"generator": {}, "kp_detector": {}}, tmp_path / FILE)
    options = ["--checkpoint", str(tmp_path / FILE), "--architecture", "fomm", "--size", "64"]
    command = ["run", str(samples / "face.png"), str(samples / "driving.mp4"), str(tmp_path / "out.mp4"), *options]
    assert main(command) == 1
    assert f"error: {FILE} makes pictures of NaN" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("start", [0, 1, 2, 3, 5, 7])
def test_a_clip_goes_on_from_any_frame(start: int) -> None:
    clip = ClipFrom(TensorClip(blobs(7)), start)
    parts = list(clip.chunks(2))
    assert torch.equal(torch.cat([*parts, torch.empty(0, 64, 64, 3)]), blobs(7)[start:])
    assert len(clip) == 7
    assert torch.equal(clip.frame(1), blobs(7)[1:2])
