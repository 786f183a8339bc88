"""Errors of a model on drawn faces it has never seen, each beside those of simple baselines."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ...animation.options import AnimateOptions
from ...animation.predictor import Predictor
from ...animation.retarget import Retargeting
from ..drawn.pairs import HeldOutClip, held_out_clip
from ..pose_reader import NAMES, PoseReader, true_values
from .tally import Tally

GAP = 5  # frames between two that are looked at; 24 frames are about a second


def compare(tally: Tally, kind: str, result: Tensor, source: Tensor, truth: Tensor, details: Tensor) -> None:
    """Add L1 of the result, of the copied source and of the mean true frame: everywhere, and at eyes and mouths."""
    guesses = {"model": result, "copy": source.expand_as(truth), "mean": truth.mean(0, keepdim=True)}
    for name, guess in guesses.items():
        error = (guess - truth).abs()
        tally.add(f"{kind} {name}", error.mean((1, 2, 3)))
        at_details = (error * details).sum((1, 2, 3)) / (3 * details.sum((1, 2, 3))).clamp(min=1e-6)
        tally.add(f"{kind} {name} details", at_details)


def compare_poses(
    tally: Tally, reader: PoseReader, result: Tensor, source: Tensor, truth: Tensor, pose: Tensor
) -> None:
    """Add errors of the pose read from the result, from the motionless source and, as the floor, from the truth."""
    for name, pictures in {"model": result, "copy": source, "floor": truth}.items():
        error = (reader(pictures) - pose).abs()  # (T, 8)
        for i, part in enumerate(NAMES):
            tally.add(f"{part} {name}", error[:, i])


def transfer(predictor: Predictor, source: Tensor, driving: Tensor) -> Tensor:
    """Animate a source (1, 3, H, W) by the motion of driving frames (T, 3, H, W) since their first: (T, 3, H, W)."""
    options = AnimateOptions(Retargeting("relative", adapt_scale=False))
    return predictor.animate_tensors(source.movedim(1, -1), driving.movedim(1, -1), options).movedim(-1, 1)


@torch.inference_mode()
def judge_clip(predictor: Predictor, reader: PoseReader, clip: HeldOutClip, size: int, tally: Tally) -> None:
    """Add the errors of one clip: each identity's first picture, animated by all frames of the first identity."""
    driving, details, _ = clip.paint(clip.identity, size)
    compare(tally, "same", transfer(predictor, driving[:1], driving)[1:], driving[:1], driving[1:], details[1:])
    truth, details, _ = clip.paint(clip.other, size)
    result, poses = transfer(predictor, truth[:1], driving), true_values(clip.pose)
    compare(tally, "cross", result[1:], truth[:1], truth[1:], details[1:])
    compare_poses(tally, reader, result[1:], truth[:1], truth[1:], poses[1:])


def judge(predictor: Predictor, reader: PoseReader, clips: int = 200, frames: int = 9) -> Mapping[str, float]:
    """Average errors over `clips` unseen clips, `frames` frames of each, by name."""
    tally = Tally()
    for number in range(clips):
        clip = held_out_clip(number, frames * GAP).every(GAP)
        judge_clip(predictor, reader, clip, predictor.size, tally)
    return tally.means()


def table(means: Mapping[str, float]) -> str:
    """Write the means as a Markdown table."""
    lines = ["| L1 | model | copied source | mean frame | model / copy | model / mean |", "|---|---|---|---|---|---|"]
    for kind, words in (("same", "same identity"), ("cross", "another identity")):
        for suffix, place in (("", "whole picture"), (" details", "eyes and mouth")):
            model, copy, mean = (means[f"{kind} {name}{suffix}"] for name in ("model", "copy", "mean"))
            ratios = f"{model / copy:.2f} | {model / mean:.2f}"
            lines.append(f"| {words}, {place} | {model:.4f} | {copy:.4f} | {mean:.4f} | {ratios} |")
    lines += ["", "| pose read back | result | motionless source | true picture |", "|---|---|---|---|"]
    for part in NAMES:
        lines.append(
            f"| {part} |" + "".join(f" {means[f'{part} {name}']:.3f} |" for name in ("model", "copy", "floor"))
        )
    return "\n".join(lines)
