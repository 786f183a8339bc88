"""The face parsing pack's cases."""

import numpy as np
import torch
import torch.nn.functional as F
from first_order_motion.core.weights.build import load_strict
from first_order_motion.face_parsing.config import from_states
from first_order_motion.face_parsing.parser import FaceParser
from first_order_motion.module_partswap.swap import Swap
from PIL import Image
from support.parity_common import Arrays, Taps, picture
from torch import Tensor

PICTURES = {"source": ("source", ...), "driving0": ("driving", 0)}


class FaceParsingAdapter:
    def __init__(self, manifest: dict, states: dict[str, Arrays], options: dict) -> None:
        state = {key: torch.from_numpy(value) for key, value in states["network"].items()}
        self.model, self.options = FaceParser(from_states({"": state}), manifest["config"]["input_size"]), options
        load_strict(self.model.network, state, "network")

    def run(self, case: dict, inputs: Arrays) -> dict[str, Tensor]:
        return getattr(self, case["name"])(inputs)

    def network(self, inputs: Arrays) -> dict[str, Tensor]:
        results: dict[str, Tensor] = {}
        for name, (key, index) in PICTURES.items():
            stages = self.stages(picture(inputs[key][index]))
            results |= {f"{name}/{stage}": value for stage, value in stages.items()}
        return results

    def stages(self, image: Tensor) -> dict[str, Tensor]:
        network = self.model.network
        context, resnet = network.cp, network.cp.resnet
        taps = Taps(
            layer1=resnet.layer1, layer2=resnet.layer2, layer3=resnet.layer3, layer4=resnet.layer4,
            context_average=context.conv_avg, refined32=context.arm32, head32=context.conv_head32,
            refined16=context.arm16, head16=context.conv_head16, fusion_conv=network.ffm.convblk, fusion=network.ffm,
        )  # fmt: skip
        taps.entering(input=context)
        low = {"conv_out": self.model.logits(image, smooth=False)}
        seen = dict(taps.seen)
        low |= {"conv_out16": network.conv_out16(seen["head16"]), "conv_out32": network.conv_out32(seen["head32"])}
        full = {
            name: F.interpolate(value, (512, 512), mode="bilinear", align_corners=True) for name, value in low.items()
        }
        return (
            seen
            | {f"{name}_low": value for name, value in low.items()}
            | full
            | {f"{name}_stats": torch.stack([value.mean(), value.std()]) for name, value in full.items()}
        )

    def parse_seg(self, inputs: Arrays) -> dict[str, Tensor]:
        pictures = [picture(image) for image in (inputs["source"], *inputs["driving"])]
        probabilities = torch.cat([self.model.subsampled_probabilities(image) for image in pictures])
        masks = [Swap(tuple(classes)).mask(probabilities) for classes in self.options["classes"]]
        together = torch.cat(masks, dim=1)
        return {"probabilities": probabilities, "masks": together, "mask0": together[:1]}

    def labels(self, inputs: Arrays) -> dict[str, Tensor]:
        images = [Image.fromarray(inputs[key][index]) for key, index in PICTURES.values()]
        sized = [np.asarray(image.resize((512, 512), Image.Resampling.BILINEAR)) for image in images]
        logits = torch.cat([self.model.logits(picture(image)) for image in sized])
        full = F.interpolate(logits, (512, 512), mode="bilinear", align_corners=True)[..., 1::5, 2::5]
        largest = full.topk(2, dim=1).values
        return {"labels": full.argmax(dim=1), "margin": largest[:, 0] - largest[:, 1]}
