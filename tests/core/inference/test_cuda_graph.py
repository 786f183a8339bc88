"""What is recorded once and replayed draws the same; all but CUDA's own recorder, for which a stand-in runs."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from first_order_motion.animation.engine import graphed, graphed_reader, pad_to_fixed_batch
from first_order_motion.core.inference.cuda_graph import MOST_GRAPHS, GraphedFunction, Tensors
from first_order_motion.core.inference.precision import inference_mode
from first_order_motion.core.types import Motion
from support.architectures import blobs, every_architecture, tiny
from support.fake_device import CUDA, Recorder, lowered, no_device, on_fake_cuda
from support.optimized import published_form
from torch import Tensor


def recorded(call: Callable[[], Tensors]) -> tuple[Tensors, Callable[[], None]]:
    """Stand-in for CUDA's recorder: runs the call again, on what then lies in the tensors that it reads."""
    results = {name: value.clone() for name, value in call().items()}

    def replay() -> None:
        for name, value in call().items():
            results[name].copy_(value)

    return results, replay


def doubled(named: Tensors) -> Tensors:
    return {"y": named["x"] * 2}


def tensors_of(motion: Motion) -> dict[str, Tensor | None]:
    return {"points": motion.points, "jacobians": motion.jacobians, **motion.extra}


@every_architecture
def test_replayed_pictures_are_the_drawn_ones(name: str) -> None:
    model = published_form(name)
    size = model.spec.size
    render, read = pad_to_fixed_batch(graphed(model.render, recorded)), graphed_reader(model.motion, recorded)
    with inference_mode():
        driving = blobs(5, size, size).movedim(-1, 1)
        for start in (3.0, 5.0):  # one source after the other
            prepared = model.prepare(blobs(1, size, size, start=start).movedim(-1, 1))
            poses = [read(part) for part in driving.split(2)]
            for part, frames in zip(poses, driving.split(2), strict=True):
                torch.testing.assert_close(tensors_of(part), tensors_of(model.motion(frames)), rtol=0, atol=2e-5)
            for part in poses:  # the last is shorter
                torch.testing.assert_close(render(prepared, part), model.render(prepared, part), rtol=0, atol=2e-5)


def test_a_result_outlives_the_next_replay() -> None:
    double = GraphedFunction(doubled, recorded)
    first, second = (double({"x": torch.full((2,), value)})["y"] for value in (1.0, 3.0))
    assert (first.tolist(), second.tolist()) == ([2, 2], [6, 6])


def test_what_cannot_be_recorded_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    def refused(call: Callable[[], Tensors]) -> tuple[Tensors, Callable[[], None]]:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    double = GraphedFunction(doubled, refused)
    with caplog.at_level(logging.WARNING):
        assert [float(double({"x": torch.tensor(value)})["y"]) for value in (1.0, 3.0)] == [2, 6]
    assert [record.message for record in caplog.records] == [
        "CUDA graphs cannot be used here (operation not permitted when stream is capturing); going on without them."
    ]


def test_memory_that_runs_out_is_no_reason_to_go_on() -> None:
    def full(call: Callable[[], Tensors]) -> tuple[Tensors, Callable[[], None]]:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        GraphedFunction(doubled, full)({"x": torch.ones(1)})


def test_only_a_few_shapes_are_kept() -> None:
    made: list[int] = []

    def counted(call: Callable[[], Tensors]) -> tuple[Tensors, Callable[[], None]]:
        made.append(1)
        return recorded(call)

    double = GraphedFunction(doubled, counted)
    for _ in range(2):
        for count in range(1, MOST_GRAPHS + 3):
            assert double({"x": torch.ones(count)})["y"].tolist() == [2] * count
    assert len(made) == MOST_GRAPHS


def test_nothing_of_it_waits_for_the_gpu() -> None:
    model = lowered("fomm", torch.bfloat16, fast=True)
    size = tiny("fomm").spec.size
    with no_device():
        on_fake_cuda(model)
        source, driving = (torch.empty(count, 3, size, size, device=CUDA) for count in (1, 3))
        prepared = model.prepare(source)
        with Recorder() as seen:
            poses = graphed_reader(model.motion, recorded)(driving)
            pictures = pad_to_fixed_batch(graphed(model.render, recorded))(prepared, poses)
    assert (pictures.shape, pictures.device.type) == ((3, 3, size, size), "cuda")
    assert {call.name for call in seen.calls if any(tensor.device.type != "cuda" for tensor in call.tensors)} == set()
