"""Sound carried over: copied where mp4 can hold it, encoded where it cannot, cut to the picture, never lost."""

import logging
import resource
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from first_order_motion.animation.media import audio
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.media.writer import VideoWriter
from first_order_motion.core.errors import MediaError
from support.media_files import (
    SAMPLE_RATE,
    build_sound,
    build_video,
    moving_pictures,
    sound_codec,
    sound_packets,
    sound_seconds,
)

AUDIO_FRAME = 2048 / SAMPLE_RATE  # the largest frame of the codecs used here, in seconds


def carry(source: Path, out: Path, count: int | None = None) -> VideoClip:
    """Write `count` frames (all of the source's by default) with the source's sound."""
    fps = VideoClip(source).fps if count is None else Fraction(25)
    frames = moving_pictures(len(VideoClip(source)) if count is None else count)
    with VideoWriter(out, fps, audio_from=source) as writer:
        for start in range(0, len(frames), 8):
            writer.write(frames[start : start + 8])
    return VideoClip(out)


@pytest.mark.parametrize(
    ("name", "codec", "written"),
    [
        ("a.mp4", "aac", "aac"),
        ("a.mkv", "aac", "aac"),
        ("a.ts", "aac", "aac"),
        ("a.mp4", "libmp3lame", "mp3"),
        ("a.mkv", "ac3", "ac3"),
        ("a.webm", "libopus", "opus"),
        ("a.mov", "alac", "alac"),
    ],
)
def test_what_mp4_can_hold_is_copied(tmp_path: Path, name: str, codec: str, written: str) -> None:
    source = tmp_path / name
    build_video(source, 50, codec="libvpx-vp9" if name.endswith("webm") else "libx264", audio=codec)
    clip = carry(source, tmp_path / "out.mp4")
    assert clip.has_audio and len(clip) == 50 and clip.fps == 25
    assert sound_codec(clip.path) == written
    assert abs(sound_seconds(clip.path) - sound_seconds(source)) <= AUDIO_FRAME
    before, after = sound_packets(source), sound_packets(clip.path)
    if not name.endswith("ts"):  # its packets lose their transport headers
        assert after == before[: len(after)] and len(before) - len(after) <= 1


@pytest.mark.parametrize(("name", "codec"), [("a.mov", "pcm_s16le"), ("a.mkv", "flac"), ("a.mkv", "pcm_s16le")])
def test_what_mp4_cannot_hold_is_encoded(tmp_path: Path, name: str, codec: str) -> None:
    build_video(tmp_path / name, 50, audio=codec)
    clip = carry(tmp_path / name, tmp_path / "out.mp4")
    assert sound_codec(clip.path) == "aac"
    assert abs(sound_seconds(clip.path) - 2) <= AUDIO_FRAME


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_the_tone_survives_in_its_place(tmp_path: Path, codec: str) -> None:
    build_video(tmp_path / "a.mkv", 50, audio=codec)
    carry(tmp_path / "a.mkv", tmp_path / "out.mp4")

    def samples(path: Path) -> np.ndarray:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        wave = np.concatenate(frames)
        return (wave / 32768 if wave.dtype == np.int16 else wave)[:90000]

    before, after = samples(tmp_path / "a.mkv"), samples(tmp_path / "out.mp4")
    shared = slice(8192, min(len(before), len(after)) - 4096)
    period = round(SAMPLE_RATE * 2 * np.pi / 2764)
    shifts = [np.abs(before[shared] - np.roll(after, shift)[shared]).mean() for shift in range(-period, period)]
    assert min(shifts) < 0.02  # the same tone, whatever the codec's delay


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_longer_sound_is_cut_and_shorter_sound_ends_earlier(tmp_path: Path, codec: str) -> None:
    build_video(tmp_path / "long.mkv", 25, audio=codec, audio_seconds=5)
    build_video(tmp_path / "short.mkv", 50, audio=codec, audio_seconds=0.5)
    longer = carry(tmp_path / "long.mkv", tmp_path / "a.mp4")
    shorter = carry(tmp_path / "short.mkv", tmp_path / "b.mp4")
    assert abs(sound_seconds(longer.path) - 1) <= AUDIO_FRAME and len(longer) == 25
    assert abs(sound_seconds(shorter.path) - 0.5) <= AUDIO_FRAME and len(shorter) == 50


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.mp3", "libmp3lame"), ("a.m4a", "aac")])
def test_sound_may_come_from_a_file_without_picture(tmp_path: Path, name: str, codec: str) -> None:
    build_sound(tmp_path / name, codec, 1.5)
    clip = carry(tmp_path / name, tmp_path / "out.mp4", count=25)
    assert clip.has_audio and abs(sound_seconds(clip.path) - 1) <= AUDIO_FRAME


