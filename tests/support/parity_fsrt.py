"""The FSRT packs' cases."""

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.layers import blocks
from first_order_motion.core.types import Motion, Prepared
from first_order_motion.core.weights.build import load_strict
from first_order_motion.module_fsrt.animator import EXPRESSION, FSRTAnimator
from first_order_motion.module_fsrt.config import START_OCTAVE, from_states
from first_order_motion.module_fsrt.position import pixel_centres, position_code
from support.parity_common import DEVICE, Arrays, Recorder, Taps, picture, placed
from torch import Tensor

STRIDE = slice(1, None, 7), slice(2, None, 7)  # the pixels the packs keep of whole animations


class Some(Recorder):
    """Notes the poses it decodes, and decodes only the pixels that the packs keep; the others stay black."""

    def __init__(self, animator: FSRTAnimator, pixels: tuple[slice, slice]) -> None:
        super().__init__(animator)
        self.kept = torch.zeros(animator.spec.size, animator.spec.size, dtype=torch.bool, device=DEVICE)
        self.kept[pixels] = True

    def decode(self, prepared: Prepared, motion: Motion, queries: Tensor) -> Tensor:
        if queries[0] == 0:
            self.rendered.append(motion)
        colours = torch.zeros(len(queries), 3, device=DEVICE)
        kept = self.kept.flatten()[queries % self.kept.numel()]
        if kept.any():
            colours[kept] = self.animator.decode(prepared, motion, queries[kept])
        return colours


