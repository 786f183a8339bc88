"""Pictures of any size and with several faces, through the nodes around a runner, in a real ComfyUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from comfyui.workflows import read_template, to_prompt
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.samples import sample_pictures
from support.media_files import all_frames

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Prompt


def prompt_of(comfy: ComfyServer, name: str) -> Prompt:
    return to_prompt(read_template(name), comfy.object_info())


def node(prompt: Prompt, kind: str) -> Prompt:
    return next(node for node in prompt.values() if node["class_type"] == kind)["inputs"]


@pytest.mark.parametrize(
    ("name", "picture"),
    [("Portrait of any size", "portrait"), ("Group of faces", "group"), ("Group with a driver for each face", "group")],
)
def test_the_workflows_run_untouched(comfy: ComfyServer, name: str, picture: str) -> None:
    run = comfy.run(prompt_of(comfy, name))
    assert run.ending == "execution_success", run.error
    [video] = [path for path in run.files("7") if path.suffix == ".mp4"]
    frames = all_frames(VideoClip(video)).numpy().astype(int)
    source = read_picture(sample_pictures()[picture])[0].numpy().astype(int)
    assert frames.shape == (96, *source.shape)
    changes = np.abs(frames - source).max(axis=(0, 3))
    assert (changes[: source.shape[0] // 8] < 12).all()  # above the faces nothing but the encoder's rounding
    assert (changes > 100).mean() > 0.05


def test_faces_are_chosen_and_the_rest_stays(comfy: ComfyServer) -> None:
    prompt = prompt_of(comfy, "Group of faces")
    node(prompt, "FirstOrderMotion_CropFaces")["faces"] = "2"
    run = comfy.run(prompt)
    assert run.ending == "execution_success", run.error
    [video] = [path for path in run.files("7") if path.suffix == ".mp4"]
    frames = all_frames(VideoClip(video)).numpy().astype(int)
    changes = np.abs(frames - read_picture(sample_pictures()["group"])[0].numpy()).max(axis=(0, 3))
    assert np.quantile(changes[:, :640], 0.99) < 32  # the encoder's, of all frames; a face that moves changes by 100
    assert (changes[:, 850:] > 100).any()


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"boxes": "[[1, 2, 3]]"}, "boxes have"),
        ({"boxes": "none"}, "boxes are no JSON"),
        ({"faces": "7"}, "faces names face 7"),
        ({"boxes": "[]"}, "no face"),
        ({"detector": "nobody"}, "detector"),
    ],
)
def test_mistakes_are_said_in_one_line(comfy: ComfyServer, inputs: dict[str, str], said: str) -> None:
    prompt = prompt_of(comfy, "Group of faces")
    node(prompt, "FirstOrderMotion_CropFaces").update(inputs)
    if inputs.get("detector"):
        node(prompt, "FirstOrderMotion_CropFaces")["boxes"] = ""
    run = comfy.run(prompt)
    assert run.ending == "execution_error"
    assert said in run.error and "\n" not in run.error.strip()


def test_wrong_wiring_is_said(comfy: ComfyServer) -> None:
    prompt = prompt_of(comfy, "Group of faces")
    paste = node(prompt, "FirstOrderMotion_PasteFaces")
    paste["crops"] = paste["image"]  # around the runner
    run = comfy.run(prompt)
    assert run.ending == "execution_error" and "1 clips for 3 faces" in run.error
