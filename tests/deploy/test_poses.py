"""The runtime without PyTorch computes poses and pictures as the driver does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from first_order_motion.animation.frames import FrameFormat
from first_order_motion.animation.hull import hull_area
from first_order_motion.animation.motion.controls import Controls, controlled
from first_order_motion.animation.retarget import Retargeter, Retargeting
from first_order_motion.core.types import AnimatorSpec, Motion
from first_order_motion.deploy import onnx_animator, onnx_media
from first_order_motion.deploy.graphs import of_motion
from torch import Tensor

POINTS = 6
CPU = torch.device("cpu")


def motion(count: int, seed: int) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.eye(2) + 0.6 * torch.randn(count, POINTS, 2, 2, generator=generator)
    extra = {"covar": maps @ maps.mT, "expression": torch.randn(count, 9, generator=generator)}
    return Motion(torch.randn(count, POINTS, 2, generator=generator), maps, extra)


def arrays(poses: Motion) -> onnx_animator.Arrays:
    return {name: tensor.numpy() for name, tensor in of_motion(poses).items()}


def assert_same(got: onnx_animator.Arrays, wanted: Motion) -> None:
    tensors = of_motion(wanted)
    assert got.keys() == tensors.keys()
    for name, value in tensors.items():
        assert got[name].dtype == np.float32
        np.testing.assert_allclose(got[name], value, rtol=1e-3, atol=5e-5)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("jacobians", [True, False])
def test_relative_motion(scale: bool, jacobians: bool) -> None:
    source, anchor, driving = motion(1, 1), motion(1, 2), motion(4, 3)
    wanted = Retargeter.for_clip(Retargeting("relative", jacobians, scale), source, anchor)(driving)
    own, first = arrays(source), arrays(anchor)
    factor = onnx_animator.movement_scale(own, first) if scale else 1.0
    assert not scale or abs(factor - 1) > 0.01
    assert_same(onnx_animator.relative(own, first, arrays(driving), factor, jacobians), wanted)


@pytest.mark.parametrize("unsigned", [True, False])
@pytest.mark.parametrize("strength", [0.0, 0.4, 1.7])
def test_strength(strength: float, unsigned: bool) -> None:
    extras = ("covar", "expression")
    spec = AnimatorSpec("any", 64, 4, ("relative",), pose_extras=extras, unsigned_frames=unsigned)
    source, driving = motion(1, 4), motion(5, 5)
    assert (torch.linalg.det(driving.jacobians) < 0).any()
    wanted = controlled(Controls(strength), source, driving, spec)
    assert_same(onnx_animator.strengthened(arrays(source), arrays(driving), strength, extras, unsigned), wanted)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 40])
def test_area_of_the_hull(count: int) -> None:
    points = np.random.default_rng(count).normal(size=(count, 2)).round(1)  # some of them twice, some on a line
    assert onnx_animator.hull_area(points) == pytest.approx(hull_area(points), abs=1e-12)
    assert onnx_animator.hull_area(np.stack([points[:, 0], 2 * points[:, 0]], axis=1)) == 0


def test_area_without_a_place() -> None:
    assert onnx_animator.hull_area(np.array([[0, 0], [1, np.nan], [0, 1]])) == 0


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
@pytest.mark.parametrize("sides", [(64, 64), (31, 50), (200, 90)])
def test_pictures_are_fitted_as_the_driver_does(channels: int, dtype: torch.dtype, sides: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(channels)
    picture = torch.rand(*sides, channels, generator=generator)
    picture = picture if dtype == torch.float32 else (picture * torch.iinfo(dtype).max).to(dtype)
    wanted = FrameFormat((64, 64), CPU).convert(picture, "picture")[0]
    got = onnx_media.fit(picture.numpy(), 64, "picture")
    assert got.dtype == np.float32
    # alpha over white is rounded to a whole level of integers there
    np.testing.assert_allclose(
        got, wanted, rtol=0, atol=0.51 / 255 if dtype == torch.uint8 and channels % 2 == 0 else 1e-5
    )


@pytest.mark.parametrize(
    "picture",
    [
        torch.zeros(4, 4),
        torch.zeros(4, 4, 5),
        torch.zeros(0, 4, 3),
        torch.zeros(4, 4, 3, dtype=torch.int64),
        torch.full((4, 4, 3), float("nan")),
        torch.full((4, 4, 3), 200.0),
        torch.full((4, 4, 3), -1e300, dtype=torch.float64),
    ],
)
def test_other_pictures_are_refused(picture: Tensor) -> None:
    with pytest.raises(onnx_media.OnnxError, match=r"^driving h.* wanted"):
        onnx_media.fit(picture.numpy(), 8, "driving")


def test_bytes_in_another_order() -> None:
    picture = np.random.default_rng(0).integers(0, 65535, (8, 8, 3), np.uint16)
    swapped = picture.astype(picture.dtype.newbyteorder())
    np.testing.assert_array_equal(onnx_media.fit(swapped, 8, "picture"), onnx_media.fit(picture, 8, "picture"))
