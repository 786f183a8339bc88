"""Where weights are looked for without ComfyUI: in a clone, and in an installed package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from first_order_motion.animation import model_folders
from first_order_motion.animation.model_folders import default_folders
from first_order_motion.core import installation
from first_order_motion.core.installation import FOLDER_VARIABLE, PACK, user_folder


@pytest.fixture(autouse=True)
def a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Home of a user who has set nothing."""
    for name in (FOLDER_VARIABLE, "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("linux", ".local/share/first_order_motion"),
        ("darwin", "Library/Application Support/first_order_motion"),
        ("win32", "AppData/Local/first_order_motion"),
    ],
)
def test_each_system_has_its_place(monkeypatch: pytest.MonkeyPatch, a_home: Path, system: str, place: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert user_folder("first_order_motion") == a_home / place


def test_the_systems_own_variable_moves_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert user_folder("weights") == tmp_path / "data" / "weights"


def test_a_clone_keeps_weights_beside_itself(a_home: Path) -> None:
    folders = default_folders("fomm")
    assert folders[0] == PACK / "checkpoints"
    assert folders[-1] == user_folder("first_order_motion")


def test_a_clone_in_comfyui_prefers_its_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models = tmp_path / "models" / "first_order_motion"
    models.mkdir(parents=True)
    pack = tmp_path / "custom_nodes" / "pack"
    monkeypatch.setattr(model_folders, "PACK", pack)
    assert default_folders("fomm")[:2] == [models, pack / "checkpoints"]


def test_an_installed_package_writes_into_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installation, "_PROJECT", tmp_path / "pyproject.toml")
    folders = default_folders("fomm")
    assert folders[:2] == [user_folder("first_order_motion"), PACK / "checkpoints"]


def test_the_environment_names_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "mine"))
    folders = default_folders("fomm")
    assert folders[0] == tmp_path / "mine" and folders.count(tmp_path / "mine") == 1
    assert PACK / "checkpoints" in folders
