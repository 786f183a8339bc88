"""What is said about weight files that are not there: all of them at once, and what can be done, without ComfyUI."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from first_order_motion.animation.registry import KINDS
from first_order_motion.comfy_nodes.runtime.missing import explain, missing_files
from first_order_motion.core.errors import InputError
from first_order_motion.core.weights.catalog import PublishedWeights
from first_order_motion.core.weights.find import WeightsRequest

HASH = "0" * 64


def row(
    file: str, page: str = "https://example.org/p", size: int | None = None, *, known: bool = False
) -> PublishedWeights:
    url, sha256 = (f"https://example.org/{file}", HASH) if known else (None, None)
    return PublishedWeights(name=file, files=(file,), page=page, paper="", size=size, url=url, sha256=sha256)


def missing(identity: str, request: WeightsRequest, folder: Path) -> list[str]:
    def folders(_: str) -> Sequence[Path]:
        return [folder]

    return [found.files[0] for found in missing_files(KINDS[identity], request, folders)]


def test_every_file_of_a_model_is_named(tmp_path: Path) -> None:
    wanted = WeightsRequest("vox256")
    assert missing("fsrt", wanted, tmp_path) == ["vox256.pt", "kp_detector.pt"]
    (tmp_path / "vox256.pt").touch()
    assert missing("fsrt", wanted, tmp_path) == ["kp_detector.pt"]
    (tmp_path / "kp_detector.pt").touch()
    assert missing("fsrt", wanted, tmp_path) == []


def test_a_converted_file_holds_its_companions(tmp_path: Path) -> None:
    (tmp_path / "fsrt-vox256.safetensors").touch()
    assert missing("fsrt", WeightsRequest("vox256"), tmp_path) == []


def test_a_file_of_the_users_own_is_missed_by_its_name(tmp_path: Path) -> None:
    wanted = WeightsRequest("vox-adv", "mine.pth")
    assert missing("fomm", wanted, tmp_path) == ["mine.pth"]
    (tmp_path / "mine.pth").touch()
    assert missing("fomm", wanted, tmp_path) == []


def test_a_name_outside_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file name inside"):
        missing("fomm", WeightsRequest("vox-adv", "../mine.pth"), tmp_path)


CASES: list[tuple[list[PublishedWeights], bool | None, str]] = [
    (
        [row("a.pth", size=751_000_000, known=True)],
        False,
        "a.pth (751 MB) is missing; put it into FOLDER. "
        "Get a.pth from https://example.org/p, or set if_missing to download.",
    ),
    (
        [row("a.pt"), row("b.pt")],
        None,
        "a.pt and b.pt are missing; put them into FOLDER. Get them from https://example.org/p.",
    ),
    (
        [row("a.pt"), row("b.pth", "https://example.org/q", known=True)],
        False,
        "a.pt and b.pth are missing; put them into FOLDER. Get a.pt from https://example.org/p. "
        "Get b.pth from https://example.org/q, or set if_missing to download.",
    ),
    (
        [row("a.pt")],
        True,
        "a.pt is missing; put it into FOLDER. Get a.pt from https://example.org/p: no address and SHA-256 are "
        "published by which it could be downloaded.",
    ),
    (
        [row("mine.pth", "")],
        False,
        "mine.pth is missing; put it into FOLDER. Or choose another model; press R for the files that are there now.",
    ),
]


@pytest.mark.parametrize(("rows", "download", "says"), CASES)
def test_the_text_says_where_each_is_had(rows: list[PublishedWeights], download: bool | None, says: str) -> None:
    assert explain(rows, Path("FOLDER"), download) == says


def test_only_what_can_be_checked_can_be_downloaded() -> None:
    assert row("a.pt", known=True).can_be_fetched
    assert not row("a.pt").can_be_fetched
