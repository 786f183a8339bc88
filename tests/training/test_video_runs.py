"""Training on videos: losses fall, a broken run goes on bit for bit, and the results load like published files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from first_order_motion.animation.predictor import Predictor
from first_order_motion.core.errors import CheckpointError, InputError, TrainingError
from first_order_motion.core.weights.checkpoint import read_checkpoint, read_content
from first_order_motion.training.begin import make_recipe, start_from
from first_order_motion.training.distributed import Ranks
from first_order_motion.training.keeping import BEST, COPIES, PUBLISHED, Keeper
from first_order_motion.training.state import MODEL, discriminators_of, optimizers_of
from first_order_motion.training.trainer import Trainer
from support.training_runs import CPU, MODELS, SIZE, video_config, video_trainer, write_strips

ADVERSARIAL: dict[str, Any] = {"loss_weights": {"generator_gan": 1, "feature_matching": [10]}}
PARAMS: dict[str, dict[str, Any]] = {"fomm": ADVERSARIAL, "spline": {"bg_start": 1}, "articulate": {}}
"""With a discriminator, and with a background that begins to move in the second epoch."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_strips(tmp_path_factory.mktemp("data"))


def states(run: Trainer) -> dict[str, torch.Tensor]:
    modules = {**run.recipe.networks, **discriminators_of(run.recipe)}
    return {f"{name}.{key}": value for name, part in modules.items() for key, value in part.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.slow
@pytest.mark.parametrize("architecture", MODELS)
def test_losses_fall_and_the_model_animates(data: Path, tmp_path: Path, architecture: str) -> None:
    run = video_trainer(data, tmp_path, architecture, steps=24, keep=2, log_every=6, evaluate_every=24)
    before = run.recipe.evaluate()
    run.run()
    rows = [*csv.DictReader((tmp_path / "log.csv").open())]
    assert [int(row["step"]) for row in rows] == [6, 12, 18, 24]
    assert float(rows[-1]["pyramid"]) < 0.95 * float(rows[0]["pyramid"])
    assert (
        float(rows[-1]["evaluation"]) == pytest.approx(run.counters.best, rel=1e-4) and run.recipe.evaluate() < before
    )
    assert sorted(path.name for path in (tmp_path / COPIES).iterdir()) == [
        "00000000.safetensors",
        "00000024.safetensors",
    ]
    for file in (MODEL, BEST, f"{COPIES}/00000000.safetensors"):
        predictor = Predictor.load(tmp_path / file, device="cpu")
        assert predictor.animator.spec.size == SIZE and predictor.animator.config == run.recipe.animator.config
    frames = predictor.animate_tensors(torch.rand(1, SIZE, SIZE, 3), torch.rand(2, SIZE, SIZE, 3))
    assert frames.shape == (2, SIZE, SIZE, 3)
    assert "no VGG19" in read_checkpoint(tmp_path / MODEL).metadata["reconstruction_loss"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "params"),
    [
        ("fomm", {**ADVERSARIAL, "ema_decay": 0.9, "schedule": "cosine"}),
        ("spline", {"bg_start": 1, "precision": "bfloat16"}),
        ("articulate", {"clip_norm": 0.1, "epoch_milestones": [1]}),
    ],
)
def test_a_resumed_run_is_bit_for_bit_the_unbroken_one(
    data: Path, tmp_path: Path, architecture: str, params: dict[str, Any]
) -> None:
    """An epoch has eight steps: both breaks, and the background's beginning, lie within seven and twelve."""
    whole = video_trainer(data, tmp_path / "whole", architecture, steps=10, **params)
    whole.run()
    for steps in (3, 9, 10):
        run = video_trainer(data, tmp_path / "broken", architecture, steps=10, **params)
        assert run.resume() is (steps > 3)
        torch.rand(5)  # PyTorch's own randomness must not matter
        while run.counters.step < steps:
            run.train_step()
        run.save()
    assert same(states(whole), states(run))
    for name, optimizer in optimizers_of(whole.recipe).items():
        own = optimizers_of(run.recipe)[name].state_dict()
        torch.testing.assert_close(own, optimizer.state_dict(), rtol=0, atol=0)
    assert same(*(one.recipe.shown.state_dict() for one in (whole, run)))


