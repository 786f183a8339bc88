"""Exported models without PyTorch: the same pictures, and refusals of one line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
import torch
from firstordermm.animation.media.reader import VideoClip, read_picture
from firstordermm.animation.motion.controls import Controls
from firstordermm.animation.options import AnimateOptions
from firstordermm.animation.predictor import Predictor
from firstordermm.animation.retarget import Retargeting
from firstordermm.animation.samples import DRIVING, sample_pictures
from firstordermm.deploy import onnx_animator, onnx_media
from firstordermm.deploy.onnx_animator import OnnxAnimator, OnnxError, Options, main
from support.architectures import blobs, source_picture
from support.command_line import COUNT

pytestmark = pytest.mark.xdist_group("deploy")

FACE = sample_pictures()["face"]
FRAMES = 5
ALONE = """
import sys
sys.modules["torch"] = None  # whose import fails then
sys.modules["scipy"] = None
from itertools import islice
import numpy as np
from onnx_animator import OnnxAnimator, Options
from onnx_media import Video, read_picture
model, face, driving, output = sys.argv[1:]
animator, frames = OnnxAnimator.load(model, threads=1), list(islice(Video(driving), 0, None, 16))[:FRAMES]
plans = [Options(batch=2), Options("standard"), Options(anchor=2, strength=1.5, batch=3)]
np.save(output, [np.concatenate([*animator.animate(read_picture(face), frames, plan)]) for plan in plans])
"""
PLANS = [
    AnimateOptions(),
    AnimateOptions(Retargeting("standard")),
    AnimateOptions(anchor=2, controls=Controls(strength=1.5)),
]


@pytest.mark.slow
def test_the_bundled_model_animates_where_there_is_no_pytorch(bundled_export: Path, tmp_path: Path) -> None:
    for module in (onnx_animator, onnx_media):
        shutil.copy(str(module.__file__), tmp_path)
    script = tmp_path / "alone.py"
    script.write_text(ALONE.replace("FRAMES", str(FRAMES)))
    arguments = [str(bundled_export), str(FACE), str(DRIVING), str(tmp_path / "got.npy")]
    subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + script.read_text(),
            *arguments,
        ],
        check=True,
    )
    frames = torch.cat([*VideoClip(DRIVING).chunks(8)])[::16][:FRAMES]
    predictor = Predictor.load(device="cpu")
    wanted = [predictor.animate_tensors(read_picture(FACE), frames, plan) for plan in PLANS]
    assert min(float((a - b).abs().max()) for a, b in pairwise(wanted)) > 0.1
    got = np.load(tmp_path / "got.npy")
    assert np.abs(got - torch.stack(wanted).numpy()).max() < 1 / 255


# --- batches, anchors, frames ---


@pytest.fixture(scope="module")
def animator(tiny_export: Path) -> OnnxAnimator:
    return OnnxAnimator.load(tiny_export, threads=1)


def drawn(animator: OnnxAnimator, options: Options | None = None, count: int = 7) -> np.ndarray:
    frames = blobs(count).numpy()
    return np.concatenate([*animator.animate(source_picture()[0].numpy(), frames, options)])


def test_batches_change_nothing(animator: OnnxAnimator) -> None:
    one = drawn(animator, Options(batch=1))
    assert one.shape == (7, 64, 64, 3)
    for batch in (3, 7, 50):
        np.testing.assert_allclose(drawn(animator, Options(batch=batch)), one, rtol=0, atol=1e-5)


def test_an_anchor_may_be_a_frame_or_a_picture(animator: OnnxAnimator) -> None:
    by_index = drawn(animator, Options(anchor=4))
    np.testing.assert_array_equal(drawn(animator, Options(anchor=blobs(7)[4].numpy())), by_index)
    assert np.abs(by_index - drawn(animator)).max() > 0.05


def test_frames_may_come_one_after_another(animator: OnnxAnimator) -> None:
    source, frames = source_picture()[0].numpy(), [*blobs(7).numpy()]
    got = np.concatenate([*animator.animate(source, iter(frames))])
    np.testing.assert_array_equal(got, drawn(animator))
    with pytest.raises(OnnxError, match="anchor is 3; driving frames that can be read twice were wanted"):
        next(animator.animate(source, iter(frames), Options(anchor=3)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Options(batch=0), "batch is 0; 1 or more was wanted"),
        (lambda: Options(strength=9), "strength is 9; 0 to 4 was wanted"),
        (lambda: Options("avd"), "mode is 'avd'; FOMM offers relative, standard"),
        (lambda: Options("standard", anchor=2), "the mode standard adds no movement"),
        (lambda: Options("standard", background=True), "background was given; FOMM cannot move any"),
        (lambda: Options(anchor=7), "anchor is 7; there is no such driving frame"),
        (lambda: Options(anchor=-1), "anchor is -1; there is no such driving frame"),
    ],
)
def test_options_that_cannot_be_served(animator: OnnxAnimator, make: Callable[[], Options], message: str) -> None:
    with pytest.raises(OnnxError, match=message):
        drawn(animator, make())


def test_no_frames(animator: OnnxAnimator) -> None:
    with pytest.raises(OnnxError, match="driving has 0 frames"):
        drawn(animator, count=0)


# --- graphs that do not belong ---


def restated(path: Path, **facts: str) -> None:
    """Change what a graph says of itself."""
    model = onnx.load(path)
    for fact in model.metadata_props:
        fact.value = facts.get(fact.key, fact.value)
    onnx.save(model, path)


def without_metadata(path: Path) -> None:
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "cannot be read"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:20000]), "is damaged"),
    "no graph": (lambda path: path.write_bytes(b"a text"), "is damaged"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "of others": (without_metadata, "was not made by animate.py export"),
    "another graph": (lambda path: shutil.copy(path.with_name("motion.onnx"), path), "is the graph 'motion'; 'render'"),
    "older": (lambda path: restated(path, format="0"), "is of export format '0'; 1 was wanted"),
    "another architecture": (
        lambda path: restated(path, architecture="spline", name="Thin-Plate Spline"),
        "is a graph of Thin-Plate Spline, and motion.onnx beside it one of FOMM",
    ),
    "another export": (lambda path: restated(path, export="00"), "is of another export"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_graphs_that_cannot_be_used(tiny_export: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_export, folder)
    change, message = DAMAGES[damage]
    change(folder / "render.onnx")
    with pytest.raises(OnnxError) as caught:
        OnnxAnimator.load(folder, threads=1)
    assert message in str(caught.value) and str(folder / "render.onnx") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_devices_and_folders_that_are_not_there(tiny_export: Path, tmp_path: Path) -> None:
    with pytest.raises(OnnxError, match="device is 'abacus'; this ONNX Runtime offers cpu"):
        OnnxAnimator.load(tiny_export, "abacus")
    with pytest.raises(OnnxError, match="is no folder"):
        OnnxAnimator.load(tmp_path / "none")


# --- its own command line ---


def test_command(tiny_export: Path, files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(files / "source.png"), str(files / "driving.mp4"), str(tmp_path / "result.mp4")]
    assert main([*paths, "--model", str(tiny_export), "--threads", "1", "--batch", "3"]) == 0
    assert f"{COUNT} frames" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["result.mp4"]
    with av.open(str(tmp_path / "result.mp4")) as container, av.open(paths[1]) as driving:
        assert sum(1 for _ in container.decode(video=0)) == COUNT
        assert container.streams.video[0].average_rate == driving.streams.video[0].average_rate
        assert container.streams.audio[0].codec.canonical_name == "aac"


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({0: "none.png"}, [], "none.png cannot be read"),
        ({1: "tiny.safetensors"}, [], "tiny.safetensors cannot be read"),
        ({2: "result.gif"}, [], "result.gif ends in .gif; one of .mp4, .mov, .mkv was wanted"),
        ({2: "none/result.mp4"}, [], "There is no folder"),
        ({2: "driving.mp4"}, [], "would overwrite the driving video"),
        ({}, ["--strength", "-1"], "strength is -1"),
        ({}, ["--anchor", "99"], "anchor is 99"),
        ({}, ["--device", "cuda"], "device is 'cuda'"),
    ],
)
def test_refusals_leave_nothing(
    tiny_export: Path,
    files: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changed: dict[int, str],
    options: list[str],
    message: str,
) -> None:
    folder = tmp_path / "files"
    shutil.copytree(files, folder)
    before = {path: path.stat().st_size for path in folder.iterdir()}
    names = {0: "source.png", 1: "driving.mp4", 2: "result.mp4"} | changed
    paths = [str(folder / names[i]) for i in range(3)]
    assert main([*paths, "--model", str(tiny_export), "--threads", "1", *options]) == 1
    printed = capsys.readouterr().err
    assert message in printed and printed.startswith("error: ") and printed.count("\n") == 1
    assert {path: path.stat().st_size for path in folder.iterdir()} == before
