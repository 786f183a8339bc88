"""Motion without pictures, in a real ComfyUI: read, saved, loaded, mixed and used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from comfyui.pack import ROOT
from comfyui.workflows import read_template, to_prompt
from first_order_motion.animation.media.reader import VideoClip
from support.media_files import all_frames

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Prompt, Run

SAMPLE, READ, SAVE, ANIMATE, VIDEO = "1", "2", "3", "4", "6"
MODEL = {"model": "drawn-faces", "if_missing": "error"}


def saver(images: str, slot: int = 0) -> Prompt:
    save = {"video": ["5", 0], "filename_prefix": "video/motion", "format": "auto", "codec": "auto"}
    return {
        "5": {"class_type": "CreateVideo", "inputs": {"images": [images, slot], "fps": 24.0}},
        VIDEO: {"class_type": "SaveVideo", "inputs": save},
    }


def sample(picture: str = "face") -> Prompt:
    return {SAMPLE: {"class_type": "FirstOrderMotion_Sample", "inputs": {"picture": picture, "video": "driving"}}}


def reading(**model: str) -> Prompt:
    values = {"driving_video": [SAMPLE, 6], **MODEL, **model}
    return {READ: {"class_type": "FirstOrderMotion_ReadMotion", "inputs": values}}


def animating(motion: list[object], **model: str) -> Prompt:
    values = {"source_image": [SAMPLE, 0], "motion": motion, **MODEL, **model}
    return {ANIMATE: {"class_type": "FirstOrderMotion_AnimateByMotion", "inputs": values}}


def frames_of(run: Run) -> np.ndarray:
    assert run.ending == "execution_success", run.error
    return all_frames(VideoClip(run.files(VIDEO)[0])).numpy().astype(int)


def test_a_saved_motion_gives_the_picture_that_its_video_gives(comfy: ComfyServer) -> None:
    save = {"motion": [READ, 0], "filename_prefix": "motion/test"}
    run = comfy.run(sample() | reading() | {SAVE: {"class_type": "FirstOrderMotion_SaveMotion", "inputs": save}})
    assert run.ending == "execution_success", run.error
    assert (comfy.base / "output" / "motion" / "test_00001_.safetensors").is_file()
    name = "motion/test_00001_.safetensors [output]"
    assert name in comfy.object_info("FirstOrderMotion_LoadMotion")["input"]["required"]["file"][1]["options"]
    load: Prompt = {"7": {"class_type": "FirstOrderMotion_LoadMotion", "inputs": {"file": name}}}
    by_motion = frames_of(comfy.run(sample() | load | animating(["7", 0]) | saver(ANIMATE)))
    runner = {
        "source_image": [SAMPLE, 0], "driving_video_input": [SAMPLE, 1], "model_name": "drawn-faces",
        "frame_rate": [SAMPLE, 3], "relative_movement": True, "relative_jacobian": True, "adapt_movement_scale": True,
        "find_best_frame": False,
    }  # fmt: skip
    by_video = frames_of(
        comfy.run(sample() | {ANIMATE: {"class_type": "FOMM_Runner", "inputs": runner}} | saver(ANIMATE))
    )
    assert np.array_equal(by_motion, by_video)


def test_motion_of_other_weights_is_refused_by_name(comfy: ComfyServer) -> None:
    run = comfy.run(sample() | reading() | animating([READ, 0], model="vox-adv (fomm)") | saver(ANIMATE))
    assert run.ending == "execution_error"
    assert "vox-adv" in run.error and "drawn" in run.error and "\n" not in run.error.strip()


@pytest.mark.parametrize(
    "name", ["../outside.safetensors", "/etc/passwd", "missing.safetensors", "weights.safetensors"]
)
def test_other_files_are_refused(comfy: ComfyServer, name: str) -> None:
    comfy.put_input(next((ROOT / "checkpoints").glob("*.safetensors")), "weights.safetensors")
    load: Prompt = {"7": {"class_type": "FirstOrderMotion_LoadMotion", "inputs": {"file": name}}}
    run = comfy.run(sample() | load | animating(["7", 0]) | saver(ANIMATE))
    assert run.ending == "execution_error"
    assert "\n" not in run.error.strip() and ("inside the input folder" in run.error or "motion" in run.error)


@pytest.mark.parametrize("prefix", ["../../outside", "", "/tmp/outside"])
def test_motion_is_saved_nowhere_else(comfy: ComfyServer, prefix: str) -> None:
    save = {"motion": [READ, 0], "filename_prefix": prefix}
    run = comfy.run(sample() | reading() | {SAVE: {"class_type": "FirstOrderMotion_SaveMotion", "inputs": save}})
    assert run.ending == "execution_error"
    assert not [*comfy.base.parent.glob("outside*"), *Path("/tmp").glob("outside*")]


def test_the_workflow_runs_untouched(comfy: ComfyServer) -> None:
    prompt = to_prompt(read_template("Motion files"), comfy.object_info())
    run = comfy.run(prompt)
    assert run.ending == "execution_success", run.error
    [video] = [path for output in run.history["outputs"] for path in run.files(output)]
    assert len(VideoClip(video)) == 96
    assert [*(comfy.base / "output" / "motion").glob("mixed_*.safetensors")]
    [mixer] = [node for node in prompt.values() if node["class_type"] == "FirstOrderMotion_MixMotions"]
    mixer["inputs"]["head_anchor"] = 500
    refused = comfy.run(prompt)
    assert refused.ending == "execution_error" and "head_anchor is 500" in refused.error
