"""Memory of the server: given back when ComfyUI unloads its models."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Prompt

MODELS = {
    "FOMM_Runner": {"model_name": "vox-adv", "relative_movement": True, "relative_jacobian": True,
                    "adapt_movement_scale": True, "find_best_frame": False},
    "Spline_Runner": {"predict_mode": "relative", "find_best_frame": False},
    "Articulate_Runner": {},
}  # fmt: skip
FREED = 700 * 2**20  # of 820 MB that the three files hold
PATIENCE = 30  # seconds, as ComfyUI unloads between two looks at its queue


def prompt_of(node: str, size: int) -> Prompt:
    inputs = {"size": size, "source_image": ["1", 0], "driving_video_input": ["1", 0], "frame_rate": 30, **MODELS[node]}
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
@pytest.mark.parametrize("flags", [{"unload_models": True}, {"unload_models": True, "free_memory": True}])
def test_unloading_frees_our_models(comfy: ComfyServer, flags: dict[str, bool]) -> None:
    """By most of what their files hold of weights, and the server goes on as before."""
    for size in (128, 256):
        for node in MODELS:
            run = comfy.run(prompt_of(node, size))
            assert run.ending == "execution_success", run.error
        loaded, deadline = resident(comfy), time.monotonic() + PATIENCE
        while loaded - resident(comfy) < FREED and time.monotonic() < deadline:
            comfy.free(**flags)  # again and again: between two looks at its queue ComfyUI misses that it was asked
            time.sleep(1)
        assert loaded - resident(comfy) >= FREED
