"""What runs on a CUDA GPU gives what the CPU gives, and never waits for it in between; skipped where there is none."""

from __future__ import annotations

import copy
import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from first_order_motion.animation.engine import Engine, optimize_for_inference
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions, Hooks
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.animation.session import Session
from first_order_motion.cli.main import main
from first_order_motion.core.inference import precision
from first_order_motion.core.inference.overflow import LAYERS
from first_order_motion.core.inference.precision import inference_mode
from first_order_motion.core.types import Animator
from first_order_motion.live.session import LiveSession
from first_order_motion.live.settings import LiveSettings
from first_order_motion.training.distributed import Ranks
from support.architectures import CPU, as_bytes, blobs, driven, every_architecture, source_picture, tiny
from support.command_line import build_files, command
from support.live import RATE, pixels, predictor
from support.training_runs import recorded_steps, video_trainer, write_strips
from torch import Tensor

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

GPU = torch.device("cuda")
FRAMES = 5
FLOAT32 = 1e-3  # of 1, at most; kernels sum in other orders, and these networks are steep
MEAN_16_BITS = 0.02  # of 1, on average
ENGINES = {
    "plain": Engine("float32", fast=False),
    "fast": Engine("float32"),
    "graphs": Engine("float32", cuda_graphs=True),
    "bfloat16": Engine("bfloat16"),
    "bfloat16 graphs": Engine("bfloat16", cuda_graphs=True),
    "float16": Engine("float16"),
    "float16 graphs": Engine("float16", cuda_graphs=True),
}


@pytest.fixture(autouse=True)
def _small_layers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "HEAVY", 64)


def on_gpu(name: str, engine: Engine) -> Animator:
    return optimize_for_inference(copy.deepcopy(tiny(name)), GPU, engine).to(GPU)


def pictures(animator: Animator, options: AnimateOptions) -> Tensor:
    parts = [part.cpu() for part in animate(animator, source_picture(), TensorClip(blobs(FRAMES)), GPU, options)]
    return torch.cat(parts)


@every_architecture
@pytest.mark.parametrize("engine", ENGINES)
def test_pictures_are_those_of_the_cpu(name: str, engine: str, caplog: pytest.LogCaptureFixture) -> None:
    options = AnimateOptions(batch=2)  # the last part is shorter
    wanted = driven(tiny(name), source_picture(), blobs(FRAMES), options)
    found = pictures(on_gpu(name, ENGINES[engine]), options)
    assert found.isfinite().all()
    difference = (found - wanted).abs()
    if ENGINES[engine].precision == "float32":
        assert difference.max() <= FLOAT32
    else:
        assert difference.mean() <= MEAN_16_BITS
    assert "CUDA graphs cannot be used" not in caplog.text


@pytest.mark.parametrize("engine", ["float16", "float16 graphs"])
def test_overflow_is_seen_in_recorded_passes_too(engine: str) -> None:
    animator, gain = on_gpu("fomm", ENGINES[engine]), torch.ones((), dtype=torch.float16, device=GPU)
    layers = [layer for layer in animator.modules() if isinstance(layer, LAYERS) and layer.weight.dtype == gain.dtype]
    layers[-1].register_forward_hook(lambda _, __, output: output * gain, prepend=True)
    assert pictures(animator, AnimateOptions(batch=2)).isfinite().all()
    gain.fill_(torch.inf)
    assert pictures(animator, AnimateOptions(batch=2)).isnan().all()


@pytest.mark.parametrize("name", ["fomm", "spline"])  # for all, as compiling takes long
def test_a_compiled_model_draws_the_same(name: str) -> None:
    wanted, found = (
        pictures(on_gpu(name, Engine("float32", compiled=compiled)), AnimateOptions(batch=2))
        for compiled in (False, True)
    )
    assert (found - wanted).abs().max() <= FLOAT32


@pytest.mark.parametrize("name", ["fomm", "partswap", "mrfa"])
def test_detail_is_that_of_the_cpu(name: str) -> None:
    options = AnimateOptions(batch=2, detail=1.0, detail_size=2 * tiny(name).spec.size)
    wanted = driven(tiny(name), source_picture(), blobs(FRAMES), options)
    assert (pictures(on_gpu(name, Engine("float32")), options) - wanted).abs().mean() <= FLOAT32


