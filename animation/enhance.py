"""Enhancement of animated faces and pictures by a restoration or upscale model, frame by frame.

Models come as spandrel's descriptors, which is what ComfyUI's upscale models are; `upscale_model.py` loads one from a
file. GFPGAN's and CodeFormer's own code takes and gives colours in -1..1, which spandrel's call of them does not do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from ..core.errors import CheckpointError, InputError
from ..core.inference.precision import inference_mode
from .faces.square import resized
from .options import Hooks
from .out_of_memory import BackOff, try_twice

log = logging.getLogger(__name__)

FACE_SIDE = 512  # pixels; of the crops that restorers of faces were trained on
FACES = "FaceSR"  # spandrel's word for their purpose
PURPOSES = (FACES, "SR", "Restoration")
SIGNED: dict[str, dict[str, bool]] = {"GFPGAN": {"randomize_noise": False}, "CodeFormer": {}}
"""Models whose colours are in -1..1, with the arguments they are called with.

GFPGAN would draw new noise at each call, so that textures flicker; its files hold one noise for all calls, too.
"""


class Named(Protocol):
    """Architecture of a model."""

    @property
    def id(self) -> str: ...


class Descriptor(Protocol):
    """Part of a `spandrel.ImageModelDescriptor` that is used; a call takes and gives (B, C, H, W) in [0, 1]."""

    @property
    def model(self) -> nn.Module: ...
    @property
    def architecture(self) -> Named: ...
    @property
    def purpose(self) -> str: ...

    scale: int
    input_channels: int
    output_channels: int
    supports_bfloat16: bool

    def __call__(self, image: Tensor, /) -> Tensor: ...


def check_shares(strength: float = 1.0, steadiness: float = 0.0) -> None:
    """Raise InputError for a strength or a steadiness of an enhancer that cannot be."""
    if not 0 <= strength <= 1:
        raise InputError(f"is {strength:g}; 0 to 1 was wanted. 1 takes the model's pictures.", "strength")
    if not 0 <= steadiness < 1:
        raise InputError(f"is {steadiness:g}; 0 to below 1 was wanted. Try 0.5.", "steadiness")


@dataclass(frozen=True, slots=True)
class Enhancer:
    """Enhancer of pictures on a device.

    >>> enhancer = Enhancer(load_upscale_model("GFPGANv1.4.pth"), predictor.device)
    >>> batches = enhancer.stream(predictor.animate(source, driving))

    Restorers of faces (GFPGAN, CodeFormer, RestoreFormer) get each picture, an upright face, at 512 x 512 pixels; other
    models get it as it is. The result has `result_side` pixels, or with `keep_size` those of the picture. `strength`, 0
    to 1, is how much of the model's correction is added to the enlarged picture. `steadiness`, 0 to below 1, is how
    much of that correction is carried over from the frame before, against flicker; what moves then trails a little.

    `batch` is how many pictures are worked on at once. With `half`, layers run in bfloat16 if the descriptor says that
    the model can. With `unit_range`, GFPGAN and CodeFormer get colours in 0..1: for weights that make noise otherwise.

    Raises InputError for a model that does not make a colour picture of one, and for other numbers.
    """

    descriptor: Descriptor
    device: torch.device
    strength: float = 1.0
    steadiness: float = 0.0
    batch: int = 4
    keep_size: bool = field(default=False, kw_only=True)
    half: bool = field(default=False, kw_only=True)
    unit_range: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Check the model and the numbers."""
        check_shares(self.strength, self.steadiness)
        if self.batch < 1:
            raise InputError(f"is {self.batch}; 1 or more was wanted. 4 suits most devices.", "batch")
        name, purpose = self.descriptor.architecture.id, self.descriptor.purpose
        if purpose not in PURPOSES:
            raise InputError(
                f"is {name}, a model of another purpose ({purpose}); one that restores or enlarges pictures was "
                "wanted. Choose another file.",
                "descriptor",
            )
        channels = self.descriptor.input_channels, self.descriptor.output_channels
        if channels != (3, 3):
            raise InputError(
                f"is {name} from {channels[0]} to {channels[1]} channels; one for RGB pictures (3 to 3) was wanted. "
                "Choose another file.",
                "descriptor",
            )
        if self.half and not self.descriptor.supports_bfloat16:
            log.warning("%s does not work in bfloat16; it runs in float32.", name)

    @property
    def restores_faces(self) -> bool:
        """Tell whether the model is for faces alone, and takes nothing but squares of FACE_SIDE."""
        return self.descriptor.purpose == FACES

    def result_side(self, side: int) -> int:
        """Return the side of the results for pictures of a side."""
        return side if self.keep_size else (FACE_SIDE if self.restores_faces else side) * self.descriptor.scale

    def stream(self, batches: Iterable[Tensor], hooks: Hooks | None = None) -> Iterator[Tensor]:
        """Enhance pictures (b, 3, s, s), or several faces a frame (b, faces, 3, s, s), float in [0, 1] on the CPU.

        Yields float32 pictures in the same order, in as many parts as `batch` and memory require; the memory it takes
        does not grow with the number of frames. The model is on the device while the stream is read, and goes back to
        where it was. Raises InputError, OutOfMemoryError, or CheckpointError for a model that makes NaN.
        """
        hooks = hooks or Hooks()
        model = self.descriptor.model.eval()
        home = next((number.device for number in model.parameters()), self.device)
        run = _Run(self, BackOff(hooks.free_memory, "pictures to enhance"))
        try:
            if self.strength:
                try_twice(lambda: model.to(self.device), hooks.free_memory, f"moving the enhancer to {self.device}")
            for batch in batches:
                faces = batch.shape[1] if batch.ndim == 5 else 1
                for part in torch.split(batch, max(1, self.batch // max(1, faces))):
                    hooks.check_cancelled()
                    yield run.part(part)
        finally:
            model.to(home)
            hooks.free_memory()

    def stream_faces(self, frames: Iterable[Sequence[Tensor]], hooks: Hooks | None = None) -> Iterator[list[Tensor]]:
        """Enhance the faces (3, s, s) of one frame after another: the same number in each, one at least."""
        for batch in self.stream(self._gathered(iter(frames)), hooks):
            yield from ([*faces] for faces in batch)

    def _gathered(self, frames: Iterator[Sequence[Tensor]]) -> Iterator[Tensor]:
        for first in frames:
            more = islice(frames, max(0, self.batch // len(first) - 1))
            yield torch.stack([torch.stack([*faces]) for faces in (first, *more)])


class _Run:
    """Reading of one stream: the corrections of the frame before, and how many pictures fit into memory."""

    def __init__(self, enhancer: Enhancer, back_off: BackOff) -> None:
        self._enhancer, self._back_off = enhancer, back_off
        self._before: Tensor | None = None  # (faces, 3, S, S)

    @inference_mode()
    def part(self, frames: Tensor) -> Tensor:
        """Enhance a few frames (b, 3, s, s) or (b, faces, 3, s, s)."""
        self._check(frames)
        pictures = frames.flatten(0, -4)
        chunks = torch.split(pictures, self._enhancer.batch)
        pairs = [pair for chunk in chunks for pair in self._back_off.run(self._pair, chunk)]
        plain, made = (torch.cat(part) for part in zip(*pairs, strict=True))
        plain, made = (whole.view(*frames.shape[:-2], *whole.shape[-2:]) for whole in (plain, made))
        if not self._enhancer.strength:
            return plain
        return plain.add_(self._steadied(made.sub_(plain)), alpha=self._enhancer.strength).clamp_(0, 1)

    def _check(self, frames: Tensor) -> None:
        shape = tuple(frames.shape)
        if len(shape) not in (4, 5) or shape[-3] != 3 or 0 in shape or not frames.is_floating_point():
            raise InputError(f"have shape {shape} of {frames.dtype}; floats (b, 3, s, s) were wanted.", "batches")
        if self._enhancer.restores_faces and shape[-1] != shape[-2]:
            name = self._enhancer.descriptor.architecture.id
            raise InputError(f"have shape {shape}; {name} takes square pictures of faces. Cut them out.", "batches")

    def _pair(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return pictures (b, 3, h, w) at the result's size, and what the model makes of them, both on the CPU."""
        enhancer = self._enhancer
        given = pictures.to(enhancer.device, torch.float32)
        fed = resized(given, (FACE_SIDE, FACE_SIDE)) if enhancer.restores_faces else given
        fed = fed.contiguous()  # GFPGAN fails on channels that come last, which is how animators draw
        height, width = (enhancer.result_side(side) for side in given.shape[-2:])
        plain = resized(given, (height, width)).to("cpu", copy=True)
        if not enhancer.strength:
            return plain, plain
        made = resized(_call(enhancer, fed), (height, width)).cpu()
        if not made.isfinite().all():
            raise CheckpointError(
                f"{enhancer.descriptor.architecture.id} makes values that are no numbers (NaN or infinite); a working "
                "enhancer was wanted. Download its weights again."
            )
        return plain, made

    def _steadied(self, corrections: Tensor) -> Tensor:
        """Blend corrections (b, ..., 3, S, S), in place, each with those of all frames before it."""
        if self._enhancer.steadiness:
            for correction in corrections:
                if self._before is not None and self._before.shape == correction.shape:
                    correction.lerp_(self._before, self._enhancer.steadiness)
                self._before = correction.clone()
        return corrections


def _call(enhancer: Enhancer, pictures: Tensor) -> Tensor:
    """Run the model on pictures (b, 3, h, w) in [0, 1] on its device: float32 in [0, 1], h and w times its scale."""
    descriptor, kind = enhancer.descriptor, enhancer.descriptor.architecture.id
    half = enhancer.half and descriptor.supports_bfloat16
    with torch.autocast(enhancer.device.type, torch.bfloat16) if half else nullcontext():
        if kind not in SIGNED:
            return descriptor(pictures).float()
        given = pictures if enhancer.unit_range else pictures * 2 - 1
        made = cast(Sequence[Tensor], descriptor.model(given, **SIGNED[kind]))[0].float()
    return (made if enhancer.unit_range else (made + 1) / 2).clamp_(0, 1)
