"""Videos written and read back: pictures, rate and length survive; failures leave nothing behind."""

import logging
import tracemalloc
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.media import video_track
from first_order_motion.animation.media.output_format import FORMATS
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.media.writer import SUFFIXES, VideoWriter, open_writer
from first_order_motion.core.errors import InputError, MediaError
from support.media_files import all_frames, build_video, moving_pictures
from torch import Tensor


def write(path: Path, frames: Tensor, fps: float | Fraction = 25, size: int = 8, **options: int) -> VideoClip:
    with VideoWriter(path, fps, **options) as writer:
        for start in range(0, len(frames), size):
            writer.write(frames[start : start + size])
    return VideoClip(path)


def read_back(clip: VideoClip) -> Tensor:
    return all_frames(clip).permute(0, 3, 1, 2)  # (N, 3, H, W)


def error(clip: VideoClip, frames: Tensor) -> float:
    return float((read_back(clip).float() - frames.float()).abs().mean())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16])
def test_round_trip(tmp_path: Path, dtype: torch.dtype) -> None:
    frames = moving_pictures(30)
    given = frames if dtype == torch.uint8 else (frames.double() / 255).to(dtype)
    clip = write(tmp_path / "a.mp4", given)
    assert len(clip) == 30 and clip.fps == 25 and not clip.has_audio
    assert error(clip, frames) < 2


def test_quality_can_be_chosen(tmp_path: Path) -> None:
    frames = (torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 255).to(torch.uint8)
    fine, coarse = write(tmp_path / "a.mp4", frames, crf=5), write(tmp_path / "b.mp4", frames, crf=45)
    assert fine.path.stat().st_size > 2 * coarse.path.stat().st_size


@pytest.mark.parametrize(
    ("fps", "exact"),
    [(29.97, Fraction(30000, 1001)), (Fraction(24000, 1001), Fraction(24000, 1001)), (60, 60), (12.5, Fraction(25, 2))],
)
def test_rates_are_exact(tmp_path: Path, fps: float | Fraction, exact: Fraction) -> None:
    clip = write(tmp_path / "a.mp4", moving_pictures(20), fps)
    assert clip.fps == exact and len(clip) == 20


@pytest.mark.parametrize(("height", "width"), [(47, 64), (48, 63), (1, 1), (51, 65)])
def test_odd_sides_gain_a_copy_of_the_last_row_or_column(tmp_path: Path, height: int, width: int) -> None:
    frames = moving_pictures(5, height, width)
    clip = write(tmp_path / "a.mp4", frames)
    back = read_back(clip)
    assert back.shape[2:] == (height + height % 2, width + width % 2)
    assert (back[:, :, :height, :width].float() - frames.float()).abs().mean() < 3
    assert (back[:, :, -1].float() - back[:, :, height - 1].float()).abs().mean() < 2


def test_values_outside_the_range_are_clamped(tmp_path: Path) -> None:
    frames = torch.stack((torch.full((3, 16, 16), -3.0), torch.full((3, 16, 16), 7.0)))
    back = read_back(write(tmp_path / "a.mp4", frames))
    assert back[0].max() <= 2 and back[1].min() >= 253


