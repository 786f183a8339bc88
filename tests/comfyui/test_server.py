"""The pack in a real ComfyUI, driven through the API."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from comfyui.checkpoints import FRAMES, clip_facts
from comfyui.pack import FOLDER, MODEL_FOLDER, ROOT
from comfyui.workflows import input_files, missing_types, read_template, read_workflow, refusal, to_prompt
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.cli.main import main
from PIL import Image
from support.media_files import all_frames, check_shows

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Event, Prompt, Run

SWITCH = {"relative_movement": True, "relative_jacobian": True, "adapt_movement_scale": True, "find_best_frame": False}
RUNNER, SAVER = "4", "6"


def runner_prompt(clip: str = "driving.mp4", **options: Any) -> Prompt:
    """What workflows/FOMM.json amounts to: picture and clip in, mp4 out, core nodes around ours."""
    values = {"model_name": "vox-adv", **SWITCH, **options}
    links = {"source_image": ["1", 0], "driving_video_input": ["3", 0], "audio": ["3", 1], "frame_rate": ["3", 2]}
    save = {"video": ["5", 0], "filename_prefix": "video/test", "format": "auto", "codec": "auto"}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": "source.png"}},
        "2": {"class_type": "LoadVideo", "inputs": {"file": clip}},
        "3": {"class_type": "GetVideoComponents", "inputs": {"video": ["2", 0]}},
        RUNNER: {"class_type": "FOMM_Runner", "inputs": links | values},
        "5": {"class_type": "CreateVideo", "inputs": {"images": ["4", 0], "audio": ["4", 1], "fps": ["4", 2]}},
        SAVER: {"class_type": "SaveVideo", "inputs": save},
    }


def loads(comfy: ComfyServer) -> int:
    """How often the weights were read; the pack logs a line each time, ComfyUI logs `loaded completely` of its own."""
    return sum(line.startswith("loaded vox-adv-cpk.pth.tar") for line in comfy.log().splitlines())


# The contract with stored workflows: published ids, order, types and defaults.


def test_fomm_runner_keeps_the_published_inputs(comfy: ComfyServer) -> None:
    info = comfy.object_info("FOMM_Runner")
    assert info, f"the node is not there; the log says:\n{comfy.log()}"
    required, optional = info["input"]["required"], info["input"].get("optional", {})
    assert [(name, row[0]) for name, row in required.items()] == [
        ("source_image", "IMAGE"),
        ("driving_video_input", "IMAGE"),
        ("model_name", "COMBO"),
        ("frame_rate", "FLOAT"),
        *((name, "BOOLEAN") for name in SWITCH),
    ]
    assert required["model_name"][1]["options"][:2] == ["vox-adv", "vox"]
    defaults = {name: row[1].get("default") for name, row in required.items() if row[0] != "IMAGE"}
    assert defaults == {"model_name": "vox-adv", "frame_rate": 30, **SWITCH}
    assert [(name, row[0]) for name, row in optional.items()][:1] == [("audio", "AUDIO")]
    assert info["input_order"] == {kind: list(rows) for kind, rows in info["input"].items()}


def test_spline_runner_keeps_the_published_inputs(comfy: ComfyServer) -> None:
    info = comfy.object_info("Spline_Runner")
    required, optional = info["input"]["required"], info["input"]["optional"]
    assert [(name, row[0], row[1].get("default")) for name, row in required.items()] == [
        ("source_image", "IMAGE", None),
        ("driving_video_input", "IMAGE", None),
        ("frame_rate", "FLOAT", 30),
        ("predict_mode", "COMBO", "relative"),
        ("find_best_frame", "BOOLEAN", False),
    ]
    assert required["predict_mode"][1]["options"] == ["relative", "standard", "avd"]
    assert next(iter(optional)) == "audio"
    assert info["display_name"].startswith("Spline Runner")
    assert info["category"] == "FirstOrderMM"


def test_articulate_runner_keeps_the_published_inputs(comfy: ComfyServer) -> None:
    info = comfy.object_info("Articulate_Runner")
    required, optional = info["input"]["required"], info["input"]["optional"]
    assert [(name, row[0], row[1].get("default")) for name, row in required.items()] == [
        ("source_image", "IMAGE", None),
        ("driving_video_input", "IMAGE", None),
        ("frame_rate", "FLOAT", 30),
    ]
    assert next(iter(optional)) == "audio"
    assert (optional["mode"][1]["options"], optional["mode"][1]["default"]) == (["avd", "relative", "standard"], "avd")
    assert optional["model_name"][1]["default"] == "vox256"


def test_mrfa_runner_keeps_the_published_inputs(comfy: ComfyServer) -> None:
    info = comfy.object_info("MRFA_Runner")
    required, optional = info["input"]["required"], info["input"]["optional"]
    assert [(name, row[0], row[1].get("default")) for name, row in required.items()] == [
        ("source_image", "IMAGE", None),
        ("driving_video_input", "IMAGE", None),
        ("model_name", "COMBO", "vox"),
        ("frame_rate", "FLOAT", 30),
        ("use_relative", "BOOLEAN", True),
        ("relative_movement", "BOOLEAN", True),
        ("relative_jacobian", "BOOLEAN", True),
        ("adapt_movement_scale", "BOOLEAN", False),
    ]
    assert required["model_name"][1]["options"] == ["vox", "celebvhq"]
    assert next(iter(optional)) == "audio"
    assert "size" not in optional  # the network has one


def test_fsrt_runner_keeps_the_published_inputs(comfy: ComfyServer) -> None:
    info = comfy.object_info("FSRT_Runner")
    required, optional = info["input"]["required"], info["input"]["optional"]
    assert [(name, row[0], row[1].get("default")) for name, row in required.items()] == [
        ("source_image", "IMAGE", None),
        ("driving_video_input", "IMAGE", None),
        ("model_name", "COMBO", "vox256"),
        ("frame_rate", "FLOAT", 30),
        ("relative", "BOOLEAN", False),
        ("adapt_scale", "BOOLEAN", False),
        ("find_best_frame", "BOOLEAN", False),
        ("max_num_pixels", "INT", 65536),
    ]
    assert required["model_name"][1]["options"] == ["vox256", "vox256_2Source"]
    assert (required["max_num_pixels"][1]["min"], required["max_num_pixels"][1]["max"]) == (1, 2**31 - 1)
    assert list(optional)[:2] == ["audio", "source_image_2"]


def test_several_sources_reach_the_model(comfy: ComfyServer, media: Path) -> None:
    """Two pictures by either input, and in either of two steps of pixels, are the same set; one is another."""

    def run(steps: int, **more: Any) -> np.ndarray:
        prompt = {**runner_prompt(), "7": {"class_type": "LoadImage", "inputs": {"image": "other.png"}}}
        batch = {"image1": ["1", 0], "image2": ["7", 0]}
        prompt["8"] = {"class_type": "ImageBatch", "inputs": batch}
        links = {key: prompt[RUNNER]["inputs"][key] for key in ("source_image", "driving_video_input", "frame_rate")}
        values = {"model_name": "vox256_2Source", "relative": False, "adapt_scale": False, "find_best_frame": False}
        prompt[RUNNER] = {"class_type": "FSRT_Runner", "inputs": links | values | {"max_num_pixels": steps} | more}
        del prompt["5"], prompt[SAVER]
        save = {"images": [RUNNER, 0], "filename_prefix": "fsrt"}
        prompt["9"] = {"class_type": "SaveImage", "inputs": save}
        done = comfy.run(prompt)
        assert done.ending == "execution_success", done.error
        files = done.files("9")
        assert len(files) == FRAMES
        with Image.open(files[-1]) as picture:
            return np.asarray(picture.convert("RGB"), np.int16)

    Image.open(media / "source.png").rotate(20).save(media / "other.png")
    comfy.put_input(media / "other.png")
    apart = run(65536, source_image_2=["7", 0])
    assert np.abs(run(3000, source_image=["8", 0]) - apart).max() <= 1
    assert np.abs(run(65536) - apart).max() > 10


def test_a_replaced_keypoint_detector_is_noticed(comfy: ComfyServer, media: Path) -> None:
    """It is a file of its own; the model's stays as it is."""
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "source.png"}},
        RUNNER: {"class_type": "FSRT_Runner", "inputs": {
            "source_image": ["1", 0], "driving_video_input": ["1", 0], "model_name": "vox256", "frame_rate": 30,
            "relative": False, "adapt_scale": False, "find_best_frame": False, "max_num_pixels": 65536, "size": 64}},
        "9": {"class_type": "SaveImage", "inputs": {"images": [RUNNER, 0], "filename_prefix": "detector"}},
    }  # fmt: skip

    def run() -> list[np.ndarray]:
        done = comfy.run(prompt)
        assert done.ending == "execution_success", done.error
        return [np.asarray(Image.open(file), np.int16) for file in done.files("9")]

    detector = comfy.base / "models" / MODEL_FOLDER / "kp_detector.pt"
    published, state = detector.read_bytes(), torch.load(detector)
    [before] = run()
    torch.save({key: value * 2 if value.is_floating_point() else value for key, value in state.items()}, detector)
    [after] = run()
    detector.write_bytes(published)
    assert np.abs(after - before).max() > 10
    assert np.abs(run()[0] - before).max() <= 1


