"""Training itself: losses fall, a broken run goes on bit for bit, and the result loads like any checkpoint."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from firstordermm.cli.main import build_parser, main
from firstordermm.core.errors import CheckpointError
from firstordermm.core.layers.grid import make_coordinate_grid
from firstordermm.core.types import LoadOptions
from firstordermm.core.weights.checkpoint import read_checkpoint
from firstordermm.module_fomm.drawn.architecture import load
from firstordermm.module_fomm.drawn.network import GuidedMotion
from firstordermm.training.bundled import BUNDLED
from firstordermm.training.config import TrainConfig
from firstordermm.training.drawn.landmarks import COUNT
from firstordermm.training.drawn.pairs import training_generator, training_sample
from firstordermm.training.step import training_losses
from firstordermm.training.trainer import Doubling, Trainer
from firstordermm.training.transform import Transform
from support.trained_model import TINY

CPU = torch.device("cpu")
CONFIG = TrainConfig(model=TINY, size=32, identities=4, steps=30, motion_only=0.0, ramp=1, half_precision=False)


def trainer(folder: Path, config: TrainConfig = CONFIG) -> Trainer:
    torch.set_num_threads(1)
    return Trainer(config, folder, CPU)


def rate(run: Trainer) -> float:
    """The learning rate of the last step, which all parameters share."""
    (one,) = {group["lr"] for optimizer in run.optimizers for group in optimizer.param_groups}
    return one


def losses_on_a_fixed_sample(run: Trainer) -> dict[str, float]:
    generator = training_generator(123, 0)
    sample = training_sample(generator, 16, CONFIG.size, CPU)
    transform = Transform.sample(32, generator, CPU)
    with torch.no_grad():
        losses = training_losses(run.model, sample, transform, CONFIG.losses)
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


@pytest.mark.parametrize("half_precision", [False, True])
def test_a_resumed_run_is_bit_for_bit_the_unbroken_one(tmp_path: Path, half_precision: bool) -> None:
    config = replace(CONFIG, steps=6, motion_only=0.3, half_precision=half_precision)
    whole = trainer(tmp_path / "whole", config)
    whole.run()
    first = trainer(tmp_path / "broken", config)
    for _ in range(3):
        first.train_step()
    first.save()
    torch.rand(5)  # the global generator must not matter
    second = trainer(tmp_path / "broken", config)
    assert second.resume() and second.step == 3
    second.run()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_resuming_with_another_model_is_refused(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.save()
    with pytest.raises(CheckpointError, match="another model"):
        trainer(tmp_path, replace(CONFIG, model=replace(TINY, num_kp=5))).resume()


def test_the_exported_file_loads_and_gives_nearly_the_same_pictures(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.train_step()
    run.save()
    loaded = load(read_checkpoint(tmp_path / "model.safetensors"), LoadOptions())
    assert loaded.config == TINY and loaded.spec.size == 32
    source, driving = torch.rand(1, 3, 32, 32), torch.rand(2, 3, 32, 32)
    run.model.eval()
    with torch.inference_mode():
        expected, got = (
            model.render(model.prepare(source), model.motion(driving)) for model in (run.model, loaded.eval())
        )
    torch.testing.assert_close(got, expected, rtol=0, atol=0.02)


def test_a_run_begins_with_what_fits_of_a_checkpoint(tmp_path: Path) -> None:
    run = trainer(tmp_path / "first")
    run.save()
    other = trainer(tmp_path, replace(CONFIG, seed=1, model=replace(TINY, num_kp=5)))
    before = other.model.kp_detector.kp.weight.clone()
    other.start_from(tmp_path / "first" / "model.safetensors")
    found, taken = run.model.generator.final.weight, other.model.generator.final.weight
    torch.testing.assert_close(taken, found, rtol=1e-3, atol=1e-6)  # through a file of half precision
    assert torch.equal(other.model.kp_detector.kp.weight, before)  # 5 maps instead of 18


def test_a_kept_detector_stays_as_it_is(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(CONFIG, detector=False))
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    losses = run.train_step()
    run.save()  # looks at the model in between
    run.train_step()
    assert "landmarks" not in losses and "pyramid" in losses
    changed = {name for name, value in run.model.state_dict().items() if not torch.equal(value, before[name])}
    assert "generator.final.weight" in changed and not any(name.startswith("kp_detector.") for name in changed)


def test_the_generator_paints_by_its_guides() -> None:
    torch.manual_seed(0)
    generator = trainer(Path()).model.generator.eval()
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
    config = replace(CONFIG, steps=10, minutes=1.0)
    assert config.progress(5, 0) == 0.5 and config.progress(5, 45) == 0.75 and config.progress(11, 0) == 1
    high = config.learning_rate
    assert config.rate(1.0, high) == 0 < config.rate(0.5, high) < config.rate(0.0, high) == high


def test_a_finished_run_that_goes_on_takes_larger_steps_only_by_and_by(tmp_path: Path) -> None:
    run = trainer(tmp_path, replace(CONFIG, steps=3, ramp=2))
    run.run()
    assert rate(run) < 0.3 * CONFIG.learning_rate
    longer = replace(CONFIG, steps=1000, ramp=10)
    more = trainer(tmp_path, longer)
    assert more.resume()
    last = rate(more)
    assert last == rate(run)
    for _ in range(3):
        more.train_step()
        assert rate(more) == pytest.approx(last + longer.learning_rate / longer.ramp)
        last = rate(more)


def test_the_state_of_an_older_version_is_refused(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.save()
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    state["optimizer"] = state.pop("optimizers")[0]
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match="--start"):
        trainer(tmp_path).resume()


def test_the_command_needs_an_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path)]) == 1
    assert "--minutes" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--identities", "--looks"])
def test_the_number_of_identities_has_two_names(option: str) -> None:
    assert build_parser().parse_args(["train", "output", option, "3"]).identities == 3


def test_the_bundled_model_is_small() -> None:
    run = trainer(Path(), replace(CONFIG, model=BUNDLED))
    assert sum(value.numel() for value in run.model.state_dict().values()) * 2 < 6e6


def test_doubling_is_pytorchs() -> None:
    x = torch.rand(2, 3, 4, 5)
    assert torch.equal(Doubling()(x), torch.nn.functional.interpolate(x, scale_factor=2.0))
