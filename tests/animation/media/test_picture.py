"""Still pictures of every kind come as uint8 RGB or RGBA, or are refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.media import picture
from first_order_motion.animation.media.reader import read_picture
from first_order_motion.core.errors import MediaError
from PIL import Image

RAMP = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


def test_rgb(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    read = read_picture(tmp_path / "a.png")
    assert read.dtype == torch.uint8 and read.shape == (1, 6, 8, 3)
    assert np.array_equal(read[0].numpy(), RAMP)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(RAMP).convert(mode)
    image.putalpha(77)
    image.save(tmp_path / "a.png")
    read = read_picture(str(tmp_path / "a.png"))
    assert read.shape == (1, 6, 8, 4) and bool((read[..., 3] == 77).all())


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(RAMP).convert(mode)
    image.save(tmp_path / "a.tif")
    assert np.array_equal(read_picture(tmp_path / "a.tif")[0].numpy(), np.array(image.convert("RGB")))


def test_transparent_palette_colour_becomes_alpha(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.gif", transparency=0)
    read = read_picture(tmp_path / "a.gif")
    assert read[0, 0, 0, 3] == 0 and read[0, 1, 1].tolist() == [255, 0, 0, 255]


def test_sixteen_bit_grey_is_scaled_to_eight(tmp_path: Path) -> None:
    deep = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png")[0, 0].tolist() == [[v] * 3 for v in (0, 1, 128, 255)]


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(RAMP)
    exif = image.getexif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    image.save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "a.png")[0].numpy(), np.rot90(RAMP, -1))


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (4, 4), (0, 255, 0))
    first.save(tmp_path / "a.webp", save_all=True, append_images=[second], lossless=True)
    assert read_picture(tmp_path / "a.webp")[0, 0, 0, :3].tolist() == [255, 0, 0]


def test_unusable_files_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    Image.fromarray(RAMP.repeat(40, 0).repeat(40, 1)).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:700])
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "float.tif")
    for name in ("text.png", "cut.jpg", "float.tif", "missing.png", "."):
        with pytest.raises(MediaError, match=r"wanted.*\.$") as caught:
            read_picture(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_the_size_limit_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    monkeypatch.setattr(picture, "MAX_PIXELS", 40)
    with pytest.raises(MediaError, match="too large"):
        read_picture(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # Pillow itself refuses above twice this
    with pytest.raises(MediaError, match="too large"):
        read_picture(tmp_path / "a.png")