RUNNERS = ["FOMM_Runner", "Spline_Runner", "Articulate_Runner", "MRFA_Runner", "FSRT_Runner"]


@pytest.mark.parametrize("node", RUNNERS)
def test_new_inputs_have_defaults_and_numbers_have_bounds(comfy: ComfyServer, node: str) -> None:
    info = comfy.object_info(node)["input"]
    added = list(info["optional"].items())[1:]
    assert all("default" in row[1] for _, row in added if row[0] in ("INT", "FLOAT", "BOOLEAN", "COMBO", "STRING"))
    numbers = [row[1] for rows in info.values() for row in rows.values() if row[0] in ("INT", "FLOAT")]
    assert all({"min", "max", "step"} <= set(options) for options in numbers)
    rate = info["required"]["frame_rate"][1]
    assert (rate["min"], rate["max"], rate["step"]) == (0.01, 1000, 0.001)


@pytest.mark.parametrize("node", RUNNERS)
def test_runners_keep_the_published_outputs(comfy: ComfyServer, node: str) -> None:
    info = comfy.object_info(node)
    assert list(zip(info["output_name"], info["output"], strict=True))[:3] == [
        ("images", "IMAGE"),
        ("audio", "AUDIO"),
        ("frame_rate", "FLOAT"),
    ]
    assert info["display_name"].startswith(node.replace("_", " "))
    assert info["category"] == "FirstOrderMM"
    assert not info["output_node"]
    assert not any(info["output_is_list"])


