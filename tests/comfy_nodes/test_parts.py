"""Clips that a batch manager feeds in parts: recognised by the prompt, on a machine without ComfyUI."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from first_order_motion.comfy_nodes.runtime import parts
from first_order_motion.comfy_nodes.runtime.parts import MAX_KEPT, part_of

PROMPT: dict[str, Any] = {
    "1": {"class_type": "VHS_LoadVideo", "inputs": {"video": "clip.mp4", "meta_batch": ["9", 0]}},
    "2": {"class_type": "ImageScale", "inputs": {"image": ["1", 0], "width": 256}},
    "3": {"class_type": "LoadImage", "inputs": {"image": "face.png"}},
    "4": {"class_type": "FOMM_Runner", "inputs": {"source_image": ["3", 0], "driving_video_input": ["2", 0]}},
    "5": {"class_type": "VHS_VideoCombine", "inputs": {"images": ["4", 0], "meta_batch": ["9", 0]}},
    "9": {"class_type": "VHS_BatchManager", "inputs": {"frames_per_batch": 20}},
}


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_anchors", type(parts._anchors)())


def prompt(number: int, **changed: Any) -> dict[str, Any]:
    """The prompt as it is queued for a part: the manager counts, if the part is not the first."""
    made = copy.deepcopy(PROMPT)
    made["3"]["inputs"] |= changed
    if number:
        made["9"]["inputs"]["requeue"] = number
    return made


def frame(value: float) -> torch.Tensor:
    return torch.full((1, 2, 2, 3), value)


def anchors(*prompts: dict[str, Any]) -> list[float]:
    """What runs of these prompts are measured from, where a run brings a frame of its own number."""
    found: list[float] = []
    for own, each in enumerate(prompts):
        part = part_of(each, "4")
        assert part is not None
        kept = part.anchor()
        anchor = frame(float(own)) if kept is None else kept
        part.keep(anchor)
        found.append(float(anchor.mean()))
    return found


def test_later_parts_share_the_first_ones_anchor() -> None:
    assert anchors(*map(prompt, range(4))) == [0, 0, 0, 0]


def test_a_new_run_and_changed_inputs_begin_anew() -> None:
    assert anchors(prompt(0), prompt(1), prompt(0), prompt(1)) == [0, 0, 2, 2]
    assert anchors(prompt(0), prompt(1, image="other.png"), prompt(2, image="other.png")) == [0, 1, 1]


def test_a_part_that_nothing_came_before_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert anchors(prompt(0), prompt(2)) == [0, 1]
    assert caplog.messages == ["The parts before part 3 are not known; movement is measured within it."]


def test_without_a_manager_in_the_inputs_there_are_no_parts() -> None:
    alone = prompt(3)
    del alone["1"]["inputs"]["meta_batch"]
    assert part_of(alone, "4") is None
    assert part_of(None, "4") is part_of(prompt(0), None) is part_of(prompt(0), "unknown") is None


def test_memory_is_bounded() -> None:
    anchors(*(prompt(0, image=f"{i}.png") for i in range(3 * MAX_KEPT)))
    assert len(parts._anchors) == MAX_KEPT
