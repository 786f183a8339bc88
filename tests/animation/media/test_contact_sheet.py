"""The contact sheet: its size, its labels, which frames it shows, and how it is fed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.media.contact_sheet import SheetSampler
from first_order_motion.core.errors import InputError, MediaError
from PIL import Image
from support.media_files import moving_pictures


def load(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG" and image.mode == "RGB"
        return np.array(image)


def save_sheet(
    source: torch.Tensor, driving: torch.Tensor, result: torch.Tensor, path: Path, columns: int = 8, cell: int = 160
) -> None:
    """All pictures (B, 3, H, W)."""
    sampler = SheetSampler(len(result), columns, cell=cell)
    sampler.add(result)
    sampler.save(source.movedim(1, -1), TensorClip(driving.movedim(1, -1)), path)


def test_rows_columns_and_labels(tmp_path: Path) -> None:
    frames = moving_pictures(20, 48, 64)
    save_sheet(frames[:1], frames, frames.flip(0), tmp_path / "a.png", columns=5, cell=64)
    sheet = load(tmp_path / "a.png")
    height, width, _ = sheet.shape
    assert height == 16 + 4 * (48 + 4)
    left = width - 5 * (64 + 4)
    assert 40 < left < 200
    for row in range(4):
        label = sheet[16 + row * 52 : 16 + row * 52 + 40, :left]
        assert label.max() > 200 and label.min() < 60
    for column in range(5):
        assert sheet[:16, left + column * 68 :][:, :60].max() > 200
    assert np.array_equal(sheet[16 : 16 + 48, left : left + 64], frames[0].permute(1, 2, 0).numpy())
    last = left + 4 * 68
    assert np.array_equal(sheet[68 : 68 + 48, last : last + 64], frames[19].permute(1, 2, 0).numpy())
    assert sheet[172:220, last : last + 64].max() == 0  # the last result is the source: no difference
    assert sheet[172:220, left : left + 64].max() > 100


def test_chunks_give_the_same_sheet(tmp_path: Path) -> None:
    frames = moving_pictures(23).float() / 255
    save_sheet(frames[:1], frames, frames.flip(0), tmp_path / "a.png", columns=6)
    sampler = SheetSampler(23, 6)
    for start in range(0, 23, 4):
        sampler.add(frames.flip(0)[start : start + 4])
    sampler.save(frames[:1].movedim(1, -1), TensorClip(frames.movedim(1, -1)), tmp_path / "b.png")
    assert np.array_equal(load(tmp_path / "a.png"), load(tmp_path / "b.png"))


@pytest.mark.parametrize(("total", "given", "shown"), [(3, 3, 3), (1, 1, 1), (40, 10, 2), (8, 8, 8)])
def test_short_clips_have_fewer_columns(tmp_path: Path, total: int, given: int, shown: int) -> None:
    frames = moving_pictures(given, 32, 32)
    sampler = SheetSampler(total, 8, cell=32)
    sampler.add(frames)
    sampler.save(frames[:1].movedim(1, -1), TensorClip(frames.movedim(1, -1)), tmp_path / "a.png")
    assert (load(tmp_path / "a.png").shape[1] - shown * 36) < 200
    assert len(sampler.shown) == shown


def test_sizes_may_differ(tmp_path: Path) -> None:
    save_sheet(torch.rand(1, 3, 90, 60), torch.rand(4, 3, 20, 80), torch.rand(4, 3, 64, 64), tmp_path / "a.png")
    assert load(tmp_path / "a.png").shape[0] == 16 + (160 + 40 + 160 + 160) + 4 * 4


def test_wrong_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 frames"):
        SheetSampler(0)
    with pytest.raises(MediaError, match="0 frames"):
        SheetSampler(9).save(torch.zeros(1, 8, 8, 3), TensorClip(torch.zeros(1, 8, 8, 3)), tmp_path / "a.png")
    with pytest.raises(MediaError, match="no folder"):
        save_sheet(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), tmp_path / "x" / "a.png")
    assert list(tmp_path.iterdir()) == []
