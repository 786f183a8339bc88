"""Makes the pack importable as `first_order_motion` for every test, and adds an option."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from support.paths import of_every_architecture  # noqa: E402 (needs the pack)

if added := of_every_architecture("architecture.py"):  # architectures that are there for tests alone
    from first_order_motion.animation import registry

    for file in added.values():
        registry.register(file.ARCHITECTURE)


@pytest.fixture(scope="session")
def tiny_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Graphs of a tiny FOMM, for several folders of tests; nothing writes to them."""
    from first_order_motion.cli.main import main
    from support.command_line import build_files

    folder = tmp_path_factory.mktemp("deploy") / "made" / "tiny"
    weights = build_files(tmp_path_factory.mktemp("weights")) / "tiny.safetensors"
    assert main(["export", str(folder), "--checkpoint", str(weights), "--format", "both"]) == 0
    return folder


@pytest.fixture(scope="session")
def short_driving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every eighth frame of the bundled driving clip, with sound; nothing writes to it."""
    import torch
    from first_order_motion.animation.media.reader import VideoClip
    from first_order_motion.animation.media.writer import VideoWriter
    from first_order_motion.animation.samples import DRIVING

    path, clip = tmp_path_factory.mktemp("driving") / "driving.mp4", VideoClip(DRIVING)
    with VideoWriter(path, clip.fps, audio_from=DRIVING) as writer:
        writer.write(torch.cat([*clip.chunks(32)])[::8].movedim(-1, 1))
    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-case", action="store_true", help="all options of all drivers in the parity packs: an hour"
    )
    parser.addoption("--long", action="store_true", help="tens of thousands of made-up files in tests/fuzz: hours")
