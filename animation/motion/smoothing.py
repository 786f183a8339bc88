"""Smoothing of poses over time: without a lag where a clip can be looked ahead in, and in one pass where it cannot."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from ...core.inference.precision import inference_mode
from ...core.types import AnimatorSpec, Motion

REACH = 4  # standard deviations of the Gaussian that are looked ahead and back; beyond lie 0.006 % of it
SPEED_GAIN = 8.0  # Hz of cutoff per half picture side a second, of the causal filter
SPEED_CUTOFF = 2.0  # Hz, of the speed that it goes by


MOST_REACH = 10**6  # frames


def reach_of(seconds: float, rate: float) -> int:
    """Count the frames that are looked ahead, and back, for smoothing by `seconds` at `rate` frames per second."""
    return round(min(REACH * seconds * rate, MOST_REACH))


def smoothed(
    stream: Iterable[Motion], seconds: float, rate: float, spec: AnimatorSpec, frames: int = MOST_REACH
) -> Iterator[Motion]:
    """Smooth a stream of poses by a Gaussian with the standard deviation `seconds`, at `rate` frames per second.

    Zero phase: it looks as far ahead as back, so that nothing comes late; beyond its ends the clip stands still.
    Batches come out no larger than they went in, and how a clip is cut into them changes nothing. Points, linear maps
    and the extras that the spec says describe the pose are smoothed. It holds the poses it looks ahead to, no more, and
    work is bounded by the clip's `frames` where they are known.
    """
    reach = reach_of(seconds, rate)
    if reach == 0:
        yield from stream
        return
    window, largest = _Window(_gaussian(seconds * rate, reach, frames), spec), 0
    for batch in stream:
        largest = max(largest, len(batch))
        window.add(batch)
        while window.ready >= largest:
            yield window.take(largest)
    window.finish()
    while window.ready:
        yield window.take(min(largest, window.ready))


def without_first(stream: Iterable[Motion], count: int) -> Iterator[Motion]:
    """Leave out the first `count` poses of a stream."""
    for batch in stream:
        left, count = batch[count:], max(0, count - len(batch))
        if len(left):
            yield left


def _gaussian(deviation: float, reach: int, most: int) -> list[float]:
    """List the weights of frames `reach` back to `reach` ahead; what is more than `most` away counts as being there.

    Beyond a clip's ends it stands still, so that this changes nothing.
    """
    half = [math.exp(-0.5 * (place / deviation) ** 2) for place in range(reach + 1)]
    total = 2 * sum(half) - half[0]
    kept = min(reach, max(1, most))
    ahead = [*half[1:kept], sum(half[kept:])]
    return [weight / total for weight in (*reversed(ahead), half[0], *ahead)]


class _Window:
    """Poses that still matter: those not yet given out, and `reach` of them before."""

    def __init__(self, weights: Sequence[float], spec: AnimatorSpec) -> None:
        self._weights, self._reach, self._spec = weights, len(weights) // 2, spec
        self._raw = deque[Motion]()  # as they came, from the first not yet given out on
        self._poses: dict[str, Tensor] = {}  # (N, ...), `reach` before the first not yet given out
        self._signs = _Signs()
        self._finished = False

    @property
    def ready(self) -> int:
        """Number of poses of which everything that they need is there."""
        held = next(iter(self._poses.values())).shape[0] if self._poses else 0
        return max(0, held - 2 * self._reach)

    @inference_mode()
    def add(self, batch: Motion) -> None:
        """Take the next poses."""
        self._raw.append(batch)
        parts = pose_parts(batch, self._spec)
        if self._spec.unsigned_frames and "jacobians" in parts:
            parts["jacobians"] = self._signs.aligned(parts["jacobians"])
        for name, part in parts.items():
            before = self._poses.get(name)
            before = _repeat(part[:1], self._reach) if before is None else before
            self._poses[name] = torch.cat([before, part])

    @inference_mode()
    def finish(self) -> None:
        """Have the last pose go on for as long as it is looked ahead."""
        for name, part in self._poses.items():
            self._poses[name] = torch.cat([part, _repeat(part[-1:], self._reach)])

    @inference_mode()
    def take(self, count: int) -> Motion:
        """Give out the next `count` poses, smoothed."""
        parts = {name: self._filter(part, count) for name, part in self._poses.items()}
        self._poses = {name: part[count:] for name, part in self._poses.items()}
        if self._spec.unsigned_frames and "jacobians" in parts:
            parts["jacobians"] = parts["jacobians"] * self._signs.take(count)
        return with_parts(self._take_raw(count), parts)

    def _filter(self, part: Tensor, count: int) -> Tensor:
        """Sum `count` windows, place by place, in the same order whatever the batch."""
        total = self._weights[0] * part[:count]
        for place, weight in enumerate(self._weights[1:], 1):
            total = total + weight * part[place : place + count]
        return total

    def _take_raw(self, count: int) -> Motion:
        """Take `count` poses as they came off the front."""
        taken: list[Motion] = []
        while count:
            first = self._raw.popleft()
            taken.append(first[:count])
            if len(first) > count:
                self._raw.appendleft(first[count:])
            count -= len(taken[-1])
        return taken[0] if len(taken) == 1 else join(taken)


class _Signs:
    """Signs (N, K, 1, 1) that make each linear map point the way of the one before it, and take it back again."""

    def __init__(self) -> None:
        self._last: Tensor | None = None  # the map before, aligned
        self._waiting: Tensor | None = None

    def aligned(self, maps: Tensor) -> Tensor:
        """Turn maps (B, K, 2, 2) that point against the ones before them."""
        before = torch.cat([maps[:1] if self._last is None else self._last, maps[:-1]])  # the rest are not aligned yet
        signs = agreement(before, maps).cumprod(dim=0)
        self._waiting = signs if self._waiting is None else torch.cat([self._waiting, signs])
        aligned = maps * signs
        self._last = aligned[-1:]
        return aligned

    def take(self, count: int) -> Tensor:
        """Take the signs of the next `count` maps."""
        assert self._waiting is not None  # maps came before
        signs, self._waiting = self._waiting[:count], self._waiting[count:]
        return signs


def agreement(before: Tensor, after: Tensor) -> Tensor:
    """Return -1 for maps (B, K, 2, 2) that point against the ones before them, else 1: (B, K, 1, 1)."""
    products = (before * after).sum(dim=(-2, -1), keepdim=True)
    return torch.where(products < 0, -1.0, 1.0).to(after)


def pose_parts(motion: Motion, spec: AnimatorSpec) -> dict[str, Tensor]:
    """Collect by name the tensors of a motion that describe the pose."""
    parts = {"points": motion.points}
    if motion.jacobians is not None:
        parts["jacobians"] = motion.jacobians
    return parts | {name: motion.extra[name] for name in spec.pose_extras if name in motion.extra}


def with_parts(motion: Motion, parts: dict[str, Tensor]) -> Motion:
    """Put tensors, named as `pose_parts` names them, in the place of a motion's own."""
    extra = {name: parts.get(name, value) for name, value in motion.extra.items()}
    return Motion(parts["points"], parts.get("jacobians", motion.jacobians), extra)


