"""Bundled pictures and video as values of ComfyUI's types."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ...animation.media.audio import read_sound
from ...animation.media.reader import VideoClip, read_picture

Audio = dict[str, Tensor | int]


def sample(picture: Path, video: Path) -> tuple[Tensor, Tensor, Audio | None, float]:
    """Read a bundled picture and a video: IMAGE (1, H, W, 3), IMAGE (N, H, W, 3), AUDIO, frames per second."""
    clip = VideoClip(video)
    frames = torch.cat(list(clip.chunks(len(clip))))
    sound = read_sound(video)
    audio: Audio | None = None if sound is None else {"waveform": sound[0][None], "sample_rate": sound[1]}
    return read_picture(picture)[..., :3] / 255, frames / 255, audio, float(clip.fps)
