"""Settings that runners share on one wire, in a real ComfyUI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from comfyui.workflows import read_template, to_prompt
from first_order_motion.animation.media.reader import VideoClip
from support.media_files import all_frames

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Prompt

OPTIONS, RUNNER, SAVER = "3", "4", "6"
RUNNERS = ["FOMM_Runner", "Spline_Runner", "Articulate_Runner", "MRFA_Runner", "FSRT_Runner", "FOMM_Partswap"]
NO_CHANGE = {
    "strength": 1.0, "head": 1.0, "expression": 1.0, "smoothing": 0.0, "ping_pong": False, "detail": 0.0,
    "moving_source": False, "source_motion": "add", "source_ends": "hold",
    "enhance_strength": 1.0, "enhance_steadiness": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def prompt(comfy: ComfyServer) -> Prompt:
    return to_prompt(read_template("Strength and smoothing"), comfy.object_info())


def pictures(comfy: ComfyServer, prompt: Prompt, options: dict[str, Any] | None, **inputs: Any) -> np.ndarray:
    """All frames that the sample workflow makes with these settings; None leaves the options node out."""
    changed = {name: {**node, "inputs": {**node["inputs"]}} for name, node in prompt.items()}
    changed[RUNNER]["inputs"] |= inputs
    if options is None:
        del changed[RUNNER]["inputs"]["options"], changed[OPTIONS]
    else:
        changed[OPTIONS]["inputs"] = NO_CHANGE | options
    run = comfy.run(changed)
    assert run.ending == "execution_success", run.error
    [file] = [path for path in run.files(SAVER) if path.suffix == ".mp4"]
    return all_frames(VideoClip(file)).numpy().astype(int)


def test_every_runner_takes_options_last(comfy: ComfyServer) -> None:
    """So that stored workflows keep the values of their widgets."""
    for node in RUNNERS:
        optional = comfy.object_info(node)["input"]["optional"]
        assert optional[next(reversed(optional))][0] == "FOM_OPTIONS", node
    assert comfy.object_info("FirstOrderMotion_Options")["output"] == ["FOM_OPTIONS"]


def test_the_defaults_change_nothing(comfy: ComfyServer, prompt: Prompt) -> None:
    plain = pictures(comfy, prompt, None)
    assert np.array_equal(pictures(comfy, prompt, {}), plain)


def test_settings_reach_the_result(comfy: ComfyServer, prompt: Prompt) -> None:
    still = pictures(comfy, prompt, {"strength": 0.0})
    assert np.abs(still - still[:1]).mean() < 2  # the encoder's
    both_ways = pictures(comfy, prompt, {"ping_pong": True})
    assert len(both_ways) == 2 * len(still) - 2
    there, back, far = both_ways[1], both_ways[-1], both_ways[len(still) // 2]
    assert 4 * np.abs(there - back).mean() < np.abs(there - far).mean()


def test_a_batch_moves_where_the_options_say_so(comfy: ComfyServer, prompt: Prompt) -> None:
    frames = prompt[RUNNER]["inputs"]["driving_video_input"]
    own = pictures(comfy, prompt, {"moving_source": True, "source_motion": "replace"}, source_image=frames)
    first = pictures(comfy, prompt, {}, source_image=frames)
    assert len(own) == len(first) == 96
    assert np.abs(own[48] - first[48]).mean() > 1


def test_wrong_wiring_is_said(comfy: ComfyServer, prompt: Prompt) -> None:
    """Through a node that takes anything, as the types of a prompt's links are checked."""
    wrong = {name: {**node, "inputs": {**node["inputs"]}} for name, node in prompt.items()}
    wrong[OPTIONS]["inputs"] = NO_CHANGE | {"strength": 9.0}
    with pytest.raises(Exception, match="strength"):
        comfy.run(wrong)


def with_runner_options(prompt: Prompt, **settings: Any) -> Prompt:
    """The sample workflow with a Runner Options behind its Animation Options, both at their defaults but for these."""
    values = {"size": 0, "framing": "stretch", "antialias": True, "best_frame_by": "auto", "batch_size": 0}
    values |= {"precision": "auto", "options": [OPTIONS, 0], **settings}
    changed = {name: {**node, "inputs": {**node["inputs"]}} for name, node in prompt.items()}
    changed[OPTIONS]["inputs"] = NO_CHANGE | {"ping_pong": True}
    changed["90"] = {"class_type": "FirstOrderMotion_RunnerOptions", "inputs": values}
    changed[RUNNER]["inputs"]["options"] = ["90", 0]
    return changed


