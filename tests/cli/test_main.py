"""The command line, end to end on files, with a tiny model."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
import yaml
from first_order_motion.animation import video
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.media.writer import VideoWriter
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.registry import load_animator
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.cli.main import INTERRUPTED, main
from first_order_motion.core.weights.checkpoint import read_checkpoint
from first_order_motion.face_parsing.config import FaceParsingConfig
from first_order_motion.face_parsing.parser import FaceParser
from PIL import Image
from support.architectures import FOMM, SIDE, seeded, tiny
from support.command_line import COUNT, build_files, command
from support.media_files import build_video, sound_seconds

PUBLISHED_YAML = {
    "common_params": {"num_kp": FOMM.num_kp, "num_channels": 3, "estimate_jacobian": True},
    "kp_detector_params": {
        "block_expansion": 8, "max_features": 16, "num_blocks": 2, "temperature": 0.2, "scale_factor": 0.25,
    },
    "generator_params": {
        "block_expansion": 8, "max_features": 16, "num_down_blocks": 2, "num_bottleneck_blocks": 2,
        "estimate_occlusion_map": True,
        "dense_motion_params": {"block_expansion": 8, "max_features": 16, "num_blocks": 2, "scale_factor": 0.25},
    },
}  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return build_files(tmp_path)


def test_run_keeps_count_rate_and_sound(files: Path) -> None:
    assert main(command(files, "--sheet", str(files / "sheet.png"))) == 0
    result = VideoClip(files / "result.mp4")
    assert (len(result), result.fps) == (COUNT, Fraction(30000, 1001))
    assert sound_seconds(files / "result.mp4") == pytest.approx(COUNT / result.fps, abs=0.05)
    with Image.open(files / "sheet.png") as sheet:
        assert sheet.height > 4 * 100


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ([], AnimateOptions()),
        (["--absolute"], AnimateOptions(Retargeting("standard"))),
        (["--keep-jacobian", "--keep-scale"], AnimateOptions(Retargeting("relative", False, False))),
        (["--anchor", "7", "--batch", "3"], AnimateOptions(anchor=7)),
        (["--size", "96", "--antialias"], AnimateOptions(size=96, antialias=True)),
    ],
    ids=["default", "absolute", "keep", "anchor", "size"],
)
def test_options_mean_what_the_driver_means(
    files: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], options: AnimateOptions
) -> None:
    written: list[torch.Tensor] = []

    class Kept(VideoWriter):
        def write(self, frames: torch.Tensor) -> None:
            written.append(frames)
            super().write(frames)

    monkeypatch.setattr(video, "open_writer", Kept)
    assert main(command(files, *given)) == 0
    model = load_animator(files / "tiny.safetensors", "fomm")
    source, clip = read_picture(files / "source.png"), VideoClip(files / "driving.mp4")
    wanted = torch.cat(list(animate(model, source, clip, torch.device("cpu"), options)))
    assert (torch.cat(written) - wanted).abs().max() <= 1e-5


OTHERS = {
    "spline": ("spline", [[], ["--absolute"], ["--avd"]]),
    "mrfa": ("mrfa_like_celebvhq", [[], ["--absolute"], ["--absolute", "--background"]]),
}
RUNS = [(architecture, name, mode) for architecture, (name, modes) in OTHERS.items() for mode in modes]


@pytest.mark.parametrize(("architecture", "name", "mode"), RUNS)
def test_run_takes_other_architectures(files: Path, architecture: str, name: str, mode: list[str]) -> None:
    parts = {part: network.state_dict() for part, network in tiny(name).named_children()}
    torch.save(parts, files / "vox.pth.tar")
    given = ["--architecture", architecture, "--checkpoint", str(files / "vox.pth.tar"), "--size", str(SIDE)]
    assert main(command(files, *given, *mode)) == 0
    assert len(VideoClip(files / "result.mp4")) == COUNT


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["--parts", "1_3", "--target-mask", "--hard-edges", "--blend-scale", "0.6"],
        ["--face-parts", "hair, hat"],
        ["--face-parts"],
    ],
    ids=["default", "segments", "classes", "face"],
)
def test_run_swaps_parts(files: Path, given: list[str]) -> None:
    parts = {name: part.state_dict() for name, part in tiny("partswap").named_children()}
    torch.save(parts, files / "vox-5segments.pth.tar")
    torch.save(seeded(FaceParser(FaceParsingConfig(width=4))).network.state_dict(), files / "79999_iter.pth")
    parser = ["--face-parser", str(files / "79999_iter.pth")] if "--face-parts" in given else []
    model = ["--architecture", "partswap", "--checkpoint", str(files / "vox-5segments.pth.tar"), "--size", str(SIDE)]
    assert main(command(files, *model, *given, *parser)) == 0
    assert len(VideoClip(files / "result.mp4")) == COUNT


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--parts", "nose"], "'nose' is no part"),
        (["--parts", ""], "--parts is '', so that no segment is chosen"),
        (["--face-parts", "tail"], "'tail' is no part of the face"),
        (["--face-parser", "nowhere.pth"], "Add --face-parts"),
        (["--face-parts", "--face-parser", "nowhere.pth"], "nowhere.pth"),
        (["--blend-scale", "2"], "--blend-scale is 2"),
        (["--avd"], "offers standard"),
        (["--best-frame"], "--best-frame was given; Part Swap (Co-Part Segmentation) does not take it"),
        (["--background"], "--background was given"),
        (["--anchor", "0"], "--anchor was given"),
    ],
)
def test_a_swap_that_is_none_is_one_line(
    files: Path, capsys: pytest.CaptureFixture[str], given: list[str], says: str
) -> None:
    parts = {name: part.state_dict() for name, part in tiny("partswap").named_children()}
    torch.save(parts, files / "vox-5segments.pth.tar")
    model = ["--architecture", "partswap", "--checkpoint", str(files / "vox-5segments.pth.tar"), "--size", str(SIDE)]
    assert main(command(files, *model, *given)) == 1
    assert says in capsys.readouterr().err


def test_best_frame_is_found_by_the_models_keypoints(files: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert main(command(files, "--best-frame", "model keypoints")) == 0
    assert "by model keypoints" in caplog.text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--checkpoint", "nowhere.pth"], "nowhere.pth"),
        (["--anchor", "99"], "--anchor is 99; the clip has frames 0 to 10"),
        (["--batch", "0"], "--batch is 0"),
        (["--parts", "1"], "--parts was given; First Order Motion Model (FOMM) does not take it"),
        (["--variant", "vox256"], "--variant was given"),
        (["--max-pixels", "9"], "--max-pixels was given"),
        (["--blend-scale", "1"], "--blend-scale was given"),
        (["--blend-scale", "0"], "--blend-scale was given"),
        (["--max-pixels", "0"], "--max-pixels was given"),
        (["--size", "100"], "multiple of 16"),
        (["--device", "abacus"], "--device 'abacus' cannot be used here"),
    ],
    ids=[
        "weights",
        "anchor",
        "batch",
        "parts",
        "variant",
        "pixels",
        "blend",
        "no_blend",
        "no_pixels",
        "size",
        "device",
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    files: Path, capsys: pytest.CaptureFixture[str], change: list[str], says: str
) -> None:
    before = sorted(files.iterdir())
    assert main([*command(files), *change]) == 1
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert says in line
    assert sorted(files.iterdir()) == before


def test_missing_weights_say_where_to_get_them(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(files / name) for name in ("source.png", "driving.mp4", "result.mp4")]
    assert main(["run", *paths, "--model", "bair", "--device", "cpu"]) == 1
    error = capsys.readouterr().err
    assert "bair-cpk.pth.tar" in error
    assert "https://" in error
    assert "--download" not in error and "--model drawn-faces" in error  # its SHA-256 is not known
    assert main(["run", *paths, "--model", "vox-adv", "--device", "cpu"]) == 1
    assert "Or add --download." in capsys.readouterr().err


def test_a_name_of_one_architecture_alone_says_which(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(files / name) for name in ("source.png", "driving.mp4", "result.mp4")]
    assert main(["run", *paths, "--model", "ted-384", "--device", "cpu"]) == 1
    assert "ted.pth.tar (weights 'ted-384')" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--model", "vox"], ["--best-frame", "--anchor", "5"]])
def test_contradictions_are_refused(files: Path, given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(command(files, *given))
    assert "not allowed with argument" in capsys.readouterr().err


def test_stopping_leaves_nothing(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(video.SheetSampler, "add", stopped)
    before = sorted(files.iterdir())
    assert main(command(files)) == INTERRUPTED
    assert sorted(files.iterdir()) == before


def test_a_silent_video_gives_a_silent_video(files: Path) -> None:
    build_video(files / "driving.mp4", COUNT)
    assert main(command(files)) == 0
    with av.open(str(files / "result.mp4")) as container:
        assert not container.streams.audio


@pytest.mark.parametrize("half", [False, True])
def test_convert_keeps_the_weights(files: Path, half: bool) -> None:
    model = load_animator(files / "tiny.safetensors", "fomm")
    old = files / "old.pth.tar"
    state = {name: getattr(model, name).state_dict() for name in ("generator", "kp_detector")}
    torch.save(state | {"epoch": 3}, old, _use_new_zipfile_serialization=False)
    new = files / "new.safetensors"
    (files / "old.yaml").write_text(yaml.safe_dump(PUBLISHED_YAML))
    assert main(["convert", str(old), str(new), *(["--half"] if half else [])]) == 0
    for name, tensors in read_checkpoint(old).components.items():
        for key, tensor in tensors.items():
            wanted = tensor.half() if half and tensor.is_floating_point() else tensor
            assert torch.equal(read_checkpoint(new).components[name][key], wanted)
    converted = load_animator(new, "fomm")
    assert converted.config == load_animator(old, "fomm").config
    assert converted.config.kp_detector.temperature == 0.2  # which only the YAML beside the old file says


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_animated_pictures_are_written_by_suffix(files: Path, suffix: str) -> None:
    result = files / f"result.{suffix}"
    assert main([part.replace("result.mp4", result.name) for part in command(files)]) == 0
    with Image.open(result) as image:
        assert getattr(image, "n_frames", 1) == COUNT


def test_pictures_are_numbered(files: Path) -> None:
    assert main([part.replace("result.mp4", "result.png") for part in command(files)]) == 0
    assert len([*files.glob("result_*.png")]) == COUNT


def test_another_suffix_is_refused_before_the_weights_are_read(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "tiny.safetensors").unlink()
    assert main([part.replace("result.mp4", "result.avi") for part in command(files)]) == 1
    assert ".avi; one of" in capsys.readouterr().err
