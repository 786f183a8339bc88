"""Controls and motion files on the command line, end to end on files, with a tiny model."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.motion.controls import Controls
from first_order_motion.animation.motion.track import MotionTrack
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.video import animate_file
from first_order_motion.cli.main import main
from first_order_motion.core.errors import InputError
from PIL import Image
from support.architectures import tiny
from support.command_line import COUNT, build_files, command
from support.media_files import all_frames, build_video, moving_pictures, sound_seconds
from torch import Tensor

NTSC = Fraction(30000, 1001)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return build_files(tmp_path)


def pictures(files: Path, *options: str) -> Tensor:
    """The frames that the command makes, (N, H, W, 3), without loss."""
    for old in files.glob("lossless_*.png"):
        old.unlink()
    assert main(command(files, *options, output="lossless.png")) == 0
    found = sorted(files.glob("lossless_*.png"))
    return torch.stack([torch.tensor(np.asarray(Image.open(path), np.int32)) for path in found])


def motion_of(files: Path, name: str = "motion.safetensors") -> MotionTrack:
    return MotionTrack.load(files / name)


def refused(files: Path, capsys: pytest.CaptureFixture[str], line: list[str]) -> str:
    before = sorted(files.iterdir())
    assert main(line) == 1
    [error] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert sorted(files.iterdir()) == before
    return error


# --- controls ---


def test_controls_reach_the_driver(files: Path) -> None:
    given = ["--strength", "0.5", "--head", "1.5", "--expression", "0.3", "--smooth", "0.05", "--batch", "4"]
    found = pictures(files, *given)
    model = Predictor.load(files / "tiny.safetensors", device="cpu")
    options = AnimateOptions(controls=Controls(0.5, 1.5, 0.3, 0.05), rate=float(NTSC), batch=4)
    wanted = torch.cat([
        *model.animate(read_picture(files / "source.png"), VideoClip(files / "driving.mp4"), options)
    ])  # fmt: skip
    assert (found - (wanted * 255).round().movedim(1, -1).int()).abs().max() <= 1


def test_strength_0_keeps_the_pose_and_1_changes_nothing(files: Path) -> None:
    still, usual, same = (pictures(files, *given) for given in (["--strength", "0"], [], ["--strength", "1"]))
    assert (still - still[:1]).abs().max() == 0
    assert torch.equal(usual, same) and (usual - usual[:1]).abs().max() > 0


def test_an_anchor_is_a_number_or_a_picture(files: Path) -> None:
    Image.fromarray(moving_pictures(5)[4].permute(1, 2, 0).numpy()).save(files / "neutral.png")
    first, number, picture = (
        pictures(files, *given) for given in ([], ["--anchor", "4"], ["--anchor", str(files / "neutral.png")])
    )
    assert not torch.equal(first, number) and not torch.equal(first, picture)
    assert (number - picture).abs().float().mean() < (number - first).abs().float().mean()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--strength", "-1"], "--strength is -1; 0 to 4 was wanted"),
        (["--head", "nan"], "--head is nan"),
        (["--expression", "9"], "--expression is 9"),
        (["--smooth", "6"], "--smooth is 6; 0 to 5 seconds was wanted"),
        (["--anchor", "nowhere.png"], "nowhere.png"),
        (["--anchor", "99"], "--anchor is 99; the clip has frames 0 to 10"),
        (["--save-motion", "motion.mp4"], "the motion file is motion.mp4; a name that ends in .safetensors"),
    ],
)
def test_mistakes_are_one_line(files: Path, given: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refused(files, capsys, command(files, *given))


def test_part_swap_refuses_controls_by_name(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = {name: part.state_dict() for name, part in tiny("partswap").named_children()}
    torch.save(parts, files / "vox-5segments.pth.tar")
    model = ["--architecture", "partswap", "--checkpoint", str(files / "vox-5segments.pth.tar"), "--size", "64"]
    for option, value in (("--strength", "0.5"), ("--smooth", "0.1")):
        error = refused(files, capsys, command(files, *model, option, value))
        assert f"{option} was given; Part Swap keeps the pose of its driving frames" in error


def test_one_driving_frame_is_warned_of(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    build_video(files / "driving.mp4", 1)
    for given, warned in (([], 1), (["--absolute"], 0), (["--anchor", str(files / "source.png")], 0)):
        caplog.clear()
        pictures(files, *given)
        assert caplog.text.count("One driving frame moves nothing") == warned
        assert ("--anchor neutral.png" in caplog.text) == bool(warned)


# --- back and forth ---


def test_ping_pong_plays_back_and_forth_and_keeps_the_sound(files: Path) -> None:
    forward, there_and_back = pictures(files), pictures(files, "--ping-pong")
    order = [*range(COUNT), *range(COUNT - 2, 0, -1)]
    assert torch.equal(there_and_back, forward[order])
    assert main(command(files, "--ping-pong", "--sheet", str(files / "sheet.png"))) == 0
    result = VideoClip(files / "result.mp4")
    assert (len(result), result.fps) == (2 * COUNT - 2, NTSC)
    assert sound_seconds(files / "result.mp4") == pytest.approx(COUNT / NTSC, abs=0.06)


# --- motion files ---


def test_motion_that_was_saved_drives_as_the_video_does(files: Path) -> None:
    saved = pictures(files, "--save-motion", str(files / "motion.safetensors"), "--batch", "4")
    track = motion_of(files)
    assert (len(track), track.fps, track.model.name) == (COUNT, NTSC, "tiny.safetensors")
    (files / "driving.mp4").unlink()
    line = command(files, "--batch", "4", output="again.png")
    line[2] = str(files / "motion.safetensors")
    assert main(line) == 0
    again = torch.stack(
        [torch.tensor(np.asarray(Image.open(path), np.int32)) for path in sorted(files.glob("again_*.png"))]
    )
    assert torch.equal(again, saved)
    line[3] = str(files / "again.mp4")
    assert main(line) == 0
    result = VideoClip(files / "again.mp4")
    assert (len(result), result.fps, result.has_audio) == (COUNT, NTSC, False)


def test_reading_is_a_command_of_its_own(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ["--checkpoint", str(files / "tiny.safetensors"), "--device", "cpu"]
    assert main(["motion", "read", str(files / "driving.mp4"), str(files / "one.safetensors"), *model]) == 0
    again = ["motion", "read", str(files / "driving.mp4"), str(files / "two.safetensors"), *model, "--ping-pong"]
    assert main(again) == 0
    one, two = motion_of(files, "one.safetensors"), motion_of(files, "two.safetensors")
    assert torch.equal(two.motion.points[:COUNT], one.motion.points) and len(two) == 2 * COUNT - 2
    mixed = [str(files / f"{name}.safetensors") for name in ("one", "two", "mixed")]
    assert main(["motion", "mix", *mixed, "--expression-anchor", "3"]) == 0
    assert len(motion_of(files, "mixed.safetensors")) == COUNT
    capsys.readouterr()
    assert main(["motion", "describe", mixed[2]]) == 0
    said = capsys.readouterr().out
    assert f"frames: {COUNT} at 29.97 per second (0.37 s)" in said and "tiny.safetensors (fomm, SHA-256" in said
    line = command(files)
    line[2] = mixed[2]
    assert main([*line, "--best-frame", "--ping-pong", "--smooth", "0.1"]) == 0
    assert len(VideoClip(files / "result.mp4")) == 2 * COUNT - 2


def test_the_one_face_that_drives_is_cut_out_when_it_is_read(files: Path) -> None:
    (files / "boxes.json").write_text(json.dumps([[10, 10, 50, 50], [40, 10, 63, 40]]))
    boxes = ["--driving-boxes", str(files / "boxes.json"), "--checkpoint", str(files / "tiny.safetensors")]
    out, video = str(files / "motion.safetensors"), str(files / "driving.mp4")
    assert main(["motion", "read", video, out, *boxes, "--device", "cpu"]) == 0
    face = motion_of(files).motion.points
    assert main(["motion", "read", video, out, *boxes[2:], "--device", "cpu"]) == 0
    assert not torch.equal(motion_of(files).motion.points, face)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["motion", "read", "driving.mp4", "out.mp4"], "the motion file is"),
        (["motion", "read", "nowhere.mp4", "out.safetensors"], "nowhere.mp4"),
        (["motion", "read", "driving.mp4", "tiny.safetensors"], "would overwrite the weight file"),
        (["motion", "mix", "tiny.safetensors", "tiny.safetensors", "out.safetensors"], "perhaps weights"),
        (["motion", "mix", "nowhere.safetensors", "tiny.safetensors", "out.safetensors"], "does not exist"),
        (["motion", "mix", "one.safetensors", "one.safetensors", "one.safetensors"], "would overwrite a motion file"),
        (["motion", "mix", "one.safetensors", "one.safetensors", "out.safetensors", "--head-anchor", "11"],
         "--head-anchor is 11"),
        (["motion", "mix", "one.safetensors", "foreign.safetensors", "out.safetensors"], "that other.pth (fomm"),
        (["motion", "describe", "driving.mp4"], "which is a video (MP4); a motion file"),
        (["run", "source.png", "one.safetensors", "out.mp4", "--sheet", "sheet.png"], "--sheet was given"),
        (["run", "source.png", "one.safetensors", "out.mp4", "--fps", "25"], "--fps is 25, but"),
        (["run", "source.png", "foreign.safetensors", "out.mp4"], "DRIVING is"),
        (["run", "source.png", "one.safetensors", "out.mp4", "--best-frame", "face landmarks"], "needs pictures"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_mixed_is_one_line(
    files: Path, capsys: pytest.CaptureFixture[str], line: list[str], says: str
) -> None:
    model = ["--checkpoint", str(files / "tiny.safetensors"), "--device", "cpu"]
    assert main(["motion", "read", str(files / "driving.mp4"), str(files / "one.safetensors"), *model]) == 0
    track = motion_of(files, "one.safetensors")
    other = type(track.model)("fomm", 64 * "b", "other.pth")
    MotionTrack(track.motion, track.fps, other, track.size).save(files / "foreign.safetensors")
    capsys.readouterr()
    placed = [str(files / word) if "." in word else word for word in line]
    needs_model = line[0] == "run" or line[1] == "read"
    assert says in refused(files, capsys, [*placed, *(model if needs_model else [])])


def test_files_by_files_in_python_take_motion_too(files: Path) -> None:
    model = Predictor.load(files / "tiny.safetensors", device="cpu")
    model.read_motion(VideoClip(files / "driving.mp4"), rate=NTSC).save(files / "motion.safetensors")
    count = animate_file(files / "source.png", files / "motion.safetensors", files / "result.mp4", model)
    assert count == COUNT and all_frames(VideoClip(files / "result.mp4")).shape[0] == COUNT
    with pytest.raises(InputError, match=r"^sheet was given"):
        animate_file(
            files / "source.png", files / "motion.safetensors", files / "other.mp4", model, sheet=files / "s.png"
        )
