"""A running ComfyUI with this pack in it, for the tests that need one.

COMFYUI_PATH names a ComfyUI folder; its requirements, `requests`, `websocket-client` and, for the browser
tests, `playwright` must be installed here. FRONTEND_PATH (the folder `static` of another version of the
interface), VHS_PATH (VideoHelperSuite) and FUOUM_PATH (the earlier pack, for its workflows only) are
optional: what needs them is skipped without.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from comfyui.pack import FOLDER, MODEL_FOLDER, ROOT

if TYPE_CHECKING:
    from comfyui.server import ComfyServer


def path_from(variable: str) -> Path:
    """The folder an environment variable names; the test is skipped without one."""
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is not set")
    return Path(value).resolve()


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with source.png, driving.mp4 (FRAMES frames, one second, with sound) and long.mp4."""
    from comfyui.checkpoints import FRAMES, write_driving, write_source

    folder = tmp_path_factory.mktemp("media")
    write_source(folder / "source.png")
    write_driving(folder / "driving.mp4", FRAMES)
    write_driving(folder / "long.mp4", 10 * FRAMES)
    return folder


@pytest.fixture(scope="session")
def comfy(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[ComfyServer]:
    """ComfyUI with this pack, VideoHelperSuite if there is one, the test media and weights."""
    comfyui = path_from("COMFYUI_PATH")
    for package in ("requests", "websocket"):
        pytest.importorskip(package)
    from comfyui import checkpoints
    from comfyui.server import ComfyServer

    files = sorted(request.getfixturevalue("media").iterdir())
    base = tmp_path_factory.mktemp("comfyui")
    models = base / "models" / MODEL_FOLDER
    checkpoints.write_fomm_checkpoint(models / "vox-adv-cpk.pth.tar")
    checkpoints.write_articulate_checkpoint(models / "vox256.pth")
    checkpoints.write_spline_checkpoint(models / "vox.pth.tar")
    checkpoints.write_partswap_checkpoints(models)
    checkpoints.write_face_parser(models / "79999_iter.pth")
    checkpoints.write_mrfa_checkpoint(models / "vox.pth")
    checkpoints.write_fsrt_checkpoints(models)
    checkpoints.write_upscaler(base / "models" / "upscale_models" / "compact_x2.pth")
    with ComfyServer(comfyui, base, packs()) as server:
        for file in files:
            server.put_input(file)
        yield server


@pytest.fixture(scope="session")
def new_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """ComfyUI as it is after this pack was installed: without weights and media."""
    yield from bare_server(tmp_path_factory.mktemp("new_user"))


@pytest.fixture(scope="session")
def other_frontend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """The same with another version of its interface."""
    yield from bare_server(tmp_path_factory.mktemp("other_frontend"), path_from("FRONTEND_PATH"))


def bare_server(base: Path, frontend: Path | None = None) -> Iterator[ComfyServer]:
    """Run ComfyUI with the packs alone."""
    comfyui = path_from("COMFYUI_PATH")
    for package in ("requests", "websocket"):
        pytest.importorskip(package)
    from comfyui.server import ComfyServer

    with ComfyServer(comfyui, base, packs(), frontend) as server:
        yield server


def packs() -> dict[str, Path]:
    """This pack, and VideoHelperSuite if there is one."""
    suite = {"ComfyUI-VideoHelperSuite": path_from("VHS_PATH")} if os.environ.get("VHS_PATH") else {}
    return {FOLDER: ROOT, **suite}


@pytest.fixture(scope="session")
def earlier_workflows() -> Path:
    """The folder with the workflows that the earlier pack shipped."""
    return path_from("FUOUM_PATH") / "workflows"
