"""Bundled pictures and video as values of ComfyUI's types, and as files that its loaders begin with."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import folder_paths
import torch
from torch import Tensor

from ...animation.media.audio import read_sound
from ...animation.media.reader import VideoClip, read_picture
from ...animation.samples import SAMPLES
from ...core.weights.catalog import MODEL_FOLDER

Audio = dict[str, Tensor | int]

LOADED = ("face.png", "more/face_turned.png", "driving.mp4")
"""Samples that templates choose in ComfyUI's own loaders, which read its input folder alone."""

log = logging.getLogger(__name__)


def place_samples() -> None:
    """Copy those samples that are not there yet into a subfolder of ComfyUI's input folder, under their own names."""
    folder = Path(folder_paths.get_input_directory()) / MODEL_FOLDER
    for name in LOADED:
        source, target = SAMPLES / name, folder / Path(name).name
        try:
            if not target.exists() or target.stat().st_size != source.stat().st_size:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        except OSError as error:
            log.warning("The sample %s was not put into %s (%s); the templates begin without it.", name, folder, error)
            return


def sample(picture: Path, video: Path) -> tuple[Tensor, Tensor, Audio | None, float]:
    """Read a bundled picture and a video: IMAGE (1, H, W, 3), IMAGE (N, H, W, 3), AUDIO, frames per second."""
    clip = VideoClip(video)
    frames = torch.cat(list(clip.chunks(len(clip))))
    sound = read_sound(video)
    audio: Audio | None = None if sound is None else {"waveform": sound[0][None], "sample_rate": sound[1]}
    return read_picture(picture)[..., :3] / 255, frames / 255, audio, float(clip.fps)