def test_runner_options_go_before_the_runners_own(comfy: ComfyServer, prompt: Prompt) -> None:
    """And Animation Options, which come through them, are kept."""
    wanted = with_runner_options(prompt, size=64, batch_size=8)
    wanted[RUNNER]["inputs"] |= {"size": 192, "batch_size": 2}
    run = comfy.run(wanted)
    assert run.ending == "execution_success", run.error
    [file] = [path for path in run.files(SAVER) if path.suffix == ".mp4"]
    clip = VideoClip(file)
    assert (clip.frame(0).shape, len(clip)) == ((1, 64, 64, 3), 2 * 96 - 2)
    assert run.progress(RUNNER)[0] in (0, 8)


def test_runner_options_are_checked_by_the_runner(comfy: ComfyServer, prompt: Prompt) -> None:
    for setting, says in (({"size": 100}, "size is 100; "), ({"precision": "float8"}, "precision is 'float8'; ")):
        run = comfy.run(with_runner_options(prompt, **setting))
        assert run.ending == "execution_error"
        assert run.error.startswith(says)


def test_part_swap_refuses_what_means_nothing_to_it(comfy: ComfyServer, media: Path) -> None:
    swap = {
        "model_name": "vox-10segments", "frame_rate": 6.0, "blend_scale": 1.0, "use_source_seg": True,
        "hard_edges": False, "use_face_parser": False, "chosen_seg_indices": "2_7", "viz_alpha": 0.6,
    }  # fmt: skip
    prompt: Prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "source.png"}},
        OPTIONS: {"class_type": "FirstOrderMotion_Options", "inputs": NO_CHANGE | {"strength": 0.5}},
        RUNNER: {"class_type": "FOMM_Partswap", "inputs": {
            "source_image": ["1", 0], "driving_video_input": ["1", 0], "options": [OPTIONS, 0], **swap}},
        "9": {"class_type": "SaveImage", "inputs": {"images": [RUNNER, 2], "filename_prefix": "swap"}},
    }  # fmt: skip
    run = comfy.run(prompt)
    assert run.ending == "execution_error"
    assert "strength was given" in run.error and "Part Swap" in run.error


def test_detail_gives_pictures_of_the_source_size(comfy: ComfyServer) -> None:
    detailed = to_prompt(read_template("Fine detail"), comfy.object_info())
    run = comfy.run(detailed)
    assert run.ending == "execution_success", run.error
    sizes = {VideoClip(path).frame(0).shape[1] for output in run.history["outputs"] for path in run.files(output)}
    assert sizes == {128, 512}


def test_what_the_model_saw(comfy: ComfyServer) -> None:
    run = comfy.run(to_prompt(read_template("What the model saw"), comfy.object_info()))
    assert run.ending == "execution_success", run.error
    files = [path for output in run.history["outputs"] for path in run.files(output)]
    videos = [path for path in files if path.suffix == ".mp4"]
    assert [len(VideoClip(path)) for path in videos] == [96, 96]
    assert len(files) - len(videos) == 3


def test_an_upscale_model_goes_over_the_result(comfy: ComfyServer, prompt: Prompt) -> None:
    enlarged: Prompt = {name: {**node, "inputs": {**node["inputs"]}} for name, node in prompt.items()}
    enlarged["90"] = {"class_type": "UpscaleModelLoader", "inputs": {"model_name": "compact_x2.pth"}}
    enlarged[OPTIONS]["inputs"] = NO_CHANGE | {"enhance_strength": 0.5, "upscale_model": ["90", 0]}
    run = comfy.run(enlarged)
    assert run.ending == "execution_success", run.error
    [file] = [path for path in run.files(SAVER) if path.suffix == ".mp4"]
    assert VideoClip(file).frame(0).shape == (1, 256, 256, 3)  # the bundled model's 128, twice
