"""What is recorded once and replayed draws the same; all but CUDA's own recorder, for which a stand-in runs."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from first_order_motion.animation.engine import graphed, pad_to_fixed_batch
from first_order_motion.core.inference.cuda_graph import MOST_GRAPHS, GraphedFunction
from first_order_motion.core.inference.precision import inference_mode
from support.architectures import blobs, every_architecture, tiny
from support.fake_device import CUDA, Recorder, lowered, no_device, on_fake_cuda
from support.optimized import published_form
from torch import Tensor


def recorded(call: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
    """Stand-in for CUDA's recorder: runs the call again, on what then lies in the tensors that it reads."""
    result = call()

    def replay() -> None:
        result.copy_(call())

    return result, replay


@every_architecture
def test_replayed_pictures_are_the_drawn_ones(name: str) -> None:
    model = published_form(name)
    size = model.spec.size
    render = pad_to_fixed_batch(graphed(model.render, recorded))
    with inference_mode():
        driving = blobs(5, size, size).movedim(-1, 1)
        for start in (3.0, 5.0):  # one source after the other
            prepared = model.prepare(blobs(1, size, size, start=start).movedim(-1, 1))
            poses = [model.motion(part) for part in driving.split(2)]
            for part in poses:  # the last is shorter
                torch.testing.assert_close(render(prepared, part), model.render(prepared, part), rtol=0, atol=2e-5)


def test_a_result_outlives_the_next_replay() -> None:
    double = GraphedFunction(lambda named: named["x"] * 2, recorded)
    first, second = (double({"x": torch.full((2,), value)}) for value in (1.0, 3.0))
    assert (first.tolist(), second.tolist()) == ([2, 2], [6, 6])


def test_what_cannot_be_recorded_runs_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    def refused(call: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    double = GraphedFunction(lambda named: named["x"] * 2, refused)
    with caplog.at_level(logging.WARNING):
        assert [float(double({"x": torch.tensor(value)})) for value in (1.0, 3.0)] == [2, 6]
    assert [record.message for record in caplog.records] == [
        "CUDA graphs cannot be used here (operation not permitted when stream is capturing); going on without them."
    ]


def test_memory_that_runs_out_is_no_reason_to_go_on() -> None:
    def full(call: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        GraphedFunction(lambda named: named["x"] * 2, full)({"x": torch.ones(1)})


def test_only_a_few_shapes_are_kept() -> None:
    made: list[int] = []

    def counted(call: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        made.append(1)
        return recorded(call)

    double = GraphedFunction(lambda named: named["x"] * 2, counted)
    for _ in range(2):
        for count in range(1, MOST_GRAPHS + 3):
            assert double({"x": torch.ones(count)}).tolist() == [2] * count
    assert len(made) == MOST_GRAPHS


def test_nothing_of_it_waits_for_the_gpu() -> None:
    model = lowered("fomm", torch.bfloat16, fast=True)
    size = tiny("fomm").spec.size
    with no_device():
        on_fake_cuda(model)
        source, driving = (torch.empty(count, 3, size, size, device=CUDA) for count in (1, 3))
        prepared, poses = model.prepare(source), model.motion(driving)
        with Recorder() as seen:
            pictures = pad_to_fixed_batch(graphed(model.render, recorded))(prepared, poses)
    assert (pictures.shape, pictures.device.type) == ((3, 3, size, size), "cuda")
    assert {call.name for call in seen.calls if any(tensor.device.type != "cuda" for tensor in call.tensors)} == set()
