"""The site that `page` writes: whole or not at all, with what it needs and nothing else."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from first_order_motion.animation.media.reader import read_picture
from first_order_motion.cli.main import main
from first_order_motion.core.atomic_file import atomic_folder
from first_order_motion.core.errors import InputError
from first_order_motion.live import runtime_files, site
from first_order_motion.live.runtime_files import NEEDED, extract_runtime
from first_order_motion.live.site import describe, foreign_file
from PIL import Image

pytest.importorskip("onnxscript", reason="needs the extra `deploy`")


def archive(path: Path, *names: str, head: str = "package/dist/") -> Path:
    """Write a package with files of these names."""
    with tarfile.open(path, "w:gz") as file:
        for name in names:
            entry = tarfile.TarInfo(head + name)
            entry.size = len(name)
            file.addfile(entry, io.BytesIO(name.encode()))
    return path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that is taken for the pinned one."""
    path = archive(tmp_path / "package.tgz", *NEEDED, "other.mjs", "../../outside.mjs")
    pin(path, monkeypatch)
    return path


def pin(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    monkeypatch.setattr(runtime_files, "SHA512", digest)


def written(folder: Path, exported: Path, package: Path, *more: str) -> int:
    return main(["page", str(folder), "--exported", str(exported), "--runtime", str(package), *more])


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_site_has_all_that_it_needs(tmp_path: Path, tiny_export: Path, package: Path) -> None:
    folder = tmp_path / "deep" / "site"
    assert written(folder, tiny_export, package) == 0
    found = contents(folder)
    page = {file.name for file in site.PAGE.iterdir() if file.suffix in (".html", ".css", ".mjs")}
    graphs = {f"models/tiny/{name}.onnx" for name in ("motion", "prepare", "render")}
    pictures = {f"pictures/{number}.png" for number in range(3)}
    runtime = {f"runtime/{name}" for name in NEEDED}
    assert {*found} == page | graphs | pictures | runtime | {"page.json", "_headers"}
    about = json.loads(found["page.json"])
    assert about["engine"] == "browser"
    [model] = about["models"]
    assert (model["id"], model["folder"]) == ("tiny", "models/tiny")
    assert model["spec"] == {"relative": True, "poseExtras": [], "unsignedFrames": False, "keepsPose": False}
    assert [row["file"] for row in about["pictures"]] == sorted(pictures)
    assert b"Cross-Origin-Embedder-Policy: require-corp" in found["_headers"]
    assert b"connect-src 'self' blob:;" in found["index.html"]  # no server can be reached
    assert found[f"runtime/{NEEDED[0]}"] == NEEDED[0].encode()
    assert [*tmp_path.glob("deep/.*")] == []


def test_nothing_comes_from_other_hosts_and_no_script_stands_in_the_page() -> None:
    for file in site.PAGE.iterdir():
        text = file.read_text("utf-8")
        assert "//" not in text.replace("://", "") or file.suffix == ".mjs", file.name
        for scheme in ("http://", "https://"):
            assert scheme not in text, file.name
    page = (site.PAGE / "index.html").read_text("utf-8")
    assert page.count("<script") == page.count('<script type="module" src="page.mjs">') == 1
    assert re.findall(r"<[^>]*\s(?:style|on\w+)=", page) == []


def test_a_site_is_written_over_but_nothing_else(
    tmp_path: Path, tiny_export: Path, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    assert written(folder, tiny_export, package) == 0  # an empty folder
    (folder / "index.html").write_text("of a version before")
    assert written(folder, tiny_export, package) == 0
    assert contents(folder)["index.html"] != b"of a version before"
    for place in (folder / "models", tmp_path / "other"):
        place.mkdir(exist_ok=True)
        (place / "letter.txt").write_text("mine")
    before = contents(folder)
    for place, name in ((folder, "models/letter.txt"), (tmp_path / "other", "letter.txt")):
        capsys.readouterr()
        assert written(place, tiny_export, package) == 1
        assert f"holds {name}, which this command did not write" in capsys.readouterr().err
    assert contents(folder) == before and contents(tmp_path / "other") == {"letter.txt": b"mine"}


def test_a_foreign_folder_is_foreign_though_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "models" / "one").mkdir(parents=True)
    (tmp_path / "models" / "one" / "motion.onnx").write_bytes(b"graph")
    describe(tmp_path, [], [], "1")
    assert foreign_file(tmp_path) is None
    (tmp_path / "models" / "mine").mkdir()
    assert foreign_file(tmp_path) == Path("models/mine")


@pytest.mark.parametrize("change", [lambda path: path.write_text("[" * 100_000), os.mkfifo])
def test_a_description_that_is_none_makes_all_foreign(change: Callable[[Path], object], tmp_path: Path) -> None:
    change(tmp_path / "page.json")
    assert foreign_file(tmp_path) == Path("page.json")


def test_a_site_that_fails_leaves_the_one_before(
    tmp_path: Path, tiny_export: Path, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "site"
    assert written(folder, tiny_export, package) == 0
    before = contents(folder)
    broken = tmp_path / "broken.tgz"
    broken.write_bytes(package.read_bytes()[:-20])
    assert written(folder, tiny_export, broken) == 1
    assert "--runtime is " in capsys.readouterr().err
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_pictures_are_written_anew(tmp_path: Path, tiny_export: Path, package: Path) -> None:
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 1500, 3), np.uint8))
    facts = Image.Exif()
    facts[0x010E] = "where I live"
    large.save(tmp_path / "holiday.jpg", exif=facts)
    assert b"where I live" in (tmp_path / "holiday.jpg").read_bytes()
    assert written(tmp_path / "site", tiny_export, package, "--pictures", str(tmp_path / "holiday.jpg")) == 0
    [row] = json.loads((tmp_path / "site" / "page.json").read_text("utf-8"))["pictures"]
    assert row["label"] == "holiday"
    file = tmp_path / "site" / row["file"]
    assert read_picture(file).shape[1:3] == (410, 1024)
    assert b"where I live" not in file.read_bytes()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--model", "drawn-faces"], "--model was given; exported models have that settled."),
        (["--precision", "int8"], "--precision was given"),
        (["--pictures", "missing.png"], "missing.png is not there"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, tiny_export: Path, package: Path, given: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(tmp_path / "site", tiny_export, package, *given) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_two_models_of_one_name(
    tmp_path: Path, tiny_export: Path, package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(tmp_path / "site", tiny_export, package, "--exported", str(tiny_export)) == 1
    assert "two models called" in capsys.readouterr().err


def test_only_the_pinned_package_is_taken(tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "runtime"
    folder.mkdir()
    extract_runtime(package, folder)
    assert {*contents(folder)} == {*NEEDED} and not (tmp_path / "outside.mjs").exists()
    with pytest.raises(InputError, match=r"runtime is .*, whose SHA-512 is not that of onnxruntime-web"):
        extract_runtime(archive(tmp_path / "other.tgz", *NEEDED[1:]), folder)
    with pytest.raises(InputError, match="cannot be read"):
        extract_runtime(tmp_path / "missing.tgz", folder)
    for content, words in (
        (archive(tmp_path / "few.tgz", *NEEDED[1:]).read_bytes(), "lacks ort.wasm.min.mjs"),
        (package.read_bytes()[:100], "no readable archive"),
        (b"no archive", "no readable archive"),
    ):
        (tmp_path / "wrong.tgz").write_bytes(content)
        pin(tmp_path / "wrong.tgz", monkeypatch)
        with pytest.raises(InputError, match=words):
            extract_runtime(tmp_path / "wrong.tgz", folder)


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rename = tmp_path / "site", Path.rename
    folder.mkdir()
    (folder / "old").write_text("old")

    def refuse(self: Path, target: Path) -> Path:
        if self.name == "folder":
            raise PermissionError(13, "no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError), atomic_folder(folder, replace=True) as part:
        (part / "new").write_text("new")
    assert contents(folder) == {"old": b"old"}
