"""Clip of frames and sound that are in memory already."""

from __future__ import annotations

import wave
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from ..frames import TensorClip
from .frame_times import FrameTimes

SAMPLE_BYTES = 2
LARGEST_SAMPLE = 2 ** (8 * SAMPLE_BYTES - 1) - 1


class FramesClip(TensorClip):
    """Frames (N, H, W, C) of `fps` frames per second as a `FileClip`; `sound` is the file that theirs was put into."""

    def __init__(self, images: Tensor, fps: Fraction, path: Path, sound: Path | None = None) -> None:
        super().__init__(images)
        self.path, self.fps, self.sound = path, fps, sound
        self.times = FrameTimes.even(fps, len(self))


def write_wave(path: Path, waveform: Tensor, rate: int) -> None:
    """Write sound (channels, samples) in [-1, 1] as a WAV file of 16 bits and `rate` samples per second."""
    samples = (waveform.float().clamp(-1, 1) * LARGEST_SAMPLE).round().short()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(rate)
        file.writeframes(samples.cpu().T.contiguous().numpy().astype("<i2").tobytes())
