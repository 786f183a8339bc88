"""FOMM made small: as for talking heads, as for moving gifs, and without jacobians."""

from dataclasses import replace

from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.config import DenseMotionConfig, FOMMConfig, GeneratorConfig, KPDetectorConfig
from support.tiny_model import SIDE, Tiny

FOMM = FOMMConfig(
    num_kp=5,
    kp_detector=KPDetectorConfig(block_expansion=8, max_features=16, num_blocks=2),
    dense_motion=DenseMotionConfig(block_expansion=8, max_features=16, num_blocks=2),
    generator=GeneratorConfig(block_expansion=8, max_features=16, num_bottleneck_blocks=2),
)
FOMM_LIKE_MGIF = replace(FOMM, kp_detector=replace(FOMM.kp_detector, single_jacobian_map=True))
FOMM_POINTS_ONLY = replace(
    FOMM, estimate_jacobian=False, generator=replace(FOMM.generator, estimate_occlusion_map=False)
)


def row(config: FOMMConfig) -> Tiny:
    return Tiny(lambda: FOMMAnimator(config, SIDE), "generator.first", "kp_detector")


TINY = {"fomm": row(FOMM), "fomm_like_mgif": row(FOMM_LIKE_MGIF), "fomm_points_only": row(FOMM_POINTS_ONLY)}
