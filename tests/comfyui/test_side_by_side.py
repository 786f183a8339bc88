"""This pack beside another one whose nodes have the same ids, loaded before it and after it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfyui.conftest import path_from
from comfyui.pack import FOLDER, ROOT

SHARED = (
    *("FOMM_Runner", "FOMM_Partswap", "FOMM_Seg5Chooser", "FOMM_Seg10Chooser", "FOMM_Seg15Chooser"),
    *("Articulate_Runner", "Spline_Runner", "MRFA_Runner", "FSRT_Runner"),
)
STAND_IN = '''
class Stand:
    """Node of the earlier pack."""
    DESCRIPTION = "The other one."
    CATEGORY, FUNCTION, RETURN_TYPES = "Stand", "todo", ()

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def todo(self):
        return ()

import nodes
print("stand-in:", "after" if "FirstOrderMotion_Sample" in nodes.NODE_CLASS_MAPPINGS else "before", flush=True)
NODE_CLASS_MAPPINGS = {name: type(name, (Stand,), {}) for name in %r}
'''
SORTED = "import os\nlist_all = os.listdir\nos.listdir = lambda *path: sorted(list_all(*path))\n"
"""Has Python list folders in the order of their names, in which ComfyUI then loads packs."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "order"), [("a-stand-in", "before"), ("stand-in", "after")])
def test_nodes_that_another_pack_takes_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, order: str
) -> None:
    comfyui = path_from("COMFYUI_PATH")
    for package in ("requests", "websocket"):
        pytest.importorskip(package)
    from comfyui.server import ComfyServer

    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text(STAND_IN % (SHARED,))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SORTED)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]))
    kept = tmp_path / "base" / "custom_nodes" / "ComfyUI-FirstOrderMM.disabled" / "checkpoints"
    kept.mkdir(parents=True)  # what is left of the earlier pack, switched off
    (kept / "vox-cpk.pth.tar").write_bytes(b"weights")
    with ComfyServer(comfyui, tmp_path / "base", {FOLDER: ROOT, name: tmp_path / "pack"}) as server:
        log, known = server.log(), server.object_info()
        assert f"stand-in: {order}" in log
        [warning] = [line for line in log.splitlines() if "are those of another pack" in line]
        assert f"({name})" in warning and "rename its folder" in warning
        for shared in SHARED:
            assert shared in warning and known[shared]["python_module"] == f"custom_nodes.{name}"
            assert known[shared]["description"].startswith(f"This is the node of {name}")
            assert known[shared]["description"].endswith("The other one.")
        assert "FirstOrderMotion_Sample" in known and known["FirstOrderMotion_Sample"]["python_module"].endswith(FOLDER)
        translated = server.get("/i18n").json()["ja"]["nodeDefs"]  # would hide the words of the other's nodes
        assert "FirstOrderMotion_Sample" in translated and not translated.keys() & set(SHARED)
        assert "Traceback" not in log
