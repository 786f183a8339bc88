"""Part Swap made small: with part motion of its own, and with FOMM's."""

from dataclasses import replace

from first_order_motion.module_fomm.config import DenseMotionConfig
from first_order_motion.module_partswap.animator import PartSwapAnimator
from first_order_motion.module_partswap.config import PartSwapConfig, ReconstructionConfig, SegmentationConfig
from first_order_motion.module_partswap.swap import Swap
from support.tiny_model import SIDE, Tiny

PARTSWAP = PartSwapConfig(
    num_segments=5,
    segmentation_module=SegmentationConfig(block_expansion=8, max_features=16, num_blocks=2),
    reconstruction_module=ReconstructionConfig(block_expansion=8, max_features=16, num_bottleneck_blocks=2),
    dense_motion=DenseMotionConfig(block_expansion=8, max_features=16, num_blocks=2),
)
PARTSWAP_FIRST_ORDER = replace(PARTSWAP, first_order=True)

TINY = {
    "partswap": Tiny(
        lambda: PartSwapAnimator(PARTSWAP, SIDE), "reconstruction_module.first", "segmentation_module", frames_too=True
    ),
    "partswap_first_order": Tiny(
        lambda: PartSwapAnimator(PARTSWAP_FIRST_ORDER, SIDE).with_swap(Swap((1, 3), from_source=False)),
        "reconstruction_module.dense_motion_network.down",
        "segmentation_module",
    ),
}
