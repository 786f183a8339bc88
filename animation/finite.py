"""Results that are no numbers: made visible where a picture would hide them, and found without waiting for the device.

The device marks bad pictures with NaN; they are looked at where they arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from torch import Tensor

from ..core.errors import CheckpointError
from ..core.types import Animator, Motion, Prepared, Watch

T = TypeVar("T")


def mark_not_finite(pictures: Tensor, animator: Animator, prepared: Prepared, motion: Motion) -> Tensor:
    """Make NaN, in place, the pictures (B, 3, H, W) of poses that are not finite, and all once a layer overflowed.

    Neither need show: grid sampling draws black for a pose of NaN, a sigmoid white or black for infinity.
    """
    doubt = _pose_sums(motion) + _pose_sums(prepared.motion)
    watch: Watch | None = getattr(animator, "watch", None)  # stand-ins for an animator may have none
    if watch is not None:
        doubt = doubt + watch.total.to(doubt.device)
    return pictures.add_((0 * doubt).view(-1, 1, 1, 1))


def _pose_sums(motion: Motion) -> Tensor:
    """Add up each pose: (B)."""
    parts = [part for part in (motion.points, motion.jacobians) if part is not None]
    return sum((part.float().flatten(1).sum(dim=1) for part in parts), start=motion.points.new_zeros(len(motion)))


def not_finite(file: str) -> CheckpointError:
    """Make the error for weights that give results that are not finite in float32."""
    return CheckpointError(
        f"{file} makes pictures of NaN; finite numbers were wanted. Download the file anew, or choose another."
    )


def first_not_finite(pictures: Tensor) -> int | None:
    """Return the index of the first of the pictures (B, ...) with a value that is NaN or infinite; None without any."""
    bad = pictures.flatten(1).sum(dim=1).isfinite().logical_not().nonzero()
    return int(bad[0]) if len(bad) else None


def until_not_finite(
    parts: Iterable[T], pictures_of: Callable[[T], Tensor]
) -> Generator[T, None, tuple[int, int | None]]:
    """Yield batches until one holds a picture that is not finite.

    Returns how many frames were yielded, and the index of the first bad one; None if the batches simply ended.
    """
    done = 0
    for part in parts:
        pictures = pictures_of(part)
        bad = first_not_finite(pictures)
        if bad is not None:
            return done, done + bad
        done += len(pictures)
        del pictures
        yield part
        del part
    return done, None
