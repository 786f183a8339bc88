"""Face parsing: names, loading, masks of any size, and the driver's manners."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.media.segment_picture import overlaid, palette, with_legend
from first_order_motion.animation.options import Hooks
from first_order_motion.animation.parse_faces import parse_faces
from first_order_motion.animation.registry import load_parser
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.inference.optimize import optimize
from first_order_motion.core.layers.resnet import ResNet18
from first_order_motion.face_parsing.classes import CLASSES, GROUPS, IDS, NAMES, chosen_classes
from first_order_motion.face_parsing.config import FaceParsingConfig
from first_order_motion.face_parsing.parser import FaceParser
from support.architectures import CPU, SIDE, blobs, one_thread, seeded
from torch import Tensor

TINY = FaceParsingConfig(width=4)
SAME = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def parser() -> FaceParser:
    return seeded(FaceParser(TINY, SIDE))


def saved(path: Path, change: str = "") -> Path:
    state = dict(parser().network.state_dict())
    if change == "missing":
        del state["ffm.conv2.weight"]
    if change == "no_counters":
        state = {key: tensor for key, tensor in state.items() if "num_batches" not in key}
    if change == "extra":
        state["cp.resnet.fc.weight"] = torch.ones(1)
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


# --- files ---


@pytest.mark.parametrize("change", ["", "no_counters"])
def test_a_file_gives_its_own_parser(tmp_path: Path, change: str) -> None:
    loaded, images = load_parser(saved(tmp_path / "79999_iter.pth", change)), blobs(2).movedim(-1, 1)
    loaded.size = SIDE
    assert loaded.config == TINY
    torch.testing.assert_close(loaded.logits(images), parser().logits(images), **SAME)


@pytest.mark.parametrize(("change", "says"), [("missing", "ffm.conv2.weight"), ("extra", "cp.resnet.fc.weight")])
def test_a_file_must_fit(tmp_path: Path, change: str, says: str) -> None:
    with pytest.raises(CheckpointError, match=says):
        load_parser(saved(tmp_path / "79999_iter.pth", change))


def test_the_resnet_file_is_told_from_the_parser(tmp_path: Path) -> None:
    torch.save(ResNet18(3, 10, width=4).state_dict(), tmp_path / "resnet18-5c106cde.pth")
    with pytest.raises(CheckpointError, match=r"79999_iter\.pth. contains all of it"):
        load_parser(tmp_path / "resnet18-5c106cde.pth")


# --- names ---


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("hair, hat", (17, 18)),
        ("hat,hair", (17, 18)),
        ("17_18", (17, 18)),
        ("17 18", (17, 18)),
        (17, (17,)),
        ("Left Eye; r_eye", (4, 5)),
        ("eye_glasses", (6,)),
        ("mouth", (11, 12, 13)),
        ("inside of mouth", (11,)),
        ("face", tuple(range(1, 16))),
        ("face, 17", (*range(1, 16), 17)),
        ("background", (0,)),
    ],
)
def test_names_are_classes(text: object, numbers: tuple[int, ...]) -> None:
    assert chosen_classes(text) == numbers


def test_every_class_goes_by_both_its_names() -> None:
    assert len(IDS) == len(NAMES) == len(CLASSES) == 19
    for number, (stored, shown) in enumerate(CLASSES.items()):
        assert chosen_classes(shown) == chosen_classes(str(number)) == (number,)
        assert number in chosen_classes(stored)  # "mouth" is the whole of it
    assert all(set(numbers) <= set(range(19)) for numbers in GROUPS.values())


@pytest.mark.parametrize("text", ["", " , ", "_"])
def test_no_class_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match="No part of the face is chosen"):
        chosen_classes(text)


@pytest.mark.parametrize("text", ["tail", "19", "hair hat", "hair, tail", "-1"])
def test_unknown_classes_are_named(text: str) -> None:
    with pytest.raises(InputError, match="is no part of the face; choose among"):
        chosen_classes(text)


# --- masks ---


def masks(images: Tensor, *chosen: int, batch: int = 2, **more: bool) -> Tensor:
    parts = parse_faces(optimize(parser(), CPU, fast=False), TensorClip(images), chosen, CPU, batch, **more)
    return torch.cat([part.maps["mask"] for part in parts])


@pytest.mark.parametrize("size", [(SIDE, SIDE), (200, 90), (1, 1), (33, 47)])
def test_masks_have_the_pictures_size(size: tuple[int, int]) -> None:
    found = masks(blobs(3, *size), *range(19))
    assert found.shape == (3, 1, *size)
    torch.testing.assert_close(found, torch.ones_like(found), **SAME)  # all classes together


def test_masks_of_classes_add_up_and_harden() -> None:
    one, two, both = masks(blobs(3), 17), masks(blobs(3), 18), masks(blobs(3), 17, 18)
    torch.testing.assert_close(one + two, both, **SAME)
    hard = masks(blobs(3), *range(1, 10), hard_edges=True)
    assert torch.equal(hard, (masks(blobs(3), *range(1, 10)) > 0.5).float())


def test_batches_change_nothing() -> None:
    torch.testing.assert_close(masks(blobs(5), 1, batch=4), masks(blobs(5), 1, batch=1), **SAME)


def test_networks_run_in_exact_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, network = [], parser()
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(
        network, "probabilities", lambda *_: seen.append(torch.backends.cudnn.allow_tf32) or torch.zeros(1, 19, 64, 64)
    )
    list(parse_faces(network, TensorClip(blobs(1)), (1,), CPU))
    assert seen == [False]


def test_the_sharp_mask_is_the_full_ones_every_eighth_pixel() -> None:
    """What is worked out for 64 places only equals the published map of 512 x 512, sampled as there."""
    wide = seeded(FaceParser(TINY, 512))
    images = blobs(1, 256, 256).movedim(-1, 1)
    torch.testing.assert_close(
        wide.subsampled_probabilities(images), wide.full_size_probabilities(images)[..., ::8, ::8], **SAME
    )


def test_cancel_and_bad_input() -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def stop() -> None:
        raise Stop

    freed: list[int] = []
    with pytest.raises(Stop):
        list(parse_faces(parser(), TensorClip(blobs(2)), (1,), CPU, hooks=Hooks(stop, lambda: freed.append(1))))
    assert freed == [1]
    for images, says in ((blobs(0), "0 pictures"), (blobs(1).int(), "int32"), (blobs(1) * torch.nan, "NaN")):
        with pytest.raises(InputError, match=says):
            masks(images, 1)


# --- pictures of segments ---


def test_colours_are_black_and_a_rainbow() -> None:
    colours = palette(11)
    assert colours[0] == (0, 0, 0)
    assert colours[1] == (1, 0, 0.16)
    assert len({tuple(colour) for colour in palette(20)}) == 20
    assert palette(1) == [(0, 0, 0)]


def test_an_overlay_shows_the_largest_segment() -> None:
    segments = torch.tensor([0.2, 0.7, 0.1]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    shown = overlaid(torch.ones(2, 3, 8, 8), segments, 0.5)
    wanted = 0.5 + 0.5 * torch.tensor(palette(3)[1])
    torch.testing.assert_close(shown, wanted.view(1, 3, 1, 1).expand(2, 3, 8, 8))


@pytest.mark.parametrize("side", [1, 64, 256, 601])
def test_a_legend_fits_beside_any_picture(side: int) -> None:
    sheet = with_legend(torch.zeros(3, side, side), NAMES)
    _, height, width = sheet.shape
    assert height >= 512 and width > height and (height % 2, width % 2) == (0, 0)
    legend = (sheet * 255).round().movedim(0, -1).reshape(-1, 3)
    for colour in palette(len(NAMES)):
        swatch = torch.tensor([round(255 * channel) for channel in colour]).float()
        assert (legend == swatch).all(dim=1).any(), f"{colour} is not in the legend"
