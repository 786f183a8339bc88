"""Clips of frames and sound that are in memory."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.media.audio import read_sound
from first_order_motion.animation.media.frames_clip import FramesClip, write_wave


def test_it_has_what_clips_of_files_have() -> None:
    images = torch.rand(5, 4, 6, 3)
    clip = FramesClip(images, Fraction(30000, 1001), Path("memory"))
    assert (len(clip), clip.fps, len(clip.times), clip.sound) == (5, Fraction(30000, 1001), 5, None)
    assert torch.equal(torch.cat([*clip.chunks(2)]), images)


@pytest.mark.parametrize("channels", [1, 2])
def test_sound_is_written_as_it_is(tmp_path: Path, channels: int) -> None:
    wave = torch.linspace(-1.2, 1.2, 400).repeat(channels, 1)
    write_wave(tmp_path / "a.wav", wave, 8000)
    found = read_sound(tmp_path / "a.wav")
    assert found is not None
    samples, rate = found
    assert rate == 8000
    assert torch.allclose(samples, wave.clamp(-1, 1), atol=1e-4)
