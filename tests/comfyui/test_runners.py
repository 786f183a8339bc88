"""The list of nodes, made by a process of its own with ComfyUI's modules."""

import os
import subprocess
import sys

import pytest
from comfyui.pack import ROOT

COMFYUI = os.environ.get("COMFYUI_PATH")

LIST = """
import runpy, sys
sys.path[:0] = [{comfyui!r}, {tests!r}]
from comfy.cli_args import args
args.cpu = True
runpy.run_path({animate!r})["load_pack"]()
from first_order_motion.animation import registry
from support.paths import TESTS, load_file
{register}
from first_order_motion.comfy_nodes.runtime import folders
folders.register()
from first_order_motion.nodes import NODES
print(*(node.GET_SCHEMA().node_id for node in NODES))
"""


def listed(register: str) -> list[str]:
    code = LIST.format(comfyui=COMFYUI, tests=str(ROOT / "tests"), animate=str(ROOT / "animate.py"), register=register)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


@pytest.mark.skipif(not COMFYUI, reason="COMFYUI_PATH names no ComfyUI")
def test_an_architecture_without_a_node_family_gets_a_runner() -> None:
    ours = listed("")
    toy = 'registry.register(load_file(TESTS / "module_toy" / "architecture.py").ARCHITECTURE)'
    assert listed(toy) == [*ours, "TOY_Runner"]
    assert len(ours) == len(set(ours)) >= 23
