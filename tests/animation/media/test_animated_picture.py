"""GIF and WebP: every frame, its colours and its time survive, without end; failures leave nothing behind."""

import logging
import struct
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.media import animated_picture
from first_order_motion.animation.media.frame_times import FrameTimes, Timetable
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.media.writer import open_writer
from first_order_motion.core.errors import InputError, MediaError
from PIL import Image, ImageSequence
from skimage.metrics import peak_signal_noise_ratio
from support.media_files import moving_pictures
from torch import Tensor

every_kind = pytest.mark.parametrize("suffix", [".gif", ".webp"])
NOISE = {".gif": 36, ".webp": 38}  # least PSNR of smooth pictures, in dB
TICK = {".gif": 10, ".webp": 1}  # ms


def write(path: Path, frames: Tensor, fps: float | Fraction = 25, size: int = 8) -> Path:
    with open_writer(path, fps) as writer:
        for start in range(0, len(frames), size):
            writer.write(frames[start : start + size])
    return path


def restless_pictures(count: int) -> Tensor:
    """Coarse noise uint8 (N, 3, 16, 16), no frame like another."""
    noise = torch.randint(0, 256, (count, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return noise.repeat_interleave(4, 2).repeat_interleave(4, 3)


def read_back(path: Path) -> np.ndarray:
    """Every frame, uint8 (N, H, W, 3), as Pillow shows it."""
    with Image.open(path) as image:
        return np.stack([np.array(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])


def durations(path: Path) -> list[int]:
    """How long every frame is shown, in ms, read off the file's own structure."""
    if path.suffix == ".gif":
        with Image.open(path) as image:
            return [frame.info["duration"] for frame in ImageSequence.Iterator(image)]
    content, place, found = path.read_bytes(), 12, []
    while place < len(content):
        name, length = struct.unpack_from("<4sI", content, place)
        if name == b"ANMF":
            found.append(int.from_bytes(content[place + 20 : place + 23], "little"))
        place += 8 + length + length % 2
    return found


@every_kind
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_frames_and_colours_survive(tmp_path: Path, suffix: str, dtype: torch.dtype) -> None:
    frames = moving_pictures(30, 47, 65)
    given = frames if dtype == torch.uint8 else frames / 255
    back = read_back(write(tmp_path / f"a{suffix}", given))
    wanted = frames.movedim(1, -1).numpy()
    assert back.shape == wanted.shape
    for picture, original in zip(back, wanted, strict=True):
        assert peak_signal_noise_ratio(original, picture) > NOISE[suffix]


@every_kind
@pytest.mark.parametrize("fps", [25, 24, Fraction(30000, 1001), Fraction(24000, 1001), 7.5, 50])
def test_times_are_spread_so_that_the_total_is_true(tmp_path: Path, suffix: str, fps: float | Fraction) -> None:
    shown = durations(write(tmp_path / f"a{suffix}", restless_pictures(100), fps))
    starts = np.cumsum([0, *shown])
    assert len(shown) == 100
    assert np.abs(starts - np.arange(101) * 1000 / float(fps)).max() <= TICK[suffix] * 0.5 + 0.5


@every_kind
def test_clips_that_are_too_fast_lose_frames_and_no_time(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        shown = durations(write(tmp_path / f"a{suffix}", restless_pictures(240), 120))
    assert min(shown) >= {".gif": 20, ".webp": 11}[suffix]
    assert abs(sum(shown) - 2000) <= 20
    assert f"{len(shown)} of 240" in caplog.text


def test_a_timetable_neither_drifts_nor_overlaps() -> None:
    times = Timetable(FrameTimes.even(60), Fraction(1, 100), 2, 1000)
    slots = [times.next() for _ in range(600)]
    shown = [slot for slot in slots if slot is not None]
    assert len(shown) == 600 - times.skipped == 500
    assert [slot.start for slot in shown] == list(range(0, 1000, 2))
    assert all(abs(slot.start / 100 - number / 60) < 2 / 100 for number, slot in enumerate(slots) if slot is not None)


@every_kind
def test_they_play_without_end(tmp_path: Path, suffix: str) -> None:
    with Image.open(write(tmp_path / f"a{suffix}", moving_pictures(3))) as image:
        assert image.info["loop"] == 0


@every_kind
def test_one_frame_is_a_picture(tmp_path: Path, suffix: str) -> None:
    frame = moving_pictures(1)
    picture = read_picture(write(tmp_path / f"a{suffix}", frame))[0, ..., :3].numpy()
    assert peak_signal_noise_ratio(frame[0].movedim(0, -1).numpy(), picture) > NOISE[suffix]


@every_kind
def test_equal_frames_keep_the_time(tmp_path: Path, suffix: str) -> None:
    frames = moving_pictures(2).repeat_interleave(10, dim=0)
    path = write(tmp_path / f"a{suffix}", frames)
    assert abs(sum(durations(path)) - 800) <= 400  # libwebp makes one frame of equal ones, the last as long as others
    assert np.abs(read_back(path)[-1].astype(float) - frames[-1].movedim(0, -1).numpy()).mean() < 4


def test_a_gif_can_drive(tmp_path: Path) -> None:
    clip = VideoClip(write(tmp_path / "a.gif", moving_pictures(30), 30))
    assert len(clip) == 30 and abs(clip.fps - 30) < 0.2


@every_kind
def test_an_error_inside_leaves_the_older_file_alone(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", moving_pictures(5))
    before = path.read_bytes()
    with pytest.raises(InputError, match="one size"), open_writer(path, 25) as writer:
        writer.write(moving_pictures(3))
        writer.write(moving_pictures(3, 32, 32))
    with pytest.raises(KeyboardInterrupt), open_writer(path, 25) as writer:
        writer.write(moving_pictures(9))
        assert path.read_bytes() == before
        raise KeyboardInterrupt
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    assert len(durations(write(path, moving_pictures(7)))) == 7
    assert list(tmp_path.iterdir()) == [path]


@every_kind
def test_wrong_use_is_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(MediaError, match="0 frames"), open_writer(tmp_path / f"a{suffix}", 25):
        pass
    with pytest.raises(MediaError, match="no folder"):
        open_writer(tmp_path / "none" / f"a{suffix}", 25)
    with pytest.raises(MediaError, match="inside the `with`"):
        open_writer(tmp_path / f"a{suffix}", 25).write(moving_pictures(1))
    with pytest.raises(MediaError, match="cannot be written"), open_writer(tmp_path / f"a{suffix}", 25) as writer:
        writer.write(torch.zeros(1, 3, 1, 70000, dtype=torch.uint8))  # wider than either format allows
    assert list(tmp_path.iterdir()) == []


@every_kind
def test_a_missing_encoder_is_said(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animated_picture, "has_encoder", lambda name: False)
    with pytest.raises(MediaError, match="lacks"):
        open_writer(tmp_path / f"a{suffix}", 25)


@every_kind
def test_memory_stays_flat(tmp_path: Path, suffix: str) -> None:
    frames = moving_pictures(8)
    tracemalloc.start()
    with open_writer(tmp_path / f"a{suffix}", 25) as writer:
        for _ in range(5):
            writer.write(frames)
        early, _ = tracemalloc.get_traced_memory()
        for _ in range(70):
            writer.write(frames)
        late, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert late - early < 200_000