def test_every_node_is_described_and_has_a_help_page(comfy: ComfyServer) -> None:
    ours = {k: v for k, v in comfy.object_info().items() if v["python_module"] == f"custom_nodes.{FOLDER}"}
    assert "FOMM_Runner" in ours
    for node_id, info in ours.items():
        assert info["description"], f"{node_id} has no description"
        assert all(info["output_tooltips"]), f"{node_id} has an output without a tooltip"
        rows = [row for kind in ("required", "optional") for row in info["input"].get(kind, {}).items()]
        assert all(row[1].get("tooltip") for _, row in rows), f"{node_id} has an input without a tooltip"
        page = comfy.get(f"/extensions/{FOLDER}/docs/{node_id}.md")
        assert page.status_code == 200, f"{node_id} has no help page"


def test_loading_the_pack_leaves_nothing_in_the_log(comfy: ComfyServer) -> None:
    start = comfy.log().split("To see the GUI")[0]
    named = [line for line in start.splitlines() if re.search(rf"{FOLDER}|firstorder|FOMM", line, re.IGNORECASE)]
    assert [line for line in named if not re.match(r" +\d+\.\d seconds: ", line)] == []


# Running it.


def test_a_clip_runs_to_an_mp4_with_sound(comfy: ComfyServer, media: Path) -> None:
    run = comfy.run(runner_prompt())
    assert run.ending == "execution_success", run.error
    [file] = run.files(SAVER)
    frames, seconds, audio = clip_facts(file)
    assert (frames, seconds) == clip_facts(media / "driving.mp4")[:2]
    assert audio == pytest.approx(seconds, abs=0.06)  # AAC comes in blocks of 23 ms
    assert run.progress(RUNNER)[-1] == frames


def test_weights_are_read_once(comfy: ComfyServer) -> None:
    assert comfy.run(runner_prompt(adapt_movement_scale=False)).ending == "execution_success"
    before = loads(comfy)
    second = comfy.run(runner_prompt(relative_jacobian=False))
    assert second.ending == "execution_success"
    assert second.progress(RUNNER), "the node did not run again"
    assert loads(comfy) == before > 0


def test_old_prompts_need_no_sound_and_no_new_inputs(comfy: ComfyServer) -> None:
    prompt = runner_prompt(frame_rate=29.97, relative_movement=False)
    del prompt[RUNNER]["inputs"]["audio"], prompt["5"]["inputs"]["audio"]
    run = comfy.run(prompt)
    assert run.ending == "execution_success", run.error
    frames, seconds, audio = clip_facts(run.files(SAVER)[0])
    assert (frames, audio) == (FRAMES, 0.0)
    assert seconds == pytest.approx(FRAMES / 29.97, rel=1e-3)


