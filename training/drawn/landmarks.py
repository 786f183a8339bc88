"""Keypoints and jacobians that an ideal detector would report for a drawn face."""

from __future__ import annotations

import torch
from torch import Tensor

from ...core.types import Motion
from .canvas import Spot, spot
from .features import brow_level, mouth_shape
from .identity import Identity
from .pose import Pose

COUNT = 18  # collar; crown, chin, nose; mouth corners and lips; lids, pupils and brows; back of the head and hat


def landmarks(identity: Identity, pose: Pose) -> Motion:
    """Points (B, 18, 2) in [-1, 1] and the local scaling and rotation (B, 18, 2, 2) of the face there."""
    eyes = _eye(identity, pose, -1), _eye(identity, pose, 1)
    marks = torch.cat([_outline(identity, pose), _mouth(identity, pose), *eyes, _around(identity, pose)], dim=1)
    cos, sin = pose.scale * pose.tilt.cos(), pose.scale * pose.tilt.sin()
    turn = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 1, 2, 2)
    points = (turn @ marks[:, :, :2, None])[..., 0] + torch.stack([pose.x, pose.y], dim=1)[:, None]
    collar, upright = _collar(identity, pose)
    frames = torch.cat([upright[:, None], turn * marks[:, :, None, 2:]], dim=1)
    return Motion(torch.cat([collar[:, None], points], dim=1), frames)


def _collar(identity: Identity, pose: Pose) -> tuple[Tensor, Tensor]:
    """Place (B, 2) and frame (B, 2, 2) of the collar: the shoulders never tilt, and lag behind the head."""
    place = torch.stack([0.7 * pose.x, 0.8 * pose.y + pose.scale * (identity.head.height + 0.1)], dim=1)
    return place, torch.eye(2, device=place.device) * pose.scale[:, None, None]


def _mark(place: Spot, x: Tensor | float = 0.0, y: Tensor | float = 0.0) -> Tensor:
    """Point `x`, `y` beside a spot, foreshortened with it, and that foreshortening: (B, 4)."""
    across, along = place.across[:, 0, 0], place.along[:, 0, 0]
    return torch.stack([place.x[:, 0, 0] + x * across, place.y[:, 0, 0] + y * along, across, along], dim=1)


def _flat(x: Tensor, y: Tensor) -> Tensor:
    """Point that is not foreshortened: (B, 4)."""
    return torch.stack([x, y, torch.ones_like(x), torch.ones_like(x)], dim=1)


def _outline(identity: Identity, pose: Pose) -> Tensor:
    """Crown, chin and nose: (B, 3, 4)."""
    head = identity.head
    ends = [-head.height, head.height * (1 + 0.1 * pose.mouth)]
    flat = [_flat(0 * y, y) for y in ends]
    return torch.stack([*flat, _mark(spot(head, pose, 0, identity.mouth.nose_level, 1.25))], dim=1)


def _around(identity: Identity, pose: Pose) -> Tensor:
    """Middle of the hair behind the head, and seat of a hat (B, 2, 4); they turn less than the face."""
    places = spot(identity.head, pose, 0, 0, -0.35), spot(identity.head, pose, 0, identity.wear.hat_level, 0.3)
    return torch.stack([_flat(place.x[:, 0, 0], place.y[:, 0, 0]) for place in places], dim=1)


def _mouth(identity: Identity, pose: Pose) -> Tensor:
    """Left and right corner of the mouth, upper and lower lip: (B, 4, 4)."""
    place = spot(identity.head, pose, 0, identity.mouth.level, 1.06)
    width, drop, smile = mouth_shape(identity, pose)
    corner, middle = 0.5 * drop - 0.6 * smile, 0.5 * drop + 0.4 * smile
    marks = (-width, corner), (width, corner), (0.0, middle - drop), (0.0, middle + drop)
    return torch.stack([_mark(place, x, y) for x, y in marks], dim=1)


def _eye(identity: Identity, pose: Pose, side: int) -> Tensor:
    """Upper and lower lid, pupil and brow (B, 4, 4) of the eye on the left (-1) or right (1) of the picture."""
    eyes, opening = identity.eyes, pose.left if side < 0 else pose.right
    place = spot(identity.head, pose, side * eyes.spread, eyes.level)
    sag, radius = 0.5 * (1 - opening) * eyes.height, eyes.iris_size * torch.minimum(eyes.width, eyes.height)
    gaze_x = pose.gaze_x * (eyes.width - 0.8 * radius).clamp(min=0) * 0.8
    gaze_y = pose.gaze_y * (eyes.height - 0.8 * radius).clamp(min=0) * 0.6
    lids = [_mark(place, y=sag - opening * eyes.height), _mark(place, y=sag + opening * eyes.height)]
    brow = _mark(spot(identity.head, pose, side * eyes.spread, brow_level(identity, pose)))
    return torch.stack([*lids, _mark(place, gaze_x, gaze_y), brow], dim=1)
