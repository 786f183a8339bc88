"""The FOMM packs' cases."""

from collections.abc import Callable

import numpy as np
import torch
from first_order_motion.animation import best_frame as anchors
from first_order_motion.animation import hull, retarget
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.layers.heatmap import heatmap_difference, spatial_softmax
from first_order_motion.core.types import LoadOptions
from first_order_motion.core.weights.build import load_strict
from first_order_motion.core.weights.config import apply_load_options
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.config import from_published
from support.parity_common import Arrays, Taps, drive, picture
from torch import Tensor

SOURCES = ("source", "driving")


class FOMMAdapter:
    def __init__(self, manifest: dict, states: dict[str, Arrays], options: dict) -> None:
        config = from_published(manifest["config"])
        sampling = LoadOptions(options.get("grid_sample_align_corners"), options.get("scale_factor"))
        config = apply_load_options(config, sampling)
        self.model = FOMMAnimator(config)
        self.options = options
        for name in ("kp_detector", "generator"):
            state = {key: torch.from_numpy(value) for key, value in states[name].items()}
            load_strict(getattr(self.model, name), state, name)

    def run(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        runs: list[tuple[str, Callable[[dict, Arrays], dict]]] = [
            ("keypoints", self.keypoints),
            ("stages_kp", self.stages_kp),
            ("stages_dense_motion", self.stages_dense_motion),
            ("stages_generator", self.stages_generator),
            ("adapt_scale", self.adapt_scale),
            ("best_frame_landmarks", self.landmarks),
            ("best_frame_split_existing_pack", self.earlier_best_frame),
            ("size512", self.one_picture),
            ("non_square", self.one_picture),
        ]
        return next((run for name, run in runs if case["name"].startswith(name)), self.driver)(case, inputs)

    def keypoints(self, _: dict, inputs: Arrays) -> dict[str, Tensor]:
        source = self.model.motion(picture(inputs["source"]))
        driving = [self.model.motion(picture(frame)) for frame in inputs["driving"]]
        return {
            "source.value": source.points,
            "source.jacobian": source.jacobians,
            "driving.value": torch.cat([motion.points for motion in driving]),
            "driving.jacobian": torch.cat([motion.jacobians for motion in driving]),
        }

    def stages_kp(self, _: dict, inputs: Arrays) -> dict[str, Tensor]:
        kp = self.model.kp_detector
        blocks = kp.predictor.encoder.down_blocks
        taps = Taps(
            down=kp.down, encoder0=blocks[0], encoder4=blocks[-1], feature_map=kp.predictor, logits=kp.kp,
            jacobian_map=kp.jacobian,
        )  # fmt: skip
        kp(picture(inputs["source"]))
        return taps.seen | {"heatmap": spatial_softmax(taps.seen["logits"], kp.temperature)}

    def stages_dense_motion(self, _: dict, inputs: Arrays) -> dict[str, Tensor]:
        source, driving = picture(inputs["source"]), self.model.motion(picture(inputs["driving"][3]))
        prepared = self.model.prepare(source)
        dense, small = self.model.generator.dense_motion_network, prepared.features["small"]
        taps = Taps(hourglass=dense.hourglass, mask_logits=dense.mask)
        result = dense(prepared.features, prepared.motion, driving)
        motions = dense.sparse_motions(small, prepared.motion, driving)
        return taps.seen | {
            "heatmap_representation": heatmap_difference(prepared.features["heatmaps"], dense.heatmaps(small, driving))[
                :, :, None
            ],
            "sparse_motion": motions,
            "sparse_deformed": dense.deformed_sources(small, motions),
            "mask": torch.softmax(taps.seen["mask_logits"], dim=1),
            "deformation": result.deformation,
            "occlusion_map": result.occlusion_map,
        }

    def stages_generator(self, _: dict, inputs: Arrays) -> dict[str, Tensor]:
        source, driving = picture(inputs["source"]), self.model.motion(picture(inputs["driving"][3]))
        generator = self.model.generator
        taps = Taps(
            first=generator.first, down0=generator.down_blocks[0], down1=generator.down_blocks[1],
            res0=generator.bottleneck[0], bottleneck=generator.bottleneck, up0=generator.up_blocks[0],
            up1=generator.up_blocks[1],
        )  # fmt: skip
        prediction, dense = generator(source, self.model.motion(source), driving)
        encoded = generator.encode(source)["encoded"]
        return taps.seen | {
            "warped_occluded": dense.at(encoded.shape[2:]).move(encoded),
            "prediction": prediction,
            "deformed": generator.deformed(source, dense),
        }

    def adapt_scale(self, _: dict, inputs: Arrays) -> dict[str, np.ndarray]:
        source, first = (self.model.motion(picture(inputs[k][0] if k == "driving" else inputs[k])) for k in SOURCES)
        return {
            "source_area": np.float64(hull.hull_area(source.points[0].cpu().numpy())),
            "driving_area": np.float64(hull.hull_area(first.points[0].cpu().numpy())),
            "scale": np.float64(retarget.movement_scale(source, first)),
        }

    def landmarks(self, case: dict, inputs: Arrays) -> Arrays:
        """Only where the landmarks are among the inputs; the test suite takes them from the pack."""
        source, frames = (inputs.get(f"{case['name']}/input_{name}") for name in ("source", "frames"))
        if source is None or frames is None:
            return {}
        distances = anchors.pose_distances(source, frames)
        return {"input_source": source, "input_frames": frames, "distances": distances,
                "index": np.array(anchors.nearest(distances))}  # fmt: skip

    def one_picture(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        columns = slice(64, 192) if case["name"] == "non_square" else slice(None)
        repeat = 2 if case["name"].startswith("size512") else 1
        prepared = self.model.prepare(picture(inputs["source"][:, columns], repeat))
        driving = self.model.motion(picture(inputs["driving"][3][:, columns], repeat))
        dense = self.model.generator.dense_motion_network(prepared.features, prepared.motion, driving)
        return {
            "source.value": prepared.motion.points,
            "source.jacobian": prepared.motion.jacobians,
            "driving.value": driving.points,
            "driving.jacobian": driving.jacobians,
            "deformation": dense.deformation,
            "occlusion_map": dense.occlusion_map,
            "prediction": self.model.render(prepared, driving),
        }

    def earlier_best_frame(self, _: dict, inputs: Arrays) -> dict[str, Tensor]:
        """What the earlier pack made of it: the second part measured from its own first frame."""
        after = self.options["best_frame"] + 1
        parts = [(inputs["driving"][:after], after - 1), (inputs["driving"][after:], 0)]
        frames = [self.drive(inputs["source"], clip, anchor)["prediction"] for clip, anchor in parts]
        return {"prediction": torch.cat(frames)}

    def driver(self, _: dict, inputs: Arrays) -> dict[str, Tensor]:
        return self.drive(inputs["source"], inputs["driving"], self.options.get("best_frame", 0))

    def drive(self, source: np.ndarray, driving: np.ndarray, anchor: int) -> dict[str, Tensor]:
        retargeting = Retargeting(
            mode="relative" if self.options["relative_movement"] else "standard",
            relative_jacobian=self.options["relative_jacobian"],
            adapt_scale=self.options["adapt_movement_scale"],
        )
        return drive(self.model, source, driving, AnimateOptions(retargeting, anchor=anchor, batch=2))
