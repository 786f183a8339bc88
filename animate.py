"""Animate a picture by a video from the command line: `python animate.py --help`."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent


def load_pack() -> ModuleType:
    """Import this folder, whatever it is called, as the package `first_order_motion`.

    The folder stays off `sys.path`: its `nodes.py` would hide ComfyUI's own.
    """
    if "first_order_motion" in sys.modules:
        return sys.modules["first_order_motion"]
    spec = spec_from_file_location("first_order_motion", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None and spec.loader is not None  # both are there for any .py file
    package = module_from_spec(spec)
    sys.modules["first_order_motion"] = package
    spec.loader.exec_module(package)
    return package


if __name__ in ("__main__", "__mp_main__"):  # the second in processes that work for the first
    load_pack()

if __name__ == "__main__":
    from first_order_motion.cli.start import start  # pyright: ignore[reportMissingImports]

    sys.exit(start())