def test_cancel_ends_the_prompt_within_one_chunk(comfy: ComfyServer) -> None:
    seen: list[int] = []

    def cancel_at_first_progress(event: Event) -> None:
        if event["type"] == "progress" and event["data"]["node"] == RUNNER and event["data"]["value"] > 0:
            if not seen:
                comfy.interrupt()
            seen.append(event["data"]["value"])

    run = comfy.run(runner_prompt("long.mp4", batch_size=2), cancel_at_first_progress)
    assert run.ending == "execution_interrupted"
    assert run.history["status"]["status_str"] == "error"
    assert seen[-1] <= 2 * seen[0], "more than the chunk under way was rendered after the cancel"
    assert seen[-1] < 10 * FRAMES
    after = comfy.run(runner_prompt(find_best_frame=True))
    assert after.ending == "execution_success", after.error


def test_missing_weights_are_said_before_anything_runs(comfy: ComfyServer) -> None:
    says = refusal(comfy, runner_prompt(model_name="vox"))
    assert "vox-cpk.pth.tar is missing; put it into " in says
    assert str(comfy.base / "models" / MODEL_FOLDER) in says
    assert "or set if_missing to download" in says
    assert "vox-cpk" not in refusal(comfy, runner_prompt(model_name="mine.pth"))
    assert "mine.pth is missing" in refusal(comfy, runner_prompt(checkpoint="mine.pth"))
    assert "if_missing is 'maybe'" in refusal(comfy, runner_prompt(if_missing="maybe"))


def test_every_missing_file_is_named(comfy: ComfyServer) -> None:
    """And where a stored workflow wants to download what cannot be, why not."""
    models, moved = comfy.base / "models" / MODEL_FOLDER, comfy.base / "moved"
    moved.mkdir()
    names = ["vox256.pt", "kp_detector.pt", "79999_iter.pth"]
    for name in names:
        (models / name).rename(moved / name)
    fsrt, swap = runner_prompt(), runner_prompt()
    links = {key: fsrt[RUNNER]["inputs"][key] for key in ("source_image", "driving_video_input", "frame_rate")}
    values = {"relative": False, "adapt_scale": False, "find_best_frame": False, "max_num_pixels": 65536}
    fsrt[RUNNER] = {"class_type": "FSRT_Runner", "inputs": links | values | {"model_name": "vox256"}}
    says = refusal(comfy, fsrt)
    assert "vox256.pt and kp_detector.pt are missing" in says
    assert "set if_missing" not in says
    fsrt[RUNNER]["inputs"]["if_missing"] = "download"
    assert "no address and SHA-256 are published" in refusal(comfy, fsrt)
    values = {"blend_scale": 1.0, "use_source_seg": True, "hard_edges": False, "use_face_parser": True}
    values |= {"chosen_seg_indices": "", "viz_alpha": 0.6, "model_name": "vox-5segments"}
    swap[RUNNER] = {"class_type": "FOMM_Partswap", "inputs": links | values}
    swap["5"]["inputs"] = {"images": [RUNNER, 2], "fps": [RUNNER, 4]}
    assert "vox-5segments.pth.tar and 79999_iter.pth (53 MB) are missing" in refusal(comfy, swap)
    for name in names:
        (moved / name).rename(models / name)


@pytest.mark.parametrize("node", [*RUNNERS, "FOMM_Partswap", "FirstOrderMotion_FaceParser"])
def test_downloads_are_offered_where_they_can_work(comfy: ComfyServer, node: str) -> None:
    row = comfy.object_info(node)["input"]["optional"]["if_missing"][1]
    assert row["options"] in (["error"], ["error", "download"])
    assert (row["options"] == ["error"]) == row.get("hidden", False)


def test_a_new_node_begins_with_weights_that_are_there(comfy: ComfyServer) -> None:
    swap = comfy.object_info("FOMM_Partswap")["input"]["required"]["model_name"][1]
    assert swap["default"] == "vox-10segments"
    file = comfy.base / "models" / MODEL_FOLDER / "vox-adv-cpk.pth.tar"
    file.rename(file.with_suffix(".away"))
    assert comfy.object_info("FOMM_Runner")["input"]["required"]["model_name"][1]["default"] == "drawn-faces"
    file.with_suffix(".away").rename(file)
    assert comfy.object_info("FOMM_Runner")["input"]["required"]["model_name"][1]["default"] == "vox-adv"


