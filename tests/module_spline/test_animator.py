"""The Thin-Plate Spline model: its splines, its AVD mode, and its weight files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.registry import load_animator
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.layers.background import BGMotionPredictor
from first_order_motion.core.layers.grid import make_coordinate_grid
from first_order_motion.core.types import LoadOptions
from first_order_motion.core.weights.checkpoint import Checkpoint, read_checkpoint
from first_order_motion.core.weights.config import to_metadata
from first_order_motion.core.weights.convert import to_safetensors
from first_order_motion.module_spline import thin_plate
from first_order_motion.module_spline.animator import SplineAnimator
from first_order_motion.module_spline.architecture import training_size
from support.architectures import SIDE, SPLINE, blobs, driven, one_thread, seeded, source_picture, tiny
from support.optimized import published_form
from torch import Tensor

AVD = AnimateOptions(Retargeting("avd"))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def spread(count: int = 3, seed: int = 0) -> Tensor:
    return 2 * torch.rand(2, count, 5, 2, generator=torch.Generator().manual_seed(seed)) - 1


def reference(points: Tensor, targets: Tensor, grid: Tensor) -> Tensor:
    """One spline, written out in double precision: (5, 2), (5, 2), (h, w, 2) -> (h, w, 2)."""
    p, q, z = points.double(), targets.double(), grid.double()

    def bending(a: Tensor, b: Tensor) -> Tensor:
        squared = (a[..., None, :] - b).square().sum(-1)
        return squared * torch.log(squared + 1e-9)

    corner = torch.cat([p, torch.ones(5, 1)], dim=1).double()
    matrix = torch.cat([torch.cat([bending(p, p), corner], 1), torch.cat([corner.T, torch.zeros(3, 3)], 1)])
    solution = torch.linalg.inv(matrix + 0.01 * torch.eye(8)) @ torch.cat([q, torch.zeros(3, 2)])
    return z @ solution[5:7] + solution[7] + bending(z, p) @ solution[:5]


def test_splines_are_those_of_the_definition() -> None:
    points, targets, grid = spread(seed=1), spread(seed=2), make_coordinate_grid(9, 7, torch.zeros(1))
    moved = thin_plate.fit(points, targets)(grid)
    for b, k in [(0, 0), (1, 2)]:
        wanted = reference(points[b, k], targets[b, k], grid).float()
        torch.testing.assert_close(moved[b, k], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("spread_by", [1.0, 0.03, 0.0])
def test_clustered_points_are_solved_as_in_double_precision(spread_by: float) -> None:
    points, targets = spread_by * spread(seed=3), spread(seed=4)
    exact = torch.linalg.inv(thin_plate.system(points.double()))[..., :5] @ targets.double()
    fitted = thin_plate.fit(points, targets)
    torch.testing.assert_close(fitted.theta.mT, exact[..., 5:, :].float(), rtol=1e-4, atol=1e-4)
    assert fitted(make_coordinate_grid(5, 5, points)).isfinite().all()


def test_half_precision_would_not_do() -> None:
    """Why splines are fitted and followed in float32, whatever the convolutions run in."""
    assert thin_plate.kernel(torch.zeros(1, dtype=torch.float16)).isnan().all()
    points, grid = spread(seed=5), make_coordinate_grid(16, 16, torch.zeros(1))
    plate = thin_plate.fit(points, spread(seed=6))
    rounded = thin_plate.ThinPlate(plate.points.bfloat16(), plate.bending.bfloat16(), plate.theta.bfloat16())
    assert (rounded(grid.bfloat16()).float() - plate(grid)).abs().max() > 0.01
    halves = thin_plate.fit(points.half(), spread(seed=6).half())
    assert halves.theta.dtype == torch.float32
    assert halves(grid).isfinite().all()


# --- avd ---


def test_avd_needs_no_anchor_and_no_particular_batch() -> None:
    source, clip = source_picture(), blobs(5)
    whole = driven(published_form("spline"), source, clip, AVD)
    alone = driven(published_form("spline"), source, clip, replace(AVD, batch=1, anchor=3))
    torch.testing.assert_close(whole, alone, rtol=0, atol=1e-5)
    assert (whole - driven(published_form("spline"), source, clip, AnimateOptions())).abs().max() > 0.01


def test_avd_is_refused_without_its_network() -> None:
    plain = seeded(SplineAnimator(replace(SPLINE, has_avd=False), SIDE))
    assert plain.spec.modes == ("relative", "standard")
    with pytest.raises(InputError, match=r"'avd'.*relative, standard.*avd_network"):
        driven(plain, source_picture(), blobs(2), AVD)


# --- weight files ---


def written(path: Path, *without: str) -> Path:
    """The tiny model in the published container, with what training leaves beside it."""
    parts = {name: part.state_dict() for name, part in tiny("spline").named_children() if name not in without}
    background = BGMotionPredictor(SPLINE.num_channels, SPLINE.width).state_dict()
    path.parent.mkdir(exist_ok=True)
    torch.save(parts | {"bg_predictor": background, "epoch": 3, "optimizer": {"state": {}}}, path)
    return path


def test_a_published_file_gives_the_same_pictures(tmp_path: Path) -> None:
    model = load_animator(written(tmp_path / "vox.pth.tar"), "spline")
    wanted = driven(tiny("spline"), source_picture(), blobs(2), AnimateOptions(size=SIDE))
    assert torch.equal(driven(model, source_picture(), blobs(2), AnimateOptions(size=SIDE)), wanted)  # type: ignore[arg-type]


def test_a_file_without_avd_loads_without_it(tmp_path: Path) -> None:
    model = load_animator(written(tmp_path / "vox.pth.tar", "avd_network"), "spline")
    assert model.spec.modes == ("relative", "standard")


@pytest.mark.parametrize("options", [LoadOptions(scale_factor=0.5), LoadOptions(aligned_sampling=False)])
def test_options_of_other_weights_are_refused(tmp_path: Path, options: LoadOptions) -> None:
    with pytest.raises(InputError, match="was given; Thin-Plate Spline Motion Model does not take it"):
        load_animator(written(tmp_path / "vox.pth.tar"), "spline", options)


@pytest.mark.parametrize("part", ["inpainting_network", "dense_motion_network", "kp_detector"])
def test_a_file_without_a_network_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(CheckpointError, match=r"vox\.pth\.tar"):
        load_animator(written(tmp_path / "vox.pth.tar", part), "spline")


SIZES = {
    "vox.pth.tar": 256, "taichi.pth.tar": 256, "mgif.pth.tar": 256, "ted.pth.tar": 384, "ted-384.pth.tar": 384,
    "vox-768.pth.tar": 768, "768/vox.pth.tar": 768, "spline-ted-384.safetensors": 384, "started.pth.tar": 256,
}  # fmt: skip


def unread(path: Path) -> Checkpoint:
    """A file of which only the name tells anything."""
    return Checkpoint(path, {"dense_motion_network": {}})


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_the_training_size_is_told_by_the_name(tmp_path: Path, name: str, size: int) -> None:
    assert training_size(unread(tmp_path / name), None) == size


def test_the_training_size_of_files_that_tell(tmp_path: Path) -> None:
    assert training_size(unread(tmp_path / "vox.pth.tar"), {"dataset_params": {"frame_shape": [512, 512, 3]}}) == 512
    original, path = read_checkpoint(written(tmp_path / "vox.pth.tar")), tmp_path / "mine.safetensors"
    to_safetensors(original, path, metadata=to_metadata("spline", SPLINE, 128))
    model = load_animator(path, "spline")
    assert model.spec.size == 128
    assert model.spec.modes == ("relative", "standard", "avd")
