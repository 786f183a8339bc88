"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from first_order_motion.core.atomic_file import AtomicFile, atomic_write
from first_order_motion.core.errors import MediaError
from first_order_motion.core.signals import undisturbed


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


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for mode in (0o600, 0o640, 0o666, 0o755):
        path.touch()
        path.chmod(mode)
        with atomic_write(path) as part:
            part.write_bytes(b"new")
        assert path.stat().st_mode & 0o777 == mode
        file = AtomicFile(path)
        file.part.write_bytes(b"newer")
        file.commit()
        file.discard()
        assert path.read_bytes() == b"newer" and path.stat().st_mode & 0o777 == mode
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_file_is_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "sub").mkdir()
    target, link = tmp_path / "sub" / "target.bin", tmp_path / "a.bin"
    if there:
        target.write_bytes(b"old")
    link.symlink_to("sub/target.bin")
    with atomic_write(link) as part:
        part.write_bytes(b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert names(tmp_path) == ["a.bin", "sub"] and names(tmp_path / "sub") == ["target.bin"]


def test_another_name_of_a_replaced_file_keeps_what_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    os.link(tmp_path / "a.bin", tmp_path / "b.bin")
    with atomic_write(tmp_path / "a.bin") as part:
        part.write_bytes(b"new")
    assert (tmp_path / "b.bin").read_bytes() == b"old"


def test_who_reads_a_file_that_is_replaced_reads_on(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")
    with (tmp_path / "a.bin").open("rb") as reader:
        with atomic_write(tmp_path / "a.bin") as part:
            part.write_bytes(b"new")
        assert reader.read() == b"old"


def test_a_signal_waits_for_what_may_not_be_torn_apart() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with undisturbed():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            assert came == []
        assert came == [signal.SIGTERM]
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with undisturbed():
            signal.raise_signal(signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