def test_a_file_of_the_users_own_runs_from_the_menu_and_what_is_ignored_is_said(comfy: ComfyServer) -> None:
    models = comfy.base / "models" / MODEL_FOLDER
    shutil.copyfile(models / "vox-adv-cpk.pth.tar", models / "mine.pth")
    options = comfy.object_info("FOMM_Runner")["input"]["required"]["model_name"][1]["options"]
    assert options[-1] == "mine.pth"
    prompt = runner_prompt(model_name="mine.pth", relative_jacobian=False)
    prompt[RUNNER]["inputs"]["source_image"] = ["3", 0]
    run = comfy.run(prompt)
    (models / "mine.pth").unlink()
    assert run.ending == "execution_success", run.error
    assert f"source_image has {FRAMES} pictures; the first is animated." in comfy.log()


def test_errors_read_as_ours(comfy: ComfyServer) -> None:
    prompt = runner_prompt(size=100)
    run = comfy.run(prompt)
    [error] = [event["data"] for event in run.events if event["type"] == "execution_error"]
    assert error["exception_type"] == "FirstOrderMotionError"
    assert error["exception_message"].startswith("size is 100; ")
    assert "needs a multiple of 128." in error["exception_message"]


# Workflow files.


def written_video(run: Run) -> Path:
    """The one mp4 that a run which went well wrote."""
    assert run.ending == "execution_success", run.error
    [file] = [file for output in run.history["outputs"] for file in run.files(output) if file.suffix == ".mp4"]
    return file


def check_workflow(comfy: ComfyServer, media: Path, file: Path) -> None:
    """Run a workflow file on the test media under its own file names; what it writes must fit the clip."""
    workflow, info = read_workflow(file), comfy.object_info()
    assert missing_types(workflow, info) == set()
    for name, suffix in input_files(workflow).items():
        comfy.put_input(media / {".png": "source.png", ".mp4": "driving.mp4"}[suffix], name)
    run = comfy.run(to_prompt(workflow, info))
    frames, seconds, audio = clip_facts(written_video(run))
    assert frames == FRAMES
    assert audio == pytest.approx(seconds, abs=0.06)


MODELS = ["SPLINE.json", "ARTICULATE.json", "MRFA.json", "FSRT.json", "FOMM_PARTSWAP.json"]
OURS = sorted(file.name for file in (ROOT / "workflows").glob("1[1-8]*.json"))


@pytest.mark.parametrize("name", OURS)
def test_our_workflows_run(comfy: ComfyServer, media: Path, name: str) -> None:
    if "VideoHelperSuite" in name and not os.environ.get("VHS_PATH"):
        pytest.skip("VHS_PATH is not set")
    check_workflow(comfy, media, ROOT / "workflows" / name)


def test_the_sample_workflow_makes_what_the_demo_makes(comfy: ComfyServer, tmp_path: Path) -> None:
    run = comfy.run(to_prompt(read_template("Sample - press Run"), comfy.object_info()))
    video = written_video(run)
    assert main(["demo", "--output", str(tmp_path)]) == 0
    check_shows(tmp_path / "face.mp4", all_frames(VideoClip(video)) / 255)


@pytest.mark.skipif(not os.environ.get("VHS_PATH"), reason="VHS_PATH is not set")
@pytest.mark.parametrize("name", ["FOMM.json", *MODELS])
def test_the_earlier_packs_workflow_runs(comfy: ComfyServer, media: Path, earlier_workflows: Path, name: str) -> None:
    check_workflow(comfy, media, earlier_workflows / name)


@pytest.mark.parametrize("name", [name for name in OURS if name[:2] in ("11", "13", "14", "15", "16")])
def test_best_frame_runs_in_every_runner(comfy: ComfyServer, media: Path, name: str) -> None:
    workflow, info = read_workflow(ROOT / "workflows" / name), comfy.object_info()
    for file, suffix in input_files(workflow).items():
        comfy.put_input(media / {".png": "source.png", ".mp4": "driving.mp4"}[suffix], file)
    prompt = to_prompt(workflow, info)
    runner = next(node for node in prompt.values() if node["class_type"].endswith("_Runner"))
    runner["inputs"] |= {"find_best_frame": True, "best_frame_by": "model keypoints"}
    if runner["class_type"] == "Articulate_Runner":
        runner["inputs"]["mode"] = "relative"
    if runner["class_type"] == "FSRT_Runner":
        runner["inputs"]["relative"] = True
    run = comfy.run(prompt)
    assert run.ending == "execution_success", run.error
    [output] = run.history["outputs"]
    assert clip_facts(run.files(output)[0])[0] == FRAMES
    assert "Best frame:" in comfy.log()
