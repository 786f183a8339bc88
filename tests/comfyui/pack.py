"""The pack under test: where it lies, and the names it goes by in ComfyUI."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = "first-order-motion"
MODEL_FOLDER = "first_order_motion"
