"""Damaged pictures and videos: frames or one clean line, quickly and in little memory, whatever was damaged."""

from __future__ import annotations

import io
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from first_order_motion.animation.media.audio import read_sound
from first_order_motion.animation.media.open_clip import open_clip
from first_order_motion.animation.media.reader import read_picture
from first_order_motion.core.errors import FirstOrderError
from PIL import Image
from support.media_files import build_video

PICTURES = {
    "png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "dib": "DIB", "tif": "TIFF", "ppm": "PPM",
    "tga": "TGA", "jp2": "JPEG2000", "avif": "AVIF", "ico": "ICO", "icns": "ICNS", "pcx": "PCX", "sgi": "SGI",
    "dds": "DDS", "qoi": "QOI", "xbm": "XBM", "blp": "BLP", "mpo": "MPO", "spider": "SPIDER", "im": "IM", "msp": "MSP",
    "eps": "EPS", "pdf": "PDF",
}  # fmt: skip
VIDEOS = {
    "mp4": ("libx264", "aac"), "mov": ("libx264", "alac"), "m4v": ("mpeg4", "aac"), "mkv": ("libx264", "flac"),
    "webm": ("libvpx", "libopus"), "avi": ("mpeg4", "mp3"), "ts": ("libx264", "aac"), "mpg": ("mpeg2video", "mp2"),
    "flv": ("flv", "mp3"), "gif": ("gif", None), "mxf": ("mpeg2video", None), "h264": ("libx264", None),
    "m2v": ("mpeg2video", None), "nut.mkv": ("libvpx-vp9", "libopus"), "3gp": ("mpeg4", "aac"),
    "hevc.mp4": ("libx265", None), }  # fmt: skip
SMALL, LARGE = 4, 600
LONGEST, SECONDS, SPARE = 300, 2.0, 200 * 2**20


def picture_seeds(folder: Path) -> dict[str, bytes]:
    """One small file of every format of pictures that can be written here."""
    ramp = Image.fromarray(np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3))
    seeds = dict[str, bytes]()
    for suffix, form in PICTURES.items():
        mode = {"XBM": "1", "MSP": "1", "SPIDER": "F", "BLP": "P", "GIF": "P"}.get(form, "RGB")
        buffer = io.BytesIO()
        try:
            ramp.convert(mode).save(buffer, format=form)
        except (KeyError, OSError):
            continue
        seeds[suffix] = buffer.getvalue()
    return seeds


def video_seeds(folder: Path) -> dict[str, bytes]:
    """One short file of every kind of video that can be written here."""
    seeds = dict[str, bytes]()
    for suffix, (video, sound) in VIDEOS.items():
        path = folder / f"seed.{suffix}"
        try:
            build_video(path, 12, codec=video, audio=sound, options={"g": "6"})
        except (OSError, ValueError):
            continue
        seeds[suffix] = path.read_bytes()
    pictures = [Image.new("RGB", (32, 24), (number * 20, 90, 100)) for number in range(6)]
    for suffix in ("png", "webp"):
        buffer = io.BytesIO()
        pictures[0].save(buffer, format=suffix.upper(), save_all=True, append_images=pictures[1:], duration=40)
        seeds[suffix] = buffer.getvalue()
    return seeds


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Content with bytes changed, cut, doubled, or replaced by extreme numbers."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        place, kind = chance.randrange(max(1, len(data))), chance.randrange(6)
        if kind == 0:
            data[place : place + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            data[place : place + 4] = chance.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\xff\xff"])
        elif kind == 2:
            del data[place : place + chance.randint(1, 64)]
        elif kind == 3:
            data[place:place] = data[place : place + chance.randint(1, 64)]
        elif kind == 4:
            head = min(len(data), 200)
            data[chance.randrange(max(1, head))] ^= 1 << chance.randrange(8)
        elif chance.random() < 0.3:
            del data[place:]
    return bytes(data)


def attempt(read: Callable[[Path], object], path: Path) -> None:
    """Read a file: it succeeds or raises one clean line, in time."""
    begun = time.process_time()
    try:
        read(path)
    except FirstOrderError as error:
        text = str(error).replace(str(path), path.name)
        assert len(text) <= LONGEST and text.isprintable(), text
    assert time.process_time() - begun <= SECONDS


def read_clip(path: Path) -> None:
    """Read all of a driving clip, and its sound."""
    clip = open_clip(path)
    assert sum(len(chunk) for chunk in clip.chunks(8)) == len(clip)
    if clip.sound is not None:
        read_sound(clip.sound)


def run(seeds: dict[str, bytes], read: Callable[[Path], object], folder: Path, count: int) -> None:
    """Damage every seed `count` times; the memory that it took is bounded too."""
    failures = list[str]()
    for suffix, content in seeds.items():
        path = folder / f"a.{suffix}"
        path.write_bytes(content)
        attempt(read, path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(count):
            path.write_bytes(damaged(content, random.Random(f"{suffix} {number}")))
            try:
                attempt(read, path)
            except (
                AssertionError,
                AttributeError,
                ArithmeticError,
                LookupError,
                OSError,
                RuntimeError,
                TypeError,
                ValueError,
            ) as error:
                failures.append(f"{suffix} {number}: {type(error).__name__} {error}")
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        if sys.platform == "linux" and grown > 2 * len(content) + SPARE:
            failures.append(f"{suffix}: {grown / 2**20:.0f} MB")
    assert not failures, "\n".join(failures[:20])


@pytest.fixture(scope="module")
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))


def test_damaged_pictures(tmp_path: Path, long: bool) -> None:
    seeds = picture_seeds(tmp_path)
    assert len(seeds) >= 20
    run(seeds, read_picture, tmp_path, 400 if long else 2 * SMALL)


def test_damaged_videos(tmp_path: Path, long: bool) -> None:
    seeds = video_seeds(tmp_path)
    assert len(seeds) >= 12
    run(seeds, read_clip, tmp_path, LARGE if long else SMALL)
