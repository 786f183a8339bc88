"""Front door of the pack: one object that loads a model, optimises it for a device and animates with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..core.device import pick_device
from ..core.errors import CheckpointError
from ..core.types import Animator, Clip, LoadOptions, Mapped
from ..core.weights.architecture import Architecture, WeightsKind
from ..core.weights.catalog import MODEL_FOLDER
from ..core.weights.checkpoint import Checkpoint, read_checkpoint
from ..core.weights.find import WeightFiles, WeightsRequest, find_weights
from . import registry
from .batch_size import choose_batch
from .best_frame import AUTO, find_best_frame, landmark_finder
from .device_copy import to_cpu_async
from .engine import Engine, optimize_for_inference
from .frames import TensorClip
from .pipeline import (
    AnimateOptions,
    Hooks,
    Pictures,
    animate,
    animate_mapped,
    animate_several,
    ignore,
    resolve_mode,
)

PACK = Path(__file__).resolve().parent.parent
EARLIER_PACK = "ComfyUI-FirstOrderMM"
DEFAULT_MODEL = "drawn-faces"


class Predictor:
    """Loaded model on a device, ready to animate any number of pictures.

    >>> predictor = Predictor.load("drawn-faces")
    >>> frames = predictor.animate_tensors(source, driving)  # (1, H, W, 3) and (N, H, W, 3) -> (N, size, size, 3)
    """

    def __init__(self, animator: Animator, device: torch.device) -> None:
        """Wrap a model that was optimised for the device and moved to it; `load` does both."""
        self.animator, self.device = animator, device

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        *,
        architecture: str | None = None,
        device: str | torch.device = "auto",
        options: LoadOptions | None = None,
        engine: Engine | None = None,
        folders: Sequence[Path] | None = None,
        download: bool = False,
        progress: Callable[[int, int | None], None] = ignore,
    ) -> Predictor:
        """Load weights by the path of a file or by a published name, and optimise them for a device.

        A file's architecture is read off its tensors, and that of a name that only one architecture uses is known;
        `architecture` decides otherwise. Names are looked for in `folders`, by default in this pack's `checkpoints`, in
        ComfyUI's model folder if the pack is installed there, and where the earlier pack kept its files. With
        `download`, published weights whose SHA-256 is known are fetched if they are missing; `progress` is called with
        the bytes so far and in total.

        Raises MissingWeightsError, CheckpointError, DownloadError, or InputError for a name, a device, an
        architecture or an option that cannot be used.
        """
        device = device if isinstance(device, torch.device) else pick_device(device)
        files, checkpoint = find_model(model, architecture, folders, download, progress)
        return cls.optimized(registry.load_files(files, options, checkpoint), device, engine)

    @classmethod
    def optimized(cls, animator: Animator, device: torch.device, engine: Engine | None = None) -> Predictor:
        """Optimise a newly loaded model for a device, in place, and move it there."""
        return cls(optimize_for_inference(animator, device, engine).to(device), device)

    @property
    def size(self) -> int:
        """Side in pixels that the weights were trained at, and that of results unless the options say otherwise."""
        return self.animator.spec.size

    def find_best_frame(
        self,
        source: Pictures,
        driving: Clip | Tensor,
        options: AnimateOptions | None = None,
        hooks: Hooks | None = None,
        method: str = AUTO,
    ) -> int:
        """Find the index of the driving frame whose pose is closest to the source's.

        `method` is one of `best_frame.METHODS`. Raises InputError.
        """
        options, hooks = choose_batch(options or AnimateOptions(), hooks or Hooks(), self.animator, self.device)
        finder = landmark_finder(method, self.device)
        return find_best_frame(self.animator, source, as_clip(driving), self.device, options, hooks, finder)

    def animate(
        self,
        source: Pictures,
        driving: Clip | Tensor,
        options: AnimateOptions | None = None,
        hooks: Hooks | None = None,
        best_frame: str | None = None,
    ) -> Iterator[Tensor]:
        """Animate a picture, or several of one face, with a clip.

        Yields frames (b, 3, size, size) in [0, 1] on the CPU, in order. Pictures are (1, H, W, C), clips (N, H, W, C)
        or a `Clip`, of floats in [0, 1] or of integers. `best_frame`, one of `best_frame.METHODS`, has relative motion
        measured from the frame that it finds. The memory this takes does not grow with the clip. Raises InputError.
        """
        clip = as_clip(driving)
        options, hooks = self._resolve_options(source, clip, options, hooks, best_frame)
        yield from to_cpu_async(animate(self.animator, source, clip, self.device, options, hooks))

    def animate_mapped(
        self,
        source: Pictures,
        driving: Clip | Tensor,
        options: AnimateOptions | None = None,
        hooks: Hooks | None = None,
    ) -> Iterator[Mapped]:
        """Animate as `animate` does, and yield the maps behind the pictures with them, all on the model's device."""
        clip = as_clip(driving)
        options, hooks = self._resolve_options(source, clip, options, hooks, None)
        yield from animate_mapped(self.animator, source, clip, self.device, options, hooks)

    def animate_several(
        self,
        sources: Sequence[Pictures],
        driving: Clip | Tensor,
        options: AnimateOptions | None = None,
        hooks: Hooks | None = None,
        best_frame: str | None = None,
    ) -> Iterator[list[Tensor]]:
        """Animate several pictures by one clip, whose poses are read once: for each batch a list as of `animate`."""
        clip = as_clip(driving)
        resolved = [self._resolve_options(source, clip, options, hooks, best_frame) for source in sources]
        chosen = [(source, options) for source, (options, _) in zip(sources, resolved, strict=True)]
        for batch in animate_several(self.animator, chosen, clip, self.device, resolved[0][1]):
            yield [pictures.cpu() for pictures in batch]

    def animate_tensors(
        self, source: Tensor, driving: Tensor, options: AnimateOptions | None = None, best_frame: str | None = None
    ) -> Tensor:
        """Animate a picture (1, H, W, 3) with frames (N, H, W, 3): (N, size, size, 3), all of them in memory."""
        return torch.cat([*self.animate(source, driving, options, best_frame=best_frame)]).movedim(1, -1)

    def _resolve_options(
        self,
        source: Pictures,
        clip: Clip,
        options: AnimateOptions | None,
        hooks: Hooks | None,
        best_frame: str | None,
    ) -> tuple[AnimateOptions, Hooks]:
        """Choose the batch and find the anchor."""
        options, hooks = choose_batch(options or AnimateOptions(), hooks or Hooks(), self.animator, self.device)
        if best_frame is not None and resolve_mode(self.animator, options) == "relative":
            options = replace(options, anchor=self.find_best_frame(source, clip, options, hooks, best_frame))
        return options, hooks


