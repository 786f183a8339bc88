"""Finding weights by name, and never outside their folders."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from first_order_motion.animation.registry import KINDS, published_names
from first_order_motion.core.errors import InputError, MissingWeightsError
from first_order_motion.core.weights.architecture import WeightsKind
from first_order_motion.core.weights.find import published
from first_order_motion.core.weights.paths import find_file, find_or_raise, resolve_inside, sha256_of

OUTSIDE = [
    "",
    ".",
    "..",
    "../secret.pth",
    "sub/../../secret.pth",
    "sub/../vox.pth",
    "..\\secret.pth",
    "sub\\..\\..\\secret.pth",
    "/etc/passwd",
    "//server/share/vox.pth",
    "\\\\server\\share\\vox.pth",
    "\\vox.pth",
    "C:\\vox.pth",
    "C:vox.pth",
    "c:/vox.pth",
    "vox.pth:stream",
    "vox\0.pth",
    "vox\n.pth",
    "vox?.pth",
    "\\\\?\\C:\\vox.pth",
    "x" * 300,
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.pth").write_bytes(b"x")
    folder = tmp_path / "models"
    folder.mkdir()
    with pytest.raises(InputError) as caught:
        resolve_inside(folder, name)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError):
        find_file([name], [folder])


@pytest.mark.parametrize(
    "name", ["vox.pth", "vox-adv-cpk.pth.tar", "sub/vox.pth", "sub\\vox.pth", "..vox.pth", "mit Löchern.pth"]
)
def test_ordinary_names(tmp_path: Path, name: str) -> None:
    found = resolve_inside(tmp_path, name)
    assert tmp_path.resolve() in found.parents
    assert not found.exists()
    found.parent.mkdir(exist_ok=True)
    found.write_bytes(b"x")
    assert find_file([name], [tmp_path]) == found


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A model folder with links out of it, inside it, and in circles."""
    folder, outside = tmp_path / "models", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "vox.pth").write_bytes(b"x")
    (folder / "real.pth").write_bytes(b"x")
    try:
        (folder / "out.pth").symlink_to(outside / "vox.pth")
        (folder / "out").symlink_to(outside, target_is_directory=True)
        (folder / "inside.pth").symlink_to(folder / "real.pth")
        (folder / "loop.pth").symlink_to(folder / "loop.pth")
        (tmp_path / "alias").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    return folder


@pytest.mark.parametrize("name", ["out.pth", "out/vox.pth", "out/new.pth"])
def test_links_out_are_refused(linked: Path, name: str) -> None:
    with pytest.raises(InputError, match="through a link"):
        resolve_inside(linked, name)


def test_links_within_are_followed(linked: Path) -> None:
    assert resolve_inside(linked, "inside.pth") == (linked / "real.pth").resolve()
    assert find_file(["real.pth"], [linked.parent / "alias"]) == (linked / "real.pth").resolve()


def test_a_circle_of_links_is_no_file(linked: Path) -> None:
    try:
        assert find_file(["loop.pth"], [linked]) is None
    except InputError as error:
        assert "cannot be resolved" in str(error)


def test_a_folder_next_door_with_the_same_beginning(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models2").mkdir()
    (tmp_path / "models2" / "vox.pth").write_bytes(b"x")
    with pytest.raises(InputError):
        resolve_inside(tmp_path / "models", "../models2/vox.pth")


def test_folders_come_before_names(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for path in (first / "b.safetensors", second / "a.pth", second / "b.safetensors"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    wanted = ["a.pth", "b.safetensors"]
    assert find_file(wanted, [first, second]) == (first / "b.safetensors").resolve()
    assert find_file(wanted, [second, first]) == (second / "a.pth").resolve()
    assert find_file(wanted, [tmp_path / "absent", first]) == (first / "b.safetensors").resolve()
    assert find_file(wanted, []) is None


def test_a_folder_is_no_weight_file(tmp_path: Path) -> None:
    (tmp_path / "vox.pth").mkdir()
    assert find_file(["vox.pth"], [tmp_path]) is None


PUBLISHED = [(kind, row.name) for kind in KINDS.values() for row in kind.published]


@pytest.mark.parametrize(("kind", "name"), PUBLISHED, ids=lambda value: getattr(value, "id", value))
def test_require_finds_each_accepted_name_or_says_what_to_do(tmp_path: Path, kind: WeightsKind, name: str) -> None:
    entry = published(kind, name)
    with pytest.raises(MissingWeightsError) as caught:
        find_or_raise(entry, [tmp_path / "models", tmp_path / "other"])
    message = str(caught.value)
    assert entry.files[0] in message and entry.page in message and str(tmp_path / "models") in message
    assert "\n" not in message
    for file in entry.files:
        (tmp_path / file).write_bytes(b"x")
        assert find_or_raise(entry, [tmp_path]) == (tmp_path / file).resolve()
        (tmp_path / file).unlink()


def test_require_without_an_address_names_the_page(tmp_path: Path) -> None:
    entry = replace(KINDS["fomm"].published[0], url=None)
    with pytest.raises(MissingWeightsError, match=entry.page):
        find_or_raise(entry, [tmp_path])
    with pytest.raises(MissingWeightsError, match="the model folder"):
        find_or_raise(entry, [])


def test_sha256_of_a_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096 * 3  # 3 MiB, in blocks
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_hashing_can_be_cancelled(tmp_path: Path) -> None:
    def check() -> None:
        raise KeyboardInterrupt

    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(KeyboardInterrupt):
        sha256_of(tmp_path / "a", check)


def test_the_fomm_table() -> None:
    assert published_names("fomm") == [
        *("vox-adv", "vox", "taichi", "taichi-adv", "fashion", "nemo", "mgif", "bair", "drawn-faces")
    ]
    rows = KINDS["fomm"].published[:-1]
    files = [file for row in rows for file in row.files]
    assert len(set(files)) == len(files)
    assert rows[0].files[0] == "vox-adv-cpk.pth.tar"
    assert published(KINDS["fomm"], "fashion").files == ("fashion.pth.tar", "fashion.pth", "fashion.safetensors")
    assert [row.name for row in rows if row.sha256] == ["vox-adv", "vox", "taichi-adv"]
    for row in rows:
        assert row.url is not None and row.url.startswith("https://") and row.url.endswith(row.files[0])
        assert row.page.startswith("https://")
        assert row.sha256 is None or (len(row.sha256) == 64 and set(row.sha256) <= set("0123456789abcdef"))
        assert row.earlier == "checkpoints"


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'nope' .*choose one of: vox-adv, vox, "):
        published(KINDS["fomm"], "nope")
    with pytest.raises(InputError, match="choose one of: none"):
        published(KINDS["resnet18"], "vox")
