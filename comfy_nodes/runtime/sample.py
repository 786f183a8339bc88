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

Audio = dict[str, Tensor | int]

LOADED = {
    "first_order_motion_face.png": "face.png",
    "first_order_motion_face_turned.png": "more/face_turned.png",
    "first_order_motion_driving.mp4": "driving.mp4",
}
"""Samples that templates choose in ComfyUI's own loaders, by their names in its input folder.

They lie in no subfolder, for frontends call what the loaders' menus do not list missing.
"""

log = logging.getLogger(__name__)


def place_samples() -> None:
    """Copy those samples that are not there yet into ComfyUI's input folder."""
    folder = Path(folder_paths.get_input_directory())
    for name, sample_name in LOADED.items():
        target = folder / name
        try:
            if not target.exists():
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(SAMPLES / sample_name, target)
        except OSError as error:
            log.warning("The sample %s was not put into %s (%s); some templates begin without it.", name, folder, error)
            return


def sample(picture: Path, video: Path) -> tuple[Tensor, Tensor, Audio | None, float]:
    """Read a bundled picture and a video: IMAGE (1, H, W, 3), IMAGE (N, H, W, 3), AUDIO, frames per second."""
    clip = VideoClip(video)
    frames = torch.cat(list(clip.chunks(len(clip))))
    sound = read_sound(video)
    audio: Audio | None = None if sound is None else {"waveform": sound[0][None], "sample_rate": sound[1]}
    return read_picture(picture)[..., :3] / 255, frames / 255, audio, float(clip.fps)
