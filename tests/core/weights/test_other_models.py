"""Weights of other models are named in the message that refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.registry import load_animator
from first_order_motion.core.errors import CheckpointError
from first_order_motion.core.weights.other_models import name_other_model
from safetensors.torch import save_file
from support.architectures import TINY, tiny

KEYS = {
    "Stable Diffusion": ["model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.decoder.conv_in.weight"],
    "a LoRA": ["lora_unet_down_blocks_0_attentions_0.lora_down.weight"],
    "a ControlNet": ["control_model.input_hint_block.0.weight"],
    "a diffusion model's VAE": ["encoder.down.0.block.0.conv1.weight", "decoder.conv_in.weight"],
    "a diffusion model's UNet": ["time_embedding.linear_1.weight", "conv_in.weight"],
    "GFPGAN": ["params_ema.stylegan_decoder.style_mlp.1.weight"],
    "CodeFormer": ["params_ema.fuse_convs_dict.32.scale.0.weight", "params_ema.quantize.embedding.weight"],
    "Wav2Lip": ["state_dict.module.face_encoder_blocks.0.0.conv_block.0.weight"],
    "LivePortrait": ["resblocks_3d.3dr0.conv1.weight", "first.conv.weight"],
    "an upscaler such as ESRGAN": ["params_ema.body.0.rdb1.conv1.weight"],
    "a CLIP encoder": ["text_model.encoder.layers.0.mlp.fc1.weight"],
    "a language model": ["model.layers.0.self_attn.q_proj.weight"],
}


@pytest.mark.parametrize("name", KEYS)
def test_other_models_are_named(tmp_path: Path, name: str) -> None:
    """Flat in safetensors, and nested by the first part in a torch file."""
    assert name_other_model(KEYS[name]) == name
    save_file({key: torch.ones(1) for key in KEYS[name]}, tmp_path / "a.safetensors")
    nested: dict[str, dict[str, torch.Tensor]] = {}
    for key in KEYS[name]:
        first, _, rest = key.partition(".")
        nested.setdefault(first, {})[rest] = torch.ones(1)
    torch.save(nested, tmp_path / "a.pth")
    for path in (tmp_path / "a.safetensors", tmp_path / "a.pth"):
        with pytest.raises(CheckpointError, match=name) as caught:
            Predictor.load(path)
        assert len(str(caught.value).replace(str(path), path.name)) <= 300
        with pytest.raises(CheckpointError, match=name):
            load_animator(path, "fomm")


@pytest.mark.parametrize("name", TINY)
def test_our_own_are_not_taken_for_others(name: str) -> None:
    assert name_other_model(tiny(name).state_dict()) is None


def test_keys_that_tell_nothing() -> None:
    assert name_other_model(["layers.0.weight", "a" * 10**6]) is None
    assert name_other_model(f"{'a.' * 500}{index}" for index in range(10**5)) is None
