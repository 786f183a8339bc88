"""Folders that tests read from, and modules of theirs that no package name reaches."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS = ROOT / "tests"
PARITY_ROOT = TESTS / "parity"


def load_file(path: Path) -> ModuleType:
    """Import a module of an architecture's test folder by its path.

    `tests/module_fomm` bears the name of the package it tests, which is what an import by that name would find.
    """
    name = "_".join(("tests", *path.relative_to(TESTS).with_suffix("").parts))
    if name not in sys.modules:
        spec = spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None  # both are there for any .py file
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def of_every_architecture(name: str) -> dict[str, ModuleType]:
    """The modules called `name` in the test folders of the architectures that have one, by folder."""
    return {path.parent.name: load_file(path) for path in sorted(TESTS.glob(f"module_*/{name}"))}
