"""Frames on their way: what a page sends is read, or refused in a line."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from first_order_motion.core.errors import InputError
from first_order_motion.live.frames import MOST_BYTES, Frame
from PIL import Image
from support.live import encoded, message, pixels


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_frame_is_read(form: str) -> None:
    [picture] = pixels(1, 48, 64)
    frame = Frame.parse(message(7, encoded(picture, form), 40.5))
    assert (frame.number, frame.milliseconds) == (7, 40.5)
    assert np.abs(frame.picture().astype(int) - picture).mean() < 3


def test_the_answer_bears_number_and_time() -> None:
    [picture] = pixels(1)
    answer = Frame(9, 12.25, b"").answer(picture)
    assert struct.unpack("<Id", answer[:12]) == (9, 12.25)
    assert np.abs(np.asarray(Image.open(io.BytesIO(answer[12:]))).astype(int) - picture).mean() < 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (message(1, b""), "A frame of 12 bytes came"),
        (b"abc", "A frame of 3 bytes came"),
        (message(1, bytes(MOST_BYTES + 1)), "at most 2000000 are read"),
        (struct.pack("<Id", 5, float("nan")) + b"x", "Frame 5 has the time nan"),
    ],
)
def test_what_is_no_frame_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Frame.parse(content)


def test_what_is_no_picture_is_refused() -> None:
    whole = encoded(pixels(1)[0])
    for content in (b"hello", whole[: len(whole) // 2], encoded(pixels(1)[0], "PNG"), b"\xff\xd8\xff" + bytes(40)):
        with pytest.raises(InputError, match=r"Frame 3 cannot be read .* a JPEG or WebP was wanted"):
            Frame(3, 0.0, content).picture()


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    file = io.BytesIO()
    Image.new("L", (3000, 2000)).save(file, "JPEG")
    with pytest.raises(InputError, match="Frame 3 has 3000 x 2000 pixels; at most 4 megapixels"):
        Frame(3, 0.0, file.getvalue()).picture()
