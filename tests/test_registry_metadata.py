"""Metadata for ComfyUI's registry, and what the archive that it packs would hold."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from first_order_motion.animation.registry import EARLIER_PACK
from PIL import Image
from support.icon import ICON, drawn_icon
from support.paths import ROOT

tomllib = pytest.importorskip("tomllib", reason="Python before 3.11 brings no reader of TOML")

MOST_BYTES = 32 * 2**20
SHIPPED = frozenset({".py", ".md", ".json", ".jpg", ".png", ".mp4", ".safetensors", ".toml", ".txt", ".yaml", ""}) | {
    *(".js", ".mjs", ".css", ".html", ".svg", ".typed", ".webp"),
}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def packed() -> list[PurePosixPath]:
    """Files of the archive: what git tracks, without what `.comfyignore` names."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: git says what is packed")
    ignored = {*listed("-c", "-i", "--exclude-from=.comfyignore")}
    return [PurePosixPath(name) for name in listed() if name not in ignored]


def listed(*options: str) -> list[str]:
    command = ["git", "ls-files", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_metadata_are_complete(project: dict[str, Any]) -> None:
    own, comfy = project["project"], project["tool"]["comfy"]
    assert re.fullmatch(r"[a-z][a-z-]{1,98}[a-z]", own["name"]) and "comfyui" not in own["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", own["version"]) and own["description"] and own["license"]
    assert re.fullmatch(r"[a-z][a-z0-9-]*", comfy["PublisherId"]) and comfy["DisplayName"]
    assert comfy["requires-comfyui"] == ">=0.3.64"
    assert own["urls"]["Repository"].startswith("https://github.com/")
    operating = [row for row in own["classifiers"] if row.startswith("Operating System :: ")]
    assert operating == ["Operating System :: OS Independent"]


def test_a_clone_s_folder_is_never_the_earlier_pack_s(project: dict[str, Any]) -> None:
    clone = project["project"]["urls"]["Repository"].rpartition("/")[2]
    assert clone == project["project"]["name"] and not EARLIER_PACK.fullmatch(clone)


def test_the_icon_is_small_square_and_drawn_by_the_pack(project: dict[str, Any]) -> None:
    assert project["tool"]["comfy"]["Icon"].endswith(f"/main/{ICON.name}")
    assert ICON.stat().st_size < 40_000
    with Image.open(ICON) as image:
        assert image.size == (400, 400)
        found, wanted = (np.asarray(one.convert("RGB"), np.float64) for one in (image, drawn_icon()))
    assert np.abs(found - wanted).mean() < 4  # of 255; it has few colours


def test_the_archive_holds_what_runs_and_no_more(packed: list[PurePosixPath]) -> None:
    tops = {name.parts[0] for name in packed}
    assert {
        "__init__.py",
        "nodes.py",
        "animate.py",
        "pyproject.toml",
        "requirements.txt",
        "README.md",
        "LICENSE",
    } <= tops
    assert {"animation", "cli", "comfy_nodes", "core", "locales", "web", "workflows", "checkpoints"} <= tops
    assert not tops & {"tests", ".ci", ".pre-commit-config.yaml", ".gitignore", "CONTRIBUTING.md", "uv.lock"}
    assert {name.suffix for name in packed} <= SHIPPED
    assert not [name for name in packed if name.parts[0] == "docs" and name.suffix != ".md"]
    assert sum((ROOT / name).stat().st_size for name in packed) < MOST_BYTES


def test_all_that_the_packed_code_imports_of_the_pack_is_packed(packed: list[PurePosixPath]) -> None:
    held = {str(name) for name in packed}
    for name in packed:
        if name.suffix == ".py":
            for module in imported_from_here(ROOT / name, name):
                assert f"{module}.py" in held or f"{module}/__init__.py" in held, f"{name} imports {module}"


def imported_from_here(file: Path, name: PurePosixPath) -> set[str]:
    """Paths, without a suffix, of the modules that relative imports of a file name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level and node.module:
            place = name.parents[node.level - 1] if node.level <= len(name.parents) else PurePosixPath()
            found.add(str(place / node.module.replace(".", "/")))
    return found
