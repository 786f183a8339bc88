"""Recordings of a browser as mp4."""

from __future__ import annotations

from pathlib import Path

import pytest
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.core.errors import MediaError
from first_order_motion.live.recording import is_plain_mp4, to_mp4
from support.media_files import build_video, sound_codec, sound_seconds

STARTS = [0, 33, 70, 100, 190, 200, 233, 266, 300, 340]  # ms, as a browser takes them
CODECS = {".webm": ("libvpx", "libopus"), ".mkv": ("libx264", "libopus"), ".mp4": ("libx264", "libopus")}


@pytest.mark.parametrize("suffix", CODECS)
def test_other_codecs_are_encoded_anew_with_times_and_sound(tmp_path: Path, suffix: str) -> None:
    recording, result = tmp_path / f"recording{suffix}", tmp_path / "result.mp4"
    video, audio = CODECS[suffix]
    build_video(recording, len(STARTS), codec=video, audio=audio, audio_seconds=0.4, times_ms=STARTS)
    to_mp4(recording, result)
    clip = VideoClip(result)
    assert [round(float(clip.times.start(place) * clip.times.tick), 3) for place in range(len(clip))] == [
        pytest.approx(start / 1000, abs=0.002) for start in STARTS
    ]
    assert sound_codec(result) == "aac"
    assert sound_seconds(result) == pytest.approx(0.37, abs=0.06)
    assert is_plain_mp4(result)


def test_what_plays_everywhere_stays_as_it_is(tmp_path: Path) -> None:
    recording, result = tmp_path / "recording.mp4", tmp_path / "result.mp4"
    build_video(recording, 5, audio="aac")
    to_mp4(recording, result)
    assert result.read_bytes() == recording.read_bytes()


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(MediaError, match="cannot be read as a video"):
        to_mp4(tmp_path / "text", tmp_path / "result.mp4")
