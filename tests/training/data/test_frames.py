"""Single frames of videos, folders and strips: those that a pass through the whole would show."""

import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.media.writer import open_writer
from first_order_motion.core.errors import MediaError
from first_order_motion.training.data.frame_reader import FrameReader
from first_order_motion.training.data.frame_sources import ClipFrames, SoughtFrames, open_frames
from PIL import Image
from support.media_files import all_frames, build_video, moving_pictures

VIDEOS = {
    "even": {"fps": Fraction(25), "audio": "aac"},
    "odd rate": {"fps": Fraction(30000, 1001), "options": {"g": "7", "bf": "3"}},
    "uneven": {"times_ms": [i * 40 + 13 * (i % 3) for i in range(24)], "options": {"bf": "2", "g": "9"}},
}


@pytest.mark.parametrize("name", VIDEOS)
def test_frames_that_are_sought_are_those_of_a_pass(tmp_path: Path, name: str) -> None:
    path = tmp_path / "video.mp4"
    build_video(path, 24, **VIDEOS[name])
    source, wanted = open_frames(path, None), all_frames(VideoClip(path))
    assert isinstance(source, SoughtFrames) and len(source) == 24
    order = [0, 23, 22, 5, 6, 7, 8, 8, *random.Random(0).choices(range(24), k=20)]
    for index in order:
        assert torch.equal(source.read([index])[0], wanted[index])
    source.close()


def test_a_gif_is_read_from_its_start_and_whole(tmp_path: Path) -> None:
    with open_writer(tmp_path / "clip.gif", 10) as writer:
        writer.write(moving_pictures(6))
    source = open_frames(tmp_path / "clip.gif", None)
    assert isinstance(source, ClipFrames) and source.whole
    kept, forgetful = FrameReader((48, 64)), FrameReader((48, 64), memory=0)
    for reader in (kept, forgetful):
        shown = [reader.read(tmp_path / "clip.gif", [1, 4]), reader.read(tmp_path / "clip.gif", [4])]
        assert torch.equal(shown[0][1], shown[1][0]) and torch.equal(shown[0][0], [*source.all()][1].movedim(-1, 0))


def test_a_strip_is_cut_by_the_shape_of_its_frames(tmp_path: Path) -> None:
    frames = moving_pictures(5, 48, 32)
    strip = torch.cat([*frames], dim=2).movedim(0, -1).numpy()
    Image.fromarray(strip).save(tmp_path / "strip.png")
    source = open_frames(tmp_path / "strip.png", (96, 64))  # of another size, but as wide for their height
    assert len(source) == 5
    assert all(torch.equal(frame.movedim(-1, 0), true) for frame, true in zip(source.all(), frames, strict=True))
    with pytest.raises(MediaError, match="160 x 48; a strip of frames, 50:48 each, was wanted"):
        open_frames(tmp_path / "strip.png", (48, 50))


def test_folders_go_by_number_and_lose_alpha_and_grey(tmp_path: Path) -> None:
    folder = tmp_path / "id1#clip.mp4"
    folder.mkdir()
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    Image.fromarray(np.stack([pixels, pixels + 1, pixels + 2, pixels], axis=-1)).save(folder / "10.png")
    Image.fromarray(pixels + 9).save(folder / "2.png")
    grey, coloured = open_frames(folder, None).read([0, 1])
    assert torch.equal(grey, torch.tensor(pixels + 9)[..., None].expand(-1, -1, 3))
    assert torch.equal(coloured[..., 2], torch.tensor(pixels + 2))


def test_frames_of_another_size_are_resized_with_a_filter(tmp_path: Path) -> None:
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = 255
    (tmp_path / "video").mkdir()
    Image.fromarray(stripes).save(tmp_path / "video" / "0.png")
    frame = FrameReader((8, 8)).read(tmp_path / "video", [0])[0]
    assert frame.shape == (3, 8, 8) and (frame[:, 2:-2, 2:-2].int() - 127).abs().max() <= 1


def test_memory_and_open_files_are_bounded(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.mp4" for number in range(20)]
    build_video(paths[0], 4)
    for path in paths[1:]:
        path.write_bytes(paths[0].read_bytes())
    reader = FrameReader((48, 64), memory=10 * 3 * 48 * 64)
    for path in paths * 2:
        reader.read(path, [1, 3])
        assert reader.held <= 10 * 3 * 48 * 64 and reader.opened <= 16
    reader.close()
    assert reader.held == reader.opened == 0
