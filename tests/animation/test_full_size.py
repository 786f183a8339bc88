"""Faces of whole pictures, over every architecture: each as if it were animated alone, and nothing else touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.faces.paste import Paster
from first_order_motion.animation.faces.square import Square
from first_order_motion.animation.faces.squares import FaceSquares
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.framing import (
    Driver,
    FaceOptions,
    FacePlan,
    Framing,
    frame_clip,
    frame_picture,
    place_squares,
)
from first_order_motion.animation.full_size import animate_faces, cut_out
from first_order_motion.animation.moving import MovingSource
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import InputError
from numpy.typing import NDArray
from support.architectures import CPU, SIDE, blobs, driven, every_architecture
from support.drivers import Streamed, clip_of
from support.optimized import published_form
from torch import Tensor

FACES = [Face(100, 20, 140, 60), Face(10, 30, 60, 80), Face(180, 60, 230, 130)]  # the last goes over the edge
DRIVER = Driver(TensorClip(clip_of(5)), 25.0)


def picture(channels: int = 3) -> Tensor:
    """A picture (1, 120, 200, C) of bytes."""
    generator = torch.Generator().manual_seed(channels)
    return torch.randint(0, 256, (1, 120, 200, channels), generator=generator, dtype=torch.uint8)


def whole_clip(
    predictor: Predictor,
    picture: Tensor,
    squares: list[Square],
    drivers: list[Driver],
    faces: FaceOptions | None = None,
    options: AnimateOptions | None = None,
) -> Tensor:
    plan = FacePlan(FaceSquares.still(squares, (120, 200)), drivers, faces or FaceOptions())
    result = torch.cat([*animate_faces(predictor, picture, plan, options)])
    assert len(result) == plan.frames
    return result


@every_architecture
def test_every_face_is_animated_as_it_would_be_alone(name: str) -> None:
    model = published_form(name)
    squares = place_squares(FACES, FaceOptions())
    result = whole_clip(Predictor(model, CPU), picture(), squares, [DRIVER], options=AnimateOptions(batch=2))
    alone = [driven(model, cut_out(picture(), square, SIDE), clip_of(5), AnimateOptions(batch=5)) for square in squares]
    paster = Paster(squares, (120, 200))
    wanted = torch.stack([paster.paste(picture()[0].movedim(-1, 0), crops) for crops in zip(*alone, strict=True)])
    assert result.dtype == torch.uint8 and result.shape == (5, 3, 120, 200)
    assert (result.int() - wanted.int()).abs().max() <= 1
    outside = paster.mask() == 0
    assert torch.equal(result[:, :, outside], picture().movedim(-1, 1)[:, :, outside].expand(5, -1, -1))
    assert not torch.equal(result[0], result[4])


def test_poses_are_read_once_for_all_faces() -> None:
    predictor = Predictor(published_form("fomm"), CPU)
    read: list[int] = []
    handle = predictor.animator.get_submodule("kp_detector").register_forward_hook(
        lambda _module, _inputs, out: read.append(len(out.points))
    )
    try:
        whole_clip(predictor, picture(), place_squares(FACES, FaceOptions()), [DRIVER], options=AnimateOptions(batch=2))
    finally:
        handle.remove()
    assert sum(read) == 5 + 2 * len(FACES)  # the frames, and for each face source and anchor


def test_floats_stay_floats_and_grey_becomes_colour() -> None:
    predictor, squares = Predictor(published_form("fomm"), CPU), place_squares(FACES, FaceOptions(faces="0"))
    result = whole_clip(predictor, picture() / 255, squares, [DRIVER])
    assert result.dtype == torch.float32 and result.min() >= 0 and result.max() <= 1
    grey = whole_clip(predictor, picture(1), squares, [DRIVER])
    assert grey.shape[1] == 3


def test_a_picture_without_a_face_comes_back_for_every_frame() -> None:
    predictor = Predictor(published_form("fomm"), CPU)
    result = whole_clip(predictor, picture(), [], [DRIVER])
    assert torch.equal(result, picture().movedim(-1, 1).expand(5, -1, -1, -1))


def test_each_face_has_its_driver_and_the_shorter_one_holds_its_end() -> None:
    model = published_form("fomm")
    squares = place_squares(FACES[:2], FaceOptions())
    short = Driver(TensorClip(clip_of(9)[5:8]), 25.0)
    result = whole_clip(Predictor(model, CPU), picture(), squares, [DRIVER, short])
    first = driven(model, cut_out(picture(), squares[0], SIDE), clip_of(5), AnimateOptions())
    held = torch.cat([clip_of(9)[5:8], clip_of(9)[7:8], clip_of(9)[7:8]])
    second = driven(model, cut_out(picture(), squares[1], SIDE), held, AnimateOptions())
    paster = Paster(squares, (120, 200))
    for number, crops in enumerate(zip(first, second, strict=True)):
        wanted = paster.paste(picture()[0].movedim(-1, 0), crops)
        assert (result[number].int() - wanted.int()).abs().max() <= 1


def test_a_face_can_begin_later() -> None:
    model = published_form("fomm")
    squares = place_squares(FACES[:2], FaceOptions())
    options = FaceOptions(offsets=(0.0, 0.08))
    result = whole_clip(Predictor(model, CPU), picture(), squares, [DRIVER], options)
    shifted = torch.cat([clip_of(5)[2:], clip_of(5)[4:], clip_of(5)[4:]])
    second = driven(model, cut_out(picture(), squares[1], SIDE), shifted, AnimateOptions())
    y, x = round(squares[1].y), round(squares[1].x)
    for number in range(5):
        alone = Paster(squares[1:], (120, 200)).paste(picture()[0].movedim(-1, 0), [second[number]])
        assert (result[number][:, y, x].int() - alone[:, y, x].int()).abs().max() <= 1


@pytest.mark.parametrize("offset", [-0.1, 0.2, 99.0, float("nan")])
def test_a_start_outside_the_clip_is_refused(offset: float) -> None:
    squares = place_squares(FACES, FaceOptions())
    with pytest.raises(InputError, match="offsets"):
        whole_clip(Predictor(published_form("fomm"), CPU), picture(), squares, [DRIVER], FaceOptions(offsets=(offset,)))


class Named:
    """Finder that always finds the same faces."""

    name = "test"

    def __init__(self, *faces: Face) -> None:
        self.faces = faces

    def __call__(self, picture: NDArray[object]) -> list[Face]:  # pyright: ignore[reportInvalidTypeArguments]
        return [*self.faces]


def test_drivers_are_the_faces_of_a_clip_from_left_to_right() -> None:
    clip = TensorClip(blobs(20)[:, :, :60])
    finder = Named(Face(35, 10, 55, 30), Face(2, 2, 22, 22))
    drivers = frame_clip(clip, 25.0, "auto", finder, FaceOptions(ratio=0.0))
    assert [round(driver.squares[0].x) for driver in drivers] == [12, 45]
    assert drivers[0].for_size(32).frame(3).shape == (1, 32, 32, 3)
    [second] = frame_clip(clip, 25.0, "face", finder, FaceOptions(ratio=0.0, driving_faces="1"))
    assert second == drivers[1]


def test_a_clip_without_a_face_or_of_square_frames_drives_as_a_whole() -> None:
    tall, square = TensorClip(blobs(4)[:, :, :60]), TensorClip(blobs(4))
    face = Named(Face(2, 2, 22, 22))
    for clip, finder, framing in ((tall, Named(), "auto"), (square, face, "auto"), (tall, face, "stretch")):
        [driver] = frame_clip(clip, 25.0, framing, finder, FaceOptions())
        assert driver.for_size(32) is clip
    with pytest.raises(InputError, match="driving"):
        frame_clip(tall, 25.0, "face", Named(), FaceOptions())
    with pytest.raises(InputError, match="driving_framing"):
        frame_clip(tall, 25.0, "round", Named(), FaceOptions())


def test_the_faces_of_pictures_that_are_not_square_are_found() -> None:
    tall, square = picture(), picture()[:, :, :120]
    finder = Named(*FACES)
    found = frame_picture(tall, "auto", finder, FaceOptions())
    assert found is not None and found.of_picture(0) == place_squares(FACES, FaceOptions())
    assert frame_picture(square, "auto", finder, FaceOptions()) is None
    framed = frame_picture(square, "face", finder, FaceOptions())
    assert framed is not None and framed.faces == found.faces
    assert frame_picture(tall, "stretch", finder, FaceOptions()) is None
    assert frame_picture(tall, "auto", Named(), FaceOptions()) is None
    given = frame_picture(square, "auto", Named(), FaceOptions(), FACES[1:2])
    assert given is not None and given.of_picture(0) == place_squares(FACES[1:2], FaceOptions())
    with pytest.raises(InputError, match="no face that test finds"):
        frame_picture(tall, "face", Named(), FaceOptions())
    with pytest.raises(InputError, match="framing"):
        frame_picture(tall, "round", finder, FaceOptions())


def test_the_faces_are_chosen_and_their_squares_lie_on_whole_pixels() -> None:
    squares = place_squares(FACES, FaceOptions(faces="largest", ratio=0.3))
    assert len(squares) == 1 and squares[0].is_aligned
    assert squares[0].side == 112  # 70 pixels and 0.3 times as many on both sides
    assert place_squares([], FaceOptions()) == []
    with pytest.raises(InputError, match="faces"):
        place_squares(FACES, FaceOptions(faces="5"))


def test_a_square_far_outside_is_left_alone() -> None:
    predictor = Predictor(published_form("fomm"), CPU)
    result = whole_clip(predictor, picture(), [Square(-500, -500, 60)], [DRIVER])
    assert torch.equal(result[2], picture()[0].movedim(-1, 0))


def test_two_clips_of_different_rates_keep_their_times() -> None:
    model = published_form("fomm")
    squares = place_squares(FACES[:2], FaceOptions())
    fast = Driver(TensorClip(clip_of(9)), 50.0)
    result = whole_clip(Predictor(model, CPU), picture(), squares, [DRIVER, fast])
    assert len(result) == 5
    second = driven(model, cut_out(picture(), squares[1], SIDE), clip_of(9)[::2], AnimateOptions())
    y, x = round(squares[1].y), round(squares[1].x)
    for number in range(5):
        alone = Paster(squares[1:], (120, 200)).paste(picture()[0].movedim(-1, 0), [second[number]])
        assert (result[number][:, y, x].int() - alone[:, y, x].int()).abs().max() <= 1


def test_the_plan_of_a_picture_and_its_clips() -> None:
    asked: list[bool] = []

    def load() -> Named:
        asked.append(True)
        return Named(*FACES)

    square = (TensorClip(clip_of(5)), 25.0)
    assert Framing(finder=load).plan(picture()[:, :, :120], [square]) is None
    assert not asked  # nothing is loaded for a square picture
    plan = Framing(finder=load).plan(picture(), [square, square])
    assert plan is not None and plan.frames == 5
    assert len(plan.squares) == 3 and len(plan.drivers) == 2 and len(asked) == 1
    given = Framing(finder=load, boxes=FACES[:1]).plan(picture(), [square])
    assert given is not None and len(given.squares) == 1 and len(asked) == 1


def test_transparent_parts_are_white() -> None:
    predictor, squares = Predictor(published_form("fomm"), CPU), place_squares(FACES[:1], FaceOptions())
    clear = torch.cat([picture(), torch.zeros(1, 120, 200, 1, dtype=torch.uint8)], dim=-1)
    result = whole_clip(predictor, clear, squares, [DRIVER])
    assert result.shape == (5, 3, 120, 200)
    assert (result[:, :, Paster(squares, (120, 200)).mask() == 0] == 255).all()


def moving_picture(frames: int) -> Tensor:
    return torch.cat([picture().roll(number, dims=2) for number in range(frames)])


@pytest.mark.parametrize("name", ["fomm", "fsrt"])
def test_faces_of_a_clip_move_with_it(name: str) -> None:
    model, clip, drivers = published_form(name), moving_picture(5), [DRIVER]
    paths = tuple(tuple(replace(square, x=square.x + number) for number in range(5)) for square in _two_squares())
    plan = FacePlan(FaceSquares(paths, (120, 200)), drivers, FaceOptions(), 5)
    options = AnimateOptions(Retargeting("standard"))
    result = torch.cat([*animate_faces(Predictor(model, CPU), Streamed(clip), plan, options)])
    for number in (0, 4):
        here = [path[number] for path in paths]
        driving = clip_of(5)[number][None]
        alone = [driven(model, cut_out(clip[number][None], square, SIDE), driving, options)[0] for square in here]
        wanted = Paster(here, (120, 200)).paste(clip[number].movedim(-1, 0), alone)
        assert (result[number].int() - wanted.int()).abs().max() <= 1
        outside = Paster(here, (120, 200)).mask() == 0
        assert torch.equal(result[number][:, outside], clip[number].movedim(-1, 0)[:, outside])


@pytest.mark.parametrize(("ends", "speed", "order"), [("cut", 1.0, [0, 1, 2]), ("mirror", 0.5, [0, 0, 1, 1, 2])])
def test_shorter_and_slower_clips_as_sources(ends: str, speed: float, order: list[int]) -> None:
    plan = FacePlan(FaceSquares.still(_two_squares(), (120, 200)), [DRIVER], FaceOptions(), 3)
    clip, options = moving_picture(3), AnimateOptions(moving=MovingSource(ends=ends, speed=speed))
    result = torch.cat([*animate_faces(Predictor(published_form("fomm"), CPU), Streamed(clip), plan, options)])
    assert len(result) == plan.result_frames(options.moving) == len(order)
    outside = Paster(_two_squares(), (120, 200)).mask() == 0
    for number, shown in enumerate(order):
        assert torch.equal(result[number][:, outside], clip[shown].movedim(-1, 0)[:, outside])


def test_the_plan_of_a_clip_follows_its_faces() -> None:
    clip, driving = TensorClip(moving_picture(5)), (TensorClip(clip_of(5)), 25.0)
    plan = Framing(finder=lambda: Named(*FACES)).plan(clip, [driving])
    assert plan is not None and plan.moving == 5 and [len(path) for path in plan.squares.faces] == [1, 1, 1]
    smooth = Framing(finder=lambda: Named(*FACES), options=FaceOptions(smooth_crop=True)).plan(clip, [driving])
    assert smooth is not None and [len(path) for path in smooth.squares.faces] == [5, 5, 5]
    given = Framing(boxes=FACES[:1]).plan(clip, [driving])
    assert given is not None and len(given.squares) == 1 and given.moving == 5


def _two_squares() -> list[Square]:
    return place_squares(FACES[:2], FaceOptions(ratio=0.1))


def test_faces_are_cut_out_at_the_side_of_the_largest_and_are_crisp() -> None:
    squares = [Square(80, 100, 120), Square(240, 72, 96)]
    picture = blobs(1, 240, 400)
    plan = FacePlan(FaceSquares.still(squares, (240, 400)), [DRIVER], FaceOptions())
    predictor, sides = Predictor(published_form("fomm"), CPU), list[int]()
    given = predictor.animate_several

    def noting(sources: Sequence[Tensor], *rest: Any) -> Iterator[Tensor]:
        sides.extend(source.shape[1] for source in sources)
        return given(sources, *rest)

    predictor.animate_several = noting  # type: ignore[method-assign]
    options = AnimateOptions(detail=1)
    crisp = torch.cat([*animate_faces(predictor, picture, plan, options)])
    assert sides == [120, 120] and crisp.shape == (len(DRIVER.clip), 3, 240, 400)
    plain = torch.cat([*animate_faces(predictor, picture, plan)])
    assert torch.equal(crisp[..., :3, :3], plain[..., :3, :3]) and (crisp - plain).abs().max() > 0.01
