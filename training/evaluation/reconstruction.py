"""Reconstruction of videos from their first frames, as published: every frame drives, and is the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

from ...animation.options import AnimateOptions
from ...animation.predictor import Predictor
from ...animation.retarget import Retargeting
from ...core.types import Clip
from .tally import Tally

MODEL, COPY = GUESSES = ("model", "copy")
"""Names of what is compared with the truth: the model's pictures, and the source itself."""
FRAMES_AT_ONCE = 8


class Judge(Protocol):
    """Further measure, of faces: adds to a tally what it finds of guesses and truth, both (T, 3, H, W) in [0, 1]."""

    def __call__(self, tally: Tally, guesses: Mapping[str, Tensor], truth: Tensor) -> None: ...


class NamedClip(Clip, Protocol):
    """Clip of a video with a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """Errors of the reconstruction of `videos` videos of `frames` frames in all: measure -> guess -> value.

    L1 is the mean absolute difference of all values of pixels in [0, 1], PSNR in dB that of the mean squared
    difference, SSIM the mean over frames.
    """

    videos: int
    frames: int
    measures: Mapping[str, Mapping[str, float]]

    def table(self) -> str:
        """Write the measures as a Markdown table."""
        lines = ["| measure | model | copied source |", "|---|---|---|"]
        for measure, values in self.measures.items():
            lines.append(f"| {measure} | {values[MODEL]:.4f} | {values[COPY]:.4f} |")
        return "\n".join(lines)


def reconstruct(
    predictor: Predictor,
    videos: Iterable[NamedClip],
    judges: Sequence[Judge] = (),
    most_frames: int | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> Reconstruction:
    """Measure how well a model shows each video by its frame 0 and the absolute poses of its frames, that one included.

    Frames have the model's own size. `most_frames` limits those of each video.
    """
    tally, count = Tally(), 0
    for video in videos:
        progress(video.name)
        for made, source, truth in _pairs(predictor, video, most_frames):
            guesses = {MODEL: made, COPY: source.expand_as(truth)}
            measure(tally, guesses, truth)
            for judge in judges:
                judge(tally, guesses, truth)
        count += 1
    means = tally.means()
    return Reconstruction(count, tally.counts.get(f"L1 {MODEL}", 0), _by_measure(means))


def measure(tally: Tally, guesses: Mapping[str, Tensor], truth: Tensor) -> None:
    """Add L1, squared error and SSIM of pictures (T, 3, H, W) in [0, 1], by the names of the guesses."""
    true = truth.movedim(1, -1).numpy()
    for name, guess in guesses.items():
        error = guess - truth
        tally.add(f"L1 {name}", error.abs().mean((1, 2, 3)))
        tally.add(f"PSNR {name}", error.square().mean((1, 2, 3)))
        shown = guess.movedim(1, -1).numpy()
        tally.add(f"SSIM {name}", [ssim(one, other) for one, other in zip(shown, true, strict=True)])


def ssim(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Compute the structural similarity of pictures (H, W, 3) in [0, 1], by Gaussian windows (Wang et al. 2004)."""
    return float(
        structural_similarity(
            one, other, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def _by_measure(means: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Sort means named "measure guess" by measure, squared errors as PSNR."""
    found: dict[str, dict[str, float]] = {}
    for name, value in means.items():
        measured, _, guess = name.rpartition(" ")
        if measured == "PSNR":
            value = math.inf if value == 0 else -10 * math.log10(value)
        found.setdefault(measured, {})[guess] = value
    return {measured: {name: values.get(name, math.nan) for name in GUESSES} for measured, values in found.items()}


def _pairs(predictor: Predictor, video: Clip, most: int | None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield batches of the model's pictures, the source, and the truth, (T, 3, H, W) in [0, 1] on the CPU."""
    background = predictor.animator.spec.has_background
    options = AnimateOptions(Retargeting("standard", background=background), batch=FRAMES_AT_ONCE)
    first = video.frame(0)
    truth = (frame for chunk in video.chunks(FRAMES_AT_ONCE) for frame in chunk)
    left = len(video) if most is None else min(most, len(video))
    for made in predictor.animate(first, video, options):
        true = [*islice(truth, min(left, len(made)))]
        if not true:
            return
        left -= len(true)
        pictures = torch.stack(true).movedim(-1, 1) / 255
        yield made[: len(true)].float(), first.movedim(-1, 1) / 255, pictures
