"""Memory of the server: given back when ComfyUI unloads its models."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from comfyui.pack import MODEL_FOLDER

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Prompt

MODELS = {
    "FOMM_Runner": ("vox-adv-cpk.pth.tar", {"model_name": "vox-adv", "relative_movement": True,
                    "relative_jacobian": True, "adapt_movement_scale": True, "find_best_frame": False}),
    "Spline_Runner": ("vox.pth.tar", {"predict_mode": "relative", "find_best_frame": False}),
    "Articulate_Runner": ("vox256.pth", {}),
}  # fmt: skip
PATIENCE = 30  # seconds, as ComfyUI unloads between two looks at its queue


def prompt_of(node: str) -> Prompt:
    inputs = {"source_image": ["1", 0], "driving_video_input": ["1", 0], "frame_rate": 30, **MODELS[node][1]}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": "source.png"}},
        "2": {"class_type": node, "inputs": inputs},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "memory"}},
    }


def resident(comfy: ComfyServer) -> int:
    """Bytes of the server's process in memory."""
    status = Path(f"/proc/{comfy.process.pid}/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    "flags", [{"unload_models": True}, {"unload_models": True, "free_memory": True}], ids=["models", "all"]
)
def test_unloading_frees_our_models(comfy: ComfyServer, flags: dict[str, bool]) -> None:
    before = resident(comfy)
    for node in MODELS:
        run = comfy.run(prompt_of(node))
        assert run.ending == "execution_success", run.error
    loaded = resident(comfy)
    comfy.free(**flags)
    deadline, wanted = time.monotonic() + PATIENCE, sum(size_of(comfy, node) for node in MODELS)
    while loaded - resident(comfy) < 0.8 * wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    print(before / 2**20, loaded / 2**20, resident(comfy) / 2**20, wanted / 2**20)
    assert loaded - resident(comfy) >= 0.8 * wanted


def size_of(comfy: ComfyServer, node: str) -> int:
    return (comfy.base / "models" / MODEL_FOLDER / MODELS[node][0]).stat().st_size
