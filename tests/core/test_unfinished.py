"""Unfinished files: hidden, removed however the work ends, and cleared after processes that are gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from first_order_motion.core.file_lock import is_at, try_lock
from first_order_motion.core.unfinished import HiddenFolder, clean_up, keep, make_folder, remove_abandoned


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def abandoned(folder: Path) -> Path:
    """What a process that was killed leaves: a hidden folder in which nobody holds a lock."""
    hidden = HiddenFolder(folder / "a.mp4")
    (hidden.path / "part").write_bytes(b"half")
    copy = folder / hidden.path.name.replace(".a.", ".b.")
    shutil.copytree(hidden.path, copy)
    hidden.remove()
    return copy


def test_a_lock_is_one_openers_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as first, path.open("rb") as second:
        assert try_lock(first) and not try_lock(second)
        assert is_at(first, path)
        path.rename(tmp_path / "b")
        assert not is_at(first, path) and is_at(first, tmp_path / "b")
    with (tmp_path / "b").open("rb") as third:
        assert try_lock(third)  # closing gave it back


def test_the_next_one_clears_what_is_abandoned_and_spares_what_is_in_use(tmp_path: Path) -> None:
    alive = HiddenFolder(tmp_path / "c.mp4")
    left = abandoned(tmp_path)
    (tmp_path / ".mine.part").mkdir()
    assert left.exists()
    another = HiddenFolder(tmp_path / "d.mp4")
    assert names(tmp_path) == sorted([".mine.part", alive.path.name, another.path.name])
    alive.remove()
    another.remove()
    another.remove()
    assert names(tmp_path) == [".mine.part"]


def test_what_only_looks_abandoned_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    left = abandoned(elsewhere)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / left.name).symlink_to(left, target_is_directory=True)
    (folder / ".file.01234567.part").write_bytes(b"mine")
    (folder / ".empty.01234567.part").mkdir()  # by its name alone one of ours
    before = names(folder)
    remove_abandoned(folder)
    assert names(folder) == before and left.exists()


@pytest.mark.parametrize(
    "name",
    ["a.mp4", "x" * 251 + ".mp4", "中" * 83 + ".mp4", "..mp4", "a b\n%d.png"],
    ids=["plain", "long", "wide", "dots", "odd"],
)
def test_hidden_folders_of_any_name_are_known_again(tmp_path: Path, name: str) -> None:
    hidden = HiddenFolder(tmp_path / name)
    copy = tmp_path / (hidden.path.name[: -len("01234567.part")] + "00000000.part")
    shutil.copytree(hidden.path, copy)
    hidden.remove()
    remove_abandoned(tmp_path)
    assert names(tmp_path) == []


def test_cleaning_up_removes_what_is_unfinished_and_tells_what_stays(tmp_path: Path) -> None:
    clean_up()
    hidden = HiddenFolder(tmp_path / "a.mp4")
    make_folder(tmp_path / "new" / "empty")
    make_folder(tmp_path / "used")
    (tmp_path / "used" / "done").write_bytes(b"x")
    (tmp_path / "nothing.part").touch()
    for path in (tmp_path / "used" / "done", tmp_path / "nothing.part", tmp_path / "never"):
        keep(path)
    assert clean_up() == [tmp_path / "used" / "done"]
    assert names(tmp_path) == ["used"] and not hidden.path.exists()
    assert clean_up() == []
