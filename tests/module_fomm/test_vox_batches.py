"""The published network at its real size: the batch changes nothing there either."""

from __future__ import annotations

import numpy as np
import torch
from firstordermm.animation.frames import TensorClip
from firstordermm.animation.pipeline import AnimateOptions, animate
from firstordermm.core.weights.build import load_strict
from firstordermm.module_fomm.animator import FOMMAnimator
from firstordermm.module_fomm.config import from_published
from parity.seeded_weights import load_pack
from support.paths import PARITY_ROOT

PARITY = PARITY_ROOT
FRAMES = 4


def vox() -> FOMMAnimator:
    manifest, states = load_pack(PARITY / "fomm" / "vox")
    animator = FOMMAnimator(from_published(manifest["config"]))
    for name, arrays in states.items():
        state = {key: torch.from_numpy(value) for key, value in arrays.items()}
        load_strict(animator.get_submodule(name), state, name)
    return animator


def test_batches_of_one_three_and_four_agree() -> None:
    animator, inputs = vox(), np.load(PARITY / "inputs.npz")
    source, driving = torch.from_numpy(inputs["source"])[None], torch.from_numpy(inputs["driving"][:FRAMES])
    runs = {
        batch: torch.cat(
            list(animate(animator, source, TensorClip(driving), torch.device("cpu"), AnimateOptions(batch=batch)))
        )
        for batch in (1, 3, 4)
    }
    assert runs[1].shape == (FRAMES, 3, 256, 256)
    for batch in (3, 4):
        torch.testing.assert_close(runs[batch], runs[1], rtol=0, atol=1e-5)
