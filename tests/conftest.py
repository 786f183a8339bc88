"""Makes the pack importable as `firstordermm` for every test."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()
