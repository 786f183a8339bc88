"""Colours survive writing and reading, any number of times; profiles are honoured; transparent parts show nothing."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from av.video.frame import VideoFrame
from first_order_motion.animation.frames import FrameFormat, without_alpha
from first_order_motion.animation.media.colour import RgbConverter, to_yuv420
from first_order_motion.animation.media.open_clip import open_clip
from first_order_motion.animation.media.reader import read_picture
from first_order_motion.animation.media.writer import open_writer
from PIL import Image, ImageCms
from support.media_files import all_frames

PRIMARIES = [[224, 172, 105], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [255, 255, 0]]


def colours(count: int, seed: int = 0) -> np.ndarray:
    """Colours uint8 (N, 3): the primaries, skin, and any others."""
    others = np.random.default_rng(seed).integers(0, 256, (count - len(PRIMARIES), 3))
    return np.concatenate([PRIMARIES, others]).astype(np.uint8)


def test_no_colour_moves_by_more_than_one_in_conversion() -> None:
    chart = colours(16384).reshape(128, 128, 3).repeat(2, 0).repeat(2, 1)
    convert, picture = RgbConverter(256, 256), chart
    errors = list[np.ndarray]()
    for _ in range(6):
        picture = convert(to_yuv420(picture)).numpy()
        errors.append(np.abs(picture.astype(int) - chart).max(axis=-1))
    assert errors[0].max() <= 1
    assert errors[-1].max() <= 2 and (errors[-1] > 1).mean() < 0.0005  # of saturated colours, one in some thousands
    assert np.array_equal(errors[1], errors[-1])


@pytest.mark.parametrize(("form", "black", "white"), [("yuv420p", 16, 235), ("yuvj420p", 0, 255)])
def test_the_range_that_a_frame_states_is_kept_to(form: str, black: int, white: int) -> None:
    for stored, shown in ((black, 0), (white, 255)):
        rows = np.full((12, 8), 128, np.uint8)
        rows[:8] = stored
        assert (RgbConverter(8, 8)(VideoFrame.from_ndarray(rows, format=form)) == shown).all()


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".gif", ".png"])
def test_flat_frames_stay_within_one_over_six_rounds(tmp_path: Path, suffix: str) -> None:
    wanted = torch.as_tensor(colours(24))[:, :, None, None].expand(-1, -1, 32, 32)
    frames = wanted
    for number in range(6):
        path = tmp_path / f"{number}{suffix}"
        with open_writer(path, 25) as writer:
            writer.write(frames)
        clip = open_clip(path if suffix != ".png" else tmp_path / f"{number}_%05d.png")
        frames = torch.cat(list(clip.chunks(8))).movedim(-1, 1)
        assert (frames.int() - wanted.int()).abs().max() <= 1


def test_patches_stay_within_one_over_six_rounds(tmp_path: Path) -> None:
    chart = torch.as_tensor(colours(16)).view(4, 4, 3)
    wanted = chart.repeat_interleave(64, 0).repeat_interleave(64, 1).movedim(-1, 0)[None].expand(6, -1, -1, -1)
    frames = wanted
    for number in range(6):
        path = tmp_path / f"{number}.mp4"
        with open_writer(path, 25) as writer:
            writer.write(frames)
        frames = torch.cat(list(open_clip(path).chunks(8))).movedim(-1, 1)
    inside = (frames.int() - wanted.int()).abs().view(6, 3, 4, 64, 4, 64)[:, :, :, 16:48, :, 16:48]
    assert inside.max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_profiles_are_honoured(tmp_path: Path, mode: str) -> None:
    linear = _gamma_profile(1.0)
    image = Image.new("RGB", (4, 4), (128, 128, 128))
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    image.save(tmp_path / "a.png", icc_profile=linear)
    read = read_picture(tmp_path / "a.png")[0, 0, 0, :3]
    assert (read.int() - 188).abs().max() <= 2  # linear one half, in sRGB


@pytest.mark.parametrize("profile", [b"not a profile", b"\0" * 200])
def test_a_broken_profile_is_left_out_and_said(
    tmp_path: Path, profile: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("RGB", (4, 4), (10, 200, 30)).save(tmp_path / "a.png", icc_profile=profile)
    assert read_picture(tmp_path / "a.png")[0, 0, 0].tolist() == [10, 200, 30]
    assert "profile" in caplog.text


def _gamma_profile(gamma: float) -> bytes:
    """Profile of sRGB's primaries with a plain power as its curve: the built-in one with other curves."""
    import struct

    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    start = len(content) + (-len(content)) % 4
    content += bytes(start - len(content)) + curve
    for entry in range(struct.unpack_from(">I", content, 128)[0]):
        place = 132 + 12 * entry
        if content[place : place + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            struct.pack_into(">II", content, place + 4, start, len(curve) - 2)
    struct.pack_into(">I", content, 0, len(content))
    return bytes(content)


def test_transparent_margins_are_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 255, 0))
    image.paste((10, 20, 30, 255), (2, 2, 6, 6))
    image.save(tmp_path / "a.png")
    shown = FrameFormat((8, 8), torch.device("cpu")).convert(read_picture(tmp_path / "a.png"), "source")[0] * 255
    assert shown[:, 0, 0].tolist() == [255, 255, 255] and shown[:, 3, 3].round().tolist() == [10, 20, 30]
    clip = open_clip(tmp_path / "a.png")
    assert all_frames(clip)[0, 0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_transparent_parts_of_animated_pictures_are_white(tmp_path: Path, suffix: str) -> None:
    first, second = (Image.new("RGBA", (16, 16), (255, 0, 255, 0)) for _ in range(2))
    first.paste((0, 0, 0, 255), (0, 0, 8, 16))
    second.paste((0, 0, 0, 255), (0, 0, 4, 16))
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[second], duration=100, disposal=2)
    frames = all_frames(open_clip(tmp_path / f"a.{suffix}"))
    assert len(frames) == 2 and frames[0, 8, 12].tolist() == [255, 255, 255] and frames[0, 8, 2].max() < 8


def test_alpha_of_tensors_is_over_white() -> None:
    grey = torch.tensor([[[[0.2, 0.0], [0.2, 1.0], [0.2, 0.5]]]])
    assert without_alpha(grey).flatten().tolist() == pytest.approx([1.0, 0.2, 0.6])
    deep = torch.tensor([[[[100, 100, 100, 0], [100, 100, 100, 255]]]], dtype=torch.uint8)
    assert without_alpha(deep)[0, 0].tolist() == [[255, 255, 255], [100, 100, 100]]


def test_a_cmyk_picture_is_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(buffer, format="JPEG", quality=95)
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    assert read_picture(tmp_path / "a.jpg")[0, 0, 0, 0] > 200
