"""Cartoon faces drawn on the fly: any identity in any pose, so the truth of every transfer can be drawn too."""

from __future__ import annotations

from .draw import draw, paint
from .identity import Identity
from .pose import Pose

__all__ = ["Identity", "Pose", "draw", "paint"]
