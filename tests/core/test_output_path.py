"""Places for output: refused in words where nothing can be written, and where an input or another output lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from first_order_motion.core.errors import InputError, MediaError
from first_order_motion.core.output_path import (
    Output,
    check_folder,
    check_output,
    numbered_names,
    refuse_clashes,
    resolve_output,
    shown,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with clip.mp4, and other names for it."""
    (tmp_path / "clip.mp4").write_bytes(b"clip")
    (tmp_path / "link.mp4").symlink_to("clip.mp4")
    os.link(tmp_path / "clip.mp4", tmp_path / "hard.mp4")
    (tmp_path / "sub").mkdir()
    (tmp_path / "same").symlink_to(".", target_is_directory=True)
    return tmp_path


def clash(output: Output, given: Path | list[Path]) -> str:
    with pytest.raises(InputError) as caught:
        refuse_clashes([output], {"the driving video": given})
    assert caught.value.parameter == output.parameter
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["clip.mp4", "sub/../clip.mp4", "link.mp4", "hard.mp4", "same/clip.mp4", "same/link.mp4"]
)
def test_an_input_by_any_name_is_no_output(folder: Path, name: str) -> None:
    message = clash(Output("output", folder / name), folder / "clip.mp4")
    assert message.startswith("output is ") and "overwrite the driving video" in message
    assert clash(Output("output", folder / "clip.mp4"), [folder / "none", folder / name])


def test_relative_and_absolute_names_of_one_file_meet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert clash(Output("output", Path("clip.mp4")), folder / "clip.mp4")


@pytest.mark.parametrize(
    "given",
    ["00002.png", "", "%05d.png", "%5d.png", "again.png"],
    ids=["picture", "folder", "pattern", "another_pattern", "link"],
)
def test_numbered_pictures_do_not_overwrite_inputs(tmp_path: Path, given: str) -> None:
    (tmp_path / "00002.png").write_bytes(b"x")
    (tmp_path / "again.png").symlink_to("00002.png")
    output = Output("output", tmp_path / "%05d.png", numbered_names("%05d.png"))
    assert clash(output, tmp_path / given)
    for other in ("a%05d.png", "%06d.png", "%d.png"):
        refuse_clashes([Output("output", tmp_path / other, numbered_names(other))], {"it": tmp_path / given})
    (tmp_path / "123456.png").write_bytes(b"x")  # which %05d comes to, too
    assert clash(output, tmp_path / "123456.png")


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        ("a.mp4", "a.png", False),
        ("a.png", "A.PNG", True),
        ("same/a.png", "a.png", True),
        ("fu\u0308r.png", "f\u00fcr.png", True),  # two spellings that some systems take for one
        ("sub/a.png", "a.png", False),
    ],
)
def test_two_outputs_are_two_files(folder: Path, first: str, second: str, meet: bool) -> None:
    outputs = [Output("output", folder / first), Output("sheet", folder / second)]
    if not meet:
        refuse_clashes(outputs, {})
        return
    with pytest.raises(InputError, match=r"sheet is .* would be written twice"):
        refuse_clashes(outputs, {})


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [("a_%05d.png", "a_%05d.png", True), ("a_%05d.png", "A_%d.png", True), ("a_%05d.png", "b_%05d.png", False)],
)
def test_two_sets_of_numbered_pictures(tmp_path: Path, first: str, second: str, meet: bool) -> None:
    outputs = [Output(name, tmp_path / name, numbered_names(name)) for name in (first, second)]
    if not meet:
        refuse_clashes(outputs, {})
        return
    with pytest.raises(InputError, match="written twice"):
        refuse_clashes(outputs, {})


def test_a_sheet_is_none_of_the_numbered_pictures(tmp_path: Path) -> None:
    numbered = Output("output", tmp_path / "a.png", numbered_names("a_%05d.png"))
    refuse_clashes([numbered, Output("sheet", tmp_path / "a.png")], {"none": None})
    with pytest.raises(InputError, match="written twice"):
        refuse_clashes([numbered, Output("sheet", tmp_path / "A_00001.png")], {})


def test_links_are_followed(folder: Path) -> None:
    (folder / "new.mp4").symlink_to("sub/made.mp4")
    assert resolve_output(folder / "new.mp4") == (folder / "sub" / "made.mp4").resolve()
    assert resolve_output(folder / "same" / "plain.mp4") == folder / "same" / "plain.mp4"


def test_where_nothing_can_be_written_is_said_in_words(folder: Path) -> None:
    os.mkfifo(folder / "pipe.mp4")
    (folder / "null.mp4").symlink_to(os.devnull)
    (folder / "circle.mp4").symlink_to("circle.mp4")
    (folder / "astray.mp4").symlink_to("nowhere/a.mp4")
    (folder / "fixed.mp4").touch(0o444)
    said = {
        "none/a.mp4": "there is no folder",
        "clip.mp4/a.mp4": "is no folder",
        "sub": "it is a folder",
        "pipe.mp4": "a device or a pipe",
        "null.mp4": "a device or a pipe",
        "circle.mp4": "leads in a circle",
        "astray.mp4": "there is no folder",
        "fixed.mp4": "write-protected",
        "x" * 300 + ".mp4": "File name too long",
    }
    for name, words in said.items():
        with pytest.raises(MediaError, match=rf"cannot be written: .*{words}") as caught:
            check_output(folder / name)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 600
    check_output(folder / "new.mp4")
    check_output(folder / "link.mp4")


def test_folders_that_can_be_made(folder: Path) -> None:
    check_folder(folder / "new" / "deep")
    check_folder(Path("relative"))
    for place in ("clip.mp4", "clip.mp4/in"):
        with pytest.raises(MediaError, match=r"cannot be made: .*clip.mp4 is none"):
            check_folder(folder / place)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="to the superuser no folder is closed")
def test_closed_folders(folder: Path) -> None:
    (folder / "sub").chmod(0o555)
    with pytest.raises(MediaError, match="nothing may be written"):
        check_output(folder / "sub" / "a.mp4")
    with pytest.raises(MediaError, match="Nothing may be written"):
        check_folder(folder / "sub" / "new")


def test_paths_are_shown_on_one_line() -> None:
    assert shown(Path("a\nb\x1b[1m")) == "a\\nb\\x1b[1m"
    assert shown(Path(os.fsdecode(b"\xff.mp4"))) == "\\udcff.mp4"
    assert len(shown(Path("x" * 1000))) <= 201
