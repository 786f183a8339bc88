"""Small network that reads a pose back from a picture: fitted to drawn faces, used for evaluation alone."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.atomic_file import atomic_write
from ..core.layers.blocks import DownBlock2d
from ..core.unfinished import make_folder
from .drawn import Identity, Pose, draw
from .drawn.pairs import training_generator
from .saved import SavedFile

logger = logging.getLogger(__name__)

NAMES = ("mouth", "tilt", "x", "y", "yaw", "scale", "left", "right")
SIDE = 64  # pictures are read at this size
SEED = 77


def true_values(pose: Pose) -> Tensor:
    """Values that the reader is to read, (B, 8), in the units of `Pose` and the order of NAMES."""
    return torch.stack([getattr(pose, name) for name in NAMES], dim=1)


class PoseReader(nn.Module):
    """Network from pictures (B, 3, H, W) of one drawn head each to (B, 8) values in the order of NAMES."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        widths = (5, width, 2 * width, 3 * width, 4 * width)
        self.blocks = nn.Sequential(*(DownBlock2d(widths[i], widths[i + 1]) for i in range(4)))
        self.hidden = nn.Linear(widths[-1] * (SIDE // 16) ** 2, 128)
        self.out = nn.Linear(128, len(NAMES))

    def forward(self, pictures: Tensor) -> Tensor:
        small = F.interpolate(pictures, size=(SIDE, SIDE), mode="area")
        ramp = torch.linspace(-1, 1, SIDE, device=small.device)
        places = torch.stack([ramp.expand(SIDE, SIDE), ramp[:, None].expand(SIDE, SIDE)])
        maps = self.blocks(torch.cat([small - 0.5, places.expand(len(small), -1, -1, -1)], dim=1))
        return self.out(F.relu(self.hidden(maps.flatten(1))))


def fit(steps: int, batch: int = 64) -> PoseReader:
    """Train a reader on faces drawn for it; the same steps give the same reader."""
    torch.manual_seed(SEED)  # pyright: ignore[reportUnknownMemberType]
    reader = PoseReader().train()
    optimizer = torch.optim.AdamW(reader.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in range(steps):
        generator = training_generator(SEED, step)
        identity, pose = Identity.sample(batch, generator), Pose.sample(batch, generator)
        error = (reader(draw(identity, pose, SIDE)) - true_values(pose)).abs().mean()
        optimizer.zero_grad()
        error.backward()  # pyright: ignore[reportUnknownMemberType]
        optimizer.step()  # pyright: ignore[reportUnknownMemberType]
        schedule.step()
        if step % 100 == 99:
            logger.info("pose reader, step %d of %d: error %.4f", step + 1, steps, error.item())
    return reader.eval()


def fitted(path: Path, steps: int = 1500) -> PoseReader:
    """Read the reader kept at `path`; where there is none, fit one and put it there first."""
    reader = PoseReader().eval()
    if path.exists():
        saved = SavedFile(path, "pose reader", "Name another with --reader; one that is not there is made.")
        reader.load_state_dict(saved.network(saved.content, reader.state_dict(), "it"))
        return reader
    reader = fit(steps)
    buffer = BytesIO()
    torch.save(reader.state_dict(), buffer)
    make_folder(path.parent)
    with atomic_write(path) as part:
        part.write_bytes(buffer.getbuffer())
    return reader
