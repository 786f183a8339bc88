"""The Part Swap packs' cases."""

import numpy as np
import torch
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.media.segment_picture import coloured, overlaid, palette
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.core.layers.antialias import AntiAliasInterpolation2d
from first_order_motion.core.layers.dense_motion import candidate_motions
from first_order_motion.core.layers.grid import make_coordinate_grid
from first_order_motion.core.layers.heatmap import heatmap_difference
from first_order_motion.core.types import MASK, Motion
from first_order_motion.core.weights.build import load_strict
from first_order_motion.core.weights.checkpoint import Checkpoint
from first_order_motion.face_parsing.config import FaceParsingConfig
from first_order_motion.face_parsing.parser import FaceParser
from first_order_motion.module_partswap.animator import PartSwapAnimator
from first_order_motion.module_partswap.architecture import PARTS, to_first_layout
from first_order_motion.module_partswap.config import from_published
from first_order_motion.module_partswap.segmentation import SEGMENTS
from first_order_motion.module_partswap.swap import Swap
from support.parity_common import DEVICE, Arrays, Taps, picture, placed
from torch import Tensor, nn

REFERENCE_TOOL = "parser_reference_tool"


class StubParser(nn.Module):
    """The pack's stand-in for BiSeNet (its notes give the formula), at the picture's full size."""

    def forward(self, x: Tensor) -> Tensor:
        c, places = np.arange(19), np.arange(x.shape[-1])
        waves = [
            np.cos(step * np.outer(c + 1, places) + turn * c[:, None]) for step, turn in ((0.011, 1.3), (0.013, 0.7))
        ]
        fixed = 4 * waves[0][:, :, None] * waves[1][:, None, :]
        weights = placed(1.5 * np.cos(c)).float()[:, None, None]
        return placed(fixed).float() + weights * x[:, c % 3]


def stub_parser() -> FaceParser:
    parser = FaceParser(FaceParsingConfig(width=4))
    parser.network = StubParser()
    return parser.to(DEVICE)