@every_architecture
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_nothing_waits_for_the_gpu_between_frames(name: str, precision: str) -> None:
    animator, clip = on_gpu(name, Engine(precision)), TensorClip(blobs(6))
    with inference_mode():
        session = Session.start(animator, source_picture(), clip, GPU, AnimateOptions(Retargeting(), batch=2), Hooks())
        steps = session.steps(clip, Hooks())
        [*session.draw(next(steps))]
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            drawn = [part for step in steps for part in session.draw(step)]
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert sum(map(len, drawn)) == 4


@every_architecture
def test_a_predictor_chooses_its_batch_and_gives_pictures_on_the_cpu(name: str) -> None:
    wanted = driven(tiny(name), source_picture(), blobs(FRAMES), AnimateOptions())
    found = torch.cat([*Predictor(on_gpu(name, Engine("float32")), GPU).animate(source_picture(), blobs(FRAMES))])
    assert found.device == CPU
    assert (found - wanted).abs().max() <= FLOAT32


def test_a_batch_that_does_not_fit_is_halved(caplog: pytest.LogCaptureFixture) -> None:
    animator = on_gpu("fomm", Engine("float32"))
    size = 512
    clip, source, options = blobs(64, size, size), blobs(1, size, size, start=2.6), AnimateOptions(batch=64, size=size)
    wanted = torch.cat([*Predictor(animator, GPU).animate(source, clip, options)])
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    torch.cat([*Predictor(animator, GPU).animate(source, clip, options)])
    peak, total = torch.cuda.max_memory_allocated(), torch.cuda.get_device_properties(GPU).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.6 * peak / total)
    try:
        found = torch.cat([*Predictor(animator, GPU).animate(source, clip, options)])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "Out of memory with 64 frames at once" in caplog.text
    assert (found - wanted).abs().max() <= FLOAT32


def test_memory_is_given_back() -> None:
    pictures(on_gpu("fomm", ENGINES["graphs"]), AnimateOptions(batch=2))  # libraries keep what they take at first
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    for engine in ("fast", "graphs"):
        pictures(on_gpu("fomm", ENGINES[engine]), AnimateOptions(batch=2))
    gc.collect()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() <= before + 2**20


@every_architecture
def test_live_pictures_are_those_of_the_cpu(name: str) -> None:
    source, frames = as_bytes(blobs(1, seed=3)), pixels(3)
    drawn = [
        [live.draw(frame, number / RATE) for number, frame in enumerate(frames)]
        for live in (
            LiveSession(model, source, LiveSettings(smooth=0.0))
            for model in (predictor(name), Predictor(on_gpu(name, Engine("float32")), GPU))
        )
    ]
    for one, other in zip(*drawn, strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


@pytest.mark.parametrize("architecture", ["fomm", "spline", "articulate"])
def test_a_training_step_has_the_gradients_of_the_cpu(architecture: str, tmp_path: Path) -> None:
    data, found = write_strips(tmp_path / "data"), list[dict[int, dict[str, Tensor]]]()
    for device in (CPU, GPU):
        run = video_trainer(data, tmp_path / device.type, architecture, ranks=Ranks(device), steps=1)
        recorded = recorded_steps(run)
        run.run()
        found.append({step: {key: value.cpu() for key, value in each.items()} for step, each in recorded.items()})
    wanted, got = found[0][1], found[1][1]
    assert wanted.keys() == got.keys()
    difference, size = (
        torch.cat([each[key].flatten() for key in wanted]).norm()
        for each in ({key: got[key] - wanted[key] for key in wanted}, wanted)
    )
    assert difference <= 1e-2 * size


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_training_in_16_bits_goes_on(precision: str, tmp_path: Path) -> None:
    data = write_strips(tmp_path / "data")
    run = video_trainer(data, tmp_path / "run", ranks=Ranks(GPU), steps=4, precision=precision)
    run.run()
    assert run.counters.step == 4
    assert all(number.isfinite().all() for number in run.recipe.objective.parameters())


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_the_command_line_runs_there(precision: str, tmp_path: Path) -> None:
    files = build_files(tmp_path)
    assert main(command(files, "--device", "cuda", "--precision", precision)) == 0
    assert (files / "result.mp4").stat().st_size > 0
