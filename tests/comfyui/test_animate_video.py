"""Animate Video in a real ComfyUI: from file to file, with the driving video's sound and times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from comfyui.checkpoints import clip_facts
from comfyui.pack import ROOT
from comfyui.workflows import read_template, refusal, to_prompt
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.samples import DRIVING, sample_videos
from first_order_motion.cli.main import main
from support.media_files import all_frames

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Event, Prompt, Run

NODE, SAVER, SAMPLE = "2", "3", "1"
TICK = Fraction(1, 1000)
TIMES = (0, 40, 100, 120, 260, 300)  # milliseconds


def prompt_of(**inputs: Any) -> Prompt:
    values = {"model": "drawn-faces", "if_missing": "error", "framing": "auto", **inputs}
    save = {"video": [NODE, 0], "filename_prefix": "video/animated", "format": "auto", "codec": "auto"}
    return {
        SAMPLE: {"class_type": "FirstOrderMotion_Sample", "inputs": {"picture": "face", "video": "driving"}},
        NODE: {"class_type": "FirstOrderMotion_AnimateVideo", "inputs": {"driving_video": [SAMPLE, 6], **values}},
        SAVER: {"class_type": "SaveVideo", "inputs": save},
    }


def saved(run: Run) -> Path:
    assert run.ending == "execution_success", run.error
    [file] = run.files(SAVER)
    return file


def frames_of(path: Path) -> np.ndarray:
    return all_frames(VideoClip(path)).numpy().astype(int)


def write_uneven(path: Path) -> None:
    """A video whose frames stay for different times."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.time_base = stream.codec_context.time_base = TICK
        for number, time in enumerate(TIMES):
            picture = np.full((96, 128, 3), 40 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, TICK
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def test_it_makes_what_the_command_line_makes(comfy: ComfyServer, tmp_path: Path) -> None:
    run = comfy.run(prompt_of(source_image=[SAMPLE, 0]))
    picture = ROOT / "workflows" / "samples" / "face.png"
    target = tmp_path / "result.mp4"
    assert main(["run", str(picture), str(DRIVING), str(target), "--model", "drawn-faces"]) == 0
    made, wanted = frames_of(saved(run)), frames_of(target)
    assert made.shape == wanted.shape
    assert np.abs(made - wanted).mean() < 1
    assert clip_facts(saved(run)) == clip_facts(target)
    assert run.progress(NODE)[-1] == len(made)


def test_a_video_moves_and_one_made_of_pictures_too(comfy: ComfyServer) -> None:
    from_file = frames_of(saved(comfy.run(prompt_of(source_video=[SAMPLE, 6]))))
    prompt = prompt_of(source_video=["4", 0], driving_video=["4", 0])
    made = {"images": [SAMPLE, 1], "fps": [SAMPLE, 3], "audio": [SAMPLE, 2]}
    prompt["4"] = {"class_type": "CreateVideo", "inputs": made}
    run = comfy.run(prompt)
    in_memory = frames_of(saved(run))
    assert in_memory.shape == from_file.shape == (96, *from_file.shape[1:])
    assert np.abs(in_memory - from_file).mean() < 1
    assert clip_facts(saved(run))[2] == pytest.approx(4, abs=0.06)


def test_a_video_moves_as_the_options_say(comfy: ComfyServer) -> None:
    """Whether or not they say that batches of pictures move."""
    prompt = to_prompt(read_template("Video in place of the picture"), comfy.object_info())
    [settings] = [node["inputs"] for node in prompt.values() if node["class_type"] == "FirstOrderMotion_Options"]
    assert (settings["moving_source"], settings["source_motion"]) == (False, "replace")

    def result() -> np.ndarray:
        run = comfy.run(prompt)
        assert run.ending == "execution_success", run.error
        [output] = run.history["outputs"]
        return frames_of(run.files(output)[0])

    replaced = result()
    settings["source_motion"] = "add"
    assert np.abs(result() - replaced).mean() > 0.5


def test_uneven_times_are_kept(comfy: ComfyServer, tmp_path: Path) -> None:
    write_uneven(tmp_path / "uneven.mp4")
    comfy.put_input(tmp_path / "uneven.mp4")
    prompt = prompt_of(source_image=[SAMPLE, 0], driving_video=["4", 0])
    prompt["4"] = {"class_type": "LoadVideo", "inputs": {"file": "uneven.mp4"}}
    with av.open(str(saved(comfy.run(prompt)))) as video:
        times = [round(1000 * float(frame.time or 0)) for frame in video.decode(video=0)]
    assert times == list(TIMES)


def test_a_cancel_leaves_nothing_behind(comfy: ComfyServer) -> None:
    def temporary() -> set[Path]:
        return set((comfy.base / "temp").rglob("*"))

    def cancel(event: Event) -> None:
        if event["type"] == "progress" and event["data"]["node"] == NODE and event["data"]["value"] > 0:
            comfy.interrupt()

    before = temporary()
    run = comfy.run(prompt_of(source_image=[SAMPLE, 0], framing="stretch"), cancel)
    assert run.ending == "execution_interrupted"
    assert temporary() == before
    assert comfy.run(prompt_of(source_image=[SAMPLE, 0], framing="stretch")).ending == "execution_success"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "neither came"),
        ({"source_image": [SAMPLE, 0], "source_video": [SAMPLE, 6]}, "both came"),
        ({"source_image": [SAMPLE, 0], "model": "79999_iter.pth"}, "which animates nothing"),
        ({"source_image": [SAMPLE, 0], "framing": "face", "boxes": "[[1, 2]]"}, "boxes have"),
        ({"source_image": [SAMPLE, 0], "framing": "face", "driving_boxes": "none"}, "driving_boxes are no JSON"),
    ],
)
def test_mistakes_are_said_in_one_line(comfy: ComfyServer, inputs: dict[str, Any], said: str) -> None:
    run = comfy.run(prompt_of(**inputs))
    assert run.ending == "execution_error"
    assert said in run.error and "\n" not in run.error.strip()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nothing.safetensors", "nothing.safetensors is missing; put it into "),
        ("../nothing.safetensors", "is no file name inside"),
        ("celebvhq (mrfa)", "celebvhq.pth is missing; put it into "),
    ],
)
def test_a_missing_model_is_said_before_anything_runs(comfy: ComfyServer, model: str, said: str) -> None:
    assert said in refusal(comfy, prompt_of(source_image=[SAMPLE, 0], model=model))


def test_the_workflows_run_untouched(comfy: ComfyServer) -> None:
    duet = VideoClip(sample_videos()["duet"]).frame(0).shape[1:]
    for name, shape in (("Video in one node", (1920, 1080, 3)), ("Video in place of the picture", duet)):
        run = comfy.run(to_prompt(read_template(name), comfy.object_info()))
        assert run.ending == "execution_success", run.error
        [output] = run.history["outputs"]
        frames = frames_of(run.files(output)[0])
        assert frames.shape == (96, *shape)
        assert np.abs(frames[48] - frames[0]).mean() > 0.2


def test_the_menu_begins_with_the_bundled_model(comfy: ComfyServer) -> None:
    row = comfy.object_info("FirstOrderMotion_AnimateVideo")["input"]["required"]["model"][1]
    assert row["options"][0] == row["default"] == "drawn-faces"
    assert {"vox-adv (fomm)", "vox (spline)", "vox256 (articulate)", "vox (mrfa)", "vox256 (fsrt)"} <= {*row["options"]}
    assert "vox-adv-cpk.pth.tar" not in row["options"]  # it is there by its published name
    assert not any("partswap" in name for name in row["options"])
