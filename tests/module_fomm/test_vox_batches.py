"""The published network at its real size: the batch changes nothing there either, in either form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from first_order_motion.animation.engine import Engine, optimize_for_inference
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.core.weights.build import load_strict
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.config import from_published
from parity.seeded_weights import load_pack
from support.architectures import CPU
from support.optimized import threads
from support.paths import PARITY_ROOT

FRAMES = 4


def vox() -> FOMMAnimator:
    manifest, states = load_pack(PARITY_ROOT / "fomm" / "vox")
    animator = FOMMAnimator(from_published(manifest["config"]))
    for name, arrays in states.items():
        state = {key: torch.from_numpy(value) for key, value in arrays.items()}
        load_strict(animator.get_submodule(name), state, name)
    return animator


@pytest.mark.slow
@pytest.mark.parametrize("fast", [False, True], ids=["published form", "fast form"])
def test_batches_of_one_and_three_agree(fast: bool) -> None:
    animator = optimize_for_inference(vox(), CPU, Engine(fast=fast))
    inputs = np.load(PARITY_ROOT / "inputs.npz")
    source, driving = torch.from_numpy(inputs["source"])[None], torch.from_numpy(inputs["driving"][:FRAMES])
    for count in (1, 2):
        with threads(count):
            alone, together = (
                torch.cat([*animate(animator, source, TensorClip(driving), CPU, AnimateOptions(batch=batch))])
                for batch in (1, 3)
            )
        assert alone.shape == (FRAMES, 3, 256, 256)
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
