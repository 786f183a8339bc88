"""Exported models without PyTorch: the same pictures, and refusals of one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import onnx
import pytest
import torch
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.motion.controls import Controls
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.animation.samples import DRIVING, sample_pictures
from first_order_motion.deploy import onnx_animator, onnx_loading, onnx_media
from first_order_motion.deploy.onnx_animator import OnnxAnimator, OnnxError, Options, main
from first_order_motion.deploy.onnx_loading import Facts, sealed
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
    for module in (onnx_animator, onnx_loading, onnx_media):
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
        (lambda: Options(strength=9), "strength is 9; 0 to 4 was wanted"),
        (lambda: Options("avd"), "mode is 'avd'; FOMM offers relative, standard"),
        (lambda: Options("standard", anchor=2), "the mode standard adds no movement"),
        (lambda: Options("standard", background=True), "background was given; FOMM cannot move any"),
        (lambda: Options(anchor=7), "anchor is 7; there is no such driving frame"),
        (lambda: Options(anchor=-1), "anchor is -1; there is no such driving frame"),
        (lambda: Options(anchor=10**30), "anchor is 10*; there is no such driving frame"),
        *(
            (lambda mode=mode: Options(mode), "mode is .*; one of standard, relative, avd")
            for mode in ("", 3, "sideways")
        ),
        *((lambda it=it: Options(anchor=it), "anchor is .*; the index of a frame") for it in (None, 0.5, "x", True)),
        *((lambda it=it: Options(batch=it), "batch is .*; 1 to 1024") for it in (0, 1.5, "x", None, 10**30)),
        *((lambda it=it: Options(strength=it), "strength is .*; 0 to 4") for it in ("x", None, float("nan"), True)),
    ],
)
def test_options_that_cannot_be_served(animator: OnnxAnimator, make: Callable[[], Options], message: str) -> None:
    with pytest.raises(OnnxError, match=message):
        drawn(animator, make())


def test_no_frames(animator: OnnxAnimator) -> None:
    with pytest.raises(OnnxError, match="driving has 0 frames"):
        drawn(animator, count=0)


@pytest.mark.parametrize("driving", [None, 3, "driving.mp4", [None], [[[0.0]]]])
def test_frames_that_are_none(animator: OnnxAnimator, driving: Any) -> None:
    with pytest.raises(OnnxError, match=r"^(driving|anchor) (is|holds) .* wanted"):
        next(animator.animate(source_picture()[0].numpy(), driving))


@pytest.mark.parametrize("source", [None, [[[0.0, 0.0, 0.0]]], "face.png"])
def test_a_source_that_is_no_array(animator: OnnxAnimator, source: Any) -> None:
    with pytest.raises(OnnxError, match=r"^source holds (NoneType|list|str); arrays .* were wanted"):
        next(animator.animate(source, [*blobs(2).numpy()]))


def test_graphs_given_what_they_cannot_take(animator: OnnxAnimator) -> None:
    pictures = np.zeros((1, 3, 64, 64), np.float32)
    for wrong in (pictures[:, :, :8], pictures[0], pictures.astype(np.float64), cast(Any, "x"), cast(Any, None)):
        with pytest.raises(OnnxError, match=r"^The graph motion cannot be run"):
            animator.motion(wrong)
    with pytest.raises(OnnxError, match=r"^graph is 'x'; FOMM has motion, prepare, render"):
        animator.run_graph("x", {})
    with pytest.raises(OnnxError, match=r"^The graph render was given no .*points"):
        animator.render({}, {})


@pytest.mark.parametrize("threads", [0, -1, 10**9, "x", 1.5])
def test_numbers_of_threads(tiny_export: Path, threads: Any) -> None:
    with pytest.raises(OnnxError, match=r"threads is .*; 1 to 1024 was wanted"):
        OnnxAnimator.load(tiny_export, threads=threads)


# --- graphs that do not belong ---


def changed(path: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    """Change a graph, and seal it again."""
    model = onnx.load(path)
    kept = {fact.key: fact.value for fact in model.metadata_props if fact.key != "sha256"}
    onnx.helper.set_model_props(model, kept)
    change(model)
    path.write_bytes(sealed(model.SerializeToString()))


def restated(path: Path, **facts: str | None) -> None:
    """Change what a graph says of itself; None leaves a fact out."""

    def change(model: onnx.ModelProto) -> None:
        known = {fact.key: fact.value for fact in model.metadata_props} | facts
        onnx.helper.set_model_props(model, {key: value for key, value in known.items() if value is not None})

    changed(path, change)


def renamed(path: Path, before: str, after: str) -> None:
    """Rename a tensor of a graph."""

    def change(model: onnx.ModelProto) -> None:
        for names in (names for node in model.graph.node for names in (node.input, node.output)):
            names[:] = [after if name == before else name for name in names]
        for entry in (*model.graph.input, *model.graph.output):
            entry.name = after if entry.name == before else entry.name

    changed(path, change)


def altered(path: Path, place: int) -> None:
    """Change one byte."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "cannot be read"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "is a folder, a pipe or a device"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "is a folder, a pipe or a device"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:20000]), "does not end in the seal"),
    "no graph": (lambda path: path.write_bytes(b"a text"), "does not end in the seal"),
    "empty": (lambda path: path.write_bytes(b""), "does not end in the seal"),
    "a byte near the end": (lambda path: altered(path, -200), "is damaged or was changed"),
    "a byte in the middle": (lambda path: altered(path, path.stat().st_size // 2), "is damaged or was changed"),
    "a byte of the seal": (lambda path: altered(path, -1), "is damaged or was changed"),
    "no graph, sealed": (lambda path: path.write_bytes(sealed(b"a text")), "is damaged, or no graph"),
    "no names": (
        lambda path: path.write_bytes(sealed(path.read_bytes().replace(b"pictures", b"pict\xff\xff\xff\xff"))),
        "is damaged",
    ),
    "of others": (
        lambda path: changed(path, lambda model: model.ClearField("metadata_props")),
        "was not made by animate.py export",
    ),
    "another graph": (lambda path: shutil.copy(path.with_name("motion.onnx"), path), "is the graph 'motion'; 'render'"),
    "older": (lambda path: restated(path, format="0"), "is of export format '0'; 1 was wanted"),
    "another architecture": (
        lambda path: restated(path, architecture="spline", name="Thin-Plate Spline"),
        "is a graph of Thin-Plate Spline (spline), and motion.onnx beside it one of FOMM (fomm)",
    ),
    "another export": (lambda path: restated(path, export="0123456789abcdef"), "is of another export"),
    "another size": (lambda path: restated(path, size="32"), "is of another export"),
    "another output": (lambda path: renamed(path, "pictures", "colours"), "does not give 'pictures'"),
    "another input": (lambda path: renamed(path, "points", "places"), "asks for 'places', which none gives"),
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


STATED = [
    ("size", "x"), ("size", "0"), ("size", "-64"), ("size", "9" * 30), ("size", "\u0663"), ("modes", ""),
    ("modes", "avd"), ("modes", "sideways"), ("graphs", ""), ("graphs", "motion,prepare"), ("export", ""),
    ("export", "zz"), ("architecture", ""), ("name", ""), ("unsigned_frames", "yes"), ("keeps_pose", "x"),
]  # fmt: skip
FACTS = ("size", "modes", "graphs", "export", "architecture", "name", "pose_extras", "unsigned_frames", "keeps_pose")


@pytest.mark.parametrize(("key", "value"), [*STATED, *((key, None) for key in FACTS)])
def test_facts_that_cannot_be(tiny_export: Path, key: str, value: str | None) -> None:
    known = {fact.key: fact.value for fact in onnx.load(tiny_export / "motion.onnx").metadata_props} | {key: value}
    path, stated = Path("motion.onnx"), {name: text for name, text in known.items() if text is not None}
    with pytest.raises(OnnxError, match=rf"^motion.onnx: its ({key}|modes) .* Export the model again\.$"):
        Facts.read(stated, "motion", path)


@pytest.mark.parametrize("facts", [{"size": "32"}, {"pose_extras": "foo"}, {"modes": "relative,avd"}])
def test_facts_that_all_graphs_share_and_none_keeps(tiny_export: Path, tmp_path: Path, facts: dict[str, str]) -> None:
    for path in tiny_export.glob("*.onnx"):
        restated(Path(shutil.copy(path, tmp_path)), **facts)
    with pytest.raises(OnnxError, match=r"motion.onnx:? (takes pictures of 64 by 64|does not give 'foo'|its modes)"):
        OnnxAnimator.load(tmp_path, threads=1)


def test_devices_and_folders_that_are_not_there(tiny_export: Path, tmp_path: Path) -> None:
    with pytest.raises(OnnxError, match="device is 'abacus'; this ONNX Runtime offers cpu"):
        OnnxAnimator.load(tiny_export, "abacus")
    for place in (tmp_path / "none", "x" * 300, "", None):
        with pytest.raises(OnnxError, match="is no folder"):
            OnnxAnimator.load(cast(Any, place))


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


def test_a_link_is_followed_and_names_may_be_long(tiny_export: Path, files: Path, tmp_path: Path) -> None:
    video, target, link = onnx_media.Video(files / "driving.mp4"), tmp_path / f"{'x' * 250}.mp4", tmp_path / "link.mp4"
    target.write_text("older")
    link.symlink_to(target)
    assert onnx_media.write_video(link, [np.zeros((2, 64, 64, 3), np.float32)], video) == 2
    assert link.is_symlink() and {*tmp_path.iterdir()} == {target, link}
    assert next(iter(onnx_media.Video(target))).shape == (64, 64, 3)


def links(folder: Path, model: Path) -> None:
    (folder / "hard.mp4").hardlink_to(folder / "driving.mp4")
    (folder / "soft.mp4").symlink_to("driving.mp4")
    (folder / "model.mp4").symlink_to(model / "render.onnx")
    (folder / "circle.mp4").symlink_to("circle.mp4")
    os.mkfifo(folder / "pipe.mp4")


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({0: "none.png"}, [], "none.png cannot be read"),
        ({1: "tiny.safetensors"}, [], "tiny.safetensors cannot be read"),
        ({2: "result.gif"}, [], "result.gif ends in .gif; one of .mp4, .mov, .mkv was wanted"),
        ({2: "none/result.mp4"}, [], "There is no folder"),
        ({2: "driving.mp4"}, [], "would overwrite the driving video"),
        ({0: "driving.mp4", 1: "source.png", 2: "driving.mp4"}, [], "would overwrite the source picture"),
        ({2: "hard.mp4"}, [], "would overwrite the driving video"),
        ({2: "soft.mp4"}, [], "would overwrite the driving video"),
        ({2: "model.mp4"}, [], "would overwrite the exported model"),
        ({2: "circle.mp4"}, [], "is a link that leads in a circle"),
        ({2: "pipe.mp4"}, [], "is a device or a pipe"),
        ({2: "x" * 300 + ".mp4"}, [], "cannot be written (File name too long)"),
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
    links(folder, tiny_export)
    before = {path: path.lstat().st_size for path in folder.iterdir()}
    names = {0: "source.png", 1: "driving.mp4", 2: "result.mp4"} | changed
    paths = [str(folder / names[i]) for i in range(3)]
    assert main([*paths, "--model", str(tiny_export), "--threads", "1", *options]) == 1
    printed = capsys.readouterr().err
    assert message in printed and printed.startswith("error: ") and printed.count("\n") == 1
    assert {path: path.lstat().st_size for path in folder.iterdir()} == before
