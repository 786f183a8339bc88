"""Training on videos, by the published rules of each architecture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..core.errors import InputError, MediaError
from ..core.output_path import shown
from .config import VideoConfig
from .data.batch import Batch, collate
from .data.dataset import FramesDataset
from .data.layout import TEST, TRAIN
from .distributed import Ranks
from .families import CLIP, Family
from .objectives.base import Comparison
from .objectives.distillation import DistillationParams, Teacher
from .optimizers import build_optimizers, set_rates
from .perceptual import load_vgg19, warn_without_vgg19
from .preview import pairs_sheet, transfer
from .recipe import Recipe, Step
from .sampler import DrawSampler
from .transform import Transform
from .video_params import VideoTrainParams
from .workers import born_without_signals, follow_parent

SMALLEST: Final = 16  # pixels of a picture that VGG19 can look at
MOST_WORKERS: Final = 8  # processes that read videos, unless one asks for more
PREFETCHED: Final = 4  # batches that each of them has ready
TESTED: Final = 16  # videos that are evaluated on
FRAMES: Final = 4  # of each
ROWS: Final = 8  # of a contact sheet
AT_ONCE: Final = 4  # pictures in evaluation


class VideoRecipe(Recipe):
    """Networks of one architecture, trained on pairs of frames."""

    params: VideoTrainParams

    def __init__(self, config: VideoConfig, ranks: Ranks) -> None:
        params, self._ranks, self._family = config.train_params, ranks, config.family
        self._dataset = FramesDataset(config.dataset_params, TRAIN, params.seed)
        self._share = ranks.share_of(params.batch_size)
        self._config, self._epoch = config, -1
        size = self._size()
        torch.manual_seed(params.seed)  # pyright: ignore[reportUnknownMemberType]
        family, model = config.family, config.model_params
        animator = family.animator(model.config, size)
        if size % animator.spec.multiple:
            raise InputError(
                f"dataset_params.frame_shape has {size} pixels; a multiple of {animator.spec.multiple} was wanted for "
                "these networks. Change it."
            )
        super().__init__(family.id, params, animator, ranks.device)
        teacher = None if params.distillation is None else _teacher(params.distillation, size, ranks.device)
        comparison = Comparison(load_vgg19(params.vgg), params.scales, params.transform_params, teacher)
        self._lacks_vgg = comparison.vgg is None
        _refuse_small(size, comparison)
        self._losses = family.objective(animator, params, model, comparison)
        critic = getattr(self._losses, "discriminator_objective", None)
        whole = (*animator.spec.keep_in_fp32, *animator.spec.keep_in_tf32, "bg_predictor")
        kept = [name for name in whole if name in self._losses.networks]
        joined = ranks.synchronised(self._losses) if params.use_sync_bn else self._losses
        self.adopt(joined, self._losses.networks, critic, kept)
        joined.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.optimizers = build_optimizers(family.optimizers, self.networks, params)
        if critic is not None:
            self.critics = build_optimizers(family.critics, critic.networks, params)
        self.steps_per_epoch = self._sampler(0).steps

    def _size(self) -> int:
        size = self._dataset.reader.size
        if size is None or size[0] != size[1]:
            raise InputError(f"dataset_params.frame_shape is {size}; a square was wanted. Change it, or prepare again.")
        crop = self._config.dataset_params.augmentation_params.crop_param
        cropped = None if crop is None else crop.size
        return size[0] if cropped is None else cropped if isinstance(cropped, int) else cropped[0]

    def _sampler(self, step: int) -> DrawSampler:
        ranks = self._ranks
        repeats = self.params.num_repeats
        return DrawSampler(
            len(self._dataset), repeats, self._share, self.params.seed, ranks.rank, ranks.world, start=step
        )

    def batches(self, step: int) -> Iterator[Step]:
        """Yield batches without end, beginning with that of a step, and the transforms that go with them."""
        workers = self._workers()
        loader = DataLoader(
            self._dataset,
            batch_sampler=self._sampler(step),
            num_workers=workers,
            collate_fn=collate,
            pin_memory=self.device.type == "cuda",
            worker_init_fn=follow_parent,
            multiprocessing_context="spawn" if workers else None,  # a copy of this process would hold FFmpeg's threads
            prefetch_factor=PREFETCHED if workers else None,
        )
        with born_without_signals():
            loaded = iter(cast(Iterable[Batch], loader))
        for batch in loaded:
            yield batch.to(self.device), self._transform(batch.draws)

    def _transform(self, draws: Tensor) -> Transform:
        return self._losses.transform_for(draws, self.params.seed, self.device)

    def _workers(self) -> int:
        given = self.params.dataloader_workers
        if given is not None:
            return given
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        return max(1, min(MOST_WORKERS, available // here - 1))

    def schedule(self, step: int, share: float) -> None:
        """Begin an epoch where one begins, and set the learning rates."""
        epoch = step // self.steps_per_epoch
        if epoch != self._epoch:
            self._losses.begin_epoch(epoch)
            self._epoch = epoch
        factor = self.params.factor(epoch, share)
        for rows, optimizers in ((self._family.optimizers, self.optimizers), (self._family.critics, self.critics)):
            set_rates(rows, optimizers, self.params, factor)

    def clip(self) -> dict[str, Tensor]:
        """Bound the gradients as the published training does, and then as one asks for."""
        for name in self._family.clipped:
            if name in self.networks:
                torch.nn.utils.clip_grad_norm_(self.networks[name].parameters(), CLIP, float("inf"))
        return super().clip()

    def share_done(self, step: int, seconds: float) -> float:
        """Return the share of the run that is over, in [0, 1]."""
        return max(super().share_done(step, seconds), min(1.0, step / (self.params.num_epochs * self.steps_per_epoch)))

    def saves_at(self, step: int) -> bool:
        """Tell whether `checkpoint_freq` epochs have gone by."""
        return step % (self.params.checkpoint_freq * self.steps_per_epoch) == 0

    @cached_property
    def _pairs(self) -> tuple[Tensor, Tensor]:
        """First frames, and others, of videos that are not trained on (N, 3, H, W), uint8; of others without any."""
        try:
            tests = FramesDataset(self._config.dataset_params, TEST, self.params.seed)
        except MediaError:
            tests = self._dataset
        sources: list[Tensor] = []
        drivings: list[Tensor] = []
        for _, video in zip(range(TESTED), tests.test_videos(), strict=False):
            first = video.frame(0)
            for part in range(1, FRAMES + 1):
                sources.append(first)
                drivings.append(video.frame((len(video) - 1) * part // FRAMES))
        if not sources:
            root = shown(self._config.dataset_params.root_dir)
            raise MediaError(f"{root} has no video that can be read; whole ones were wanted. Export them anew.")
        frames = [torch.cat(found).movedim(-1, 1).contiguous() for found in (sources, drivings)]
        return frames[0], frames[1]

    def sheet(self) -> Tensor:
        """Lay out pairs of frames, each of another video."""
        chosen = [frames[FRAMES // 2 :: FRAMES][:ROWS].to(self.device) / 255 for frames in self._pairs]
        return pairs_sheet(self.shown, chosen[0], chosen[1])

    def evaluate(self) -> float:
        """Return the mean absolute difference of frames drawn from the first ones."""
        errors: list[Tensor] = []
        sources, drivings = (torch.split(frames, AT_ONCE) for frames in self._pairs)
        for source, driving in zip(sources, drivings, strict=True):
            truth = driving.to(self.device) / 255
            found = transfer(self.shown, source.to(self.device) / 255, truth)
            errors.append((found - truth).abs().mean((1, 2, 3)))
        return torch.cat(errors).mean().item()

    def warn(self) -> None:
        """Say that pictures are not compared as published, where VGG19 is missing."""
        if self._lacks_vgg:
            warn_without_vgg19()

    def notes(self) -> dict[str, str]:
        """Say what pictures were compared by."""
        return self._losses.metadata

    def published(self, step: int) -> tuple[str, dict[str, object]]:
        """Return name and content of a file as the authors' code writes it after so many steps."""
        family: Family = self._family
        epoch = max(0, step - 1) // self.steps_per_epoch
        networks = {**self.networks, **({} if self.critic is None else self.critic.networks)}
        modules = {**networks, **self.optimizers, **self.critics}
        content: dict[str, object] = {name: module.state_dict() for name, module in modules.items()}
        return family.file.format(epoch), {**content, family.epoch: epoch}


def _teacher(params: DistillationParams, size: int, device: torch.device) -> Teacher:
    """Load the model to learn from. Raises InputError for one that cannot draw pictures of the size."""
    teacher = Teacher.load(params, device)
    if size % (multiple := teacher.animator.spec.multiple):
        raise InputError(
            f"distillation.teacher draws pictures of a multiple of {multiple} pixels; the model's have {size}. Choose "
            "another teacher."
        )
    return teacher


def _refuse_small(size: int, comparison: Comparison) -> None:
    """Raise InputError for scales at which pictures are too small for VGG19."""
    least = min(comparison.scales)
    if comparison.vgg is not None and size * least < SMALLEST:
        raise InputError(
            f"train_params.scales has {least:g}, at which {size} pixels become {size * least:g}; {SMALLEST} or more "
            "were wanted for VGG19. Leave it out."
        )
