"""Mixture of two clips' motion: the head of one with the expression of the other."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core.errors import InputError
from ...core.layers.matrix2x2 import inverse_2x2
from ...core.types import Motion
from ..finite import first_not_finite
from .rigid import Similarity
from .smoothing import agreement
from .track import MotionTrack


def mix(head: MotionTrack, expression: MotionTrack, head_anchor: int = 0, expression_anchor: int = 0) -> MotionTrack:
    """Join the head's movement of one clip with the expression of another, each since its anchor frame.

    The head's movement is the rigid part of its change, the expression what is not rigid in the other's change, brought
    to the first face's size and tilt. The second is brought to the first one's rate, and held where it is shorter, or
    cut where it is longer. Vectors, such as FSRT's expression, are the second's. Raises InputError for motion that
    different weights read, and for anchors outside.
    """
    if head.model != expression.model:
        raise InputError(
            f"{expression.path} is movement that {expression.model} read, {head.path} that {head.model} did; one model "
            "was wanted for both. Read the clips anew with the same weights.",
        )
    shapes = [_shapes(track.motion) for track in (head, expression)]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"{expression.path} has poses of another shape than {head.path}: {shapes[1]} instead of {shapes[0]}. Read "
            "the clips anew with the same weights."
        )
    for name, track, anchor in (
        ("head_anchor", head, head_anchor),
        ("expression_anchor", expression, expression_anchor),
    ):
        if not 0 <= anchor < len(track):
            raise InputError(f"is {anchor}; the motion has frames 0 to {len(track) - 1}. Choose one.", name)
    first, other = head.motion, expression.motion
    faces = resampled(other, float(expression.fps / head.fps), len(head))
    mixed = _mixed(first, first[head_anchor : head_anchor + 1], faces, other[expression_anchor : expression_anchor + 1])
    if first_not_finite(torch.cat([mixed.points.flatten(1), *_flat(mixed)], dim=1)) is not None:
        raise InputError(
            f"{head.path} and {expression.path} cannot be mixed: the poses become no numbers. Read the clips anew."
        )
    return MotionTrack(mixed, head.fps, head.model, head.size, head.path)


def _shapes(motion: Motion) -> dict[str, tuple[int, ...]]:
    """List the shapes of one pose's parts."""
    parts = {"points": motion.points, "jacobians": motion.jacobians, **motion.extra}
    return {name: tuple(part.shape[1:]) for name, part in parts.items() if part is not None}


def _flat(motion: Motion) -> list[Tensor]:
    return [] if motion.jacobians is None else [motion.jacobians.flatten(1)]


def _mixed(heads: Motion, calm: Motion, faces: Motion, other_calm: Motion) -> Motion:
    """Add to the first face at rest what is not rigid in the other's change, then move it as the first one moved.

    With T the first face's similarity since its anchor, S the other's, and G the one from the other's anchor to the
    first's: p = T(p_0 + G S^-1 r), r = p_B - S(p_B0), and linear maps likewise.
    """
    head, face = Similarity.fit(calm.points, heads.points), Similarity.fit(other_calm.points, faces.points)
    between = Similarity.fit(other_calm.points, calm.points)
    undo = face.inverse()
    rest = between.turn(undo.turn(faces.points - face(other_calm.points)))
    maps = _mixed_maps(heads, calm, faces, other_calm, (head.matrix, undo.matrix, between.matrix))
    return Motion(head(calm.points + rest), maps, _extras(heads, faces, maps))


def _mixed_maps(
    heads: Motion, calm: Motion, faces: Motion, other_calm: Motion, parts: tuple[Tensor, Tensor, Tensor]
) -> Tensor | None:
    """Join linear maps: J = T (G N G^-1) J_0, with N = S^-1 J_B J_B0^-1 what is not rigid in the other's change."""
    if calm.jacobians is None or faces.jacobians is None or other_calm.jacobians is None:
        return heads.jacobians
    head, undo, between = parts
    local = undo @ faces.jacobians @ inverse_2x2(other_calm.jacobians)
    return head @ between @ local @ inverse_2x2(between) @ calm.jacobians


def _extras(heads: Motion, faces: Motion, maps: Tensor | None) -> dict[str, Tensor]:
    """Take vectors (N, D) from the second clip; shapes (N, K, 2, 2) are covariances, which follow the linear maps."""
    extra: dict[str, Tensor] = {}
    for name, value in heads.extra.items():
        if value.ndim != 4 or maps is None or heads.jacobians is None:
            extra[name] = faces.extra.get(name, value)
        else:
            change = maps @ inverse_2x2(heads.jacobians)
            extra[name] = change @ value @ change.mT
    return extra


def resampled(motion: Motion, step: float, count: int) -> Motion:
    """Read poses at `count` times that lie `step` frames apart, between frames on a line, after the last one held.

    Of two linear maps that point against each other one is turned: they are a map and its negative.
    """
    places = (torch.arange(count, dtype=torch.float64) * step).clamp_max(len(motion) - 1)
    before = places.long()
    after = (before + 1).clamp_max(len(motion) - 1)
    share = (places - before).to(motion.points)

    def between(values: Tensor) -> Tensor:
        weight = share.view(-1, *[1] * (values.ndim - 1))
        return torch.lerp(values[before], values[after], weight)

    maps = motion.jacobians
    if maps is not None:
        signs = agreement(maps[before], maps[after])
        maps = torch.lerp(maps[before], signs * maps[after], share.view(-1, 1, 1, 1))
    return Motion(between(motion.points), maps, {name: between(value) for name, value in motion.extra.items()})
