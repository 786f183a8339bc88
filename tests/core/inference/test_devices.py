"""What runs on GPUs runs there without mixing devices or types, waiting for the device, or operators that others lack.

No GPU is needed: tensors without values are followed through every architecture. They refuse to be read on the host
(`item`, `nonzero`, indexing by masks), and copies to and from it are recorded, so that nothing can wait for the device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest import mock

import pytest
import torch
from first_order_motion.animation import pixels
from first_order_motion.animation.detail import DetailedSource, FineDetail
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.inspection import draw_inspection
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.module_spline import thin_plate
from support.architectures import every_architecture
from support.fake_device import CUDA, FRAMES, Call, Recorder, lowered, no_device, on_fake_cuda, walk

FORMS = [(torch.float32, True), (torch.bfloat16, True), (torch.float16, True), (torch.bfloat16, False)]


@every_architecture
@pytest.mark.parametrize(("dtype", "fast"), FORMS)
def test_every_way_through_a_model_stays_on_its_gpu(name: str, dtype: torch.dtype, fast: bool) -> None:
    model = lowered(name, dtype, fast)
    with no_device():
        on_fake_cuda(model)
        size = model.spec.size
        source, driving = (torch.empty(count, 3, size, size, device=CUDA) for count in (1, FRAMES))
        with Recorder() as seen:
            pictures = walk(model, source, driving)
    assert {picture.device.type for picture in pictures} == {"cuda"}
    assert {tuple(picture.shape) for picture in pictures} == {(FRAMES, 3, size, size)}
    assert all(picture.is_floating_point() for picture in pictures)
    to_host = [call for call in seen.calls if any(tensor.device.type != "cuda" for tensor in call.tensors)]
    assert {(call.name, str(call.args)[:200]) for call in to_host} == set()


@every_architecture
def test_the_driver_copies_each_batch_to_the_gpu_once_and_reads_nothing_back(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "free_memory", lambda device: None)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda pictures: pictures)
    model = lowered(name, torch.float16, fast=True)
    with no_device():
        on_fake_cuda(model)
        size = model.spec.size
        source, driving = (torch.empty(count, size, size, 3, dtype=torch.uint8) for count in (1, 5))
        options = AnimateOptions(Retargeting("standard"), batch=2)
        with Recorder() as seen:
            pictures = [*animate(model, source, TensorClip(driving), CUDA, options)]
    assert [(len(part), part.device.type) for part in pictures] == [(2, "cuda"), (2, "cuda"), (1, "cuda")]
    places = [(call.name, {tensor.device.type for tensor in call.tensors}) for call in seen.calls]
    assert [name for name, devices in places if len(devices) > 1] == ["to"] * (1 + len(pictures))


@pytest.mark.parametrize("name", ["fomm", "partswap", "mrfa"])
def test_detail_and_inspection_stay_on_the_gpu(name: str) -> None:
    model = lowered(name, torch.float16, fast=True)
    with no_device():
        on_fake_cuda(model)
        size = model.spec.size
        source, driving, full = (
            torch.empty(count, 3, side, side, device=CUDA) for count, side in ((1, size), (FRAMES, size), (1, 3 * size))
        )
        prepared, poses = model.prepare(source), model.motion(driving)
        points = {"source": prepared.motion.points, "driving": poses.points, "result": poses.points}
        with Recorder() as seen:
            mapped = replace(model.render_mapped(prepared, poses), points=points)
            detail = FineDetail(1.0, 3 * size, size, CUDA).add(mapped, DetailedSource(full, source))
        drawn = draw_inspection(mapped, source, driving)
    assert (detail.shape, detail.dtype) == ((FRAMES, 3, 3 * size, 3 * size), torch.float32)
    assert (drawn.shape, drawn.device.type) == ((FRAMES, 2 * size, 3 * size, 3), "cuda")
    assert {call.name for call in seen.calls if any(tensor.device.type != "cuda" for tensor in call.tensors)} == set()
    assert not [lacking.what for lacking in LACKING if any(map(lacking.reached, seen.calls))]


def test_mixed_devices_and_values_on_the_host_are_refused() -> None:
    with no_device():
        on_gpu = torch.empty(2, device=CUDA)
        with pytest.raises(Exception, match="device"):
            on_gpu + torch.empty(2)
        with pytest.raises(Exception, match=r"_local_scalar_dense|data-dependent|item"):
            float(on_gpu.sum())
        with pytest.raises(Exception, match=r"nonzero|dynamic|index"):
            on_gpu[on_gpu > 0]


@dataclass(frozen=True)
class Lacking:
    """Something that a device cannot run, and where that is written."""

    what: str
    source: str
    reached: Callable[[Call], bool]


def _doubles(call: Call) -> bool:
    doubles = (torch.float64, torch.complex64, torch.complex128)
    return any(tensor.dtype in doubles and tensor.device.type == "cuda" for tensor in call.tensors)


def _padded(call: Call) -> bool:
    return call.name == "grid_sampler_2d" and call.args[3] != 0


LACKING = [
    Lacking("float64 on MPS and many DirectML devices", "pytorch/pytorch#77764, microsoft/DirectML#430", _doubles),
    Lacking("border padding of grid_sample on MPS before PyTorch 2.11", "pytorch/pytorch#125098", _padded),
    Lacking(
        "sampling in three dimensions on MPS before PyTorch 2.9", "pytorch/pytorch#141287",
        lambda call: call.name in ("grid_sampler_3d", "upsample_trilinear3d", "max_pool3d_with_indices"),
    ),
    Lacking("linear algebra on MPS", "pytorch/pytorch#77764", lambda call: "linalg" in call.name or call.name == "svd"),
]  # fmt: skip


@every_architecture
def test_no_operator_is_reached_that_other_devices_lack(name: str) -> None:
    model = lowered(name, torch.float32, fast=True)
    with no_device(), mock.patch.object(thin_plate, "SOLVERS", ("cpu",)):  # as the stand-in for others is "cuda"
        on_fake_cuda(model)
        size = model.spec.size
        with Recorder() as seen:
            walk(model, *(torch.empty(count, 3, size, size, device=CUDA) for count in (1, FRAMES)))
    on_device = [call for call in seen.calls if any(tensor.device.type == "cuda" for tensor in call.tensors)]
    for lacking in LACKING:
        reached = {call.name for call in on_device if lacking.reached(call)}
        assert reached == set(), f"{lacking.what} ({lacking.source})"


def test_the_recorder_sees_what_it_looks_for() -> None:
    with Recorder() as seen:
        values = torch.rand(1, 1, 4, 4)
        torch.nn.functional.grid_sample(values, torch.rand(1, 2, 2, 2), padding_mode="border", align_corners=False)
        with no_device():
            torch.empty(2, device=CUDA).double()
        torch.linalg.inv(torch.eye(2))
        torch.nn.functional.grid_sample(values[None], torch.rand(1, 1, 2, 2, 3), align_corners=False)
    assert [any(map(lacking.reached, seen.calls)) for lacking in LACKING] == [True] * len(LACKING)