def test_a_source_without_sound_gives_none(tmp_path: Path) -> None:
    build_video(tmp_path / "a.mp4", 10)
    assert not carry(tmp_path / "a.mp4", tmp_path / "out.mp4").has_audio


def test_the_source_may_be_replaced(tmp_path: Path) -> None:
    build_video(tmp_path / "a.mp4", 30, audio="aac")
    packets = sound_packets(tmp_path / "a.mp4")
    clip = carry(tmp_path / "a.mp4", tmp_path / "a.mp4")
    assert len(clip) == 30 and sound_packets(clip.path) == packets[: len(sound_packets(clip.path))]


def test_a_missing_source_is_refused_before_any_frame(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="not there"), VideoWriter(tmp_path / "a.mp4", 25, tmp_path / "none.mp4"):
        pytest.fail("the block was entered")
    assert list(tmp_path.iterdir()) == []


def test_sound_in_an_unknown_codec_is_refused_before_any_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_video(tmp_path / "source.mp4", 10, audio="aac")
    monkeypatch.setattr(audio, "has_decoder", lambda stream: False)
    with (
        pytest.raises(MediaError, match="neither copied nor decoded"),
        VideoWriter(tmp_path / "a.mp4", 25, tmp_path / "source.mp4"),
    ):
        pytest.fail("the block was entered")
    assert [path.name for path in tmp_path.iterdir()] == ["source.mp4"]


def test_sound_that_cannot_be_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = tmp_path / "a.mp4"
    build_video(source, 30, audio="aac", container_options={"movflags": "+faststart"})
    content = source.read_bytes()
    source.write_bytes(content[: content.index(b"mdat") + 4])
    with caplog.at_level(logging.WARNING), VideoWriter(tmp_path / "out.mp4", 25, source) as writer:
        writer.write(moving_pictures(5))
    assert "silent" in caplog.text and len(VideoClip(tmp_path / "out.mp4")) == 5


def test_damaged_sound_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = tmp_path / "a.mkv"
    build_video(source, 50, audio="flac")
    packet = sound_packets(source)[6]
    source.write_bytes(source.read_bytes().replace(packet, bytes(len(packet))))
    with caplog.at_level(logging.WARNING):
        clip = carry(source, tmp_path / "out.mp4")
    assert "left out: 1" in caplog.text and len(clip) == 50
    assert abs(sound_seconds(clip.path) - 2) <= AUDIO_FRAME  # what is lost is silent, and the rest in its place


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB there only")
@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_memory_stays_flat_over_a_long_clip(tmp_path: Path, codec: str) -> None:
    source = tmp_path / "a.mkv"
    build_video(source, 3000, audio=codec, size=(16, 16), options={"preset": "ultrafast"})
    frames = moving_pictures(50, 16, 16)
    with VideoWriter(tmp_path / "out.mp4", 25, source, preset="ultrafast") as writer:
        for i in range(60):
            writer.write(frames)
            if i == 5:
                early = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - early
    assert grown < 20_000  # KiB; the sound alone, decoded, is 23 MB
    assert len(VideoClip(tmp_path / "out.mp4")) == 3000
    assert abs(sound_seconds(tmp_path / "out.mp4") - 120) <= AUDIO_FRAME


def test_sound_that_changes_midway_is_encoded_anew(tmp_path: Path) -> None:
    """Two AAC streams, of one and of two channels, one behind the other: an mp4 could not hold both as they are."""
    pieces = b""
    for channels, layout in enumerate(("mono", "stereo"), 1):
        with av.open(str(tmp_path / "piece.aac"), "w", format="adts") as container:
            stream = container.add_stream("aac", rate=SAMPLE_RATE)
            stream.layout = layout
            tone = np.sin(np.arange(SAMPLE_RATE, dtype=np.float32) * (2764 / SAMPLE_RATE)) * 0.5
            for start in range(0, SAMPLE_RATE, 1024):
                planes = np.tile(tone[start : start + 1024], (channels, 1))
                frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
                frame.rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        pieces += (tmp_path / "piece.aac").read_bytes()
    (tmp_path / "both.aac").write_bytes(pieces)
    clip = carry(tmp_path / "both.aac", tmp_path / "out.mp4", 60)
    assert clip.has_audio and sound_codec(clip.path) == "aac"
    assert sound_seconds(clip.path) > 1.9
