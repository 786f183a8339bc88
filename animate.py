"""Animate a picture by a video from the command line: `python animate.py --help`."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent


def load_pack() -> ModuleType:
    """Import this folder, whatever it is called, as the package `firstordermm`.

    The folder stays off `sys.path`: its `nodes.py` would hide ComfyUI's own.
    """
    if "firstordermm" in sys.modules:
        return sys.modules["firstordermm"]
    spec = spec_from_file_location("firstordermm", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None and spec.loader is not None  # both are there for any .py file
    package = module_from_spec(spec)
    sys.modules["firstordermm"] = package
    spec.loader.exec_module(package)
    return package


if __name__ in ("__main__", "__mp_main__"):  # the second in processes that work for the first
    load_pack()

if __name__ == "__main__":
    from firstordermm.cli.start import start  # pyright: ignore[reportMissingImports]

    sys.exit(start())
