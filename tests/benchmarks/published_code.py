"""The published repositories' own code beside ours: fetched by whoever runs the benchmark, imported as it is.

Each row of `PUBLISHED` says where a repository is, which of its files are asked for, and how its own demo loads
weights and animates. Nothing in the folder is changed or written, and nothing of it stays importable: the
repositories' packages have the same names. Packages that the demos import for reading and showing pictures, or for
training, are stood in for; their loops use none of them.
"""

from __future__ import annotations

import importlib
import io
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, patch

import numpy as np
import torch
import yaml
from first_order_motion.core.inference.precision import inference_mode
from torch import Tensor, nn

Loop = Callable[[np.ndarray, list[np.ndarray]], Any]
"""A source (H, W, 3) and driving frames like it, in [0, 1] -> pictures like them."""

UNUSED = {"ffmpeg", "imageio", "matplotlib", "pandas", "skimage", "sklearn", "timm", "tqdm"}


class PublishedCodeError(Exception):
    """A folder that does not hold what was wanted; the message is one line."""


@dataclass(frozen=True)
class Repository:
    """Where an architecture's code is published, the module its demo is, the configuration of the benchmark's
    weights, how the demo goes ((module, configuration's path, weights' path, device) -> its loop), and which files it
    needs besides.
    """

    address: str
    demo: str
    config: str
    start: Callable[[Any, Path, Path, torch.device], Loop]
    files: tuple[str, ...]


def start_fomm(demo: Any, config: Path, weights: Path, device: torch.device) -> Loop:
    cpu = device.type == "cpu"
    networks = demo.load_checkpoints(config, weights, cpu=cpu)
    return lambda source, driving: demo.make_animation(source, driving, *networks, cpu=cpu)


def start_spline(demo: Any, config: Path, weights: Path, device: torch.device) -> Loop:
    networks = demo.load_checkpoints(config, weights, device)
    return lambda source, driving: demo.make_animation(source, driving, *networks, device)


def start_articulate(demo: Any, config: Path, weights: Path, device: torch.device) -> Loop:
    cpu = device.type == "cpu"
    networks = demo.load_checkpoints(config, weights, cpu=cpu)
    return lambda source, driving: demo.make_animation(source, driving, *networks, animation_mode="relative", cpu=cpu)


def start_partswap(demo: Any, config: Path, weights: Path, device: torch.device) -> Loop:
    """All parts but the background, cut out of the source, as ours does by itself."""
    demo.yaml = SimpleNamespace(load=yaml.safe_load)  # its `yaml.load` without a loader is no longer allowed
    cpu = device.type == "cpu"
    networks = demo.load_checkpoints(config, weights, blend_scale=1, cpu=cpu)
    parts = list(range(1, 1 + settings(config)["model_params"]["common_params"]["num_segments"]))
    return lambda source, driving: demo.make_video(
        parts, source, driving, *networks, use_source_segmentation=True, cpu=cpu
    )


def start_mrfa(demo: Any, config: Path, weights: Path, _: torch.device) -> Loop:
    """Without the losses' networks, one of which it would download."""
    chosen = settings(config)
    chosen["train_params"] |= {"scales": [], "loss_weights": {"perceptual": [0]}}
    known = demo.convert_dict_to_attrit_dict(chosen)
    networks = demo.load_checkpoints(known, weights)
    return lambda source, driving: demo.make_animation(known, source, driving, *networks)


def start_fsrt(demo: Any, config: Path, weights: Path, device: torch.device) -> Loop:
    """Its demo builds the networks where it reads the command line, and puts the driving frame beside each picture."""
    chosen = settings(config)
    detector = demo.KPDetector()
    detector.load_state_dict(torch.load(weights.with_name("kp_detector.pt")))
    expression = demo.ExpressionEncoder(
        expression_size=chosen["model"]["expression_size"], in_channels=detector.predictor.out_filters
    )
    model = demo.FSRT(chosen["model"], expression_encoder=expression)
    for name, state in torch.load(weights).items():
        model.get_submodule(name).load_state_dict(state)
    networks = [net.to(device).eval() for net in (model, detector)]

    def loop(source: np.ndarray, driving: list[np.ndarray]) -> Any:
        pairs = demo.make_animation(
            source[None], driving, *networks, chosen, max_num_pixels=65536, relative=True, adapt_movement_scale=True
        )
        return [pair[:, source.shape[1] :] for pair in pairs]

    return loop


