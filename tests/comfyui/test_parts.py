"""Clips in parts, by VideoHelperSuite's batch manager or by hand, in a real ComfyUI; and wrong values for pictures."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from comfyui.checkpoints import write_driving
from comfyui.pack import MODEL_FOLDER
from first_order_motion.animation.media.reader import VideoClip
from PIL import Image
from support.media_files import all_frames

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Prompt, Run

FRAMES, PART = 10, 4
FOMM = {"model_name": "vox-adv", "relative_movement": True, "relative_jacobian": True, "adapt_movement_scale": True}
RUNNERS: dict[str, dict[str, Any]] = {
    "FOMM_Runner": {**FOMM, "find_best_frame": False},
    "Spline_Runner": {"predict_mode": "relative", "find_best_frame": False},
    "FSRT_Runner": {"model_name": "vox256", "relative": True, "adapt_scale": True, "find_best_frame": False,
                    "max_num_pixels": 65536},
}  # fmt: skip
VIDEO = {"force_rate": 0, "custom_width": 0, "custom_height": 0, "frame_load_cap": 0, "skip_first_frames": 0,
         "select_every_nth": 1, "format": "None"}  # fmt: skip
SAVED = {"loop_count": 0, "format": "video/ffv1-mkv", "pingpong": False, "save_output": True}


def prompt_of(node: str, in_parts: bool) -> Prompt:
    manager = {"meta_batch": ["9", 0]} if in_parts else {}
    values = {**RUNNERS[node], "frame_rate": 6, "size": 128}
    name = f"{node}{'parts' if in_parts else 'whole'}"
    prompt: Prompt = {
        "1": {"class_type": "VHS_LoadVideo", "inputs": {"video": "parts.mp4", **VIDEO, **manager}},
        "3": {"class_type": "LoadImage", "inputs": {"image": "source.png"}},
        "4": {"class_type": node, "inputs": {"source_image": ["3", 0], "driving_video_input": ["1", 0], **values}},
        "5": {"class_type": "VHS_VideoCombine", "inputs": {
            "images": ["4", 0], "frame_rate": 6, "filename_prefix": name, **SAVED, **manager}},
    }  # fmt: skip
    return prompt | (
        {"9": {"class_type": "VHS_BatchManager", "inputs": {"frames_per_batch": PART}}} if in_parts else {}
    )


def written(comfy: ComfyServer, prompt: Prompt) -> torch.Tensor:
    """The frames of the file that a prompt and what it queues itself have written in the end."""
    name = prompt["5"]["inputs"]["filename_prefix"]
    run = comfy.run(prompt)
    assert run.ending == "execution_success", run.error
    while any(comfy.get("/queue").json().values()):
        time.sleep(0.2)
    [file] = (comfy.base / "output").glob(f"{name}_*.mkv")
    return all_frames(VideoClip(file)).float()


@pytest.mark.skipif(not os.environ.get("VHS_PATH"), reason="VHS_PATH is not set")
@pytest.mark.parametrize("node", RUNNERS)
def test_a_clip_in_parts_does_not_jump(comfy: ComfyServer, tmp_path: Path, node: str) -> None:
    write_driving(tmp_path / "parts.mp4", FRAMES)
    comfy.put_input(tmp_path / "parts.mp4")
    whole, parts = (written(comfy, prompt_of(node, in_parts)) for in_parts in (False, True))
    assert whole.shape == parts.shape
    assert (whole - parts).abs().mean((1, 2, 3)).max() < 1


def animated(comfy: ComfyServer, **inputs: Any) -> Run:
    values = {**RUNNERS["FOMM_Runner"], "frame_rate": 6, "size": 128, "source_image": ["1", 0]}
    return comfy.run({
        "1": {"class_type": "LoadImage", "inputs": {"image": "source.png"}},
        "2": {"class_type": "ImageScale", "inputs": {
            "image": ["1", 0], "upscale_method": "area", "width": 99, "height": 256, "crop": "center"}},
        "4": {"class_type": "FOMM_Runner", "inputs": {**values, "driving_video_input": ["2", 0], **inputs}},
        "5": {"class_type": "SaveImage", "inputs": {"images": ["4", 0], "filename_prefix": "anchor"}},
    })  # fmt: skip


def picture(run: Run) -> np.ndarray:
    assert run.ending == "execution_success", run.error
    with Image.open(run.files("5")[0]) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def test_an_anchor_frame_is_what_movement_is_measured_from(comfy: ComfyServer) -> None:
    own = picture(animated(comfy))
    assert np.abs(picture(animated(comfy, anchor_frame=["2", 0])) - own).max() <= 1
    assert np.abs(picture(animated(comfy, anchor_frame=["1", 0])) - own).mean() > 1


@pytest.mark.parametrize("name", ["source_image", "driving_video_input", "anchor_frame"])
@pytest.mark.parametrize("value", ["face.png", 7, {"samples": 1}], ids=lambda value: type(value).__name__)
def test_a_value_that_is_no_picture_gets_one_line(comfy: ComfyServer, name: str, value: object) -> None:
    run = animated(comfy, **{name: value})
    assert run.ending == "execution_error"
    assert run.error.strip().startswith(f"{name} is a")
    assert "\n" not in run.error.strip()


def test_weights_of_nan_are_named(comfy: ComfyServer) -> None:
    folder = comfy.base / "models" / MODEL_FOLDER
    content = torch.load(folder / "vox-adv-cpk.pth.tar", weights_only=True)
    content["generator"]["final.bias"].fill_(float("nan"))
    broken = folder / "broken.pth"
    torch.save({name: content[name] for name in ("generator", "kp_detector")}, broken)
    try:
        run = animated(comfy, checkpoint=broken.name)
    finally:
        broken.unlink()  # menus list every file
    assert run.ending == "execution_error"
    assert "broken.pth" in run.error
    assert "\n" not in run.error.strip()
