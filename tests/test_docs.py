"""The snippets of the documents run as they stand."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

try:
    import tomllib
except ImportError:  # Python 3.10, where pytest brings it
    import tomli as tomllib  # type: ignore[no-redef]
from first_order_motion.animation.samples import sample_pictures
from support.enhancers import compact_state
from support.paths import ROOT

SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text("utf-8"), re.DOTALL)


def test_the_snippets_for_python_run(tmp_path: Path, short_driving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(next(iter(sample_pictures().values())), tmp_path / "face.png")
    shutil.copy(short_driving, tmp_path / "talking.mp4")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    assert len(SNIPPETS) >= 9
    if find_spec("spandrel") is not None:
        torch.save(compact_state(2), tmp_path / "upscaler.pth")
    for snippet in SNIPPETS:
        if "upscaler.pth" in snippet and find_spec("spandrel") is None:
            continue
        exec(compile(snippet, "docs/python.md", "exec"), names)
    assert names["frames"] is not None
    assert (tmp_path / "result.mp4").exists() and (tmp_path / "sheet.png").exists()


def test_importing_the_package_imports_no_torch() -> None:
    code = f"""
import runpy, sys
package = runpy.run_path({str(ROOT / "animate.py")!r})["load_pack"]()
assert "torch" not in sys.modules and "numpy" not in sys.modules
assert sorted(package.__all__) == sorted(name for name in package.__all__ if getattr(package, name))
assert "torch" in sys.modules and not hasattr(package, "NODE_CLASS_MAPPINGS")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_installed_package_has_every_folder() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["setuptools"]["packages"]
    top = [folder for folder in ROOT.iterdir() if folder.name != "tests" and (folder / "__init__.py").exists()]
    folders = [path.parent.relative_to(ROOT).parts for folder in top for path in folder.rglob("__init__.py")]
    ours = {"first_order_motion"} | {".".join(("first_order_motion", *parts)) for parts in folders}
    assert sorted(listed) == sorted(ours)
