"""Templates: sorted by name with the sample first, each with a thumbnail, on files that come with the pack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.paths import TESTS

WORKFLOWS = TESTS.parent / "workflows"
TEMPLATES = sorted(WORKFLOWS.glob("*.json"))
LOADERS = ("LoadImage", "LoadVideo", "VHS_LoadVideo")


def nodes(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text("utf-8"))["nodes"]


def test_the_sample_comes_first() -> None:
    assert TEMPLATES[0].stem == "01 Sample - press Run"
    assert [int(file.stem[:2]) for file in TEMPLATES] == list(range(1, len(TEMPLATES) + 1))


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.stem)
def test_a_template_begins_on_what_comes_with_the_pack(file: Path) -> None:
    chosen = [node["widgets_values"] for node in nodes(file) if node["type"] in LOADERS]
    names = [values["video"] if isinstance(values, dict) else values[0] for values in chosen]
    placed = {"face.png", "face_turned.png", "driving.mp4"}
    assert all(name.removeprefix("first_order_motion_") in placed for name in names)
    sample = any(node["type"] == "FirstOrderMotion_Sample" for node in nodes(file))
    assert sample != bool(names)


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.stem)
def test_a_template_has_a_note_and_a_thumbnail(file: Path) -> None:
    assert [node["type"] for node in nodes(file)].count("Note") == 1
    with Image.open(file.with_suffix(".jpg")) as picture:
        assert picture.width > picture.height > 150
