"""Part Swap, its choosers and the face parser in a real ComfyUI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from comfyui.workflows import read_template, to_prompt
from PIL import Image

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Prompt

CHOOSERS = {
    5: "m_0_background m_1_chin m_2_frnt_face m_3_shoulder m_4_hair m_5_fr_head",
    10: "m_0_background m_1_lf_ear m_2_mouth m_3_lf_fr_head m_4_rt_ear m_5_frnt_face m_6_lt_cheek m_7_eyes "
    "m_8_rt_fr_head m_9_shoulder m_10_hair_top",
    15: "m_0_background m_1_rt_fr_head m_2_eyes m_3_mouth m_4_lwr_shoulder m_5_shoulder m_6_lt_fr_head m_7 "
    "m_8_hair_tip m_9_frnt_face m_10_rt_ear m_11_outer_hair m_12_lt_ear m_13_lt_hair m_14_rt_hair m_15_neck",
}
SAVED = ("src", "tgt", "images", "frames", "masks")
MODELS = ["vox-5segments", "vox-10segments", "vox-15segments", "vox-cpk", "vox-adv-cpk", "vox-first-order"]
SWAP = {
    "model_name": "vox-10segments",
    "frame_rate": 30,
    "blend_scale": 1.0,
    "use_source_seg": True,
    "hard_edges": False,
    "use_face_parser": False,
    "chosen_seg_indices": "1_2_5",
    "viz_alpha": 0.6,
}


def swap_prompt(chooser: Prompt | None = None, **values: Any) -> Prompt:
    """Two pictures as the clip; pictures of every output are saved, the masks as pictures too."""
    prompt: Prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "source.png"}},
        "2": {"class_type": "RepeatImageBatch", "inputs": {"image": ["1", 0], "amount": 2}},
        "4": {
            "class_type": "FOMM_Partswap",
            "inputs": {**SWAP, "source_image": ["1", 0], "driving_video_input": ["2", 0], **values},
        },
        "9": {"class_type": "MaskToImage", "inputs": {"mask": ["4", 6]}},
        **(chooser or {}),
    }
    slots = {"src": ["4", 0], "tgt": ["4", 1], "images": ["4", 2], "frames": ["4", 5], "masks": ["9", 0]}
    for name, link in slots.items():
        prompt[name] = {"class_type": "SaveImage", "inputs": {"images": link, "filename_prefix": f"swap/{name}"}}
    return prompt


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"), np.float32) / 255


def test_partswap_keeps_the_published_inputs(comfy: ComfyServer) -> None:
    info = comfy.object_info("FOMM_Partswap")
    required, optional = info["input"]["required"], info["input"]["optional"]
    kinds = ["COMBO", "FLOAT", "FLOAT", "BOOLEAN", "BOOLEAN", "BOOLEAN", "STRING", "FLOAT"]
    assert [(name, row[0]) for name, row in required.items()] == [
        ("source_image", "IMAGE"),
        ("driving_video_input", "IMAGE"),
        *zip(SWAP, kinds, strict=True),
    ]
    assert required["model_name"][1]["options"] == MODELS
    defaults = {name: row[1]["default"] for name, row in required.items() if name in SWAP}
    assert defaults == {**SWAP, "chosen_seg_indices": ""}
    bounds = {name: [required[name][1][key] for key in ("min", "max", "step")] for name in ("blend_scale", "viz_alpha")}
    assert bounds == {"blend_scale": [0.6, 1, 0.01], "viz_alpha": [0, 1, 0.1]}
    assert next(iter(optional)) == "audio"
    assert all("default" in row[1] for name, row in optional.items() if name not in ("audio", "options"))
    outputs = list(zip(info["output_name"], info["output"], strict=True))
    assert outputs[:5] == [
        ("seg_src_viz", "IMAGE"), ("seg_tgt_viz", "IMAGE"), ("images", "IMAGE"), ("audio", "AUDIO"),
        ("frame_rate", "FLOAT"),
    ]  # fmt: skip
    assert outputs[5:] == [("seg_frames", "IMAGE"), ("masks", "MASK")]


@pytest.mark.parametrize("count", CHOOSERS)
def test_choosers_keep_the_published_switches(comfy: ComfyServer, count: int) -> None:
    info = comfy.object_info(f"FOMM_Seg{count}Chooser")
    switches = info["input"]["required"]
    assert list(switches) == CHOOSERS[count].split()
    assert [row[0] for row in switches.values()] == ["BOOLEAN"] * (count + 1)
    assert [row[1]["default"] for row in switches.values()] == [False] + [True] * count
    assert (info["output"], info["output_name"]) == (["STRING"], ["chosen_seg_indices"])
    assert info["display_name"] == f"FOMM Seg{count} Chooser"


def test_a_chooser_in_any_order_swaps_the_same(comfy: ComfyServer, media: Path) -> None:
    """And every output is there: pictures with legends, one frame each, and masks that are neither full nor empty."""
    names = CHOOSERS[10].split()
    switches = {name: number in (1, 2, 5) for number, name in enumerate(names)}
    comfy.put_input(media / "source.png")
    results = []
    for order in (names, names[::-1]):
        chooser = {"class_type": "FOMM_Seg10Chooser", "inputs": {name: switches[name] for name in order}}
        run = comfy.run(swap_prompt({"c": chooser}, chosen_seg_indices=["c", 0], frame_rate=30 + len(results)))
        assert run.ending == "execution_success", run.error
        results.append(
            {name: [pixels(f) for f in run.files(name)] for name in ("src", "tgt", "images", "frames", "masks")}
        )
    first, second = results
    assert [len(first[name]) for name in SAVED] == [1, 1, 2, 2, 2]
    assert all(np.array_equal(a, b) for name in first for a, b in zip(first[name], second[name], strict=True))
    assert first["images"][0].shape == first["frames"][0].shape == first["masks"][0].shape == (256, 256, 3)
    assert first["src"][0].shape[0] >= 512 and first["src"][0].shape[1] > 512
    assert 0.05 < first["masks"][0].mean() < 0.95


@pytest.mark.parametrize(
    "values",
    [
        {"chosen_seg_indices": 1},
        {"blend_scale": 0.6, "hard_edges": True, "use_source_seg": False},
        {"use_face_parser": True, "face_parts": "hair, hat", "chosen_seg_indices": ""},
        {"use_face_parser": True, "face_parts": "skin", "parser_mask": "smooth", "use_source_seg": False},
        {"use_face_parser": True, "model_name": "vox-adv-cpk", "segments_of_every_frame": False},
    ],
    ids=["a_number", "blend_scale", "hair_and_hat", "smooth_target", "plain_fomm"],
)
def test_options_run(comfy: ComfyServer, media: Path, values: dict[str, Any]) -> None:
    comfy.put_input(media / "source.png")
    run = comfy.run(swap_prompt(**values))
    assert run.ending == "execution_success", run.error
    assert len(run.files("images")) == 2
    assert len(run.files("frames")) == (1 if values.get("segments_of_every_frame") is False else 2)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"chosen_seg_indices": ""}, "chosen_seg_indices is '', so that no segment is chosen"),
        ({"chosen_seg_indices": "nose"}, "'nose' is no part"),
        ({"use_face_parser": True, "face_parts": "tail"}, "'tail' is no part of the face"),
        ({"model_name": "vox-adv-cpk"}, "Use a face parser"),
    ],
    ids=["nothing", "unknown", "unknown_class", "plain_fomm"],
)
def test_mistakes_are_explained(comfy: ComfyServer, media: Path, values: dict[str, Any], says: str) -> None:
    comfy.put_input(media / "source.png")
    run = comfy.run(swap_prompt(**values))
    assert run.ending == "execution_error"
    assert says in run.error


def test_faces_are_parsed_to_masks(comfy: ComfyServer, media: Path) -> None:
    comfy.put_input(media / "source.png")
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "source.png"}},
        "2": {"class_type": "ImageScale", "inputs": {
            "image": ["1", 0], "upscale_method": "bilinear", "width": 200, "height": 120, "crop": "disabled"}},
        "3": {"class_type": "FirstOrderMotion_FaceParts", "inputs": {"hair": True, "hat": True, "skin": False}},
        "4": {"class_type": "FirstOrderMotion_FaceParser", "inputs": {
            "image": ["2", 0], "face_parts": ["3", 0], "hard_edges": True, "viz_alpha": 0.5}},
        "5": {"class_type": "MaskToImage", "inputs": {"mask": ["4", 0]}},
        "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "parse/mask"}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["4", 1], "filename_prefix": "parse/segments"}},
        "8": {"class_type": "SaveImage", "inputs": {"images": ["4", 2], "filename_prefix": "parse/legend"}},
    }  # fmt: skip
    required = comfy.object_info("FirstOrderMotion_FaceParts")["input"]["required"]
    prompt["3"]["inputs"] = {name: name in ("hair", "hat") for name in reversed(list(required))}
    run = comfy.run(prompt)
    assert run.ending == "execution_success", run.error
    mask, segments = (pixels(run.files(node)[0]) for node in ("6", "7"))
    assert mask.shape == segments.shape == (120, 200, 3)
    assert set(np.unique(mask)) <= {0.0, 1.0}
    assert len(run.files("8")) == 1


def test_our_workflow_has_the_choosers_defaults(comfy: ComfyServer) -> None:
    prompt = to_prompt(read_template("Part Swap"), comfy.object_info())
    swap = next(node for node in prompt.values() if node["class_type"] == "FOMM_Partswap")
    assert prompt[swap["inputs"]["chosen_seg_indices"][0]]["class_type"] == "FOMM_Seg10Chooser"
