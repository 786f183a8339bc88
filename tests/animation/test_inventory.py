"""Stock of weight files: states of published ones, and what else lies in their folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from first_order_motion.animation import inventory
from first_order_motion.animation.inventory import Item, named_file, published_files, take_stock, unknown_files
from first_order_motion.animation.model_folders import default_folders
from first_order_motion.animation.registry import earlier_packs
from first_order_motion.core.errors import InputError
from first_order_motion.core.installation import PACK
from support.architectures import tiny
from support.command_line import build_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder with the bundled model whole, FOMM's as a converted, a re-saved, a damaged and a wrong file."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copyfile(PACK / "checkpoints" / "drawn-faces.safetensors", folder / "drawn-faces.safetensors")
    (tmp_path / "files").mkdir()
    build_files(tmp_path / "files")
    shutil.copyfile(tmp_path / "files" / "tiny.safetensors", folder / "taichi-adv-cpk.safetensors")
    fomm = {name: part.state_dict() for name, part in tiny("fomm").named_children()}
    torch.save(fomm, folder / "vox-adv-cpk.pth.tar")
    torch.save(fomm, folder / "vox.pth.tar")  # a name of Thin-Plate Spline's
    torch.save(fomm, folder / "mine.pth")
    (folder / "fashion.pth.tar").write_bytes((folder / "mine.pth").read_bytes()[:-100])
    (folder / "vox-cpk.pth.tar.part").write_bytes(b"some")
    (folder / "readme.md").write_text("no weights")
    return folder


def states(items: list[Item]) -> dict[str, str]:
    return {item.row.files[0]: item.state for item in items}


def test_every_state_is_told(folder: Path) -> None:
    found = states(take_stock(lambda _: [folder], check=True))
    assert found["drawn-faces.safetensors"] == inventory.WHOLE
    assert found["taichi-adv-cpk.pth.tar"] == inventory.READABLE
    assert found["vox-adv-cpk.pth.tar"] == inventory.DIFFERENT
    assert found["fashion.pth.tar"] == inventory.DAMAGED
    assert found["vox.pth.tar"] == inventory.WRONG
    assert found["vox-cpk.pth.tar"] == inventory.MISSING


def test_without_a_check_nothing_is_read_but_sizes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(inventory, "read_checkpoint")
    monkeypatch.delattr(inventory, "sha256_of")
    items = {item.row.files[0]: item for item in take_stock(lambda _: [folder], check=False)}
    assert items["fashion.pth.tar"].state == items["drawn-faces.safetensors"].state == inventory.THERE
    assert "the published file has 750926934" in items["vox-adv-cpk.pth.tar"].note
    assert not items["taichi-adv-cpk.pth.tar"].note and not items["drawn-faces.safetensors"].note


def test_unknown_files_are_named_and_with_a_check_identified(folder: Path) -> None:
    found = {other.path.name: other.note for other in unknown_files([folder], check=True)}
    assert found == {
        "mine.pth": "holds First Order Motion Model (FOMM) weights",
        "vox-cpk.pth.tar.part": "an unfinished download of vox-cpk.pth.tar",
    }
    assert {other.note for other in unknown_files([folder, folder], check=False)} == {"", *list(found.values())[1:]}


@pytest.mark.parametrize("check", [False, True])
def test_a_link_that_leads_out_of_its_folder_is_a_note_of_its_row(tmp_path: Path, folder: Path, check: bool) -> None:
    (folder / "vox-cpk.pth.tar").symlink_to(tmp_path / "files" / "tiny.safetensors")
    items = {item.row.files[0]: item for item in take_stock(lambda _: [folder], check)}
    assert items["vox-cpk.pth.tar"].state == inventory.REFUSED
    assert "leads out of" in items["vox-cpk.pth.tar"].note
    assert items["drawn-faces.safetensors"].state == (inventory.WHOLE if check else inventory.THERE)


def test_each_file_is_listed_once() -> None:
    files = [row.files for row, _ in published_files()]
    assert len(files) == len({*files})
    users = {row.name: [kind.id for kind, _ in users] for row, users in published_files()}
    assert users["vox-adv"] == ["fomm", "partswap"]


@pytest.mark.parametrize(
    ("name", "architecture", "file"),
    [
        ("vox-adv", None, "vox-adv-cpk.pth.tar"),
        ("vox-cpk", None, "vox-cpk.pth.tar"),
        ("vox-cpk.pth.tar", None, "vox-cpk.pth.tar"),
        ("vox", "spline", "vox.pth.tar"),
        ("kp_detector", None, "kp_detector.pt"),
    ],
)
def test_a_file_is_named(name: str, architecture: str | None, file: str) -> None:
    assert named_file(name, architecture)[1].files[0] == file


@pytest.mark.parametrize(
    ("name", "says"), [("vox", "fomm, spline, mrfa"), ("vox-avd", "Did you mean vox-adv?"), ("zzz", "taichi-adv")]
)
def test_an_unclear_name_is_refused(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says.replace("?", r"\?")):
        named_file(name, None)


def test_the_earlier_pack_is_found_under_each_of_its_names(tmp_path: Path) -> None:
    names = [
        *("ComfyUI-FirstOrderMM", "comfyui-firstordermm", "ComfyUI-FirstOrderMM.disabled"),
        ".disabled/comfyui-firstordermm@1_0_3",
    ]
    for name in [*names, "ComfyUI-FirstOrderMMore", "first-order-motion"]:
        (tmp_path / name).mkdir(parents=True)
    assert {str(pack.relative_to(tmp_path)) for pack in earlier_packs(tmp_path)} == {*names}
    assert earlier_packs(tmp_path / "nowhere") == []


def test_weights_go_into_comfyui_s_folder_before_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "custom_nodes" / "first-order-motion"
    pack.mkdir(parents=True)
    monkeypatch.setattr("first_order_motion.animation.model_folders.PACK", pack)
    assert default_folders("fomm")[0] == pack / "checkpoints"
    (tmp_path / "models").mkdir()
    assert default_folders("fomm")[0] == tmp_path / "models" / "first_order_motion"
