"""Words of ComfyUI's side in every language: complete, none left over, and true to the English of the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from support import node_strings
from support.node_strings import LOCALES, NODES, OTHERS, OWN, dump

LANGUAGES = ("zh", "zh-TW", "ja", "ko", "ru", "fr", "es", "de")
FILES = (NODES, OTHERS)
Place = tuple[str, ...]

KEPT = re.compile(
    # numbers, files, folders
    r"\d+(?:[.,]\d+)*|[\w-]+\.(?:pth|pt|tar|safetensors|mp4|png)\b|models/\w+|(?<=stored as )\w+|"
    # weights and models
    r"\b(?:vox(?:-\w+|256)?|taichi(?:256|-adv)?|ted-?384|ted-youtube384|mgif(?:256)?|fashion|drawn-faces|celebvhq|BiSeNet|"
    r"FOMM|FSRT|MRFA|GFPGAN|RestoreFormer|First Order Motion(?: Model)?|Thin-Plate Spline Motion Model|"
    r"Articulated Animation|face-alignment|ComfyUI|float32|GPU|CPU)\b|"
    # values that are chosen in menus or typed in
    r"\b(?:avd|relative|standard|stretch|face|auto|sharp|smooth|add|replace)(?=: )|(?<=\()(?:cycle|mirror|cut)(?=\))|"
    r"\b(?:auto|all|largest)(?= takes|,)|from checkpoint|hair, hat, .*, head"
)
"""Words that stand in every language as they stand in English."""

LABEL = re.compile(r"“([^”]+)”|「([^」]+)」|«\s*([^»]+?)\s*»|„([^“]+)“|‘([^’]+)’")
"""A label in quotation marks."""

OF_COMFYUI = {
    "zh": ("保存视频", "加载放大模型"),
    "zh-TW": ("儲存影片", "載入放大模型"),
    "ja": ("ビデオを保存", "拡大モデルを読み込む"),
    "ko": ("비디오 저장", "업스케일 모델 로드"),
    "ru": ("Сохранить видео", "Загрузить модель апскейла"),
    "fr": ("Enregistrer la vidéo", "Charger le modèle de mise à l’échelle"),
    "es": ("Guardar video", "Cargar modelo de escala superior"),
    "de": ("Save Video", "Load Upscale Model"),
}
"""Save Video and Load Upscale Model, as ComfyUI's interface calls them where it has the language."""

ALIKE = {
    "fr": {
        "audio",
        "checkpoint",
        "expression",
        "image",
        "images",
        "mode",
        "occlusion",
        "options",
        "segments",
        "source",
    },
    "es": {"antialias", "audio", "checkpoint", "detector", "video"},
}
"""Names that are the same word in both languages."""


def read(language: str, file: str = NODES) -> dict[str, Any]:
    return json.loads((LOCALES / language / file).read_text("utf-8"))


def leaves(words: dict[str, Any], place: Place = ()) -> Iterator[tuple[Place, str]]:
    for name, value in words.items():
        if isinstance(value, dict):
            yield from leaves(cast("dict[str, Any]", value), (*place, name))
        else:
            yield (*place, name), value


def pairs(language: str) -> list[tuple[Place, str, str]]:
    """Every text of the nodes in English and in the language, with its place."""
    own = dict(leaves(read(language)))
    return [(place, english, own[place]) for place, english in leaves(read("en"))]


@pytest.mark.slow
def test_the_english_is_what_the_code_states(tmp_path: Path) -> None:
    subprocess.run([sys.executable, node_strings.__file__, str(tmp_path)], check=True)
    assert {file.name for file in tmp_path.iterdir()} == set(FILES)
    for file in FILES:
        stated = (tmp_path / file).read_text("utf-8")
        assert (LOCALES / "en" / file).read_text("utf-8") == stated, "run: python tests/support/node_strings.py"


def test_these_are_the_languages() -> None:
    assert {folder.name for folder in LOCALES.iterdir()} == {"en", *LANGUAGES}
    assert all({file.name for file in folder.iterdir()} == set(FILES) for folder in LOCALES.iterdir())


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
@pytest.mark.parametrize("file", FILES)
def test_every_text_has_an_entry_and_none_is_left_over(language: str, file: str) -> None:
    written, words = (LOCALES / language / file).read_text("utf-8"), read(language, file)
    assert written == dump(words)
    assert [place for place, _ in leaves(words)] == [place for place, _ in leaves(read("en", file))]
    for place, text in leaves(words):
        assert text.strip() == text != "", place
        assert not set(text) & set("{}@|"), (place, "the interface would read these as its own marks")


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_translated(language: str) -> None:
    for place, english, own in pairs(language):
        assert own != english or english in ALIKE.get(language, ()), place
        if place[-1] == "name":
            assert "_" not in own, place
    english_words, own_words = (set(read(name, OTHERS)[OWN].values()) for name in ("en", language))
    assert not english_words & own_words


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_means_the_same_everywhere_is_kept(language: str) -> None:
    lost = {
        (place, word): own
        for place, english, own in pairs(language)
        for word in KEPT.findall(english)
        if place[-1] != "name" and word not in own
    }
    assert not lost


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_text_has_one_translation(language: str) -> None:
    translated: dict[tuple[str, str], str] = {}
    for place, english, own in pairs(language):
        assert translated.setdefault((place[-1], english), own) == own, place


@pytest.mark.parametrize("language", LANGUAGES)
def test_quoted_labels_are_those_that_the_nodes_show(language: str) -> None:
    shown = {re.split(r" ?[(（]", own)[0] for place, _, own in pairs(language) if place[-1] == "display_name"}
    shown |= {own for place, _, own in pairs(language) if place[-1] == "name"}
    shown |= set(OF_COMFYUI[language])
    ids = {place[2] for place, _ in leaves(read("en")) if len(place) == 4 and "_" in place[2]}
    for place, english, own in pairs(language):
        quoted = {"".join(label).replace("\N{NO-BREAK SPACE}", " ") for label in LABEL.findall(own)}
        assert quoted <= shown, place
        named = ids & set(re.findall(r"\w+", english)) - {place[2]} if place[-1] == "tooltip" else set[str]()
        assert len(quoted) >= len(named), (place, named)
        assert not named & set(re.findall(r"\w+", own)), place
