"""Articulated Animation made small: as for talking heads, and as for moving gifs."""

from dataclasses import replace

from first_order_motion.module_articulate.animator import ArticulateAnimator
from first_order_motion.module_articulate.config import (
    ArticulateConfig,
    FlowPredictorConfig,
    GeneratorConfig,
    RegionPredictorConfig,
)
from support.tiny_model import SIDE, Tiny

ARTICULATE = ArticulateConfig(
    num_regions=5,
    region_predictor=RegionPredictorConfig(block_expansion=8, max_features=16, num_blocks=2),
    pixelwise_flow_predictor=FlowPredictorConfig(block_expansion=8, max_features=16, num_blocks=2),
    generator=GeneratorConfig(block_expansion=8, max_features=16, num_bottleneck_blocks=2),
)
ARTICULATE_LIKE_MGIF = replace(ARTICULATE, region_predictor=replace(ARTICULATE.region_predictor, pad=0), avd=False)


def row(config: ArticulateConfig) -> Tiny:
    return Tiny(lambda: ArticulateAnimator(config, SIDE), "generator.first", "region_predictor")


TINY = {"articulate": row(ARTICULATE), "articulate_like_mgif": row(ARTICULATE_LIKE_MGIF)}
