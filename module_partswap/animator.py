"""Part Swap as an `Animator`, the driver's interface."""

from __future__ import annotations

from copy import copy

from torch import Tensor
from typing_extensions import Self

from ..core.errors import InputError
from ..core.layers.decoder import last_convolutions
from ..core.layers.dense_motion import DenseMotion
from ..core.layers.grid import resize_map, warp
from ..core.types import MASK, Animator, AnimatorSpec, Mapped, Motion, Prepared
from .config import PartSwapConfig
from .reconstruction import ReconstructionModule
from .segmentation import SEGMENTS, SegmentationModule
from .swap import Swap

ENCODED, CLASSES = "encoded", "classes"


class PartSwapAnimator(Animator):
    """Segmentation and reconstruction module; see `core.types.Animator`.

    The driving clip is the target: its frames keep their pose and all that is not chosen. Motion is absolute.
    """

    config: PartSwapConfig

    def __init__(self, config: PartSwapConfig, size: int = 256) -> None:
        super().__init__()
        self.config = config
        self.segmentation_module = SegmentationModule(config)
        self.reconstruction_module = ReconstructionModule(config)
        self.spec = AnimatorSpec(
            name="Part Swap",
            size=size,
            multiple=config.multiple,
            modes=("standard",),
            has_flow=True,
            pixel_bytes=28 * config.segmentation_module.block_expansion,
            keep_in_fp32=("segmentation_module",),
            keep_in_tf32=last_convolutions(
                "reconstruction_module.bottleneck", config.reconstruction_module.num_bottleneck_blocks, 4
            ),
            keeps_pose=True,
        )
        self.swap = Swap()
        self.eval()

    def with_swap(self, swap: Swap) -> Self:
        """Return an animator with the same networks, uncopied, set to another swap."""
        other = copy(self)
        other.swap = swap
        return other

    def motion(self, driving: Tensor) -> Motion:
        """Segment pictures (B, 3, H, W); `extra` holds their features, and the mask if it is made from the targets."""
        motion, features = self.segmentation_module(driving), {ENCODED: self._encode(driving)}
        if not self.swap.from_source:
            features |= self._mask(driving, motion, features[ENCODED])
        return Motion(motion.points, motion.jacobians, {**motion.extra, **features})

    def encode(self, source: Tensor, motion: Motion) -> dict[str, Tensor]:
        """Name the source's features, and compute the mask if it is made from the source."""
        known = {name: motion.extra[name] for name in (ENCODED, CLASSES) if name in motion.extra}
        features = known | (self._mask(source, motion, known[ENCODED]) if self.swap.from_source else {})
        if self.reconstruction_module.dense_motion_network is not None:
            features |= self.reconstruction_module.dense_motion_network.encode(source, motion)
        return features

    def render(self, prepared: Prepared, motion: Motion) -> Tensor:
        """Draw B targets with the source's chosen parts: (B, 3, H, W) in [0, 1]."""
        return self._blend(prepared, motion)[0]

    def render_mapped(self, prepared: Prepared, motion: Motion) -> Mapped:
        """Draw as `render` does, and return the maps behind the pictures too.

        Beside flow and occlusion map, they are the blend `mask` (B, 1, h, w), and the segments or the parser's classes
        that it was made of: the `source`'s (1, C, h, w) and the `target`'s (B, C, h, w). Where the parser does not see
        the targets, theirs are the source's classes moved along the flow.
        """
        picture, mask, flow = self._blend(prepared, motion)
        if self.swap.parse is None:
            there, here = prepared.motion.extra[SEGMENTS], motion.extra[SEGMENTS]
        else:
            there = prepared.features[CLASSES]
            moved = self.swap.from_source
            here = warp(there, flow.deformation, self.config.align_corners) if moved else motion.extra[CLASSES]
        maps = self.reconstruction_module.maps(flow, picture)
        return Mapped(picture, maps | {"source": there, "target": here, MASK: mask})

    def _encode(self, picture: Tensor) -> Tensor:
        return self.reconstruction_module.encode(picture)[ENCODED]

    def _mask(self, picture: Tensor, motion: Motion, encoded: Tensor) -> dict[str, Tensor]:
        """Compute the mask of a picture, and with a parser the classes that it was made of."""
        if self.swap.parse is not None:
            classes = self.swap.parse(picture)
            return {CLASSES: resize_map(classes, (encoded.shape[2], encoded.shape[3])), MASK: self.swap.mask(classes)}
        if SEGMENTS not in motion.extra:
            raise InputError(
                "These weights are a plain FOMM's, which knows no segments. Use a face parser, or choose "
                "weights with segments (vox-5segments, vox-10segments, vox-15segments, vox-first-order)."
            )
        return {MASK: self.swap.mask(motion.extra[SEGMENTS])}

    def _blend(self, prepared: Prepared, motion: Motion) -> tuple[Tensor, Tensor, DenseMotion]:
        """Compute pictures, their blend masks (B, 1, h, w), and the flow at the features' size."""
        network, aligned = self.reconstruction_module, self.config.align_corners
        target = motion.extra[ENCODED]
        size = (target.shape[2], target.shape[3])
        flow = network.motion(prepared.motion, motion, prepared.features).at(size)
        moved = flow.move(prepared.features[ENCODED], aligned)
        if self.swap.from_source:
            mask = warp(resize_map(prepared.features[MASK], size), flow.deformation, aligned)
        else:
            mask = resize_map(motion.extra[MASK], size)
        return network.paint(target * (1 - mask) + moved * mask), mask, flow
