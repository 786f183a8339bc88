"""MRFA made small: as for VoxCeleb, and with the background's motion as for CelebV-HQ."""

from dataclasses import replace

from first_order_motion.module_mrfa.animator import MRFAAnimator
from first_order_motion.module_mrfa.config import (
    DenseMotionConfig,
    EncoderConfig,
    GeneratorConfig,
    MRFAConfig,
    StructureConfig,
)
from support.tiny_model import SIDE, Tiny

MRFA = MRFAConfig(
    size=SIDE,
    num_kp=5,
    encoder=EncoderConfig(width=4, blocks=1, modules=2, dim=16, depth=2, heads=2, mlp_ratio=2),
    dense_motion=DenseMotionConfig(block_expansion=8, max_features=16, num_blocks=2),
    structure=StructureConfig(block_expansion=8, max_features=16, num_blocks=2, dim=16),
    generator=GeneratorConfig(block_expansion=8, max_features=16, num_blocks=4),
    refine_width=8,
)
MRFA_LIKE_CELEBVHQ = replace(MRFA, has_background=True, background_width=8)
GAINS = {"keypoint_token": 20.0, "refine.conv2.weight": 0.4, "convf1.weight": 0.1}


def row(config: MRFAConfig) -> Tiny:
    return Tiny(lambda: MRFAAnimator(config), "model.decoder.generator.first", "model.encoder")


TINY = {"mrfa": row(MRFA), "mrfa_like_celebvhq": row(MRFA_LIKE_CELEBVHQ)}
