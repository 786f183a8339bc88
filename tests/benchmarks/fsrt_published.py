"""The published schedule of FSRT, written out: what it works out anew for every frame and every chunk of pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from first_order_motion.animation.retarget import Retargeter, Retargeting
from first_order_motion.core.layers.attention import Attention
from first_order_motion.core.types import Motion
from first_order_motion.module_fsrt.animator import EXPRESSION, FSRTAnimator
from first_order_motion.module_fsrt.config import START_OCTAVE
from first_order_motion.module_fsrt.position import pixel_centres, position_code
from first_order_motion.module_fsrt.transformer import Layer
from torch import Tensor


@torch.inference_mode()
def published_schedule(
    model: FSRTAnimator, source: Tensor, driving: Tensor, device: torch.device, max_num_pixels: int = 65536
) -> list[Tensor]:
    """Frame by frame: detector and whole expression convolution; then chunk by chunk: every pixel's query with the
    pose's codes in it, the set latent's keys and values, and attention with all its weights in memory.

    The set latent itself is encoded once per clip, and a frame is one chunk by default, as there.
    """
    picture, clip = (frames.movedim(-1, 1).to(device) for frames in (source, driving))
    own, initial = detect(model, picture), detect(model, clip[:1])
    latent = encode(model, picture, own)
    centres = pixel_centres(*picture.shape[2:], device).flatten(0, 1)
    results: list[Tensor] = []
    for frame in clip.split(1):
        retargeter = Retargeter.for_clip(Retargeting(), own, initial)
        pose = retargeter(detect(model, frame))
        colours = torch.zeros(len(centres), 3)
        for start in range(0, len(centres), max_num_pixels):
            chunk = centres[start : start + max_num_pixels]
            colours[start : start + len(chunk)] = decode(model, latent, pose, chunk)
        results.append(colours.clamp(0, 1).view(1, *picture.shape[2:], 3).movedim(-1, 1))
    return results


def detect(model: FSRTAnimator, image: Tensor) -> Motion:
    found, net = model.kp_detector(image), model.expression_encoder
    maps = F.conv2d(found.features, net.expression.weight, net.expression.bias)
    latent = (maps.unflatten(1, (found.points.shape[1], -1)) * found.heatmap[:, :, None]).sum(dim=(-2, -1)).flatten(1)
    return Motion(found.points, extra={EXPRESSION: net.expression_mlp(latent)})


def encode(model: FSRTAnimator, picture: Tensor, own: Motion) -> Tensor:
    tokens = model.encoder.tokens(picture, own.points, own.extra[EXPRESSION])
    return through(model.encoder.transformer.layers, tokens, None)


def decode(model: FSRTAnimator, latent: Tensor, pose: Motion, centres: Tensor) -> Tensor:
    """Colours (n, 3) of pixels at centres (n, 2)."""
    config, asked = model.config, model.decoder.allocation_transformer
    points = pose.points.flatten(1).expand(len(centres), -1)
    parts = (
        position_code(points, config.kp_octaves, START_OCTAVE),
        position_code(centres, config.pix_octaves, START_OCTAVE),
        pose.extra[EXPRESSION].repeat(len(centres), 1),
    )
    queries = asked.input_mlp(torch.cat(parts, dim=1))
    return model.decoder.render_mlp(through(asked.transformer.layers, queries[None], latent)[0])


def through(layers: torch.nn.ModuleList, x: Tensor, latent: Tensor | None) -> Tensor:
    for layer in layers:
        assert isinstance(layer, Layer)
        attend, feed_forward = layer
        x = attention(attend.fn, attend.norm(x), latent) + x
        x = feed_forward.fn(feed_forward.norm(x)) + x
    return x


def attention(net: Attention, x: Tensor, latent: Tensor | None) -> Tensor:
    parts = net.to_qkv(x).chunk(3, dim=-1) if latent is None else (net.to_q(x), *net.to_kv(latent).chunk(2, dim=-1))
    query, keys, values = (net.by_head(part) for part in parts)
    weights = torch.softmax(query @ keys.mT * net.head_dim**-0.5, dim=-1)
    return net.to_out((weights @ values).transpose(1, 2).flatten(2))
