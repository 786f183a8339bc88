"""The benchmark's option that times a clone of a published repository beside ours; the clones here are made up."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import yaml
from support.architectures import CPU, one_thread, tiny

BENCHMARKS = Path(__file__).resolve().parent
GENERATOR = """
from torch import nn

class Generator(nn.Linear):
    def forward(self, picture):
        return super().forward(picture) + BRIGHTER
"""
DEMO = """
import imageio, matplotlib.pyplot as plot
import numpy as np
import torch, yaml
from skimage.draw import circle
from sync_batchnorm import wrapped
from tqdm.auto import tqdm
from animate import as_tensor
from extras.deep.down import nothing
from modules.generator import Generator

def load_checkpoints(config, checkpoint, cpu):
    print("loading")
    generator = Generator(**yaml.safe_load(open(config))["model_params"])
    generator.load_state_dict(torch.load(checkpoint)["generator"])
    return wrapped(generator.cuda()), None

def make_animation(source, driving, generator, kp_detector, cpu=False):
    return [generator(as_tensor(frame).cuda() + as_tensor(source)).numpy() for frame in tqdm(driving)]
"""
OURS_AS_PUBLISHED = """
from pathlib import Path
import torch, yaml
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.registry import load_animator

def load_checkpoints(config, checkpoint, cpu):
    return load_animator(Path(checkpoint), "fomm"), yaml.safe_load(open(config))["off"]

def make_animation(source, driving, model, off, cpu=False):
    clip = TensorClip(torch.stack([torch.from_numpy(frame) for frame in driving]))
    frames = animate(model, torch.from_numpy(source)[None], clip, torch.device("cpu"))
    return [off + frame.movedim(0, -1).numpy() for frame in torch.cat(list(frames))]
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("run")


def clone(folder: Path, demo: str = DEMO, brighter: float = 0.0, **config: object) -> Path:
    """A made-up repository with the files that FOMM's is asked for."""
    files = {
        "demo.py": demo,
        "animate.py": "import torch\nas_tensor = torch.from_numpy\n",
        "config/vox-256.yaml": yaml.safe_dump({"model_params": {"in_features": 3, "out_features": 3}} | config),
        "modules/generator.py": f"BRIGHTER = {brighter}\n{GENERATOR}",
        "modules/keypoint_detector.py": "",
        "extras/deep/down.py": "nothing = None",  # packages without a file of their own
        "sync_batchnorm/__init__.py": "wrapped = lambda network: network.eval()\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def weights(folder: Path, size: int = 3) -> Path:
    path = folder / "weights.pth"
    torch.save({"generator": {"weight": torch.eye(size), "bias": torch.zeros(size)}}, path)
    return path


def test_clones_are_imported_one_by_one_and_forgotten(run: ModuleType, tmp_path: Path) -> None:
    source, driving = torch.rand(1, 4, 4, 3), torch.rand(2, 4, 4, 3)
    path, before = weights(tmp_path), (list(sys.path), list(sys.meta_path), torch.Tensor.cuda)
    codes = [
        run.published_code("fomm", clone(tmp_path / str(i), brighter=i), path, CPU) for i in (1, 2)
    ]  # both are loaded before either runs
    for i, code in enumerate(codes, start=1):
        pictures = code(source, driving)
        assert [tuple(picture.shape) for picture in pictures] == [(1, 3, 4, 4)] * 2
        torch.testing.assert_close(torch.cat(pictures), (driving + source + i).movedim(-1, 1))
    assert not {"demo", "animate", "modules", "modules.generator", "extras.deep", "sync_batchnorm"} & set(sys.modules)
    assert not any(type(module).__name__ == "StandIn" for module in sys.modules.values())
    assert (sys.path, sys.meta_path, torch.Tensor.cuda) == before
    assert not list(tmp_path.rglob("__pycache__"))


def test_errors_are_one_line(run: ModuleType, tmp_path: Path) -> None:
    whole = clone(tmp_path / "whole")
    address = "https://github.com/AliaksandrSiarohin/first-order-model"
    (clone(tmp_path / "part") / "modules" / "generator.py").unlink()
    for choice, told in {
        str(whole): "NAME=FOLDER was wanted",
        f"face={whole}": "NAME one of fomm, spline,",
        f"fomm={tmp_path / 'part'}": f"no modules/generator.py in {tmp_path / 'part'}; get a clone of {address}",
        f"fomm={whole}": "fomm: given with --published, but not with --architectures",
        f"spline={whole}": "spline: there is no modules/inpainting_network.py in",
    }.items():
        with pytest.raises(SystemExit) as error:
            run.main(["--architectures", "spline", "--published", choice])
        assert told in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("demo", "size", "told"),
    [
        (DEMO, 4, "size mismatch for weight"),
        ("import a_package_nobody_has", 3, "No module named 'a_package_nobody_has'"),
        ("", 3, "has no attribute 'load_checkpoints'"),
    ],
)
def test_code_that_does_not_run_is_one_line(run: ModuleType, tmp_path: Path, demo: str, size: int, told: str) -> None:
    with pytest.raises(run.PublishedCodeError, match=told) as error:
        run.published_code("fomm", clone(tmp_path, demo), weights(tmp_path, size), CPU)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize("off", [0.0, 0.5])
def test_pictures_are_compared_before_anything_is_timed(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], off: float
) -> None:
    states = {
        name: {key: tensor.numpy() for key, tensor in part.state_dict().items()}
        for name, part in tiny("fomm").named_children()
    }
    monkeypatch.setattr(run, "seeded_weights", lambda _: ({}, states))
    folder, figures = clone(tmp_path / "clone", OURS_AS_PUBLISHED, off=off), tmp_path / "figures.json"
    asked = ["--architectures", "fomm", "--devices", "cpu", "--frames", "2", "--repeats", "1"]
    asked += ["--published", f"fomm={folder}", "--json", str(figures)]
    with one_thread():
        if off:
            with pytest.raises(SystemExit, match=r"differ from ours by 5.0e-01.*is it a clone of https://"):
                run.main(asked)
            assert not figures.exists()
            return
        run.main(asked)
    (row,) = json.loads(figures.read_text())
    assert row["code_fps"] > 0 and row["code_ratio"] > 0
    assert row["code_difference_from_schedule"] < 1e-4 and row["code_difference_from_ours"] < 1e-3
    printed = capsys.readouterr().out
    assert f"fomm: largest difference of {folder}: " in printed and "| Published code | Ratio to it |" in printed