class FSRTAdapter:
    def __init__(self, manifest: dict, states: dict[str, Arrays], options: dict) -> None:
        codes = manifest["config"]["model"]["decoder_kwargs"]
        assert codes == {key: manifest["config"]["model"]["encoder_kwargs"][key] for key in codes}
        assert codes["pix_start_octave"] == codes["kp_start_octave"] == START_OCTAVE
        tensors = {
            name: {key: torch.from_numpy(np.asarray(value)) for key, value in state.items()}
            for name, state in states.items()
        }
        config = from_states(tensors)
        assert config == replace(config, kp_octaves=codes["kp_octaves"], pix_octaves=codes["pix_octaves"])
        self.model, self.options = FSRTAnimator(config, manifest["config"]["image_size"]), options
        for name, state in tensors.items():
            load_strict(self.model.get_submodule(name), state, name)

    def run(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        kind = case["name"].split("_")[0]
        run: Callable[[dict, Arrays], dict] = getattr(self, kind)
        return run(case, inputs)

    def images(self, names: list[str], inputs: Arrays) -> list[np.ndarray]:
        """Pictures by names such as "source" and "driving[3]"."""
        found = []
        for name in names:
            array, _, index = name.partition("[")
            found.append(inputs[array][int(index[:-1])] if index else inputs[array])
        return found

    def sources(self, case: dict, inputs: Arrays) -> Tensor:
        return torch.cat([picture(p) for p in self.images(case["inputs"]["sources"], inputs)])

    def detector(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        net, rows, maps = self.model.kp_detector, [], {}
        taps = Taps(downsampled=net.down, bottleneck=net.predictor.encoder.down_blocks[-1], logits=net.kp)
        names = case["inputs"]["images"]
        for name, image in zip(names, self.images(names, inputs), strict=True):
            found = net(picture(image))
            latent = self.model.expression_encoder.latent(found)
            rows.append((found.points, latent, self.model.expression_encoder(found)))
            stages = taps.seen | {"feature_map": found.features, "heatmap": found.heatmap}
            maps |= {f"{name.replace('[', '').replace(']', '')}/{key}": value for key, value in stages.items()}
        together = (torch.cat(column) for column in zip(*rows, strict=True))
        return maps | dict(zip(("keypoints", "latent_expression", "expression"), together, strict=True))

    def pixels(self, case: dict) -> tuple[Tensor, Tensor]:
        """Numbers and positions (1, n, 2) of the pixels a case asks for: "np.arange(...)[...]..."."""
        start, stop, step = (int(n) for n in case["inputs"]["pixel_index"].split("(")[1].split(")")[0].split(","))
        count = int(case["inputs"]["pixel_index"].split("[:")[1].split("]")[0])
        index = torch.arange(start, stop, step, device=DEVICE)[:count]
        side = self.model.spec.size
        return index, pixel_centres(side, side, DEVICE).flatten(0, 1)[index][None]

    def positional(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        points = inputs.get(case["inputs"]["keypoints"])
        points = self.lone_points(inputs) if points is None else placed(points)
        config = self.model.config
        return {
            "pixel": position_code(self.pixels(case)[1], config.pix_octaves, START_OCTAVE),
            "keypoint": position_code(points.flatten(1), config.kp_octaves, START_OCTAVE),
        }

    def lone_points(self, inputs: Arrays) -> Tensor:
        """Keypoints by the kernels that single pictures get; codes multiply what others round differently."""
        pictures = [picture(inputs["source"]), *(picture(frame) for frame in inputs["driving"])]
        with patch.object(blocks, "SMALL_INPUT", 0):
            return torch.cat([self.model.motion(one).points for one in pictures])

    def encoder(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        net, maps = self.model.encoder, {}
        for i, block in enumerate(net.conv_blocks):
            block.register_forward_hook(lambda _m, _i, out, i=i: maps.setdefault(f"conv_block{i}", []).append(out))
        net.conv_blocks.register_forward_pre_hook(lambda _m, args: maps.setdefault("input", []).append(args[0]))
        taps = layer_taps(net.transformer)
        taps.entering(tokens=net.transformer)
        pictures = self.sources(case, inputs)
        motion = self.model.motion(pictures)
        latent = net(pictures, motion.points, motion.extra[EXPRESSION])
        stats = torch.stack([latent.mean(), latent.std()])
        return taps.seen | {name: torch.cat(each) for name, each in maps.items()} | {"z": latent, "z_stats": stats}

    def decoder(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        net, asked = self.model.decoder, self.model.decoder.allocation_transformer
        taps, layers = layer_taps(asked.transformer), asked.transformer.layers
        for i, layer in enumerate(layers):
            taps.add(f"layer{i}_kv", layer[0].fn.to_kv)
        first_attention = layers[0][0].fn
        taps.add("asking", first_attention.to_q)
        taps.add("query_mlp", asked.input_mlp[2])
        taps.entering(render_hidden=net.render_mlp[-1])
        index, positions = self.pixels(case)
        prepared = self.model.prepare(self.sources(case, inputs))
        [frame] = self.images([case["inputs"]["driving"]], inputs)
        motion = self.model.motion(picture(frame))
        rgb = net(prepared.features, motion.points, motion.extra[EXPRESSION], index)
        # fused attention never has the probabilities in memory
        asking = first_attention.by_head(taps.seen.pop("asking")) * first_attention.head_dim**-0.5
        probabilities = torch.softmax(asking @ prepared.features["keys0"].mT, dim=-1)
        keypoint = position_code(motion.points.flatten(1), self.model.config.kp_octaves, START_OCTAVE)
        pixel = position_code(positions, self.model.config.pix_octaves, START_OCTAVE)
        constant = (part[:, None].expand(-1, len(index), -1) for part in (keypoint, motion.extra[EXPRESSION]))
        first, last = constant
        seen = {name: value if value.ndim == 3 else value[None] for name, value in taps.seen.items()}
        query = torch.cat([first, pixel, last], dim=2)
        return seen | {"pixels": positions, "query": query, "rgb": rgb[None], "layer0_probabilities": probabilities}

    def animated(self, case: dict, inputs: Arrays, pixels: tuple[slice, slice]) -> tuple[Tensor, Tensor]:
        """Poses (N, K, 2) and pictures (N, H, W, 3), through the driver."""
        array, _, span = case["inputs"]["driving"].partition("[")
        first, _, last = span[:-1].partition(":")
        clip = TensorClip(torch.from_numpy(inputs[array][int(first) : int(last or int(first) + 1)]))
        mode = "relative" if self.options["relative"] else "standard"
        options = AnimateOptions(
            Retargeting(mode, adapt_scale=self.options["adapt_scale"]),
            anchor=self.options.get("best_frame", 0),
            batch=2,
            max_pixels=self.options["max_num_pixels"],
        )
        animator = Some(self.model, pixels)
        sources = [torch.from_numpy(array) for array in self.images(case["inputs"]["sources"], inputs)]
        frames = torch.cat(list(animate(animator, sources, clip, DEVICE, options)))
        return torch.cat([motion.points for motion in animator.rendered]), frames.movedim(1, -1)

    def frame(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        picture = self.animated(case, inputs, (slice(None), slice(None)))[1]
        return {"prediction": picture, "mean": picture.mean(dim=(1, 2)), "std": picture.flatten(1, 2).std(dim=1)}

    def animate(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        keypoints, frames = self.animated(case, inputs, STRIDE)
        return {"keypoints": keypoints, "prediction": frames}


def layer_taps(transformer: torch.nn.Module) -> Taps:
    halves = {"after_attention": 0, "out": 1}
    layers = transformer.get_submodule("layers")
    return Taps(**{f"layer{i}_{name}": layer[half] for i, layer in enumerate(layers) for name, half in halves.items()})
