"""Clips of single faces, followed, cut out, shifted and held."""

import numpy as np
import pytest
import torch
from first_order_motion.animation.faces.clips import FaceClip, ShiftedClip, eight_bit, follow_faces, squares_for
from first_order_motion.animation.faces.face import Face, faces_from_mask
from first_order_motion.animation.faces.square import Square
from first_order_motion.animation.frames import TensorClip
from first_order_motion.core.errors import InputError
from numpy.typing import NDArray
from torch import Tensor


class Spots:
    """Finder of the bright squares of a dark picture."""

    name = "spots"

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, picture: NDArray[np.uint8]) -> list[Face]:
        self.asked += 1
        return faces_from_mask((picture[..., 0] > 100).astype(np.float32))


def moving(frames: int = 50) -> Tensor:
    """Two bright squares on black: one that stays and one that moves to the right."""
    clip = torch.zeros(frames, 60, 160, 3, dtype=torch.uint8)
    for number in range(frames):
        clip[number, 20:40, 10:30] = 200
        clip[number, 22:42, 60 + number : 80 + number] = 255
    return clip


def test_faces_are_followed_at_eight_detections_a_second() -> None:
    finder = Spots()
    tracks = follow_faces(TensorClip(moving()), finder, 24)
    assert finder.asked == 17  # every third frame of fifty
    assert len(tracks) == 2
    boxes = [track.boxes(50) for track in tracks]
    np.testing.assert_allclose(boxes[0][:, 0], 10)
    np.testing.assert_allclose(boxes[1][:48, 0], 60 + np.arange(48))
    steady, smooth = (squares_for(tracks[1], 50, 24, smooth=smooth) for smooth in (False, True))
    assert len(set(steady)) == 1 and len(set(smooth)) == 50


def test_a_clip_without_faces_has_no_tracks() -> None:
    assert follow_faces(TensorClip(torch.zeros(10, 8, 8, 3)), Spots(), 25) == []


def test_following_can_be_cancelled() -> None:
    def cancel() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow_faces(TensorClip(moving()), Spots(), 24, cancel)


@pytest.mark.parametrize("chunk", [1, 7, 50])
def test_a_face_stays_in_the_middle_of_its_clip(chunk: int) -> None:
    frames = moving()
    squares = [Square(70.0 + number, 32, 40) for number in range(50)]
    clip = FaceClip(TensorClip(frames), squares, 40)
    whole = torch.cat([*clip.chunks(chunk)])
    assert whole.shape == (50, 40, 40, 3) and len(clip) == 50
    assert whole[:, 15:25, 15:25].min() == 1
    assert torch.equal(clip.frame(7), whole[7:8])
    assert torch.equal(torch.cat([*FaceClip(TensorClip(frames), squares[:1] * 50, 40).chunks(chunk)])[0], whole[0])


@pytest.mark.parametrize(("start", "count"), [(0, 10), (0, 4), (3, 7), (3, 4), (3, 20), (9, 12), (0, 1)])
@pytest.mark.parametrize("chunk", [1, 3, 4, 10, 64])
def test_a_shifted_clip_holds_its_end(start: int, count: int, chunk: int) -> None:
    frames = torch.arange(10.0).view(10, 1, 1, 1)
    clip = ShiftedClip(TensorClip(frames), start, count)
    wanted = [min(start + number, 9) for number in range(count)]
    chunks = [*clip.chunks(chunk)]
    assert torch.cat(chunks).flatten().tolist() == wanted
    assert all(len(part) == chunk for part in chunks[:-1]) and len(chunks[-1]) <= chunk
    assert [clip.frame(number).item() for number in range(count)] == wanted
    assert len(clip) == count


@pytest.mark.parametrize("start", [-1, 10, 99])
def test_a_start_outside_is_refused(start: int) -> None:
    with pytest.raises(InputError, match="offset"):
        ShiftedClip(TensorClip(torch.zeros(10, 1, 1, 1)), start, 5)


@pytest.mark.parametrize(
    "picture",
    [
        torch.full((4, 5, 3), 200, dtype=torch.uint8),
        torch.full((4, 5, 3), 200 / 255),
        torch.full((4, 5, 4), 200, dtype=torch.uint8),
        torch.full((4, 5, 1), 200 / 255),
        torch.full((4, 5, 3), 200 * 257, dtype=torch.int32).to(torch.uint16),
    ],
)
def test_detectors_see_eight_bits(picture: Tensor) -> None:
    seen = eight_bit(picture)
    assert seen.shape == (4, 5, 3) and seen.dtype == np.uint8
    assert (seen == 200).all()


@pytest.mark.parametrize(
    ("step", "wanted"), [(2.0, [1, 3, 5, 7, 9, 9]), (0.5, [1, 1, 2, 2, 3, 3, 4]), (1.25, [1, 2, 3, 4, 6])]
)
def test_a_clip_of_another_rate_keeps_its_time(step: float, wanted: list[int]) -> None:
    frames = torch.arange(10.0).view(10, 1, 1, 1)
    clip = ShiftedClip(TensorClip(frames), 1, len(wanted), step)
    assert torch.cat([*clip.chunks(4)]).flatten().tolist() == wanted
    assert [clip.frame(number).item() for number in range(len(wanted))] == wanted
