"""The wheel, built without a network and used in a clean environment, away from the clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest
from first_order_motion.animation.samples import sample_pictures
from first_order_motion.core.installation import FOLDER_VARIABLE, pack_version
from first_order_motion.training.config import ready_configs
from PIL import Image
from support.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]

LEFT_OUT = shutil.ignore_patterns(".*", "tests", "output", "build", "*.egg-info", "__pycache__")
SHIPPED = [
    "checkpoints/*.safetensors",
    "live/page/*.*",
    "locales/**/*.json",
    "training/configs/*.yaml",
    "web/**/*.*",
    "workflows/**/*.*",
    "py.typed",
]
"""Files that are no code and that running needs, of the folders that there are."""

NAMES = """
import runpy, sys
import first_order_motion as package
for name in package.__all__:
    assert getattr(package, name).__module__.startswith("first_order_motion."), name
from first_order_motion.animation.model_folders import default_folders
from first_order_motion.training.config import ready_configs
print(package.__version__, package.__file__, default_folders("fomm")[0], *ready_configs(), sep="\\n")
sys.argv = ["first_order_motion", "--version"]
runpy.run_module("first_order_motion", run_name="__main__")  # as python -m does
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "source", ignore=LEFT_OUT)  # as building leaves files beside what it builds
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, folder / "source"], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel, and this one's packages behind its own."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    (site_packages(folder) / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def site_packages(environment: Path) -> Path:
    (folder,) = environment.glob("lib/python*/site-packages")
    return folder


def run(environment: Path, program: str, *words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a program of an environment in a folder that is also the user's home."""
    own: Mapping[str, str] = {"HOME": str(home), "XDG_DATA_HOME": "", "PYTHONDONTWRITEBYTECODE": "1"}
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", FOLDER_VARIABLE)}
    command = [str(environment / "bin" / program), *words]
    return subprocess.run(command, cwd=home, env={**kept, **own}, capture_output=True, text=True, check=True)


def test_the_wheel_holds_the_tree_and_no_tests(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        held = {name.removeprefix("first_order_motion/") for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
    shipped = {path.relative_to(ROOT).as_posix() for glob in SHIPPED for path in ROOT.glob(glob) if path.is_file()}
    code = {
        path.relative_to(ROOT).as_posix()
        for folder in ROOT.iterdir()
        if folder.name != "tests" and (folder / "__init__.py").exists()
        for path in folder.rglob("*.py")
    } | {"__init__.py", "__main__.py", "animate.py", "nodes.py"}
    assert shipped | code <= held
    assert "checkpoints/drawn-faces.safetensors" in held and "workflows/samples/driving.mp4" in held
    assert not [name for name in held if name.startswith(("tests/", "docs/", ".")) or name.endswith(".pyc")]
    assert f"Version: {pack_version()}" in metadata and "Requires-Dist: torch>=" in metadata


def test_the_installed_command_animates_and_writes_only_the_result(environment: Path, tmp_path: Path) -> None:
    before = sorted(site_packages(environment).rglob("*"))
    (tmp_path / "frames").mkdir()
    for index in range(2):
        Image.open(sample_pictures()["face"]).rotate(4 * index).save(tmp_path / "frames" / f"{index}.png")
    words = [str(sample_pictures()["fox"]), "frames", "result.gif", "--model", "drawn-faces", "--device", "cpu"]
    run(environment, "first-order-motion", "run", *words, home=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames", "result.gif"]
    assert Image.open(tmp_path / "result.gif").n_frames == 2
    assert sorted(site_packages(environment).rglob("*")) == before


def test_names_and_program_come_from_the_wheel(environment: Path, tmp_path: Path) -> None:
    told = run(environment, "python", "-c", NAMES, home=tmp_path).stdout.splitlines()
    version, file, models, *configs, shown = told
    assert version == pack_version() and configs == ready_configs()
    assert shown == f"first-order-motion {pack_version()}"
    assert Path(file) == site_packages(environment) / "first_order_motion" / "__init__.py"
    assert tmp_path in Path(models).parents and Path(models).name == "first_order_motion"
