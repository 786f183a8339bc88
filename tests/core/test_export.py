"""`torch.export` takes the plain networks of every architecture as they are, for batches of any size."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from firstordermm.core.types import Animator, Motion, Prepared
from firstordermm.module_fsrt.animator import FSRTAnimator
from support.architectures import blobs, every_architecture, one_thread, tiny
from support.drivers import named
from torch import Tensor, nn

pytestmark = pytest.mark.slow

BATCHES = (1, 2, 5)
EXAMPLE = 2
Tensors = dict[str, Tensor]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread(), torch.no_grad():
        yield


def motion_of(tensors: Tensors) -> Motion:
    extra = {name: value for name, value in tensors.items() if name not in ("points", "jacobians")}
    return Motion(tensors["points"], tensors.get("jacobians"), extra)


class MotionGraph(nn.Module):
    """Reads poses: pictures (B, 3, H, W) to the tensors of a motion by name."""

    def __init__(self, animator: Animator) -> None:
        super().__init__()
        self.animator = animator

    def forward(self, driving: Tensor) -> Tensors:
        return named(self.animator.motion(driving))


class RenderGraph(nn.Module):
    """Draws B poses of a source that is given as tensors: its motion and its features."""

    def __init__(self, animator: Animator) -> None:
        super().__init__()
        self.animator = animator

    def forward(self, driving: Tensors, source: Tensors, features: Tensors) -> Tensor:
        return self.animator.render(Prepared(motion_of(source), features), motion_of(driving))


class DecodeGraph(RenderGraph):
    """Decodes single pixels, the given ones."""

    def forward(self, driving: Tensors, source: Tensors, features: Tensors, queries: Tensor) -> Tensor:  # type: ignore[override]
        return self.animator.decode(Prepared(motion_of(source), features), motion_of(driving), queries)


def batch_dim() -> torch.export.Dim:
    return torch.export.Dim("batch", min=1, max=64)


def pictures(count: int) -> Tensor:
    return blobs(count).movedim(-1, 1).contiguous()


def poses(model: Animator, prepared: Prepared, count: int) -> Motion:
    motion = model.motion(pictures(count))
    return model.move_background(prepared, motion) if model.spec.has_background else motion


def assert_close(got: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5)


@every_architecture
def test_motion(name: str) -> None:
    network = MotionGraph(tiny(name))
    program = torch.export.export(
        network, (pictures(EXAMPLE),), dynamic_shapes=({0: batch_dim()},), strict=False
    ).module()
    for count in BATCHES:
        got, wanted = program(pictures(count)), network(pictures(count))
        assert got.keys() == wanted.keys()
        for part, value in wanted.items():
            assert_close(got[part], value)


@every_architecture
def test_render(name: str) -> None:
    model = tiny(name)
    network, prepared, batch = RenderGraph(model), model.prepare(pictures(1)), batch_dim()
    source, features = named(prepared.motion), dict(prepared.features)
    driving = named(poses(model, prepared, EXAMPLE))
    shapes = ({part: {0: batch} for part in driving}, dict.fromkeys(source), dict.fromkeys(features))
    program = torch.export.export(network, (driving, source, features), dynamic_shapes=shapes, strict=False).module()
    for count in BATCHES:
        driving = named(poses(model, prepared, count))
        assert_close(program(driving, source, features), network(driving, source, features))


def test_decoding_of_single_pixels() -> None:
    model = tiny("fsrt")
    assert isinstance(model, FSRTAnimator)
    network, prepared, batch = DecodeGraph(model), model.prepare(pictures(2)), batch_dim()
    source, features, driving = named(prepared.motion), dict(prepared.features), named(model.motion(pictures(EXAMPLE)))
    shapes = (
        {part: {0: batch} for part in driving},
        dict.fromkeys(source),
        dict.fromkeys(features),
        {0: torch.export.Dim("pixels", min=1)},
    )
    example = (driving, source, features, torch.arange(4, 4100))
    program = torch.export.export(network, example, dynamic_shapes=shapes, strict=False).module()
    for count in BATCHES:
        driving, queries = named(model.motion(pictures(count))), torch.arange(count * 4096).flip(0)[:: count + 1]
        assert_close(program(driving, source, features, queries), network(driving, source, features, queries))
