"""Reading the sound of a file into memory."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import av
import torch
from torch import Tensor

from .container import open_media


def read_sound(path: Path) -> tuple[Tensor, int] | None:
    """The first sound track as samples (C, T) in [-1, 1] and their rate in Hz; None for a silent file."""
    with closing(open_media(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        to_planes = av.AudioResampler(format="fltp")
        parts = [
            torch.as_tensor(part.to_ndarray())
            for frame in container.decode(stream)
            for part in to_planes.resample(frame)
        ]
        return torch.cat(parts, dim=1), stream.rate