def join(parts: Sequence[Motion]) -> Motion:
    """Join batches of poses of one kind."""
    maps = [part.jacobians for part in parts if part.jacobians is not None]
    extra = {name: torch.cat([part.extra[name] for part in parts]) for name in parts[0].extra}
    return Motion(torch.cat([part.points for part in parts]), torch.cat(maps) if maps else None, extra)


def _repeat(pose: Tensor, count: int) -> Tensor:
    return pose.expand(count, *pose.shape[1:])


class CausalSmoother:
    """Smoother of poses that come one after the other, for live use: it cannot look ahead, and follows fast movement.

    A One Euro filter (Casiez et al., CHI 2012): an exponential one whose cutoff rises with the speed of the points, so
    that a still head is steadied by about `seconds` and a moving one is not held back. One speed counts for the whole
    pose. Nothing waits for the device. Poses come `rate` times a second unless a call says otherwise.
    """

    def __init__(self, seconds: float, rate: float, spec: AnimatorSpec, gain: float = SPEED_GAIN) -> None:
        self._seconds, self._rate, self._spec, self._gain = seconds, rate, spec, gain
        self.reset()

    def reset(self) -> None:
        """Forget what came before, as at a cut or for another face."""
        self._state: dict[str, Tensor] | None = None
        self._raw: Tensor | None = None  # points as they last came
        self._velocity: Tensor | None = None

    @inference_mode()
    def __call__(self, motion: Motion, elapsed: float | None = None) -> Motion:
        """Smooth the next poses, of which there may be one or more, in their order.

        Each comes `elapsed` seconds after the one before it, where they do not come evenly.
        """
        if self._seconds == 0:
            return motion
        rate = self._rate if elapsed is None else 1 / elapsed
        return join([self._next(motion[place : place + 1], rate) for place in range(len(motion))])

    def _next(self, pose: Motion, rate: float) -> Motion:
        parts = pose_parts(pose, self._spec)
        if self._state is None or self._raw is None or self._velocity is None:
            self._state, self._raw, self._velocity = parts, parts["points"], torch.zeros_like(parts["points"])
            return pose
        change = (parts["points"] - self._raw) * rate
        self._velocity = torch.lerp(self._velocity, change, _weight_of(SPEED_CUTOFF, rate))
        speed = self._velocity.mean(dim=1).square().sum(dim=-1).sqrt()  # (1), of the head
        cutoff = 1 / (2 * math.pi * self._seconds) + self._gain * speed
        ratio = 2 * math.pi * cutoff / rate
        weight = ratio / (ratio + 1)
        self._raw = parts["points"]
        signs: Tensor | None = None
        if self._spec.unsigned_frames and "jacobians" in parts:
            signs = agreement(self._state["jacobians"], parts["jacobians"])
            parts["jacobians"] = signs * parts["jacobians"]
        self._state = {name: state + weight * (parts[name] - state) for name, state in self._state.items()}
        if signs is None:
            return with_parts(pose, self._state)
        return with_parts(pose, {**self._state, "jacobians": signs * self._state["jacobians"]})


def _weight_of(cutoff: float, rate: float) -> float:
    """Compute how much a new value counts in an exponential filter with this cutoff in Hz."""
    ratio = 2 * math.pi * cutoff / rate
    return ratio / (ratio + 1)
