"""Controls and smoothing run where the poses are, and never wait for the device; no GPU is needed to see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from first_order_motion.animation.motion.controls import Controls, controlled
from first_order_motion.animation.motion.smoothing import CausalSmoother, smoothed
from first_order_motion.core.types import AnimatorSpec, Motion
from support.fake_device import CUDA, Recorder, no_device

SIGNED = AnimatorSpec("Any", 64, 1, ("relative",), pose_extras=("vector", "shape"))
STEPS: dict[str, Callable[[Motion, Motion, AnimatorSpec], Motion]] = {
    "strength": lambda own, motion, spec: controlled(Controls(0.5), own, motion, spec),
    "none": lambda own, motion, spec: controlled(Controls(0.0), own, motion, spec),
    "apart": lambda own, motion, spec: controlled(Controls(0.5, 1.5, 0.3), own, motion, spec),
    "smoothed": lambda own, motion, spec: [*smoothed([motion, motion], 0.1, 25.0, spec)][-1],
    "causal": lambda own, motion, spec: CausalSmoother(0.1, 25.0, spec)(motion),
}


def poses(count: int) -> Motion:
    points, maps, vector, shape = (
        torch.empty(count, *sizes, device=CUDA) for sizes in ((6, 2), (6, 2, 2), (5,), (6, 2, 2))
    )
    return Motion(points, maps, {"vector": vector, "shape": shape})


@pytest.mark.parametrize("spec", [SIGNED, replace(SIGNED, unsigned_frames=True)], ids=["signed", "unsigned"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_poses_stay_on_their_gpu(step: Callable[..., Motion], spec: AnimatorSpec) -> None:
    with no_device():
        own, motion = poses(1), poses(4)
        with Recorder() as seen:
            found = step(own, motion, spec)
    assert found.points.device.type == "cuda" and found.jacobians is not None
    elsewhere = {
        (call.name, str(call.args)[:200])
        for call in seen.calls
        if any(tensor.device.type != "cuda" for tensor in call.tensors)
    }
    assert elsewhere == set()
    assert not any(tensor.dtype == torch.float64 for call in seen.calls for tensor in call.tensors)
