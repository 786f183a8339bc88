"""The files that the media tests are built on hold what was asked for."""

from pathlib import Path

from support.media_files import SAMPLE_RATE, build_video, sound_codec, sound_seconds


def test_the_built_files_hold_what_was_asked_for(tmp_path: Path) -> None:
    build_video(tmp_path / "a.mp4", 30, audio="aac")
    assert sound_codec(tmp_path / "a.mp4") == "aac"
    assert abs(sound_seconds(tmp_path / "a.mp4") - 30 / 25) < 2048 / SAMPLE_RATE