@pytest.mark.parametrize("architecture", MODELS)
def test_published_files_have_the_authors_entries(data: Path, tmp_path: Path, architecture: str) -> None:
    run = video_trainer(data, tmp_path, architecture, **PARAMS[architecture])
    run.train_step()
    Keeper(run.recipe, tmp_path, PUBLISHED).keep(9)
    entries = {
        "fomm": {"generator", "kp_detector", "discriminator", "epoch"}
        | {f"optimizer_{name}" for name in ("generator", "kp_detector", "discriminator")},
        "spline": {"inpainting_network", "dense_motion_network", "kp_detector", "bg_predictor", "optimizer"}
        | {"optimizer_bg_predictor", "epoch"},
        "articulate": {"generator", "region_predictor", "bg_predictor", "optimizer_reconstruction"}
        | {"epoch_reconstruction"},
    }[architecture]
    (path,) = (tmp_path / COPIES).iterdir()
    assert path.name == (
        "00000001-cpk-reconstruction.pth" if architecture == "articulate" else "00000001-checkpoint.pth.tar"
    )
    content = read_content(path)
    assert content.keys() == entries
    assert content["epoch_reconstruction" if architecture == "articulate" else "epoch"] == 1
    assert run.recipe.steps_per_epoch == 8  # type: ignore[attr-defined]


def test_a_published_file_continues_a_run_and_animates(data: Path, tmp_path: Path) -> None:
    run = video_trainer(data, tmp_path, **ADVERSARIAL)
    run.train_step()
    Keeper(run.recipe, tmp_path, PUBLISHED).keep(1)
    (path,) = (tmp_path / COPIES).iterdir()
    other = video_trainer(data, tmp_path / "other", **ADVERSARIAL, seed=5, ema_decay=0.5)
    assert not same(states(run), states(other))
    start_from(path, other.recipe)
    assert same(states(run), states(other))
    assert torch.equal(other.recipe.shown.kp_detector.kp.weight, run.recipe.animator.kp_detector.kp.weight)


def test_a_start_takes_what_fits(data: Path, tmp_path: Path) -> None:
    run = video_trainer(data, tmp_path)
    run.recipe.export(tmp_path / MODEL)
    other = video_trainer(data, tmp_path, "fomm", "model.common_params.num_kp=4", seed=1)
    before = other.recipe.animator.kp_detector.kp.weight.clone()
    start_from(tmp_path / MODEL, other.recipe)
    assert torch.equal(other.recipe.animator.generator.final.weight, run.recipe.animator.generator.final.weight)
    assert torch.equal(other.recipe.animator.kp_detector.kp.weight, before)  # 4 maps instead of 3


def test_frozen_networks_and_a_rate_of_0(data: Path, tmp_path: Path) -> None:
    """As in taichi-adv, a rate of 0 leaves the weights alone; freezing also leaves the statistics."""
    for changes, statistics_move in (({"freeze": ["kp_detector"]}, False), ({"lr_kp_detector": 0}, True)):
        run = video_trainer(data, tmp_path, **changes)
        before = {name: value.clone() for name, value in states(run).items()}
        for _ in range(2):
            run.train_step()
        changed = {name for name, value in states(run).items() if not torch.equal(value, before[name])}
        kept = {name for name in changed if name.startswith("kp_detector.")}
        assert bool(kept) is statistics_move and not any(name.endswith(("weight", "bias")) for name in kept)
        assert "generator.final.weight" in changed
    with pytest.raises(InputError, match=r"lists kp_detectr; some of kp_detector, generator were wanted"):
        video_trainer(data, tmp_path, freeze=["kp_detectr"])


def test_averaged_weights_lag_behind(data: Path, tmp_path: Path) -> None:
    run = video_trainer(data, tmp_path, ema_decay=0.5)
    name = "generator.final.weight"
    average = None
    for count in range(3):
        run.train_step()
        weight = run.recipe.animator.state_dict()[name].clone()
        share = 1 - min(0.5, (1 + count) / (10 + count))  # the decay rises
        average = weight if average is None else torch.lerp(average, weight, share)
    torch.testing.assert_close(run.recipe.shown.state_dict()[name], average)
    assert not torch.equal(average, weight)
    run.recipe.export(tmp_path / MODEL)
    torch.testing.assert_close(read_checkpoint(tmp_path / MODEL).components["generator"]["final.weight"], average)


def test_learning_rates_drop_at_milestones(data: Path, tmp_path: Path) -> None:
    run = video_trainer(data, tmp_path, steps=100, epoch_milestones=[1, 3])
    found: list[float] = []
    for epoch in range(4):
        run.recipe.schedule(8 * epoch, 0.0)
        found.append(run.recipe.optimizers["optimizer_generator"].param_groups[0]["lr"])
    assert found == pytest.approx([2e-4, 2e-5, 2e-5, 2e-6])