GITHUB = "https://github.com/"
PUBLISHED = {
    "fomm": Repository(
        GITHUB + "AliaksandrSiarohin/first-order-model",
        "demo",
        "config/vox-256.yaml",
        start_fomm,
        ("animate.py", "modules/generator.py", "modules/keypoint_detector.py", "sync_batchnorm/__init__.py"),
    ),
    "spline": Repository(
        GITHUB + "yoyo-nb/Thin-Plate-Spline-Motion-Model",
        "demo",
        "config/vox-256.yaml",
        start_spline,
        ("modules/inpainting_network.py", "modules/keypoint_detector.py", "modules/dense_motion.py"),
    ),
    "articulate": Repository(
        GITHUB + "snap-research/articulated-animation",
        "demo",
        "config/vox256.yaml",
        start_articulate,
        ("animate.py", "modules/generator.py", "modules/region_predictor.py", "sync_batchnorm/__init__.py"),
    ),
    "partswap": Repository(
        GITHUB + "AliaksandrSiarohin/motion-cosegmentation",
        "part_swap",
        "config/vox-256-sem-10segments.yaml",
        start_partswap,
        ("modules/segmentation_module.py", "modules/reconstruction_module.py", "sync_batchnorm/__init__.py"),
    ),
    "mrfa": Repository(
        GITHUB + "JialeTao/MRFA",
        "demo",
        "config/vox1.yaml",
        start_mrfa,
        ("animate_ddp.py", "modules/model.py"),
    ),
    "fsrt": Repository(
        GITHUB + "andrerochow/fsrt",
        "demo",
        "runs/vox256/vox256.yaml",
        start_fsrt,
        ("srt/model.py", "modules/keypoint_detector.py", "modules/expression_encoder.py"),
    ),
}


def settings(config: Path) -> dict[str, Any]:
    """A repository's configuration."""
    return yaml.safe_load(config.read_text())


def folders(choices: list[str]) -> dict[str, Path]:
    """The folders that were given as NAME=FOLDER; raises PublishedCodeError for one that cannot be used."""
    found: dict[str, Path] = {}
    for choice in choices:
        name, given, path = choice.partition("=")
        if not given or name not in PUBLISHED:
            raise PublishedCodeError(
                f"--published {choice}: NAME=FOLDER was wanted, NAME one of {', '.join(PUBLISHED)}."
            )
        folder, row = Path(path).expanduser().resolve(), PUBLISHED[name]
        missing = [file for file in (f"{row.demo}.py", row.config, *row.files) if not (folder / file).is_file()]
        if missing:
            raise PublishedCodeError(f"{name}: there is no {missing[0]} in {folder}; get a clone of {row.address}.")
        found[name] = folder
    return found


def published_code(
    name: str, folder: Path, weights: Path, device: torch.device
) -> Callable[[Tensor, Tensor], list[Tensor]]:
    """The repository's own demo loop with a weight file: source (1, H, W, 3), driving (N, H, W, 3) -> N pictures
    (1, 3, H, W). Raises PublishedCodeError if its code cannot be imported or does not take the weights.
    """
    row = PUBLISHED[name]
    try:
        with as_published(device), importable(folder):
            loop = row.start(importlib.import_module(row.demo), folder / row.config, weights, device)
    except (ImportError, AttributeError, TypeError, KeyError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise PublishedCodeError(f"{name}: the code in {folder} does not run here ({reason}).") from error

    def run(source: Tensor, driving: Tensor) -> list[Tensor]:
        with as_published(device), inference_mode():
            pictures = loop(source[0].numpy(), list(driving.numpy()))
        return [torch.as_tensor(picture).movedim(-1, 0)[None] for picture in pictures]

    return run


@contextmanager
def as_published(device: torch.device) -> Generator[None]:
    """Without what it prints and is warned of; on the CPU without calls that send things to CUDA whatever was asked."""
    with ExitStack() as changed:
        changed.enter_context(redirect_stdout(io.StringIO()))
        changed.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if device.type == "cpu":
            for kind in (Tensor, nn.Module):
                changed.enter_context(patch.object(kind, "cuda", lambda self, *_, **__: self))
            changed.enter_context(patch.object(torch.cuda, "is_available", lambda: False))
        yield


@contextmanager
def importable(folder: Path) -> Generator[None]:
    """Imports look in the folder first; what was imported from there, and the stand-ins, are forgotten afterwards."""
    hidden = {name: sys.modules.pop(name) for name in [*sys.modules] if unused(name)}
    before, finder, writes = set(sys.modules), StandIns(), sys.dont_write_bytecode
    sys.path.insert(0, str(folder))
    sys.meta_path.insert(0, finder)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        sys.meta_path.remove(finder)
        sys.path.remove(str(folder))
        new = set(sys.modules) - before
        for name in [name for name in new if unused(name) or lies_in(folder, sys.modules[name])]:
            del sys.modules[name]  # only now: a package's path is looked up in its parent
        sys.modules.update(hidden)


def unused(name: str) -> bool:
    """Whether a module is of a package that is stood in for."""
    return name.split(".")[0] in UNUSED


def lies_in(folder: Path, module: ModuleType) -> bool:
    """Whether a module is a file of the folder's, or a package there without a file of its own."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(folder in Path(place).parents for place in places if place)


class StandIn(ModuleType):
    """A module with any attribute one asks for; `tqdm` is the progress bar that shows none."""

    def __getattr__(self, name: str) -> Any:
        return iter if name == "tqdm" else MagicMock()


class StandIns(MetaPathFinder, Loader):
    """Finds stand-ins."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        del path, target
        return ModuleSpec(fullname, self, is_package=True) if unused(fullname) else None

    def create_module(self, spec: ModuleSpec) -> StandIn:
        return StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        del module
