"""FSRT made small."""

from first_order_motion.module_fsrt.animator import FSRTAnimator
from first_order_motion.module_fsrt.config import DecoderConfig, DetectorConfig, EncoderConfig, FSRTConfig
from support.tiny_model import SIDE, Tiny

FSRT = FSRTConfig(
    num_kp=5,
    pix_octaves=6,
    expression_per_kp=4,
    expression_size=8,
    detector=DetectorConfig(block_expansion=8, max_features=16, num_blocks=2),
    encoder=EncoderConfig(width=4, dim=16, inner=128, hidden=24, depth=2),
    decoder=DecoderConfig(first=24, inner=128, hidden=32, render_width=32, render_layers=3),
)
COLOUR = "render_mlp.4"  # which nothing bounds
GAINS = {f"{COLOUR}.weight": 0.03}
CENTRES = {f"{COLOUR}.bias": 0.5}

TINY = {"fsrt": Tiny(lambda: FSRTAnimator(FSRT, SIDE), "encoder.per_patch_linear", "kp_detector")}
