"""Videos as sources on the command line: every frame is animated, at its own speed, with the driving video's sound."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.cli.main import main
from PIL import Image
from support.media_files import all_frames, build_video

SMALL = ["--model", "drawn-faces", "--device", "cpu"]


def run(folder: Path, source: str, *options: str, output: str = "out.mp4") -> int:
    paths = [str(folder / name) for name in (source, "clip.mp4", output)]
    return main(["run", *paths, *SMALL, *options])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    build_video(tmp_path / "clip.mp4", 8, audio="aac")
    build_video(tmp_path / "source.mp4", 4)
    build_video(tmp_path / "fast.mp4", 16, fps=Fraction(50))
    return tmp_path


def test_a_video_is_animated_frame_by_frame(folder: Path) -> None:
    assert run(folder, "source.mp4", "--framing", "stretch", "--absolute", "--sheet", str(folder / "sheet.png")) == 0
    result = VideoClip(folder / "out.mp4")
    assert len(result) == 8 and result.has_audio
    held, moved = all_frames(result)[4:].float(), all_frames(result)[:4].float()
    assert (moved[3] - moved[0]).abs().mean() > (held[3] - held[0]).abs().mean()  # its own colours change, then stay
    assert (folder / "sheet.png").exists()


def test_the_result_can_end_with_the_source(folder: Path) -> None:
    assert run(folder, "source.mp4", "--framing", "stretch", "--source-ends", "cut") == 0
    assert len(VideoClip(folder / "out.mp4")) == 4


def test_a_video_of_another_rate_keeps_its_speed(folder: Path) -> None:
    assert run(folder, "fast.mp4", "--framing", "stretch", "--absolute", output="fast_out.mp4") == 0
    Image.fromarray(all_frames(VideoClip(folder / "fast.mp4"))[6].numpy()).save(folder / "sixth.png")
    assert run(folder, "sixth.png", "--framing", "stretch", "--absolute", output="still.mp4") == 0
    fast, still = (all_frames(VideoClip(folder / name))[3].float() for name in ("fast_out.mp4", "still.mp4"))
    assert (fast - still).abs().mean() < 2  # frame 3 at 25 a second is frame 6 at 50


def test_faces_in_a_video_are_pasted_into_their_frames(folder: Path) -> None:
    (folder / "boxes.json").write_text("[[10, 10, 30, 30]]")
    options = ("--boxes", str(folder / "boxes.json"), "--ratio", "0")
    assert run(folder, "source.mp4", *options, output="out.png") == 0
    source = all_frames(VideoClip(folder / "source.mp4"))
    for number in (0, 3, 7):
        result = torch.tensor(np.asarray(Image.open(folder / f"out_{number + 1:05d}.png")))
        assert torch.equal(result[:, 40:], source[min(number, 3)][:, 40:])
        assert not torch.equal(result[10:30, 10:30], source[min(number, 3)][10:30, 10:30])


def test_an_animated_picture_moves_too(folder: Path) -> None:
    pictures = [Image.fromarray(frame.numpy()) for frame in all_frames(VideoClip(folder / "source.mp4"))]
    pictures[0].save(folder / "source.gif", save_all=True, append_images=pictures[1:], duration=40)
    assert run(folder, "source.gif", "--framing", "stretch", "--source-ends", "cut") == 0
    assert len(VideoClip(folder / "out.mp4")) == 4
