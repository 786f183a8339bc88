"""Tracks of faces, from detections that were constructed and are therefore known."""

import numpy as np
import pytest
from first_order_motion.animation.faces.clips import squares_for
from first_order_motion.animation.faces.face import Face, without_doubles
from first_order_motion.animation.faces.track import Track, link, present_longest, smooth_squares, union_square
from numpy.typing import NDArray

FRAMES = 200


def box(x: float, y: float, side: float) -> Face:
    return Face(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def middles(track: Track) -> NDArray[np.float64]:
    boxes = track.boxes(FRAMES)
    return (boxes[:, :2] + boxes[:, 2:]) / 2


@pytest.mark.parametrize("every", [1, 3, 5])
def test_three_people_who_cross_keep_their_identities(every: int) -> None:
    random = np.random.default_rng(every)
    time = np.arange(FRAMES)
    truth = [
        np.stack([100 + 2 * time, 100 + 0 * time], 1),
        np.stack([500 - 2 * time, 110 + 0 * time], 1),
        np.stack([300 + 0 * time, 20 + 1.2 * time], 1),
    ]
    detections: list[tuple[int, list[Face]]] = []
    for number in range(0, FRAMES, every):
        faces = [box(*(path[number] + random.normal(0, 1.6, 2)), 80) for path in truth]
        random.shuffle(faces)  # pyright: ignore[reportArgumentType]
        detections.append((number, without_doubles(faces, 0.6)))  # who is behind another is not seen
    tracks = link(detections, longest_gap=50)
    assert len(tracks) == 3
    for path in truth:
        errors = [float(np.abs(middles(track) - path).max()) for track in tracks]
        assert sum(error < 12 for error in errors) == 1


def test_a_face_that_is_lost_for_a_while_is_the_same_one() -> None:
    seen = [*range(60), *range(75, 120)]
    tracks = link([(number, [box(50 + number, 50, 40)] if number in seen else []) for number in range(120)], 25)
    assert len(tracks) == 1
    gap = tracks[0].boxes(120)[60:75]
    np.testing.assert_allclose((gap[:, 0] + gap[:, 2]) / 2, 50 + np.arange(60, 75), atol=1e-6)


def test_a_face_that_comes_back_later_is_a_new_one_and_glimpses_are_left_out() -> None:
    detections = [(n, [box(50, 50, 40)] if n < 80 or n >= 120 else []) for n in range(FRAMES)]
    detections[150] = (150, [box(50, 50, 40), box(300, 50, 30)])
    tracks = link(detections, longest_gap=20)
    assert [len(track.faces) for track in tracks] == [80, 80, 1]
    assert present_longest(tracks, FRAMES) == tracks[:2]
    assert present_longest([], FRAMES) == []


def test_boxes_are_held_before_and_after() -> None:
    boxes = Track({5: box(10, 10, 10), 7: box(14, 10, 10)}).boxes(10)
    np.testing.assert_allclose(boxes[:6, 0], 5)
    np.testing.assert_allclose(boxes[6, 0], 7)
    np.testing.assert_allclose(boxes[7:, 0], 9)


def test_the_union_holds_every_box() -> None:
    boxes = np.array([[0, 0, 40, 50], [100, 20, 150, 60]], np.float64)
    square = union_square(boxes, ratio=0.1)
    assert square.x - square.side / 2 <= 0 and square.x + square.side / 2 >= 150
    assert square.is_aligned


def test_a_smoothed_path_jitters_less_and_does_not_lag() -> None:
    random = np.random.default_rng(0)
    time = np.arange(FRAMES)
    true_x = 300 + 80 * np.sin(2 * np.pi * time / FRAMES)
    noisy = np.array(
        [box(x + random.normal(0, 2), 200 + random.normal(0, 2), 100 + random.normal(0, 2)).box for x in true_x]
    )
    path = np.array([(square.x, square.y, square.side) for square in smooth_squares(noisy, 25.0)])
    raw = np.stack([(noisy[:, 0] + noisy[:, 2]) / 2, (noisy[:, 1] + noisy[:, 3]) / 2, noisy[:, 2] - noisy[:, 0]], 1)
    slope = np.stack([np.gradient(true_x), 0 * time, 0 * time], 1)[1:]
    jitter = [(np.diff(values, axis=0) - slope * [1, 1, factor]).std(0) for values, factor in ((raw, 1), (path, 1.8))]
    assert (jitter[0] > 5 * jitter[1]).all()
    shifts = range(-5, 6)
    errors = [float(np.square(np.roll(path[:, 0], shift) - true_x)[10:-10].sum()) for shift in shifts]
    assert abs(shifts[int(np.argmin(errors))]) <= 1


def test_a_path_of_one_frame_is_itself() -> None:
    assert len(smooth_squares(np.array([[0, 0, 40, 40]], np.float64), 25.0)) == 1


def test_squares_turn_with_the_face_on_a_smooth_path() -> None:
    noise = np.random.default_rng(3).normal(0, 0.05, 100)
    tilts = np.sin(np.arange(100) / 20) + noise
    track = Track()
    for number, tilt in enumerate(tilts):
        eyes = np.array(
            [[50 - 10 * np.cos(tilt), 50 - 10 * np.sin(tilt)], [50 + 10 * np.cos(tilt), 50 + 10 * np.sin(tilt)]]
        )
        track.faces[number] = Face(30, 30, 70, 70, landmarks=eyes)
    np.testing.assert_allclose(track.rolls(100), tilts, atol=1e-9)
    smooth = np.array([square.angle for square in smooth_squares(track.boxes(100), 25.0, rolls=track.rolls(100))])
    assert np.abs(np.diff(smooth, 2)).mean() < np.abs(np.diff(tilts, 2)).mean() / 5
    assert np.abs(smooth - np.sin(np.arange(100) / 20))[10:-10].max() < 0.1
    upright = squares_for(track, 100, 25.0, upright=True)
    assert len(set(upright)) == 1 and abs(upright[0].angle - np.median(tilts)) < 1e-9
