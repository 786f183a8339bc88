"""Exports that several files of tests read; nothing writes to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from first_order_motion.cli.main import main
from support.command_line import build_files


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, a clip with sound and a tiny FOMM's weights."""
    return build_files(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
def bundled_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deploy") / "bundled"
    assert main(["export", str(folder), "--model", "drawn-faces"]) == 0
    return folder
