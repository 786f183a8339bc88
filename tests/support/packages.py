"""Stand-ins for packages that tests do without."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest


def put_module(monkeypatch: pytest.MonkeyPatch, name: str, **content: object) -> None:
    """Put a module with such names there."""
    made = ModuleType(name)
    made.__spec__ = SimpleNamespace(submodule_search_locations=None)  # type: ignore[assignment]
    made.__dict__.update(content)
    monkeypatch.setitem(sys.modules, name, made)


def put_package(monkeypatch: pytest.MonkeyPatch, path: Path, name: str, **files: bytes) -> None:
    """Put a package with such files in front of all others."""
    (path / name).mkdir(parents=True)
    (path / name / "__init__.py").write_text("raise AssertionError('imported')\n")
    for file, content in files.items():
        target = path / name / file
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(path)