class PartSwapAdapter:
    def __init__(self, manifest: dict, states: dict[str, Arrays], options: dict) -> None:
        tensors = {part: {k: torch.from_numpy(v) for k, v in state.items()} for part, state in states.items()}
        if "kp_detector" in tensors:
            tensors["kp_detector"] |= tensors.pop("kp_detector_segmentation_head", {})
        parts = to_first_layout(Checkpoint(path=None, components=tensors)).components
        self.model, self.options = PartSwapAnimator(from_published(manifest["config"])), options
        for name in PARTS:
            load_strict(self.model.get_submodule(name), parts[name], name)

    def run(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        if case["name"].startswith("driver_"):
            return self.driver(case, inputs)
        if case["name"].startswith("parser_") and case["name"] != "parser_stub":
            return self.parser(case, inputs)
        return getattr(self, case["name"])(inputs)

    def segmentation(self, inputs: Arrays) -> dict[str, Tensor]:
        source = self.model.segmentation_module(picture(inputs["source"]))
        target = [self.model.segmentation_module(picture(frame)) for frame in inputs["driving"]]
        return named("source", [source]) | named("target", target)

    def pair(self, inputs: Arrays) -> tuple[Motion, Motion]:
        return tuple(self.model.segmentation_module(picture(p)) for p in (inputs["source"], inputs["driving"][3]))

    def stages_motion(self, inputs: Arrays) -> dict[str, Tensor]:
        source, target = self.pair(inputs)
        return {"segment_motion": candidate_motions(make_coordinate_grid(64, 64, target.points), source, target)}

    def stages_dense_motion(self, inputs: Arrays) -> dict[str, Tensor]:
        (source, target), dense = self.pair(inputs), self.model.reconstruction_module.dense_motion_network
        encoded = dense.encode(picture(inputs["source"]), source)
        small, heatmaps = encoded["small"], encoded["heatmaps"]
        return {
            "heatmap_representation": heatmap_difference(heatmaps, dense.heatmaps(small, target))[:, :, None],
            "sparse_motion": dense.sparse_motions(small, source, target),
            "mask": dense(encoded, source, target).mask,
        }

    def stages_blend(self, inputs: Arrays) -> dict[str, Tensor]:
        model = self.model.with_swap(self.swap())
        network = model.reconstruction_module
        taps = Taps(bottleneck=network.bottleneck)
        taps.entering(blended=network.bottleneck)
        prepared, motion = model.prepare(picture(inputs["source"])), model.motion(picture(inputs["driving"][3]))
        mapped = model.render_mapped(prepared, motion)
        flow = network.motion(prepared.motion, motion, prepared.features)
        return taps.seen | {
            "deformation": flow.deformation,
            "visibility": flow.at((64, 64)).occlusion_map,
            "blend_mask": prepared.features[MASK],
            "blend_mask_warped": mapped.maps[MASK],
            "encoded_source": prepared.features["encoded"],
            "encoded_target": motion.extra["encoded"],
            "prediction": mapped.pictures,
        }

    def swap(self, **more: object) -> Swap:
        text = self.options["chosen_seg_indices"]
        chosen = tuple(int(number) for number in text.split("_")) if text else ()
        return Swap(
            chosen, self.options["use_source_seg"], self.options["hard_edges"], self.options["blend_scale"], **more
        )

    def driver(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        return {"prediction": self.drive(self.swap(), case, inputs)}

    def drive(self, swap: Swap, case: dict, inputs: Arrays) -> Tensor:
        source, clip = torch.from_numpy(inputs["source"])[None], inputs["driving"][case["inputs"]["frames"]]
        options = AnimateOptions(batch=2)
        return torch.cat(
            list(animate(self.model.with_swap(swap), source, TensorClip(torch.from_numpy(clip)), DEVICE, options))
        )

    def parser(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        parser = stub_parser()
        swap = self.swap(
            parse=parser.full_size_probabilities
            if case["name"].startswith(REFERENCE_TOOL)
            else parser.subsampled_probabilities
        )
        frames = [inputs["source"]] * 2 if swap.from_source else inputs["driving"][case["inputs"]["frames"]]
        mask = torch.cat([swap.mask(swap.parse(picture(frame))) for frame in frames])
        return {"mask": mask, "prediction": self.drive(swap, case, inputs)}

    def parser_stub(self, inputs: Arrays) -> dict[str, Tensor]:
        parser, source = stub_parser(), picture(inputs["source"])
        chosen = tuple(int(number) for number in self.options["chosen_seg_indices"].split("_"))
        logits = parser.logits(source, smooth=False)
        return {"logits": logits[:, [0, 7, 18]], "mask": Swap(chosen).mask(parser.full_size_probabilities(source))}

    def blend_kernels(self, _: Arrays) -> dict[str, np.ndarray]:
        filters = {scale: AntiAliasInterpolation2d(1, scale) for scale in self.options["scales"]}
        kernels = {f"kernel_{scale}": filter_.weight[0, 0].numpy() for scale, filter_ in filters.items()}
        return kernels | {f"stride_{scale}": np.array(filter_.stride) for scale, filter_ in filters.items()}

    def visualisation(self, inputs: Arrays) -> dict[str, Tensor]:
        source = picture(inputs["source"])
        segments = self.model.segmentation_module(source).extra[SEGMENTS]
        overlay = overlaid(source, segments, self.options["viz_alpha"])
        return {
            "palette": np.array(palette(segments.shape[1])),
            "color_mask": coloured(segments, (256, 256))[0].movedim(0, -1),
            "overlay": overlay[0].movedim(0, -1),
        }


def named(which: str, motions: list[Motion]) -> dict[str, Tensor]:
    return {
        f"{which}.shift": torch.cat([motion.points for motion in motions]),
        f"{which}.affine": torch.cat([motion.jacobians for motion in motions]),
        f"{which}.segmentation": torch.cat([motion.extra[SEGMENTS] for motion in motions]),
    }
