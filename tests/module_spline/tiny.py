"""Thin-Plate Spline made small."""

from first_order_motion.module_spline.animator import SplineAnimator
from first_order_motion.module_spline.config import DenseMotionConfig, GeneratorConfig, SplineConfig
from support.tiny_model import SIDE, Tiny

SPLINE = SplineConfig(
    num_tps=2,
    width=8,
    generator=GeneratorConfig(block_expansion=8, max_features=16),
    dense_motion=DenseMotionConfig(block_expansion=8, max_features=16, num_blocks=2),
)

TINY = {"spline": Tiny(lambda: SplineAnimator(SPLINE, SIDE), "inpainting_network.first", "kp_detector")}
