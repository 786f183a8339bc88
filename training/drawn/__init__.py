"""Cartoon faces drawn on the fly: any look in any pose, so the truth of every transfer can be drawn too."""

from __future__ import annotations

from .draw import draw, paint
from .look import Look
from .pose import Pose

__all__ = ["Look", "Pose", "draw", "paint"]
