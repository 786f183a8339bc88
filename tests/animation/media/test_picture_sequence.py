"""Numbered pictures: exact, all at their places or none, and never mixed with older ones unsaid."""

import logging
from pathlib import Path

import numpy as np
import pytest
from first_order_motion.animation.media.writer import open_writer
from first_order_motion.core.errors import InputError, MediaError
from PIL import Image
from support.media_files import moving_pictures
from torch import Tensor


def write(path: Path, frames: Tensor, size: int = 8) -> list[str]:
    with open_writer(path, 25) as writer:
        for start in range(0, len(frames), size):
            writer.write(frames[start : start + size])
    return sorted(file.name for file in path.parent.iterdir())


@pytest.mark.parametrize(
    ("given", "first", "last"),
    [
        ("result.png", "result_00001.png", "result_00012.png"),
        ("%05d.png", "00001.png", "00012.png"),
        ("shot-%03d-a.PNG", "shot-001-a.PNG", "shot-012-a.PNG"),
        ("%d.png", "1.png", "12.png"),
    ],
)
def test_every_frame_has_a_numbered_file(tmp_path: Path, given: str, first: str, last: str) -> None:
    frames = moving_pictures(12, 47, 65)
    names = write(tmp_path / given, frames)
    assert len(names) == 12 and {first, last} <= set(names)
    for name, frame in ((first, frames[0]), (last, frames[-1])):
        with Image.open(tmp_path / name) as image:
            assert image.format == "PNG" and np.array_equal(np.array(image), frame.movedim(0, -1).numpy())


def test_an_error_inside_leaves_older_pictures_alone(tmp_path: Path) -> None:
    names = write(tmp_path / "a.png", moving_pictures(3))
    before = [(tmp_path / name).read_bytes() for name in names]
    with pytest.raises(KeyboardInterrupt), open_writer(tmp_path / "a.png", 25) as writer:
        writer.write(moving_pictures(9).flip(0))
        raise KeyboardInterrupt
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    assert [(tmp_path / name).read_bytes() for name in names] == before


def test_nothing_shows_before_the_end(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.png", 25) as writer:
        writer.write(moving_pictures(4))
        assert not list(tmp_path.glob("*.png"))
    assert len(list(tmp_path.iterdir())) == 4


def test_older_pictures_that_stay_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "a.png", moving_pictures(5))
    with caplog.at_level(logging.WARNING):
        assert len(write(tmp_path / "a.png", moving_pictures(3))) == 5
    assert "a_00004.png" in caplog.text


def test_a_place_that_is_taken_is_said(tmp_path: Path) -> None:
    (tmp_path / "a_00002.png").mkdir()
    with pytest.raises(MediaError, match="cannot be written"):
        write(tmp_path / "a.png", moving_pictures(3))
    assert not list(tmp_path.glob(".*"))


def test_wrong_use_is_refused_in_one_line(tmp_path: Path) -> None:
    for name in ("100%.png", "%s.png", "%d_%d.png", "%5d.png"):
        with pytest.raises(InputError, match="%05d was wanted"):
            open_writer(tmp_path / name, 25)
    with pytest.raises(MediaError, match="0 frames"), open_writer(tmp_path / "a.png", 25):
        pass
    with pytest.raises(MediaError, match="no folder"):
        open_writer(tmp_path / "none" / "a.png", 25)
    assert list(tmp_path.iterdir()) == []
