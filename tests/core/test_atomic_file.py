"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from firstordermm.core.atomic_file import AtomicFile, atomic_write
from firstordermm.core.errors import MediaError


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as part:
        part.write_bytes(b"new")
        assert [name[0] for name in names(tmp_path)] == [".", "a"]
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(path) as part:
        part.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_the_permissions_are_those_of_new_files(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_bytes(b"x")
    with atomic_write(tmp_path / "a.bin") as part:
        part.unlink()
        part.touch(0o600)  # as some libraries do
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a.bin") as first, atomic_write(tmp_path / "a.bin") as second:
        assert first != second


@pytest.mark.parametrize("name", ["x" * 251 + ".png", "中" * 83 + ".png", "🦊" * 62 + ".png"])
def test_the_longest_names(tmp_path: Path, name: str) -> None:
    with atomic_write(tmp_path / name) as part:
        part.write_bytes(b"x")
    assert names(tmp_path) == [name]


def test_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"), atomic_write(tmp_path / "none" / "a.bin"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="it is a folder"), atomic_write(tmp_path / "folder"):
        pass
    with pytest.raises(MediaError, match=r"cannot be written: there is no folder .*; create it first\.$"):
        AtomicFile(tmp_path / "none" / "a.bin")
    assert names(tmp_path) == ["folder"]


def test_in_two_steps(tmp_path: Path) -> None:
    file = AtomicFile(tmp_path / "a.bin")
    assert names(tmp_path) == []
    file.part.write_bytes(b"new")
    file.commit()
    file.discard()
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    other = AtomicFile(tmp_path / "a.bin")
    other.part.write_bytes(b"half")
    other.discard()
    assert names(tmp_path) == ["a.bin"]
