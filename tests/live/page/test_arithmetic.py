"""The page's arithmetic, run by Node.js, against the Python code's."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from first_order_motion.animation.hull import hull_area
from first_order_motion.animation.motion.controls import Controls, controlled
from first_order_motion.animation.motion.smoothing import CausalSmoother
from first_order_motion.animation.retarget import Retargeter, Retargeting
from first_order_motion.core.types import AnimatorSpec, Motion
from first_order_motion.deploy.onnx_media import fit
from torch import Tensor

NODE = shutil.which("node")
HERE = Path(__file__).resolve().parent
CLOSE = 2e-5

pytestmark = pytest.mark.skipif(NODE is None, reason="needs Node.js, which runs the page's scripts")

SPECS = {
    "points alone": AnimatorSpec(name="a", size=64, multiple=4, modes=("relative",)),
    "maps": AnimatorSpec(name="b", size=64, multiple=4, modes=("relative",)),
    "maps without sign": AnimatorSpec(
        name="c", size=64, multiple=4, modes=("relative",), unsigned_frames=True, pose_extras=("vectors", "shapes")
    ),
}


def ask(name: str, **question: Any) -> Any:
    """Have the page's scripts answer one question."""
    return ask_all([(name, question)])[0]


def ask_all(questions: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Have the page's scripts answer several questions."""
    assert NODE is not None
    command, text = [NODE, str(HERE / "poses.mjs")], json.dumps(questions)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def poses(kind: str, count: int, seed: int) -> Motion:
    """Draw `count` poses of a kind that move a little from one to the next."""
    draw = torch.Generator().manual_seed(seed)
    points = torch.rand(1, 7, 2, generator=draw) * 1.4 - 0.7 + 0.1 * torch.randn(count, 7, 2, generator=draw)
    if kind == "points alone":
        return Motion(points)
    maps = torch.eye(2) + 0.4 * torch.randn(count, 7, 2, 2, generator=draw)
    if kind == "maps":
        return Motion(points, maps)
    signs = torch.where(torch.rand(count, 7, 1, 1, generator=draw) < 0.5, -1.0, 1.0)
    extra = {"vectors": torch.randn(count, 5, generator=draw), "shapes": torch.rand(count, 7, 2, 2, generator=draw)}
    return Motion(points, signs * maps, extra)


def tensors(motion: Motion) -> dict[str, Tensor]:
    parts = {"points": motion.points, "jacobians": motion.jacobians, **motion.extra}
    return {name: part for name, part in parts.items() if part is not None}


def sent(motion: Motion) -> dict[str, Any]:
    return {name: {"data": part.flatten().tolist(), "dims": [*part.shape]} for name, part in tensors(motion).items()}


def spec_of(spec: AnimatorSpec) -> dict[str, Any]:
    return {"poseExtras": [*spec.pose_extras], "unsignedFrames": spec.unsigned_frames, "keepsPose": False}


def assert_same(answer: dict[str, Any], wanted: Motion) -> None:
    assert sorted(answer) == sorted(tensors(wanted))
    for name, part in tensors(wanted).items():
        assert answer[name]["dims"] == [*part.shape], name
        got = torch.tensor(answer[name]["data"]).view(part.shape)
        torch.testing.assert_close(got, part, rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("kind", SPECS)
def test_relative_motion(kind: str) -> None:
    own, anchor, driving = (poses(kind, 1, seed) for seed in (1, 2, 3))
    wanted = Retargeter.for_clip(Retargeting("relative"), own, anchor)(driving)
    assert_same(ask("relative", own=sent(own), anchor=sent(anchor), driving=sent(driving)), wanted)


CONTROLS = ((1.0, 1.0), (0.0, 1.0), (1.5, 1.0), (1.0, 0.0), (1.0, 1.7), (0.6, 0.4), (2.0, 2.0))


@pytest.mark.parametrize("kind", SPECS)
def test_strength_and_expression(kind: str) -> None:
    own, driving = poses(kind, 1, 4), poses(kind, 1, 5)
    facts = {"own": sent(own), "driving": sent(driving), "spec": spec_of(SPECS[kind])}
    wishes = [{"strength": strength, "expression": expression} for strength, expression in CONTROLS]
    answers = ask_all([("controlled", {**facts, "controls": wish}) for wish in wishes])
    for answer, (strength, expression) in zip(answers, CONTROLS, strict=True):
        assert_same(answer, controlled(Controls(strength, expression=expression), own, driving, SPECS[kind]))


@pytest.mark.parametrize("kind", SPECS)
def test_causal_smoothing(kind: str) -> None:
    stream, spec = poses(kind, 6, 6), SPECS[kind]
    facts = {"poses": [sent(stream[n : n + 1]) for n in range(6)], "rate": 30, "spec": spec_of(spec)}
    lengths = (0.0, 0.1, 1.0)
    found = ask_all([("smoothed", {**facts, "seconds": seconds}) for seconds in lengths])
    for seconds, answers in zip(lengths, found, strict=True):
        smoother = CausalSmoother(seconds, 30, spec)
        for number, answer in enumerate(answers):
            assert_same(answer, smoother(stream[number : number + 1]))


def test_hull() -> None:
    points = np.random.default_rng(0).random((20, 2))
    assert ask("hull", points=points.tolist()) == pytest.approx(hull_area(points), rel=1e-9)
    assert ask("hull", points=[[0, 0], [1, 1], [2, 2]]) == hull_area(np.array([[0, 0], [1, 1], [2, 2.0]])) == 0


@pytest.mark.parametrize(("height", "width", "channels"), [(40, 40, 3), (57, 57, 4), (16, 16, 3), (90, 61, 4)])
def test_pictures_for_the_graphs(height: int, width: int, channels: int) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (height, width, channels), np.uint8)
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[..., :channels] = picture
    facts = {"bytes": pixels.ravel().tolist(), "width": width, "height": height, "size": 40}
    for mirror in (False, True):
        planes = np.array(ask("fit", **facts, mirror=mirror)).reshape(3, 40, 40)
        wanted = fit(picture, 40, "picture")
        np.testing.assert_allclose(planes, wanted[..., ::-1] if mirror else wanted, atol=1e-5)


def test_pictures_for_the_screen() -> None:
    planes = np.random.default_rng(2).random((3, 5, 5)).astype(np.float32) * 1.2 - 0.1
    pixels = np.array(ask("toPixels", planes=planes.ravel().tolist(), size=5)).reshape(5, 5, 4)
    wanted = np.rint(np.clip(planes, 0, 1) * 255).transpose(1, 2, 0)
    np.testing.assert_array_equal(pixels[..., :3], wanted)
    assert (pixels[..., 3] == 255).all()


def test_movement_is_measured_from_the_first_frame_until_recentred() -> None:
    own, first, second = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.2, 0.1], [0.6, 0.4, 0.3, 0.1]]  # two points: no hull
    other = [0.4, 0.3, 0.2, 0.1]
    steps = [
        ["show", own], ["draw", first], ["draw", second], ["show", other], ["draw", second], ["recentre", None],
        ["draw", second], ["draw", first], ["change", {"mirror": True}], ["draw", second], ["draw", first],
        ["change", {"strength": 0}], ["draw", first],
    ]  # fmt: skip
    o, f, s, p = (np.array(row) for row in (own, first, second, other))
    wanted = [o, o + s - f, p + s - f, p, p + f - s, p, p - (f - s), p]
    np.testing.assert_allclose(np.array(ask("session", steps=steps)), wanted, atol=1e-6)


def test_the_newest_frame_goes_and_nothing_queues() -> None:
    offers = [*(["offer", name] for name in "abcd"), ["settle", 1], ["offer", "e"], ["settle", 3]]
    answer = ask("flight", most=2, offers=offers)
    assert answer == {"sent": [["a", 1], ["b", 2], ["d", 3], ["e", 4]], "lost": 2}  # c by d, b by the answer to d


@pytest.mark.parametrize(
    ("processors", "choices"), [(1, [1]), (2, [1, 2]), (4, [2, 4, 3, 1]), (8, [4, 3, 2, 1]), (64, [4, 3, 2, 1])]
)
def test_threads(processors: int, choices: list[int]) -> None:
    assert ask("threads", isolated=True, processors=processors) == choices
    assert ask("threads", isolated=False, processors=processors) == [1]


def test_figures() -> None:
    shown = [[0, 10_000], *([20_000 + 40 * n - 100 - n % 3, 20_000 + 40 * n] for n in range(10))]
    answer = ask("meter", shown=shown, now=20_400)
    assert answer["rate"] == pytest.approx(25)
    assert (answer["latency"], answer["total"], answer["dropped"]) == (101, 11, 0)
    assert ask("meter", shown=shown, now=90_000)["rate"] is None
