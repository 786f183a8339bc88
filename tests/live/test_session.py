"""A picture driven frame by frame: as the driver draws whole clips, and whatever is changed in between."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces.square import Square
from first_order_motion.animation.faces.squares import FaceSquares
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.framing import Driver, FaceOptions, FacePlan
from first_order_motion.animation.full_size import animate_faces
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Origin, Predictor
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.types import Animator, Motion, Prepared
from first_order_motion.live.session import LiveSession
from first_order_motion.live.settings import LiveSettings
from first_order_motion.live.view import View
from support.architectures import CPU, blobs, every_architecture, tiny
from support.drivers import Around
from support.live import RATE, Pixels, pixels, predictor
from torch import Tensor

STILL = LiveSettings(smooth=0.0)
SOURCE = (blobs(1, seed=3) * 255).round().byte()


def session(name: str = "fomm", settings: LiveSettings = STILL, **options: object) -> LiveSession:
    return LiveSession(predictor(name), View(SOURCE), settings, **options)  # pyright: ignore[reportArgumentType]


def drawn(live: LiveSession, frames: list[Pixels], first: int = 0) -> list[Pixels]:
    return [live.draw(frame, number / RATE) for number, frame in enumerate(frames, first)]


def whole_clip(frames: list[Pixels], name: str = "fomm", options: AnimateOptions | None = None) -> list[Pixels]:
    """What the driver makes of the same frames as a clip."""
    clip = torch.from_numpy(np.stack(frames))
    result = predictor(name).animate_tensors(SOURCE, clip, options)
    return [*(result * 255).round().byte().numpy()]


def same(one: Pixels, other: Pixels, most: int = 1) -> bool:
    return bool(np.abs(one.astype(int) - other.astype(int)).max() <= most)


@every_architecture
def test_frames_come_out_as_of_a_whole_clip(name: str) -> None:
    frames = pixels(3)
    for one, other in zip(drawn(session(name), frames), whole_clip(frames, name), strict=True):
        assert same(one, other)


@every_architecture
def test_faces_move_in_their_places_as_the_driver_has_them(name: str) -> None:
    frames, options = pixels(2), AnimateOptions(antialias=True)
    picture = (blobs(1, 90, 120, seed=3) * 255).round().byte()
    squares = [Square(40, 40, 60), Square(85.5, 55.5, 41)]
    live = LiveSession(predictor(name), View(picture, squares), STILL, options)
    places = FaceSquares.still(squares, (90, 120))
    plan = FacePlan(places, [Driver(TensorClip(torch.from_numpy(np.stack(frames))), RATE)], FaceOptions())
    wanted = [part[0].movedim(0, -1).numpy() for part in animate_faces(predictor(name), picture, plan, options)]
    for one, other in zip(drawn(live, frames), wanted, strict=True):
        assert one.shape == (90, 120, 3) and one.flags.c_contiguous
        assert same(one, other)
        assert not same(one[20:50, 20:60], picture[0, 20:50, 20:60].numpy())
        assert same(one[80:], picture[0, 80:].numpy(), 0)  # where no face is, nothing changes


@pytest.mark.parametrize("squares", [(), (Square(60, 45, 80), Square(20, 20, 32))])
def test_fine_detail_is_shown_as_the_driver_has_it(squares: tuple[Square, ...]) -> None:
    frames, options = pixels(2), AnimateOptions(antialias=True, detail=1.0)
    picture = (blobs(1, 90, 120 if squares else 90, seed=3) * 255).round().byte()
    clip = TensorClip(torch.from_numpy(np.stack(frames)))
    if squares:
        plan = FacePlan(FaceSquares.still(squares, (90, 120)), [Driver(clip, RATE)], FaceOptions())
        wanted = [*animate_faces(predictor(), picture, plan, options)]
    else:
        wanted = [*torch.cat([*predictor().animate(picture, clip, options)]).mul(255).round().byte()[:, None]]
    live = LiveSession(predictor(), View(picture, squares), STILL, options)
    for one, other in zip(drawn(live, frames), wanted, strict=True):
        assert same(one, other[0].movedim(0, -1).numpy())


def test_a_model_without_flow_shows_no_detail_and_the_other_stays() -> None:
    live = session(options=AnimateOptions(detail=1.0))
    with pytest.raises(InputError, match=r"^detail is 1; FSRT has no flow"):
        live.use(predictor("fsrt"))
    assert live.spec.has_flow


def test_a_mirror_and_a_new_centre_count_for_all_faces() -> None:
    frames, picture = pixels(4), (blobs(1, 90, 120, seed=3) * 255).round().byte()
    squares = [Square(40, 40, 60), Square(90, 50, 40)]
    both = LiveSession(predictor(), View(picture, squares), STILL)
    each = [LiveSession(predictor(), View(picture, [square]), STILL) for square in squares]
    for live in (both, *each):
        live.draw(frames[0], 0)
        live.change(replace(STILL, mirror=True, strength=1.5))
        live.recentre()
        drawn(live, frames[1:3], 1)
    together, (left, right) = both.draw(frames[3], 3 / RATE), (live.draw(frames[3], 3 / RATE) for live in each)
    assert same(together[:, :65], left[:, :65], 0)
    assert same(together[:, 75:], right[:, 75:], 0)


def test_another_view_of_the_picture_goes_on_from_the_same_frame() -> None:
    frames, live = pixels(3), session()
    before = drawn(live, frames[:2])[1]
    live.change(replace(STILL, hold=True))
    view = View(SOURCE, [Square(32, 32, 64)])
    live.show(view)
    pasted = live.draw(frames[2], 1.0)
    assert same(pasted[24:40, 24:40], before[24:40, 24:40])  # the middle counts fully
    live.show(view)
    assert live.draw(frames[2], 1.0) is pasted  # nothing is drawn again
    live.show(View(SOURCE))
    assert same(live.draw(frames[2], 1.0), before)


@every_architecture
def test_several_threads_paint_what_one_does(name: str) -> None:
    frames, live = pixels(4), session(name, LiveSettings(smooth=0.1).fitting(tiny(name).spec))
    shots = [live.read(frame, number / RATE) for number, frame in enumerate(frames)]
    with ThreadPoolExecutor(2) as painters:
        painted = [*painters.map(live.paint, shots)]
    live.recentre()
    for one, other in zip(painted, drawn(live, frames, 100), strict=True):
        assert same(one, other)


def test_poses_are_taken_as_they_are_where_that_is_wished() -> None:
    options = AnimateOptions(Retargeting("standard"))
    frames = pixels(2)
    live = session(options=options)
    assert all(map(same, drawn(live, frames), whole_clip(frames, options=options)))
    live.recentre()
    assert same(live.draw(frames[0], 1.0), whole_clip(frames, options=options)[0])


def test_strength_takes_effect_at_the_next_frame() -> None:
    frames, live = pixels(4), session()
    before = drawn(live, frames[:2])
    live.change(replace(STILL, strength=0.0))
    resting = drawn(live, frames[2:], 2)
    assert not same(before[1], before[0])
    assert same(resting[0], resting[1], 0)
    assert same(resting[0], before[0])  # the first frame shows the source's own pose too


def test_the_source_is_encoded_once_per_picture() -> None:
    animator = Counting(tiny("fomm"))
    live = LiveSession(Predictor(animator, CPU), View(SOURCE), STILL)
    frames = pixels(4)
    drawn(live, frames)
    live.recentre()
    live.change(replace(STILL, mirror=True, strength=1.5))
    drawn(live, frames, 4)
    assert animator.prepared == 1
    live.show(View(blobs(1, seed=4)))
    drawn(live, frames, 8)
    assert animator.prepared == 2


def test_recentre_measures_from_the_next_frame() -> None:
    frames, live = pixels(6), session()
    drawn(live, frames[:3])
    live.recentre()
    found = drawn(live, frames[3:], 3)
    assert all(map(same, found, whole_clip(frames[3:])))


def test_hold_keeps_the_picture_but_follows_the_settings() -> None:
    frames, live = pixels(5), session()
    before = drawn(live, frames[:2])[1]
    live.change(replace(STILL, hold=True))
    assert all(same(before, picture, 0) for picture in drawn(live, frames[2:4], 2))
    live.change(replace(STILL, hold=True, strength=0.5))
    weaker = live.draw(frames[4], 4 / RATE)
    assert same(weaker, session(settings=replace(STILL, strength=0.5)).draw(frames[0], 0), 255)
    assert not same(weaker, before)
    live.change(STILL)
    assert same(live.draw(frames[4], 5 / RATE), whole_clip(frames)[4])


def test_a_held_picture_is_exchanged() -> None:
    frames, live = pixels(3), session()
    drawn(live, frames[:2])
    live.change(replace(STILL, hold=True))
    live.use(predictor("spline"))
    assert same(live.draw(frames[2], 1.0), whole_clip(frames, "spline")[1])


def test_another_model_measures_from_the_same_frame() -> None:
    frames, live = pixels(4), session()
    drawn(live, frames[:2])
    live.use(predictor("spline"))
    assert same(live.draw(frames[3], 3 / RATE), whole_clip(frames, "spline")[3])


def test_a_mirror_turns_frames_and_what_is_measured_from() -> None:
    frames, live = pixels(3), session()
    live.draw(frames[0], 0)
    live.change(replace(STILL, mirror=True))
    turned = [np.ascontiguousarray(frame[:, ::-1]) for frame in frames]
    assert all(map(same, drawn(live, frames[1:], 1), whole_clip(turned)[1:]))


def test_the_square_in_the_middle_drives() -> None:
    frames = pixels(2, 64, 96)
    live = session(settings=replace(STILL, framing="whole"))
    middle = [np.ascontiguousarray(frame[:, 16:80]) for frame in frames]
    assert all(map(same, drawn(live, frames), whole_clip(middle)))


def test_the_head_drives_once_it_is_found() -> None:
    frames = pixels(4, 64, 128)
    squares = [None, Square(96, 32, 64), Square(96, 32, 64), None]
    live = session(follow=lambda frame, seconds: squares[round(seconds * RATE)])
    found = drawn(live, frames)
    assert live.settings.framing == "face"
    heads = [np.ascontiguousarray(frame[:, 64:]) for frame in frames]
    assert all(map(same, found[1:3], whole_clip(heads[1:3])))  # measured anew from the first head
    assert same(found[3], found[0])  # and without a head from the frame that lost it


def test_square_frames_drive_whole_unless_the_head_is_wished() -> None:
    asked: list[float] = []

    def follow(_: Pixels, seconds: float) -> None:
        asked.append(seconds)

    live = session(follow=follow)
    live.draw(pixels(1)[0], 0)
    assert (live.settings.framing, asked) == ("whole", [])
    live.change(replace(live.settings, framing="face"))
    live.draw(pixels(1)[0], 1)
    assert asked == [1]


def test_smoothing_steadies_without_looking_ahead() -> None:
    frames = pixels(2)
    trembling = [frames[number % 2] for number in range(8)]
    steady, raw = session(settings=LiveSettings(smooth=1.0)), session()
    first, *smooth = drawn(steady, trembling)
    assert same(first, drawn(raw, trembling)[0])  # nothing waits
    assert spread(smooth) < 0.8 * spread(drawn(raw, trembling))


def spread(pictures: list[Pixels]) -> float:
    return float(np.stack(pictures).astype(float).std(axis=0).mean())


def test_smoothing_begins_anew_after_a_pause() -> None:
    frames, live = pixels(2), session(settings=LiveSettings(smooth=1.0))
    live.draw(frames[0], 0.0)
    assert same(live.draw(frames[1], 5.0), whole_clip(frames)[1])
    live.draw(frames[0], 1.0)  # and where the clock goes back
    assert same(live.draw(frames[1], 0.5), whole_clip(frames)[1])


def test_a_model_that_keeps_the_pose_has_no_controls() -> None:
    live = LiveSession(predictor("partswap"), View(SOURCE))
    assert (live.settings.strength, live.settings.smooth) == (1.0, 0.0)
    with pytest.raises(InputError, match=r"^strength was given; Part Swap keeps the pose"):
        live.change(replace(live.settings, strength=2.0))
    with pytest.raises(InputError, match=r"^smooth was given; Part Swap"):
        session("partswap", LiveSettings(smooth=0.1))
    other = session(settings=LiveSettings(strength=2.0))
    other.use(predictor("partswap"))
    assert other.settings.strength == 1.0


def test_a_mode_that_a_model_lacks_is_refused_and_the_other_stays() -> None:
    with pytest.raises(InputError, match="mode is 'avd'"):
        session(options=AnimateOptions(Retargeting("avd")))
    live = session(options=AnimateOptions(Retargeting("relative")))
    before = live.draw(pixels(1)[0], 0)
    with pytest.raises(InputError, match="mode is 'relative'"):
        live.use(predictor("partswap"))
    assert same(live.draw(pixels(1)[0], 1), before)


@pytest.mark.parametrize(
    "frame", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_frame_is_refused(frame: Pixels) -> None:
    with pytest.raises(InputError, match="frame has shape"):
        session().draw(frame, 0)


def test_a_model_that_overflows_goes_on_in_float32() -> None:
    exact = tiny("fomm")
    live = LiveSession(Predictor(Overflowing(exact), CPU, Origin("a file", lambda: exact)), View(SOURCE), STILL)
    frames = pixels(2)
    assert all(map(same, drawn(live, frames), whole_clip(frames)))


def test_sessions_of_one_model_fall_back_together() -> None:
    exact = tiny("fomm")
    predictor = Predictor(Overflowing(exact, most=4), CPU, Origin("a file", lambda: exact))
    sessions = [LiveSession(predictor, View(SOURCE), STILL) for _ in range(2)]
    frame = pixels(1)[0]
    shots = [live.read(frame, 0) for live in sessions]
    assert all(same(live.paint(shot), whole_clip([frame])[0]) for live, shot in zip(sessions, shots, strict=True))


def test_weights_that_give_no_numbers_are_said() -> None:
    broken = Overflowing(tiny("fomm"), bits=32)
    with pytest.raises(CheckpointError, match="makes pictures of NaN"):
        LiveSession(Predictor(broken, CPU), View(SOURCE), STILL).draw(pixels(1)[0], 0)


def test_nothing_grows() -> None:
    frames = pixels(4, 64, 96)
    live = session(settings=LiveSettings(smooth=0.1), follow=lambda frame, seconds: Square(40 + seconds, 32, 50))
    drawn(live, frames * 2)
    counts = [tensors_after(live, frames, first) for first in (8, 12, 40)]
    assert counts[1:] == counts[:1] * 2


def tensors_after(live: LiveSession, frames: list[Pixels], first: int) -> int:
    drawn(live, frames, first)
    gc.collect()
    return sum(type(one) is Tensor for one in gc.get_objects())


class Counting(Around):
    """Counts how often the source is encoded."""

    def __init__(self, animator: Animator) -> None:
        super().__init__(animator)
        self.prepared = 0

    def prepare(self, source: Tensor) -> Prepared:
        self.prepared += 1
        return super().prepare(source)


class Overflowing(Around):
    """Renders nothing but NaN, as if layers in 16 bits had overflowed."""

    def __init__(self, animator: Animator, bits: int = 16, most: int = 100) -> None:
        super().__init__(animator)
        self.left = most  # times that it may be asked
        self.layer = torch.nn.Linear(1, 1).to(torch.bfloat16 if bits == 16 else torch.float32)

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        self.left -= 1
        assert self.left >= 0
        return super().render(prepared, motion) * torch.nan
