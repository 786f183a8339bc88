"""Training itself: losses fall, a broken run goes on bit for bit, and the result loads like any checkpoint."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from first_order_motion.cli.main import build_parser, main
from first_order_motion.core.errors import CheckpointError
from first_order_motion.core.layers.grid import make_coordinate_grid
from first_order_motion.core.types import LoadOptions
from first_order_motion.core.weights.checkpoint import read_checkpoint
from first_order_motion.module_fomm.drawn.architecture import load
from first_order_motion.module_fomm.drawn.network import GuidedMotion
from first_order_motion.training.begin import start_from
from first_order_motion.training.bundled import BUNDLED
from first_order_motion.training.drawn.landmarks import COUNT
from first_order_motion.training.drawn.pairs import training_generator, training_sample
from first_order_motion.training.drawn.params import DrawnTrainParams
from first_order_motion.training.drawn.step import training_losses
from first_order_motion.training.losses import LossWeights
from first_order_motion.training.recipe import Doubling
from first_order_motion.training.trainer import Trainer
from first_order_motion.training.transform import Transform
from support.trained_model import TINY
from support.training_runs import CPU, drawn_trainer

SIZE = 32


def trainer(folder: Path, **settings: Any) -> Trainer:
    return drawn_trainer(folder, size=SIZE, **settings)


def rate(run: Trainer) -> float:
    """The learning rate of the last step, which all parameters share."""
    (one,) = {group["lr"] for optimizer in run.recipe.optimizers.values() for group in optimizer.param_groups}
    return one


def losses_on_a_fixed_sample(run: Trainer) -> dict[str, float]:
    generator = training_generator(123, 0)
    sample = training_sample(generator, 16, SIZE, CPU)
    transform = Transform.sample(32, generator, CPU)
    with torch.no_grad():
        losses = training_losses(run.recipe.animator, sample, transform, LossWeights())
    return {name: value.item() for name, value in losses.items()}


def test_thirty_steps_lower_the_losses(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    before = losses_on_a_fixed_sample(run)
    for _ in range(30):
        run.train_step()
    after = losses_on_a_fixed_sample(run)
    assert after["pyramid"] < 0.8 * before["pyramid"], (before, after)
    for name in ("warped", "landmarks", "equivariance_value"):
        assert after[name] < 0.95 * before[name], (name, before, after)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_is_bit_for_bit_the_unbroken_one(tmp_path: Path, precision: str) -> None:
    settings: dict[str, Any] = {"steps": 6, "motion_only": 0.3, "precision": precision}
    whole = trainer(tmp_path / "whole", **settings)
    whole.run()
    first = trainer(tmp_path / "broken", **settings)
    for _ in range(3):
        first.train_step()
    first.save()
    torch.rand(5)  # the global generator must not matter
    second = trainer(tmp_path / "broken", **settings)
    assert second.resume() and second.counters.step == 3
    second.run()
    for name, value in whole.recipe.animator.state_dict().items():
        assert torch.equal(value, second.recipe.animator.state_dict()[name]), name


def test_resuming_with_another_model_is_refused(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.save()
    with pytest.raises(CheckpointError, match="another model"):
        trainer(tmp_path, model=replace(TINY, num_kp=5)).resume()


def test_the_exported_file_loads_and_gives_nearly_the_same_pictures(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.train_step()
    run.save()
    loaded = load(read_checkpoint(tmp_path / "model.safetensors"), LoadOptions())
    assert loaded.config == TINY and loaded.spec.size == 32
    source, driving = torch.rand(1, 3, 32, 32), torch.rand(2, 3, 32, 32)
    run.recipe.animator.eval()
    with torch.inference_mode():
        expected, got = (
            model.render(model.prepare(source), model.motion(driving)) for model in (run.recipe.animator, loaded.eval())
        )
    torch.testing.assert_close(got, expected, rtol=0, atol=0.02)


def test_a_run_begins_with_what_fits_of_a_checkpoint(tmp_path: Path) -> None:
    run = trainer(tmp_path / "first")
    run.save()
    other = trainer(tmp_path, seed=1, model=replace(TINY, num_kp=5))
    before = other.recipe.animator.kp_detector.kp.weight.clone()
    start_from(tmp_path / "first" / "model.safetensors", other.recipe)
    found, taken = run.recipe.animator.generator.final.weight, other.recipe.animator.generator.final.weight
    torch.testing.assert_close(taken, found, rtol=1e-3, atol=1e-6)  # through a file of half precision
    assert torch.equal(other.recipe.animator.kp_detector.kp.weight, before)  # 5 maps instead of 18


def test_a_kept_detector_stays_as_it_is(tmp_path: Path) -> None:
    run = trainer(tmp_path, freeze=("kp_detector",))
    before = {name: value.clone() for name, value in run.recipe.animator.state_dict().items()}
    losses = run.train_step()
    run.save()  # looks at the model in between
    run.train_step()
    assert "landmarks" not in losses and "pyramid" in losses
    changed = {name for name, value in run.recipe.animator.state_dict().items() if not torch.equal(value, before[name])}
    assert "generator.final.weight" in changed and not any(name.startswith("kp_detector.") for name in changed)


def test_the_generator_paints_by_its_guides() -> None:
    torch.manual_seed(0)
    generator = trainer(Path()).recipe.animator.generator.eval()
    source = torch.rand(1, 3, 32, 32)
    features = generator.encode(source)
    still = make_coordinate_grid(8, 8, like=source)[None], torch.full((1, 1, 8, 8), 0.5), torch.ones(1)
    with torch.no_grad():
        for places in (slice(COUNT), slice(COUNT, None)):  # driving keypoints, and all candidates
            guides = torch.zeros(2, generator.dense_motion_network.guides, 8, 8)
            guides[0, places] = torch.rand_like(guides[0, places])
            one, other = (generator.decode(features, GuidedMotion(*still, guide[None])) for guide in guides)
            assert (one - other).abs().max() > 1e-4


def test_time_and_steps_both_end_a_run() -> None:
    params = DrawnTrainParams(steps=10, minutes=1.0, ramp=1)
    assert params.share_done(5, 0) == 0.5 and params.share_done(5, 45) == 0.75 and params.share_done(11, 0) == 1
    high = params.learning_rate
    assert params.rate(1.0, high) == 0 < params.rate(0.5, high) < params.rate(0.0, high) == high


def test_a_finished_run_that_goes_on_takes_larger_steps_only_by_and_by(tmp_path: Path) -> None:
    run = trainer(tmp_path, steps=3, ramp=2)
    run.run()
    high = run.params.learning_rate
    assert rate(run) < 0.3 * high
    more = trainer(tmp_path, steps=1000, ramp=10)
    assert more.resume()
    last = rate(more)
    assert last == rate(run)
    for _ in range(3):
        more.train_step()
        assert rate(more) == pytest.approx(last + high / 10)
        last = rate(more)


def test_the_state_of_an_older_version_is_refused(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.save()
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    torch.save({"model": {}, "model_config": state["config"], "step": 3, "seconds": 1.0}, tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match="--start"):
        trainer(tmp_path).resume()


def test_the_command_needs_an_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "drawn", str(tmp_path)]) == 1
    assert "--minutes" in capsys.readouterr().err


def test_the_command_of_earlier_versions_is_answered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path), "--minutes", "5"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert f"write: train drawn {tmp_path}" in line


@pytest.mark.parametrize("option", ["--identities", "--looks"])
def test_the_number_of_identities_has_two_names(option: str) -> None:
    assert build_parser().parse_args(["train", "drawn", "output", option, "3"]).identities == 3


def test_the_bundled_model_is_small() -> None:
    run = trainer(Path(), model=BUNDLED)
    assert sum(value.numel() for value in run.recipe.animator.state_dict().values()) * 2 < 6e6


def test_doubling_is_pytorchs() -> None:
    x = torch.rand(2, 3, 4, 5)
    assert torch.equal(Doubling()(x), torch.nn.functional.interpolate(x, scale_factor=2.0))
