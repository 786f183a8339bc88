"""Flashes and beeps keep their times: over containers, rates, codecs, gaps and joints, into every format."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from first_order_motion.animation.media.audio import read_sound
from first_order_motion.animation.media.open_clip import open_clip
from PIL import Image
from support.flash_beep import Clip, beeps, build, carried, even_times, flashes

NTSC, FILM = Fraction(30000, 1001), Fraction(24000, 1001)
EVENTS = [Fraction(1, 2), Fraction(5, 4), Fraction(2)]
HALVED = [Fraction(n, 24) for n in range(30)] + [Fraction(5, 4) + Fraction(n, 6) for n in range(7)]
JITTERED = [Fraction(n, 30) + Fraction((n * 7) % 5 - 2, 200) * (n > 0) for n in range(72)]
SLIDES = [Fraction(0), Fraction(1, 2), Fraction(5, 8), Fraction(5, 4), Fraction(11, 8), Fraction(2), Fraction(9, 4)]


def even(rate: Fraction | int, **options) -> Clip:
    return Clip(even_times(rate, 2.4), EVENTS, rate=Fraction(rate), **options)


def uneven(times: list[Fraction], **options) -> Clip:
    return Clip(times, EVENTS, **options)


DROPPED = even_times(25, 2.4, drop=(5, 6, 7, 20, 40, 41))

TABLE = {
    "mp4-film": ("a.mp4", even(FILM)),
    "mp4-ntsc": ("a.mp4", even(NTSC)),
    "mp4-25": ("a.mp4", even(25)),
    "mp4-60-mp3": ("a.mp4", even(60, sound="libmp3lame")),
    "mp4-12.5": ("a.mp4", even(Fraction(25, 2))),
    "mp4-halved": ("a.mp4", uneven(HALVED)),
    "mp4-jittered": ("a.mp4", uneven(JITTERED)),
    "mp4-dropped": ("a.mp4", uneven(DROPPED)),
    "mp4-slides": ("a.mp4", uneven(SLIDES)),
    "mov-25-pcm": ("a.mov", even(25, sound="pcm_s16le")),
    "mov-halved-alac": ("a.mov", uneven(HALVED, sound="alac")),
    "mkv-ntsc-pcm": ("a.mkv", even(NTSC, sound="pcm_s16le")),
    "mkv-halved-pcm": ("a.mkv", uneven(HALVED, sound="pcm_s16le")),
    "mkv-dropped-flac": ("a.mkv", uneven(DROPPED, sound="flac")),
    "mkv-25-ac3": ("a.mkv", even(25, sound="ac3")),
    "mkv-25-8k-mp3": ("a.mkv", even(25, sound="libmp3lame", sample_rate=8000)),
    "mkv-25-22k-aac": ("a.mkv", even(25, sample_rate=22050)),
    "mkv-slides-opus": ("a.mkv", uneven(SLIDES, sound="libopus")),
    "webm-25-opus": ("a.webm", even(25, video="libvpx", sound="libopus")),
    "webm-halved-opus": ("a.webm", uneven(HALVED, video="libvpx", sound="libopus")),
    "webm-dropped-opus": ("a.webm", uneven(DROPPED, video="libvpx-vp9", sound="libopus")),
    "ts-25": ("a.ts", even(25)),
    "ts-film-mp2": ("a.ts", even(FILM, sound="mp2")),
    "ts-halved": ("a.ts", uneven(HALVED)),
    "ts-dropped": ("a.ts", uneven(DROPPED)),
    "mpg-25-mp2": ("a.mpg", even(25, video="mpeg2video", sound="mp2")),
    "avi-25-pcm": ("a.avi", even(25, video="mpeg4", sound="pcm_s16le")),
    "avi-ntsc-ac3": ("a.avi", even(NTSC, video="mpeg4", sound="ac3")),
    "flv-25": ("a.flv", even(25)),
    "flv-halved": ("a.flv", uneven(HALVED)),
    "mkv-25-pcm-early": ("a.mkv", even(25, sound="pcm_s16le", video_start=Fraction(9, 100))),
    "mkv-25-pcm-late": ("a.mkv", even(25, sound="pcm_s16le", sound_start=Fraction(3, 10))),
    "mp4-25-late": ("a.mp4", even(25, sound_start=Fraction(3, 10))),
    "mkv-halved-pcm-early": ("a.mkv", uneven(HALVED, sound="pcm_s16le", video_start=Fraction(9, 100))),
    "mkv-25-pcm-gap": ("a.mkv", even(25, sound="pcm_s16le", silent=(Fraction(7, 10), Fraction(11, 10)))),
    "mkv-25-flac-gap": ("a.mkv", even(25, sound="flac", silent=(Fraction(7, 10), Fraction(11, 10)))),
    "gif-25": ("a.gif", even(25, video="gif", sound=None)),
    "gif-slides": ("a.gif", uneven(SLIDES, video="gif", sound=None)),
    "gif-dropped": ("a.gif", uneven(DROPPED, video="gif", sound=None)),
}  # fmt: skip


def check(path: Path, clip: Clip, offset: Fraction = Fraction(0)) -> None:
    """A file flashes and beeps when the recipe says: within half a frame, and within 20 ms."""
    gaps = [after - before for before, after in zip(clip.times, clip.times[1:], strict=False)]
    shown = flashes(path)
    assert len(shown) == len(clip.flashes)
    assert max(abs(a - float(b + offset)) for a, b in zip(shown, clip.flashes, strict=True)) <= float(min(gaps)) / 2
    if clip.sound is not None and path.suffix not in (".gif", ".webp"):
        heard = beeps(path)
        assert len(heard) == len(clip.events)
        assert max(abs(a - float(b + offset)) for a, b in zip(heard, clip.events, strict=True)) <= 0.02


@pytest.mark.parametrize("name", TABLE)
def test_into_mp4(tmp_path: Path, name: str) -> None:
    source, clip = TABLE[name]
    check(carried(build(tmp_path / source, clip), tmp_path / "out.mp4"), clip)


@pytest.mark.parametrize("suffix", [".mov", ".mkv", ".webm", ".gif", ".webp"])
@pytest.mark.parametrize("name", ["mp4-25", "mkv-halved-pcm", "ts-dropped", "mkv-slides-opus"])
def test_into_other_formats(tmp_path: Path, name: str, suffix: str) -> None:
    source, clip = TABLE[name]
    out = carried(build(tmp_path / source, clip), tmp_path / f"out{suffix}")
    if suffix == ".webp":  # which FFmpeg does not decode
        out = carried(out, tmp_path / "again.mp4")
        clip = Clip(clip.times, clip.events, sound=None)
    check(out, clip)


@pytest.mark.parametrize(
    ("name", "video", "sound"),
    [
        ("a.ts", "libx264", "aac"),
        ("a.mpg", "mpeg2video", "mp2"),
        ("a.mkv", "libx264", "pcm_s16le"),
        ("a.webm", "libvpx", "libopus"),
    ],
)
def test_joined_pieces_follow_each_other(tmp_path: Path, name: str, video: str, sound: str) -> None:
    clip = Clip(even_times(25, 2.4), EVENTS, video, sound, rate=Fraction(25))
    piece = build(tmp_path / name, clip).read_bytes()
    count = 3 if name in ("a.ts", "a.mpg") else 2  # of Matroska, FFmpeg reads two
    (tmp_path / name).write_bytes(piece * count)
    out = carried(tmp_path / name, tmp_path / "out.mp4")
    later = [event + Fraction(12, 5) * number for number in range(count) for event in EVENTS]
    check(out, Clip(even_times(25, 2.4 * count), later, video, sound, rate=Fraction(25)))


def test_a_piece_in_another_stream_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = tmp_path / "a.ts", tmp_path / "b.ts"
    build(first, even(25))
    with av.open(str(second), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.id = 64, 64, "yuv420p", 0x333
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    first.write_bytes(first.read_bytes() + second.read_bytes())
    assert len(open_clip(first)) == 60 and "another video stream (20 frames)" in caplog.text


def test_a_clock_that_jumps_far_ahead_is_brought_back(tmp_path: Path) -> None:
    clip = even(25)
    late = Clip(clip.times, EVENTS, rate=Fraction(25), video_start=Fraction(1000), sound_start=Fraction(1000))
    first, second = build(tmp_path / "a.ts", clip), build(tmp_path / "b.ts", late)
    (tmp_path / "c.ts").write_bytes(first.read_bytes() + second.read_bytes())
    out = carried(tmp_path / "c.ts", tmp_path / "out.mp4")
    later = [event + Fraction(12, 5) * number for number in range(2) for event in EVENTS]
    check(out, Clip(even_times(25, 4.8), later, rate=Fraction(25)))


@pytest.mark.parametrize("rate", [1000, 2000, 100_000])
def test_high_rates_are_exact(tmp_path: Path, rate: int) -> None:
    times = even_times(rate, 100 / rate)
    build(tmp_path / "a.mkv", Clip(times, [], sound=None, rate=Fraction(rate)))
    build(tmp_path / "b.mp4", Clip(times, [], sound=None, rate=Fraction(rate)))
    for name in ("a.mkv", "b.mp4") if rate < 10_000 else ("b.mp4",):
        clip = open_clip(tmp_path / name)
        assert len(clip) == 100 and clip.fps == rate
        again = open_clip(carried(tmp_path / name, tmp_path / "out.mp4"))
        assert len(again) == 100 and again.fps == rate


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif", ".webp"])
def test_the_last_frame_stays_as_long_as_it_did(tmp_path: Path, suffix: str) -> None:
    durations = [100, 300, 100, 700]  # ms
    pictures = [Image.new("RGB", (64, 64), (80 * number, 90, 100)) for number in range(4)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=durations)
    clip = open_clip(carried(tmp_path / "a.webp", tmp_path / f"b{suffix}"))
    ends = [float(clip.times.end(number) * clip.times.tick) for number in range(4)]
    assert ends == pytest.approx([0.1, 0.4, 0.5, 1.2], abs=0.006)


def test_sound_read_into_memory_is_in_its_place(tmp_path: Path) -> None:
    clip = even(25, sound="pcm_s16le", video_start=Fraction(9, 100), silent=(Fraction(7, 10), Fraction(11, 10)))
    sound = read_sound(build(tmp_path / "a.mkv", clip))
    assert sound is not None
    samples, rate = sound
    loud = samples[0].abs() > 0.3
    starts = [n / rate for n in range(4800, len(loud)) if loud[n] and not loud[n - 4800 : n].any()]
    assert starts == pytest.approx([0.5, 1.25, 2.0], abs=0.02)


def test_the_track_flagged_as_default_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 64
        video.pix_fmt = "yuv420p"
        tracks = [container.add_stream("pcm_s16le", rate=rate) for rate in (48000, 44100)]
        for track, flags in zip(tracks, (0, Disposition.default.value), strict=True):
            track.layout = "mono"
            track.disposition = flags
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 9, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for track in tracks:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4000), np.int16), format="s16", layout="mono")
            frame.rate, frame.pts, frame.time_base = track.rate, 0, Fraction(1, track.rate)
            container.mux(track.encode(frame))
    with av.open(str(carried(path, tmp_path / "out.mp4"))) as written:
        assert written.streams.audio[0].rate == 44100
