"""Names for the weights of well-known other models, by the keys that betray them: for messages only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Final

MOST_KEYS: Final = 5000  # of a file that are looked at
LONGEST_KEY: Final = 200  # characters

# Each name with the beginnings, after any number of whole parts, of keys that no other model has.
MODELS: Final = (
    ("a LoRA", r"\w*lora_(up|down|A|B|unet|te)\w*\.|\w+\.lokr_w|\w+\.hada_w"),
    ("AnimateDiff's motion module", r"motion_modules\.\d"),
    ("an IP-Adapter", r"(image_proj|ip_adapter)\."),
    ("a ControlNet", r"(control_model|controlnet_cond_embedding|controlnet_blocks)\."),
    ("Stable Diffusion", r"(model\.diffusion_model|cond_stage_model|first_stage_model|conditioner\.embedders)\."),
    ("a diffusion transformer", r"(double_blocks|joint_blocks|transformer_blocks\.\d+\.ff_context)\."),
    ("a diffusion model's UNet", r"time_embed(ding)?\.(linear_1|0)\."),
    ("a diffusion model's VAE", r"(encoder\.down\.\d+\.block|encoder\.down_blocks\.\d+\.resnets|(post_)?quant_conv)\."),
    ("a CLIP encoder", r"(text_model\.encoder|vision_model\.encoder|visual\.transformer)\.|text_projection"),
    ("a T5 text encoder", r"encoder\.block\.\d+\.layer\.\d+\.SelfAttention\."),
    ("a language model", r"(model\.layers\.\d+\.self_attn|transformer\.h\.\d+\.attn|lm_head)\."),
    ("Segment Anything", r"(sam_)?mask_decoder\."),
    ("GFPGAN", r"(stylegan_decoder|condition_scale\.\d)\."),
    ("CodeFormer", r"(fuse_convs_dict|idx_pred_layer)\."),
    ("RestoreFormer", r"(vqvae\.)?quantize\.embedding\."),
    ("an upscaler such as ESRGAN", r"(body\.\d+\.(rdb1|residual_group)|model\.1\.sub\.\d+|RRDB_trunk)\."),
    ("Wav2Lip", r"face_(encoder|decoder)_blocks\."),
    ("SadTalker", r"(face_3drecon|audio2pose|audio2exp|kp_extractor)\b"),
    ("LivePortrait", r"(resblocks_3d|G_middle_\d|fc_(kp|roll|yaw|exp)|dense_motion_network\.compress)\."),
    ("face-vid2vid", r"he_estimator\b"),
    ("LIA", r"gen\.(enc|dec)\.|enc\.net_app\."),
    ("DaGAN", r"depth_(encoder|decoder)\b"),
    ("a face detector such as RetinaFace", r"(ClassHead|BboxHead|LandmarkHead)\."),
    ("a face recogniser such as ArcFace", r"(output_layer\.3|body\.\d+\.res_layer)\."),
    ("RAFT", r"update_block\.gru\."),
    ("a StyleGAN", r"(synthesis\.b\d+|mapping\.fc\d|to_rgbs?(\.\d)?\.conv)\."),
    ("a VGG network", r"features\.\d+\.(weight|bias)"),
)


def name_other_model(keys: Iterable[str]) -> str | None:
    """Name the well-known model that keys of tensors belong to; None if they tell nothing.

    Keys of nested dicts are joined by dots.
    """
    known = [key[:LONGEST_KEY] for key in islice(keys, MOST_KEYS)]
    for name, pattern in MODELS:
        found = re.compile(rf"(^|\.)({pattern})")
        if any(found.search(key) for key in known):
            return name
    return None