def as_clip(driving: Clip | Tensor) -> Clip:
    """Wrap frames (N, H, W, C), or one (H, W, C), as a clip; return a clip unchanged."""
    return TensorClip(driving) if isinstance(driving, Tensor) else driving


def find_model(
    model: str | Path,
    architecture: str | None = None,
    folders: Sequence[Path] | None = None,
    download: bool = False,
    progress: Callable[[int, int | None], None] = ignore,
) -> tuple[WeightFiles, Checkpoint | None]:
    """Find the files of a model by a path or by a published name; see `Predictor.load`.

    A file that had to be read to identify its architecture is returned with its content.
    """
    path, checkpoint = Path(model), None
    if isinstance(model, Path) or path.is_file():
        if architecture is None:
            checkpoint = read_checkpoint(path)
            architecture = _architecture_of(checkpoint)
        row = registry.architecture(architecture)
        return WeightFiles.of(row, path, _folders(row.id, folders)), checkpoint
    row = registry.architecture(architecture or registry.named_weights(model)[0].id)
    return find_published(row, model, folders, download, progress), None


def find_published(
    kind: WeightsKind,
    name: str,
    folders: Sequence[Path] | None = None,
    download: bool = False,
    progress: Callable[[int, int | None], None] = ignore,
) -> WeightFiles:
    """Find published weights of a kind by their name; see `Predictor.load` for folders, download and errors."""
    request = WeightsRequest(name, download=download)
    return find_weights(kind, request, _folders(kind.id, folders), progress, ignore)


def _architecture_of(checkpoint: Checkpoint) -> str:
    kind = registry.identify(checkpoint)
    if not isinstance(kind, Architecture):
        what = "of no architecture this pack knows" if kind is None else f"{kind.name}, which animates nothing"
        raise CheckpointError(f"{checkpoint.path} is {what}. Choose another file.")
    return kind.id


def _folders(identity: str, folders: Sequence[Path] | None) -> list[Path]:
    return default_folders(identity) if folders is None else [*folders]


def default_folders(identity: str) -> list[Path]:
    """List the folders in which weights are looked for outside ComfyUI, in order."""
    comfy = PACK.parent.parent / "models" / MODEL_FOLDER
    return registry.weight_folders(identity, [comfy] if comfy.is_dir() else [], [PACK, PACK.parent / EARLIER_PACK])