def test_a_loss_that_is_no_number_stops_the_run(data: Path, tmp_path: Path) -> None:
    run = video_trainer(data, tmp_path, steps=6)
    step = run.train_step

    def break_down() -> dict[str, torch.Tensor]:
        if run.counters.step == 3:
            with torch.no_grad():
                run.recipe.animator.generator.final.weight.fill_(torch.nan)
        return step()

    run.train_step = break_down  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"became no number at step 3; what was saved last in .* is good"):
        run.run()
    again = video_trainer(data, tmp_path, steps=6)
    assert again.resume() and again.counters.step == 0
    assert all(value.isfinite().all() for value in states(again).values())


def test_a_run_ends_when_it_gets_no_better(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = video_trainer(data, tmp_path, steps=50, evaluate_every=2, patience=2)
    errors = iter([0.5, 0.4, 0.45, 0.41])
    monkeypatch.setattr(run.recipe, "evaluate", lambda: next(errors))
    run.run()
    assert run.counters.step == 8 and run.counters.best == 0.4
    again = video_trainer(data, tmp_path, steps=50, evaluate_every=2, patience=2)
    assert again.resume()
    again.run()
    assert again.counters.step == 8


def test_epochs_end_a_run(data: Path, tmp_path: Path) -> None:
    run = video_trainer(data, tmp_path, steps=None, num_epochs=1, checkpoint_freq=1, log_every=100)
    run.run()
    assert run.counters.step == 8
    assert [path.name for path in sorted((tmp_path / COPIES).iterdir())] == [
        "00000000.safetensors",
        "00000008.safetensors",
    ]


def test_the_state_of_another_model_is_refused(data: Path, tmp_path: Path) -> None:
    video_trainer(data, tmp_path).save()
    for other in (
        video_trainer(data, tmp_path, "articulate"),
        video_trainer(data, tmp_path, "fomm", "model.common_params.num_kp=4"),
    ):
        with pytest.raises(CheckpointError, match="trained with another model"):
            other.resume()
    with pytest.raises(CheckpointError, match=r"networks these are missing or too many: averaged"):
        video_trainer(data, tmp_path, ema_decay=0.5).resume()


def test_data_that_does_not_go_with_the_networks_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"frame_shape has 33 pixels; a multiple of 8 was wanted"):
        video_trainer(data, tmp_path, "fomm", "dataset.frame_shape=[33, 33, 3]")
    with pytest.raises(InputError, match=r"frame_shape is \(32, 40\); a square was wanted"):
        video_trainer(data, tmp_path, "fomm", "dataset.frame_shape=[32, 40, 3]")
    with pytest.raises(InputError, match=r"4 videos, 1 samples of each to an epoch; 8 samples or more"):
        video_trainer(data, tmp_path, num_repeats=1, batch_size=8)
    with pytest.raises(InputError, match=r"batch_size is 3; a multiple of 2 was wanted"):
        make_recipe(video_config(data, batch_size=3), Ranks(CPU, world=2))


def test_a_full_disk_keeps_what_was_saved(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = video_trainer(data, tmp_path)
    run.save()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    run.train_step()

    def full(_path: Path, _content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CheckpointError, match=r"No space left on device.*saved last is kept"):
        run.save()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_background_of_a_spline_rests_at_first(data: Path, tmp_path: Path) -> None:
    run = video_trainer(data, tmp_path, "spline", bg_start=1)
    first = run.train_step()
    run.counters.step = 8
    assert "bg" not in first and "bg" in run.train_step()
    config = video_config(data, "spline", "model.common_params.bg=false")
    assert "bg_predictor" not in make_recipe(replace(config), Ranks(CPU)).networks


def test_a_state_with_weights_that_are_no_numbers_is_not_written(data: Path, tmp_path: Path) -> None:
    run = video_trainer(data, tmp_path, steps=1)
    run.save()
    before = (tmp_path / "state.pt").read_bytes()
    parameter = next(run.recipe.animator.parameters())
    with torch.no_grad():
        parameter[(0,) * parameter.ndim] = float("nan")
    with pytest.raises(TrainingError, match="what was saved last"):
        run.save()
    assert (tmp_path / "state.pt").read_bytes() == before
