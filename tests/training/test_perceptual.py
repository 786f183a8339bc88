"""The perceptual loss against torchvision's VGG19, and the places where its weights are looked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from first_order_motion.core.errors import CheckpointError, MissingWeightsError
from first_order_motion.training import perceptual
from first_order_motion.training.perceptual import VGG19, ImagePyramid, PerceptualDistance, cached_vgg19, load_vgg19
from support.parity_common import undrawn
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
SLICES = ((0, 2), (2, 7), (7, 12), (12, 21), (21, 30))


@cache
def torchvision_features() -> nn.Sequential:
    """The layers that torchvision builds, with seeded weights."""
    with undrawn():
        layers = make_layers(cfgs["E"])
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                layer.weight.normal_(0, (2 / layer.weight[0].numel()) ** 0.5, generator=generator)
                layer.bias.normal_(0, 0.1, generator=generator)
    return layers.eval()


def state() -> dict[str, Tensor]:
    """Part of torchvision's published state dict: what is there beside the features is not needed."""
    found = {f"features.{key}": value for key, value in torchvision_features().state_dict().items()}
    return found | {"classifier.0.weight": torch.ones(3, 5), "classifier.0.bias": torch.ones(3)}


@cache
def loaded() -> VGG19:
    with undrawn():
        network = VGG19()
    network.load_state_dict({key: value for key, value in state().items() if key in network.state_dict()})
    return network


def by_hand(picture: Tensor) -> list[Tensor]:
    out, found = (picture - MEAN[:, None, None]) / STD[:, None, None], []
    for first, last in SLICES:
        out = torchvision_features()[first:last](out)
        found.append(out.clone())
    return found


def pictures(count: int = 2, side: int = 32) -> tuple[Tensor, Tensor]:
    drawn = torch.rand(2 * count, 3, side, side, generator=torch.Generator().manual_seed(2))
    return drawn[:count], drawn[count:]


def test_features_are_torchvisions() -> None:
    with torch.no_grad():
        for found, wanted in zip(loaded()(pictures()[0]), by_hand(pictures()[0]), strict=True):
            torch.testing.assert_close(found, wanted)


def test_distances_are_mean_differences_at_every_scale() -> None:
    prediction, target = pictures()
    found = PerceptualDistance(loaded(), (1.0, 0.5))(prediction, target)
    ramp = torch.arange(5) - 2.0  # half the size: sigma 1/2, five taps
    bell = torch.exp(-(ramp**2) / (2 * 0.5**2))
    kernel = (bell[:, None] * bell / bell.sum() ** 2).expand(3, 1, 5, 5)
    halves = [F.conv2d(F.pad(x, [2] * 4), kernel, groups=3)[..., ::2, ::2] for x in (prediction, target)]
    with torch.no_grad():
        for row, (one, other) in zip(found, ((prediction, target), halves), strict=True):
            pairs = zip(by_hand(one), by_hand(other), strict=True)
            torch.testing.assert_close(row, torch.stack([(a - b).abs().mean() for a, b in pairs]))


def test_only_the_prediction_learns() -> None:
    prediction, target = (picture.requires_grad_() for picture in pictures())
    PerceptualDistance(loaded(), (1.0,))(prediction, target).sum().backward()
    assert prediction.grad is not None
    assert prediction.grad.abs().sum() > 0
    assert target.grad is None
    assert all(parameter.grad is None for parameter in loaded().parameters())


def test_a_pyramid_keeps_the_whole_picture_and_shrinks_it() -> None:
    picture = pictures()[0]
    pyramid = ImagePyramid((1.0, 0.25))(picture)
    assert pyramid[1.0] is picture
    assert pyramid[0.25].shape == (2, 3, 8, 8)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A place like torch's cache, with the file in torch's older form, as it was published."""
    folder = tmp_path_factory.mktemp("hub") / "checkpoints"
    folder.mkdir()
    torch.save(state(), folder / perceptual.FILE, _use_new_zipfile_serialization=False)  # as it was published
    yield folder.parent


def test_the_published_file_is_found_in_torchs_cache(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(files))
    assert cached_vgg19() == files / "checkpoints" / "vgg19-dcbb9e9d.pth"
    with undrawn():
        network = load_vgg19()
    assert network is not None
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    for key, value in network.state_dict().items():
        assert torch.equal(value, state()[key]), key


def test_without_weights_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert load_vgg19() is None and not caplog.text  # what is fatal comes first
        perceptual.warn_without_vgg19()
    assert str(tmp_path / "hub" / "checkpoints" / perceptual.FILE) in caplog.text
    assert "pixels" in caplog.text


def test_a_given_file_has_to_be_there_and_whole(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError):
        load_vgg19(tmp_path / "none.pth")
    other = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.ones(64, 3, 3, 3)}, other)
    with undrawn(), pytest.raises(CheckpointError, match=r"VGG19 in other\.pth.*missing"):
        load_vgg19(other)
