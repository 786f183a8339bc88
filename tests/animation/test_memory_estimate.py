"""The memory that a frame of a batch is said to take is what it takes, by models as large as the published ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from first_order_motion.animation.batch_size import frame_bytes
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.core.inference.optimize import optimize
from first_order_motion.core.types import Animator
from first_order_motion.module_articulate.animator import ArticulateAnimator
from first_order_motion.module_articulate.config import ArticulateConfig
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.config import FOMMConfig
from first_order_motion.module_fomm.drawn.network import DrawnAnimator
from first_order_motion.module_fsrt.animator import FSRTAnimator
from first_order_motion.module_fsrt.config import FSRTConfig
from first_order_motion.module_mrfa.animator import MRFAAnimator
from first_order_motion.module_mrfa.config import MRFAConfig
from first_order_motion.module_partswap.animator import PartSwapAnimator
from first_order_motion.module_partswap.config import PartSwapConfig
from first_order_motion.module_spline.animator import SplineAnimator
from first_order_motion.module_spline.config import SplineConfig
from first_order_motion.training.bundled import BUNDLED, SIZE
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
