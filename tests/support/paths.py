"""Folders that tests read from."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PARITY_ROOT = ROOT / "tests" / "parity"
