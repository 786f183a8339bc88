"""The Thin-Plate Spline packs' cases."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from first_order_motion.animation import hull, retarget
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.layers.background import BGMotionPredictor
from first_order_motion.core.layers.grid import make_coordinate_grid, project, warp_each
from first_order_motion.core.layers.mlp import AVDNetwork
from first_order_motion.core.types import Motion
from first_order_motion.core.weights.build import load_strict
from first_order_motion.module_spline import thin_plate
from first_order_motion.module_spline.animator import SplineAnimator
from first_order_motion.module_spline.config import from_published
from first_order_motion.module_spline.dense_motion import by_spline
from first_order_motion.module_spline.inpainting import moved
from support.parity_common import DEVICE, Arrays, Taps, drive, picture, placed
from torch import Tensor

PARTS = ("kp_detector", "dense_motion_network", "inpainting_network", "avd_network")


class SplineAdapter:
    def __init__(self, manifest: dict, states: dict[str, Arrays], options: dict) -> None:
        published = manifest["config"]
        self.size = published["input_size"]
        config = replace(from_published(published), has_avd="avd_network" in states)
        self.model = SplineAnimator(config, self.size)
        self.states, self.options = states, options
        for name in [part for part in PARTS if part in states]:
            self.fill(self.model.get_submodule(name), name)

    def fill(self, module: torch.nn.Module, name: str) -> torch.nn.Module:
        load_strict(module, {key: torch.from_numpy(value) for key, value in self.states[name].items()}, name)
        return module.eval()

    def run(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        run: Callable[[dict, Arrays], dict] = getattr(self, case["options"]["kind"])
        return run(case, inputs)

    def enlarged(self, array: np.ndarray) -> np.ndarray:
        """Pictures (..., H, W, 3) at the pack's size, by their nearest pixels."""
        rows, columns = ((np.arange(self.size) * n) // self.size for n in array.shape[-3:-1])
        return array[..., rows[:, None], columns, :]

    def source(self, case: dict, inputs: Arrays) -> np.ndarray:
        name, _, index = case["inputs"]["source"].partition("[")
        return self.enlarged(inputs[name][int(index[:-1])] if index else inputs[name])

    def driving(self, case: dict, inputs: Arrays) -> np.ndarray:
        return self.enlarged(inputs["driving"][case["inputs"]["driving"]])

    def points(self, pictures: np.ndarray) -> Tensor:
        return self.model.motion(torch.cat([picture(p) for p in pictures])).points

    def keypoints(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        net = self.model.kp_detector.fg_encoder
        layers = {f"layer{i}": net.get_submodule(f"layer{i}") for i in (1, 2, 3, 4)}
        taps = Taps(**layers)
        pictures = [self.source(case, inputs), *self.driving(case, inputs)]
        batch = torch.cat([picture(p) for p in pictures])
        points = self.model.motion(batch).points
        logits = net(batch)
        pooled = taps.seen["layer4"].mean(dim=(2, 3))
        return taps.seen | {"stem": net.stem(batch), "pooled": pooled, "logits": logits, "fg_kp": points}

    def tps(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        source, driving = self.points(self.source(case, inputs)[None]), self.points(self.driving(case, inputs))
        plates, side = thin_plate.fit(by_spline(driving), by_spline(source)), self.size // 4
        return {
            "kp_source": source,
            "kp_driving": driving,
            "system": thin_plate.system(by_spline(driving)),
            "control_params": plates.bending,
            "theta": plates.theta,
            "transformations": self.model.dense_motion_network.transformations((side, side), source, driving),
        }

    def tps_synthetic(self, case: dict, inputs: Arrays) -> Arrays:
        """Only where the control points are among the inputs; the test suite takes them from the pack."""
        given = {side: inputs.get(f"{case['name']}/kp_{side}") for side in ("driving", "source")}
        if any(value is None for value in given.values()):
            return {}
        driving, source = (placed(given[side]) for side in ("driving", "source"))
        plates = thin_plate.fit(by_spline(driving), by_spline(source))
        return {
            "kp_driving": driving,
            "kp_source": source,
            "theta": plates.theta,
            "control_params": plates.bending,
            "grid": plates(make_coordinate_grid(*self.options["grid_hw"], like=driving)),
        }

    def stages(self, case: dict, inputs: Arrays) -> tuple:
        prepared = self.model.prepare(picture(self.source(case, inputs)))
        return prepared, self.points(self.driving(case, inputs))

    def dense_motion(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        net = self.model.dense_motion_network
        downs = {f"hourglass_down_{i}": block for i, block in enumerate(net.hourglass.encoder.down_blocks)}
        ups = {f"hourglass_up_{i}": block for i, block in enumerate(net.hourglass.decoder.up_blocks)}
        finer = {f"occlusion_up_{i}": block for i, block in enumerate(net.up)}
        taps = Taps(contribution_logits=net.maps, **downs, **ups, **finer)
        prepared, driving = self.stages(case, inputs)
        source, small = prepared.motion.points, prepared.features["small"]
        result = net(prepared.features, source, driving)
        transformations = net.transformations(small.shape[2:], source, driving)
        features = net.hourglass_input(prepared.features, driving, transformations)
        masks = {f"occlusion_{i}": mask for i, mask in enumerate(result.occlusion_maps)}
        return taps.seen | masks | {
            "source_low": small,
            "hourglass_input": features,
            "heatmap": features[:, : driving.shape[1] + 1],
            "deformed_source": warp_each(small, transformations, align_corners=True),
            "contribution_maps": torch.softmax(taps.seen["contribution_logits"], dim=1),
            "deformation": result.deformation,
        }  # fmt: skip

    def inpainting(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        net = self.model.inpainting_network
        blocks = {f"resblock_{i}": block for i, block in enumerate(net.resblock)}
        ups = {f"up_{i}": block for i, block in enumerate(net.up_blocks)}
        taps = Taps(final_logits=net.final, **blocks, **ups)
        final_input: list[Tensor] = []
        net.final.register_forward_pre_hook(lambda _m, args: final_input.append(args[0].clone()))
        prepared, driving = self.stages(case, inputs)
        dense = self.model.dense_motion_network(prepared.features, prepared.motion.points, driving)
        prediction = net.decode(prepared.features, dense)
        depths = range(len(net.up_blocks) + 1)
        return taps.seen | {
            **{f"encoder_{i}": prepared.features[f"encoded{i}"] for i in depths},
            **{f"warped_encoder_{i}": net.warped(prepared.features, dense, i) for i in depths},
            "final_input": final_input[0],
            "warped_source": moved(prepared.features["source"], dense),
            "prediction": prediction,
        }

    def avd(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        net = self.model.avd_network
        assert isinstance(net, AVDNetwork)
        taps = Taps(pose_embedding=net.pose_encoder, id_embedding=net.id_encoder)
        prepared, driving = self.stages(case, inputs)
        points = self.model.avd(prepared, Motion(driving)).points
        identity = taps.seen["id_embedding"].expand(len(driving), -1)  # once per clip, not per frame
        return taps.seen | {"id_embedding": identity, "fg_kp": points}

    def driver_keypoints(self, case: dict, inputs: Arrays) -> dict[str, Tensor | np.ndarray]:
        sources = self.points(self.source(case, inputs)[None])
        driving = self.points(self.driving(case, inputs))
        first = driving[self.anchor : self.anchor + 1]
        retargeter = retarget.Retargeter.for_clip(Retargeting(), Motion(sources), Motion(first))
        areas = [hull.hull_area(points[0].cpu().numpy()) for points in (sources, first)]
        return {
            "kp_source": sources,
            "kp_norm": retargeter(Motion(driving)).points,
            "hull_areas": np.array(areas),
            "movement_scale": np.array([retargeter.scale]),
        }

    @property
    def anchor(self) -> int:
        return self.options.get("best_frame", 0)

    def driver(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        """The dense motion is what the driver's own renderings pass on to the inpainting."""
        seen = []
        self.model.dense_motion_network.register_forward_hook(lambda _m, _i, out: seen.append(out))
        options = AnimateOptions(Retargeting(self.options["mode"]), anchor=self.anchor, batch=2)
        got = drive(self.model, self.source(case, inputs), self.driving(case, inputs), options)
        return {
            "kp_norm": got["kp_value"],
            "deformation": torch.cat([dense.deformation for dense in seen]),
            "occlusion_last": torch.cat([dense.occlusion_maps[-1] for dense in seen]),
            "prediction": got["prediction"],
        }

    def reconstruction(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        config = self.model.config
        predictor = self.fill(BGMotionPredictor(config.num_channels, config.width), "bg_predictor").to(DEVICE)
        still = picture(self.source(case, inputs))
        prepared, driving = self.stages(case, inputs)
        frames = torch.cat([picture(frame) for frame in self.driving(case, inputs)])
        matrix = predictor(still.expand_as(frames), frames)
        net, points = self.model.dense_motion_network, prepared.motion.points
        dense = net(prepared.features, points, driving, matrix)
        small = prepared.features["small"]
        return {
            "bg_param": matrix,
            "background_grid": project(matrix, make_coordinate_grid(*small.shape[2:], like=points)),
            "deformation": dense.deformation,
            "prediction": self.model.inpainting_network.decode(prepared.features, dense),
        }
