"""Words of the nodes in every language: complete, none left over, and true to the English of the schemas."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from support import node_strings
from support.node_strings import FILE, LOCALES, dump

LANGUAGES = ("zh", "zh-TW", "ja", "ko", "ru", "fr", "es", "de")
KEPT = re.compile(
    r"\d+(?:[.,]\d+)*|[\w-]+\.(?:pth|pt|tar|safetensors|mp4|png)\b|models/\w+|\b(?:vox(?:-\w+|256)?|taichi(?:256)?|ted384|"
    r"ted-youtube384|mgif256|drawn-faces|celebvhq|BiSeNet|FOMM|FSRT|MRFA|GFPGAN|CodeFormer|SHA-256|float32|avd)\b"
)
"""Words that mean the same everywhere: numbers, files, models, values of menus."""


def read(language: str) -> dict[str, Any]:
    return json.loads((LOCALES / language / FILE).read_text("utf-8"))


def leaves(words: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, value in words.items():
        if isinstance(value, dict):
            yield from leaves(value, (*place, name))
        else:
            yield (*place, name), value


def test_the_english_is_what_the_schemas_state() -> None:
    done = subprocess.run(
        [sys.executable, node_strings.__file__, "--print"], capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert (LOCALES / "en" / FILE).read_text("utf-8") == done.stdout, "run: python tests/support/node_strings.py"


def test_these_are_the_languages() -> None:
    assert {folder.name for folder in LOCALES.iterdir()} == {"en", *LANGUAGES}


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_every_text_has_an_entry_and_none_is_left_over(language: str) -> None:
    text = (LOCALES / language / FILE).read_text("utf-8")
    assert text == dump(json.loads(text))
    assert [place for place, _ in leaves(read(language))] == [place for place, _ in leaves(read("en"))]
    assert all(value.strip() == value != "" for _, value in leaves(read(language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_translated_and_keep_what_means_the_same_everywhere(language: str) -> None:
    translated = dict(leaves(read(language)))
    for place, english in leaves(read("en")):
        own = translated[place]
        if place[-1] in ("tooltip", "description"):
            assert own != english, place
            lost = [word for word in KEPT.findall(english) if word not in own]
            assert not lost, (place, lost, own)


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_text_has_one_translation(language: str) -> None:
    translated: dict[str, str] = {}
    own = dict(leaves(read(language)))
    for place, english in leaves(read("en")):
        if place[-1] == "tooltip":
            assert translated.setdefault(english, own[place]) == own[place], place
