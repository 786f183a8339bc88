"""Squares cut out and pasted back: nothing else changes, and what is put back unchanged gives the picture again."""

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.faces.paste import Paster
from first_order_motion.animation.faces.square import Square, cut, square_around
from first_order_motion.core.errors import InputError
from torch import Tensor
from torch.nn import functional as F

SIZES = {"portrait": (320, 180), "landscape": (180, 320), "band": (16, 1024), "speck": (20, 20), "photo": (4000, 3000)}


def noise(size: tuple[int, int], channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(sum(size))
    return torch.randint(0, 256, (channels, *size), generator=generator, dtype=torch.uint8)


def boxes(count: int, size: tuple[int, int]) -> list[Face]:
    """Boxes all over a picture, some over its edges, some overlapping."""
    height, width = size
    places = torch.rand(count, 3, generator=torch.Generator().manual_seed(count)).tolist()
    return [
        Face(x * width - 30, y * height - 30, x * width + 10 + 60 * s, y * height + 10 + 60 * s) for x, y, s in places
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("name", SIZES)
def test_pasting_what_was_cut_at_its_own_size_gives_the_picture_back(name: str, count: int) -> None:
    picture = noise(SIZES[name])
    squares = [square_around(face).aligned() for face in boxes(count, SIZES[name])]
    crops = [cut(picture[None], square, round(square.side))[0] / 255 for square in squares]
    assert torch.equal(Paster(squares, SIZES[name]).paste(picture, crops), picture)
    as_float = picture / 255
    back = Paster(squares, SIZES[name]).paste(as_float, crops)
    assert (back - as_float).abs().max() <= 1 / 255


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("name", SIZES)
def test_outside_the_mask_every_bit_stays(name: str, count: int, upright: bool) -> None:
    size = SIZES[name]
    squares = [square_around(face).aligned() for face in boxes(count, size)]
    if not upright:
        squares = [Square(square.x, square.y, square.side, 0.4) for square in squares]
    paster = Paster(squares, size)
    outside = paster.mask() == 0
    for picture in (noise(size), noise(size) / 255):
        pasted = paster.paste(picture, [torch.rand(3, 64, 64) for _ in squares])
        assert pasted.dtype == picture.dtype
        assert torch.equal(pasted[:, outside], picture[:, outside])
        assert count == 0 or not torch.equal(pasted, picture)


def test_the_middle_is_the_crop_and_the_edge_the_picture() -> None:
    square = Square(50, 50, 60)
    paster = Paster([square], (100, 100))
    pasted = paster.paste(torch.zeros(3, 100, 100), [torch.ones(3, 60, 60)])
    assert pasted[0, 50, 50] == 1
    assert pasted[0, 20, 50] < 0.02
    assert pasted[0, 20, 20] == 0  # a corner is rounded off
    steps = pasted[0, 50].diff().abs().max()
    assert steps < 0.3  # no seam: the edge fades


def test_where_two_overlap_the_nearer_middle_counts() -> None:
    squares = [Square(40, 50, 60), Square(70, 50, 60)]
    colours = [torch.full((3, 60, 60), value) for value in (0.25, 0.75)]
    pasted = Paster(squares, (100, 110)).paste(torch.zeros(3, 100, 110), colours)[0]
    assert pasted[50, 45] == pytest.approx(0.25, abs=1e-5)
    assert pasted[50, 64] == pytest.approx(0.75, abs=1e-5)
    assert pasted[50, 54:56].mean() == pytest.approx(0.5, abs=0.01)
    assert Paster(squares, (100, 110)).mask().max() <= 1


def test_a_turned_square_is_put_back_where_it_was() -> None:
    smooth = F.interpolate(
        torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(3)), (240, 240), mode="bicubic"
    )
    picture = smooth[0].clamp(0, 1)
    square = Square(120, 118, 120, 0.5)
    back = Paster([square], (240, 240)).paste(picture, [cut(picture[None], square, 120)[0]])
    assert (back - picture).abs().max() < 3 / 255


def test_eyes_come_out_level() -> None:
    picture = torch.zeros(1, 1, 200, 200)
    picture[..., 90:94, 70:74] = 1
    picture[..., 110:114, 126:130] = 1
    eyes = np.array([[72.0, 92.0], [128.0, 112.0]])
    square = square_around(Face(60, 60, 140, 160, 1, eyes), upright=True)
    crop = cut(picture, square, 128)[0, 0]
    rows = torch.arange(128.0)[:, None]
    left, right = crop[:, :64], crop[:, 64:]
    heights = [float((half * rows).sum() / half.sum()) for half in (left, right)]
    assert heights[0] == pytest.approx(heights[1], abs=1)
    assert square_around(Face(60, 60, 140, 160), upright=True).angle == 0


def test_a_large_face_is_shrunk_without_aliasing() -> None:
    stripes = (torch.arange(512) % 2).float().expand(1, 3, 512, 512)
    crop = cut(stripes, Square(256, 256, 512), 64)
    assert (crop - 0.5).abs().max() < 0.05


def test_borders_are_repeated() -> None:
    crop = cut(torch.full((1, 3, 20, 20), 7, dtype=torch.uint8), Square(-50, -50, 40), 16)
    torch.testing.assert_close(crop, torch.full((1, 3, 16, 16), 7.0))


def test_colours_are_matched_at_the_rim() -> None:
    square = Square(50, 50, 60)
    paster = Paster([square], (100, 100), match_colour=True)
    pasted = paster.paste(torch.full((3, 100, 100), 0.5), [torch.full((3, 60, 60), 0.7)])
    assert pasted[0, 50, 50] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(("value", "name"), [(-0.1, "ratio"), (5, "ratio"), (float("nan"), "ratio")])
def test_other_ratios_are_refused(value: float, name: str) -> None:
    with pytest.raises(InputError, match=name):
        square_around(Face(0, 0, 20, 20), value)


@pytest.mark.parametrize("feather", [-0.1, 0.6, float("nan")])
def test_other_feathers_are_refused(feather: float) -> None:
    with pytest.raises(InputError, match="feather"):
        Paster([], (10, 10), feather)
