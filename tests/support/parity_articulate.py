"""The Articulated Animation packs' cases."""

import numpy as np
import torch
from first_order_motion.animation import hull, retarget
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.core.layers.dense_motion import DenseMotion
from first_order_motion.core.layers.heatmap import heatmap_difference, spatial_softmax
from first_order_motion.core.types import Motion, Prepared
from first_order_motion.core.weights.build import load_strict
from first_order_motion.module_articulate.animator import ArticulateAnimator
from first_order_motion.module_articulate.background import BGMotionPredictor
from first_order_motion.module_articulate.config import from_published
from first_order_motion.module_articulate.covariance import principal_axes, relative_frames, square_root
from first_order_motion.module_articulate.region_predictor import COVARIANCE
from support.parity_common import DEVICE, Arrays, Taps, drive, picture, placed
from torch import Tensor

PICTURES = ("source", "driving")
OURS = ("image_size", "animate_mode")  # settings of the packs that no published YAML has in that place


class ArticulateAdapter:
    def __init__(self, manifest: dict, states: dict[str, Arrays], options: dict) -> None:
        published = {key: value for key, value in manifest["config"].items() if key not in OURS}
        config = from_published(published)
        self.size, self.options = manifest["config"]["image_size"], options
        self.model = ArticulateAnimator(config, self.size)
        affine = config.affine_background
        self.bg_predictor = BGMotionPredictor(config.bg_predictor).eval().to(DEVICE) if affine else None
        for name, module in [*self.model.named_children(), *([("bg_predictor", self.bg_predictor)] if affine else [])]:
            state = {key: torch.from_numpy(value) for key, value in states[name].items()}
            load_strict(module, state, name)

    def run(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        run = self.driver if case["name"].startswith("driver_") else getattr(self, case["name"])
        return run({key: self.padded(value) if key in PICTURES else value for key, value in inputs.items()})

    def padded(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures (..., H, W, 3) mirrored about their edges to the size the weights are for."""
        margins = [((self.size - side) // 2,) * 2 for side in pictures.shape[-3:-1]]
        return np.pad(pictures, [*[(0, 0)] * (pictures.ndim - 3), *margins, (0, 0)], mode="reflect")

    def regions(self, inputs: Arrays) -> dict[str, Tensor]:
        source = self.model.motion(picture(inputs["source"]))
        driving = self.frames(inputs)
        return {f"source.{k}": v for k, v in named(source).items()} | {
            f"driving.{k}": v for k, v in named(driving).items()
        }

    def frames(self, inputs: Arrays) -> Motion:
        """The driving frames' regions, one frame at a time."""
        parts = [self.model.motion(picture(frame)) for frame in inputs["driving"]]
        points, frames = torch.cat([part.points for part in parts]), torch.cat([part.jacobians for part in parts])
        return Motion(points, frames, {COVARIANCE: torch.cat([part.extra[COVARIANCE] for part in parts])})

    def principal_axes(self, inputs: Arrays) -> dict[str, Tensor]:
        """Only where the covariances are among the inputs; the test suite takes them from the pack."""
        if "principal_axes/covar" not in inputs:
            return {}
        covariance = placed(inputs["principal_axes/covar"])
        axes, variances = principal_axes(covariance)
        return {"u": axes, "s": variances, "affine": square_root(covariance)}

    def stages_region(self, inputs: Arrays) -> dict[str, Tensor]:
        regions = self.model.region_predictor
        down, up = regions.predictor.encoder.down_blocks, regions.predictor.decoder.up_blocks
        taps = Taps(
            down=regions.down, encoder0=down[0], encoder4=down[-1], decoder0=up[0], decoder4=up[-1],
            feature_map=regions.predictor, logits=regions.regions,
        )  # fmt: skip
        regions(picture(inputs["source"]))
        return taps.seen | {"heatmap": spatial_softmax(taps.seen["logits"], regions.temperature)}

    def background(self, inputs: Arrays) -> dict[str, Tensor]:
        if self.bg_predictor is None:
            return {"matrix": torch.eye(3).expand(len(inputs["driving"]), 3, 3)}
        pooled: list[Tensor] = []
        self.bg_predictor.fc.register_forward_pre_hook(lambda _, given: pooled.append(given[0]))
        matrix = self.matrices(picture(inputs["source"]), inputs["driving"])
        return {"matrix": matrix, "pooled": torch.cat(pooled)}

    def matrices(self, source: Tensor, frames: np.ndarray) -> Tensor:
        assert self.bg_predictor is not None
        return torch.cat([self.bg_predictor(source, picture(frame)) for frame in frames])

    def stages_flow(self, inputs: Arrays, background: Tensor | None = None) -> dict[str, Tensor]:
        prepared, driving = self.posed(inputs)
        flow, small, still = self.model.generator.pixelwise_flow_predictor, prepared.features["small"], prepared.motion
        blocks = flow.hourglass.encoder.down_blocks
        taps = Taps(
            hourglass_encoder0=blocks[0], hourglass_encoder4=blocks[-1], hourglass=flow.hourglass, mask_logits=flow.mask
        )
        dense = flow(small, prepared.features["heatmaps"], still, driving, background)
        motions = flow.sparse_motions(small, still, driving, background)
        relative, sign = relative_frames(still.jacobians, driving.jacobians)
        difference = heatmap_difference(prepared.features["heatmaps"], flow.heatmaps(small, driving))
        return taps.seen | {
            "source_down": small,
            "relative_affine": relative * sign,
            "heatmap_representation": difference[:, :, None],
            "sparse_motion": motions,
            "deformed_source": flow.deformed_sources(small, motions),
            "mask": torch.softmax(taps.seen["mask_logits"], dim=1),
            "optical_flow": dense.deformation,
            "occlusion_map": dense.occlusion_map,
        }

    def stages_flow_background(self, inputs: Arrays) -> dict[str, Tensor]:
        matrix = self.matrices(picture(inputs["source"]), inputs["driving"][3:4])
        stages = self.stages_flow(inputs, matrix)
        first = {"background_grid": stages["sparse_motion"][:, :1], "deformed_source": stages["deformed_source"][:, :1]}
        return stages | first | {"bg_matrix": matrix}

    def posed(self, inputs: Arrays) -> tuple[Prepared, Motion]:
        return self.model.prepare(picture(inputs["source"])), self.model.motion(picture(inputs["driving"][3]))

    def stages_generator(self, inputs: Arrays) -> dict[str, Tensor]:
        generator, (up0, up1) = self.model.generator, self.model.generator.up_blocks
        taps = Taps(
            first=generator.first, down0=generator.down_blocks[0], down1=generator.down_blocks[1],
            bottleneck_r0=generator.bottleneck[0], bottleneck=generator.bottleneck, up0=up0, up1=up1,
            final_logits=generator.final,
        )  # fmt: skip
        taps.entering(bottleneck_input=generator.bottleneck, up0_input=up0, up1_input=up1, final_input=generator.final)
        dense = Dense(self.model)
        prepared, driving = self.posed(inputs)
        prediction = self.model.render(prepared, driving)
        deformed = generator.deformed(prepared.features["source"], dense.seen[0])
        return taps.seen | {"prediction": prediction, "deformed": deformed}

    def avd(self, inputs: Arrays) -> dict[str, Tensor]:
        prepared, driving = self.model.prepare(picture(inputs["source"])), self.frames(inputs)
        network = self.model.avd_network
        taps = Taps(pose_embedding=network.pose_encoder, id_embedding=network.id_encoder, decoded=network)
        motion = self.model.avd(prepared, driving)
        _, sign = relative_frames(prepared.motion.jacobians, driving.jacobians)
        return taps.seen | named(motion) | {"sign": sign[..., 0, 0]}

    def reconstruction(self, inputs: Arrays) -> dict[str, Tensor]:
        first = picture(inputs["driving"][0])
        matrices, prepared = self.matrices(first, inputs["driving"]), self.model.prepare(first)
        frames = [
            self.model.render(prepared, self.model.motion(picture(frame)), matrix[None])
            for frame, matrix in zip(inputs["driving"], matrices, strict=True)
        ]
        return {"bg_matrix": matrices, "prediction": torch.cat(frames)}

    def driver(self, inputs: Arrays) -> dict[str, Tensor]:
        dense, mode = Dense(self.model), self.options["mode"]
        got = drive(self.model, inputs["source"], inputs["driving"], AnimateOptions(Retargeting(mode), batch=1))
        motion = {"shift": got["kp_value"], "affine": got["kp_jacobian"], "covar": got[COVARIANCE]}
        flow = {"optical_flow": dense.flow, "occlusion_map": dense.occlusion, "prediction": got["prediction"]}
        return motion | flow | (self.scale(inputs) if mode == "relative" else {})

    def scale(self, inputs: Arrays) -> Arrays:
        motions = [self.model.motion(picture(frame)) for frame in (inputs["source"], inputs["driving"][0])]
        areas = [hull.hull_area(motion.points[0].cpu().numpy()) for motion in motions]
        return {"hull_areas": np.array(areas), "movement_scale": np.array([retarget.movement_scale(*motions)])}


def named(motion: Motion) -> dict[str, Tensor]:
    return {"shift": motion.points, "affine": motion.jacobians, "covar": motion.extra[COVARIANCE]}


class Dense:
    """The dense motions a model works out."""

    def __init__(self, model: ArticulateAnimator) -> None:
        self.seen: list[DenseMotion] = []
        model.generator.pixelwise_flow_predictor.register_forward_hook(lambda _m, _i, out: self.seen.append(out))

    @property
    def flow(self) -> Tensor:
        return torch.cat([dense.deformation for dense in self.seen])

    @property
    def occlusion(self) -> Tensor:
        return torch.cat([dense.occlusion_map for dense in self.seen])
