"""The MRFA packs' cases."""

from collections.abc import Callable

import numpy as np
import torch
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.retarget import Retargeter, Retargeting
from first_order_motion.core.layers.grid import warp
from first_order_motion.core.types import Motion
from first_order_motion.core.weights.build import load_strict
from first_order_motion.module_mrfa.animator import BACKGROUND, MRFAAnimator
from first_order_motion.module_mrfa.config import from_state
from first_order_motion.module_mrfa.correlation import sample
from support.parity_common import Arrays, Taps, drive, picture
from torch import Tensor, nn


class MRFAAdapter:
    def __init__(self, manifest: dict, states: dict[str, Arrays], options: dict) -> None:
        state = {key: torch.from_numpy(value) for key, value in states["model"].items()}
        self.model = MRFAAnimator(from_state(state))
        load_strict(self.model.model, state, "model")
        assert self.model.spec.size == manifest["config"]["image_size"]
        assert self.model.spec.has_background == manifest["config"]["background_predictor"]
        self.options = options

    def run(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        name = "driver" if case["name"].startswith("driver_") else case["name"]
        run: Callable[[Arrays], dict] = getattr(self, name)
        return run(inputs)

    def source(self, inputs: Arrays) -> Tensor:
        return picture(inputs["source"])

    def driving(self, inputs: Arrays, index: int = 1) -> Tensor:
        return picture(inputs["driving"][index])

    def frames(self, inputs: Arrays) -> Tensor:
        return torch.cat([picture(frame) for frame in inputs["driving"]])

    def encoder(self, inputs: Arrays) -> dict[str, Tensor]:
        trunk, tokens = self.model.model.encoder.pre_feature, self.model.model.encoder.transformer
        layers = {f"layer{i}.out": tokens.transformer.layers[i] for i in (0, 2, 4, 6, 8, 10, 11)}
        moves = {"transition1.0": trunk.transition1[0], "transition1.1": trunk.transition1[1]}
        taps = Taps(
            **layers,
            **moves,
            layer1=trunk.layer1,
            patch_embedding=tokens.patch_to_embedding,
            kp_logits=tokens.mlp_head,
            **{"transition2.2": trunk.transition2["2"], "layer0.after_attention": tokens.transformer.layers[0][0]},
        )
        taps.entering(stem=trunk.layer1, tokens_in=tokens.transformer.layers[0])
        branches: dict[str, Tensor] = {}
        for stage in ("stage2", "stage3"):
            for module, network in enumerate(trunk.get_submodule(stage)):
                network.register_forward_hook(
                    lambda _m, _i, out, name=f"{stage}.{module}": branches.update(
                        {f"{name}.out{i}": branch for i, branch in enumerate(out)}
                    )
                )
        motion = self.model.motion(self.driving(inputs))
        return taps.seen | branches | {"kp": motion.points, "jacobian": motion.jacobians}

    def keypoints(self, inputs: Arrays) -> dict[str, Tensor]:
        motion = self.model.motion(torch.cat([self.source(inputs), self.frames(inputs)]))
        return {"kp": motion.points, "jacobian": motion.jacobians}

    def prior_motion(self, inputs: Arrays) -> dict[str, Tensor]:
        return self.prior(inputs, self.model.motion(self.driving(inputs)))

    def prior(self, inputs: Arrays, driving: Motion) -> dict[str, Tensor]:
        net = self.model.model.dense_motion
        taps = Taps(hourglass_out=net.hourglass, mask_logits=net.mask)
        taps.entering(hourglass_in=net.hourglass)
        prepared = self.model.prepare(self.source(inputs))
        small, background = prepared.features["small"], driving.extra.get(BACKGROUND)
        result = net(small, prepared.features["heatmaps"], prepared.motion, driving, background)
        return taps.seen | {
            "source_down": small,
            "sparse_motion": net.sparse_motions(small, prepared.motion, driving, background),
            "mask": result.mask,
            "deformation": result.deformation,
            "occlusion_logits": result.occlusion_map,
        }

    def structure(self, inputs: Arrays) -> dict[str, Tensor]:
        net = self.model.model.decoder
        taps = Taps(source_structure_features=net.kp_img, driving_structure_features=net.kp, source_key=net.kp_img_head)
        taps.entering(source_structure_in=net.kp_img, driving_structure_in=net.kp)
        prepared, driving = self.model.prepare(self.source(inputs)), self.model.motion(self.driving(inputs))
        queries = net.queries(driving.points)
        matches = net.corr_volume.level(queries, prepared.features["key0"]).view(1, queries.shape[2] ** 2, -1)
        return taps.seen | {"driving_query": queries, "correlation_volume": matches}

    def stages(self, inputs: Arrays) -> tuple:
        prepared, driving = self.model.prepare(self.source(inputs)), self.model.motion(self.driving(inputs))
        features = prepared.features
        prior = self.model.model.dense_motion(features["small"], features["heatmaps"], prepared.motion, driving)
        return features, driving.points, prior

    def refinement_flow(self, inputs: Arrays) -> dict[str, Tensor]:
        steps = list(self.model.model.decoder.steps(*self.stages(inputs)))
        flows = {"flow_in": [step.before for step in steps], "flow_out": [step.flow for step in steps]}
        return {f"{i}.{name}": flow for name, found in flows.items() for i, flow in enumerate(found)}

    def refinement(self, inputs: Arrays) -> dict[str, Tensor]:
        net = self.model.model.decoder
        got: dict[str, Tensor] = {}

        def note(module: nn.Module, names: list[str]) -> None:
            calls: list[int] = []

            def hook(_module: nn.Module, args: tuple, out: object) -> None:
                values = [*args, torch.cat(out, dim=1) if isinstance(out, tuple) else out]
                got.update({f"{len(calls)}.{name}": value for name, value in zip(names, values, strict=True) if name})
                calls.append(1)

            module.register_forward_hook(hook)

        note(net.corr_enc, ["", "lookup", "motion_features"])
        note(net.refine, ["", "context", "delta"])
        steps = net.steps(*self.stages(inputs))
        return {f"{i}.occlusion": step.occlusion for i, step in enumerate(steps)} | got

    def decode(self, inputs: Arrays) -> dict[str, Tensor]:
        net = self.model.model.decoder
        paint = net.generator
        named = {"channel_block": paint.channel_block, "resblock": paint.resblock, "up_block": paint.up_blocks}
        blocks = {f"{name}{i}": block for name, found in named.items() for i, block in enumerate(found)}
        taps = Taps(final_logits=paint.final, **blocks)
        features, points, prior = self.stages(inputs)
        moved: dict[str, Tensor] = {}
        for i, step in enumerate(net.steps(features, points, prior)):
            feature = features[f"feature{i}"]
            moved[f"feature{i}"], moved[f"warped{i}"] = feature, sample(feature, step.flow)
            moved[f"coarse{i}"] = warp(feature, prior.deformation, resize_aligned=True)
            moved["warped_image"] = sample(features["source"], step.before)
        return moved | {"prediction": net(features, points, prior)[0]} | taps.seen

    def background(self, inputs: Arrays) -> dict[str, Tensor]:
        prepared, motion = self.model.prepare(self.source(inputs)), self.model.motion(self.frames(inputs))
        moved = self.model.move_background(prepared, motion)
        matrices = moved.extra[BACKGROUND]
        second = Motion(motion.points[1:2], motion.jacobians[1:2], {BACKGROUND: matrices[1:2]})
        return {"bg_param": matrices} | self.prior(inputs, second)

    def driver(self, inputs: Arrays) -> dict[str, Tensor | np.ndarray]:
        relative = self.options["use_relative"] and self.options["relative_movement"]
        jacobian, adapt = self.options["relative_jacobian"], self.options["adapt_movement_scale"]
        mode = "relative" if relative else "standard"
        settings = Retargeting(mode, jacobian, adapt, background=not self.options["use_relative"])
        got = drive(self.model, inputs["source"], inputs["driving"], AnimateOptions(settings, batch=2))
        source, first = self.model.motion(self.source(inputs)), self.model.motion(self.driving(inputs, 0))
        scale = Retargeter.for_clip(settings, source, first).scale
        result = {"kp": got["kp_value"], "jacobian": got["kp_jacobian"], "prediction": got["prediction"]}
        return result | ({"bg_param": got[BACKGROUND]} if BACKGROUND in got else {"scale": np.array([scale])})