def test_the_index_stands_in_front(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", moving_pictures(5))
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_an_error_inside_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", 25) as writer:
        writer.write(moving_pictures(10))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_error_inside_leaves_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    build_video(path, 12)
    before = path.read_bytes()
    with pytest.raises(InputError, match="one size"), VideoWriter(path, 25) as writer:
        writer.write(moving_pictures(3))
        writer.write(moving_pictures(3, 32, 32))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    assert len(write(path, moving_pictures(7))) == 7
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_shows_under_the_name_before_the_end(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        writer.write(moving_pictures(10))
        assert not list(tmp_path.glob("*.mp4"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_wrong_use_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="0 frames"), VideoWriter(tmp_path / "a.mp4", 25):
        pass
    with pytest.raises(InputError, match=r"\.mp4"):
        VideoWriter(tmp_path / "a.ogv", 25)
    with pytest.raises(InputError, match="crf"):
        VideoWriter(tmp_path / "a.mp4", 25, crf=60)
    with pytest.raises(InputError, match="fps"):
        VideoWriter(tmp_path / "a.mp4", 0)
    with pytest.raises(MediaError, match="no folder"):
        VideoWriter(tmp_path / "none" / "a.mp4", 25)
    with pytest.raises(MediaError, match="inside the `with`"):
        VideoWriter(tmp_path / "a.mp4", 25).write(moving_pictures(1))
    for frames in (torch.zeros(2, 8, 8, 3), torch.zeros(3, 8, 8), torch.zeros(1, 3, 8, 8, dtype=torch.int64)):
        with pytest.raises(InputError, match="wanted"), VideoWriter(tmp_path / "a.mp4", 25) as writer:
            writer.write(frames)
    with pytest.raises(MediaError, match="cannot be written"), VideoWriter(tmp_path / "a.mp4", 25) as writer:
        writer.write(torch.zeros(1, 3, 2, 40000, dtype=torch.uint8))  # wider than H.264 allows
    assert list(tmp_path.iterdir()) == []


def test_without_libx264_another_codec_is_used_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(video_track, "has_encoder", lambda name: name != "libx264")
    frames = moving_pictures(20)
    with caplog.at_level(logging.WARNING):
        clip = write(tmp_path / "a.mp4", frames, 29.97)
    assert "libx264" in caplog.text
    assert len(clip) == 20 and clip.fps == Fraction(30000, 1001) and error(clip, frames) < 10


def test_memory_stays_flat(tmp_path: Path) -> None:
    frames = moving_pictures(8)
    tracemalloc.start()
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        for _ in range(5):
            writer.write(frames)
        early, _ = tracemalloc.get_traced_memory()
        for _ in range(70):
            writer.write(frames)
        late, _ = tracemalloc.get_traced_memory()
    clip = VideoClip(tmp_path / "a.mp4")
    count = sum(chunk.shape[0] for chunk in clip.chunks(8))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 600 and late - early < 200_000 and peak < 5_000_000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_suffix_chooses_the_format(tmp_path: Path, suffix: str) -> None:
    with open_writer(str(tmp_path / f"a{suffix.upper()}"), 25) as writer:
        writer.write(moving_pictures(3))
    (first, *more) = sorted(tmp_path.iterdir())
    heads = {
        ".gif": b"GIF89a",
        ".webp": b"RIFF",
        ".png": b"\x89PNG",
        ".mkv": b"\x1aE\xdf\xa3",
        ".webm": b"\x1aE\xdf\xa3",
    }
    assert heads.get(suffix, b"ftyp") in first.read_bytes()[:12] and len(more) == (2 if suffix == ".png" else 0)


@pytest.mark.parametrize("name", ["a.ogv", "a", "a.jpg", ".png"])
def test_another_suffix_is_refused_and_the_possible_ones_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        InputError, match=r"\.mp4, \.m4v, \.mov, \.mkv, \.webm, \.gif, \.webp, \.png was wanted"
    ) as caught:
        open_writer(tmp_path / name, 25)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("audio", ["aac", None])
def test_lost_sound_is_said_once(
    tmp_path: Path, suffix: str, audio: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    build_video(tmp_path / "driving.mkv", 10, audio=audio)
    with (
        caplog.at_level(logging.INFO),
        open_writer(tmp_path / f"a{suffix}", 25, audio_from=tmp_path / "driving.mkv") as writer,
    ):
        writer.write(moving_pictures(10))
    lost = audio is not None and suffix not in FORMATS
    assert caplog.text.count("no sound") == lost
    if suffix in FORMATS:
        assert VideoClip(tmp_path / f"a{suffix}").has_audio == (audio is not None)
