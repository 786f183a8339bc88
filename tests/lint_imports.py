"""Check the contracts of pyproject.toml about which package may import which: `python tests/lint_imports.py`.

import-linter takes a package by its name, which this folder need not bear: a link of the right name is made for it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Check all contracts, print which are broken, and return the exit status."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "first_order_motion").symlink_to(ROOT, target_is_directory=True)
        sys.path.insert(0, folder)
        return lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)


if __name__ == "__main__":
    status = main()
    assert status in (EXIT_STATUS_SUCCESS, 1)
    sys.exit(status)
