"""The memory that a frame of a batch is said to take is what it takes, by models as large as the published ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from firstordermm.animation.batch_size import frame_bytes
from firstordermm.animation.options import AnimateOptions
from firstordermm.core.inference.optimize import optimize
from firstordermm.core.types import Animator
from firstordermm.module_articulate.animator import ArticulateAnimator
from firstordermm.module_articulate.config import ArticulateConfig
from firstordermm.module_fomm.animator import FOMMAnimator
from firstordermm.module_fomm.config import FOMMConfig
from firstordermm.module_fomm.drawn.network import DrawnAnimator
from firstordermm.module_fsrt.animator import FSRTAnimator
from firstordermm.module_fsrt.config import FSRTConfig
from firstordermm.module_mrfa.animator import MRFAAnimator
from firstordermm.module_mrfa.config import MRFAConfig
from firstordermm.module_partswap.animator import PartSwapAnimator
from firstordermm.module_partswap.config import PartSwapConfig
from firstordermm.module_spline.animator import SplineAnimator
from firstordermm.module_spline.config import SplineConfig
from firstordermm.training.bundled import BUNDLED, SIZE
from support.fake_device import CUDA, frame_peak, no_device, on_fake_cuda

FULL: dict[str, Callable[[], Animator]] = {
    "fomm": lambda: FOMMAnimator(FOMMConfig()),
    "drawn": lambda: DrawnAnimator(BUNDLED, SIZE),
    "spline": lambda: SplineAnimator(SplineConfig()),
    "articulate": lambda: ArticulateAnimator(ArticulateConfig()),
    "partswap": lambda: PartSwapAnimator(PartSwapConfig()),
    "mrfa": lambda: MRFAAnimator(MRFAConfig()),
    "fsrt": lambda: FSRTAnimator(FSRTConfig()),
}


@pytest.mark.parametrize("name", FULL)
def test_estimate_of_a_frame_holds_within_30_percent(name: str) -> None:
    with torch.device("meta"):
        model = optimize(FULL[name](), CUDA, torch.float32)
    with no_device():
        on_fake_cuda(model)
        needed = frame_peak(model)
    if model.spec.query_bytes:  # pixels are drawn as many at once as fit
        assert model.spec.query_bytes == pytest.approx(needed / model.spec.size**2, rel=0.3)
    else:
        assert frame_bytes(model, AnimateOptions()) == pytest.approx(needed, rel=0.3)
