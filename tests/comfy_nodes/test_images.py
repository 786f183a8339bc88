"""What else may be wired into inputs for pictures and videos: one line that names it, without ComfyUI."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from first_order_motion.comfy_nodes.images import check_image, check_video
from first_order_motion.core.errors import InputError

OTHERS: dict[str, tuple[object, str]] = {
    "latent": ({"samples": torch.zeros(1, 4, 8, 8)}, "a LATENT; .* Put VAE Decode between"),
    "audio": ({"waveform": torch.zeros(1, 2, 8), "sample_rate": 8}, "an AUDIO; .* frames"),
    "video": (SimpleNamespace(get_components=None), "a VIDEO; .* Put Get Video Components between"),
    "mask": (torch.zeros(2, 8, 8), r"of shape \(2, 8, 8\), like a MASK; .* Put Convert Mask to Image between"),
    "none": (None, r"nothing \(None\); .* Check the node"),
    "dict": ({}, "a dict; "),
    "text": ("face.png", "a str; "),
    "list": ([1, 2, 3], "a list; "),
    "number": (7, "a int; "),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_picture_gets_one_line(kind: str) -> None:
    value, says = OTHERS[kind]
    with pytest.raises(InputError, match=rf"^source is {says}[^\n]*\.$"):
        check_image(value, "source")


@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (8, 8, 3), (0, 8, 8, 3)])
def test_pictures_pass_as_they_are(shape: tuple[int, ...]) -> None:
    """Whether they can be used, the driver says."""
    images = torch.zeros(shape)
    assert check_image(images, "source") is images


def test_what_is_no_video_gets_one_line() -> None:
    for value, says in (
        (torch.zeros(2, 8, 8, 3), r"is pictures \(IMAGE\); a VIDEO was wanted. Put Create Video between."),
        (None, r"is nothing \(None\); a VIDEO was wanted. Wire Load Video here."),
        ({"waveform": torch.zeros(1, 2, 8)}, "is an AUDIO; a VIDEO was wanted. Wire Load Video here."),
    ):
        with pytest.raises(InputError, match=rf"^driving {says}$"):
            check_video(value, "driving")


def test_videos_pass_as_they_are() -> None:
    video = SimpleNamespace(get_components=dict, get_stream_source=str, save_to=print)
    assert check_video(video, "driving") is video
