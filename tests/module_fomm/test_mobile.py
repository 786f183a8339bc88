"""FOMM of mobile blocks: the published layout, read off its tensors, run, trained and exported as any other FOMM."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from first_order_motion.cli.main import main
from first_order_motion.core.errors import CheckpointError, InputError
from first_order_motion.core.inference.optimize import optimize
from first_order_motion.deploy.compress import Slimming, prune, write
from first_order_motion.deploy.graphs import graphs_of
from first_order_motion.deploy.onnx_file import exported, to_onnx
from first_order_motion.deploy.onnx_loading import open_graph, providers_for
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.config import FOMMConfig, from_published, from_states
from first_order_motion.module_fomm.drawn.config import DrawnConfig
from first_order_motion.training.preview import transfer
from support.architectures import FOMM, FOMM_LIKE_MGIF, FOMM_POINTS_ONLY, SIDE, one_thread
from support.fomm_files import loaded, published_yaml, saved, states_of
from support.training_runs import CPU, video_trainer, write_strips
from torch import Tensor, nn

MOBILE = replace(FOMM, mobile_net=True, sigma=0.25)
NEAR = {"rtol": 0, "atol": 1e-4}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def mobile(config: FOMMConfig = MOBILE) -> FOMMAnimator:
    """A model whose norms and jacobians are not as they begin."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(3)
        model = FOMMAnimator(config, SIDE)
        for norm in (module for module in model.modules() if isinstance(module, nn.BatchNorm2d)):
            assert norm.running_mean is not None and norm.running_var is not None
            for value in (norm.running_mean, norm.bias):
                value.normal_(0, 0.2)
            for value in (norm.running_var, norm.weight):
                value.uniform_(0.5, 1.5)
        if isinstance(model.kp_detector.jacobian, nn.Sequential):
            nn.init.normal_(model.kp_detector.jacobian[-1].get_parameter("weight"), 0, 0.05)
    return model.eval()


def drawn_by(model: FOMMAnimator) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        return transfer(model, *torch.rand(2, 2, 3, SIDE, SIDE, generator=generator).unbind())


@pytest.mark.parametrize("like", [FOMM, FOMM_LIKE_MGIF, FOMM_POINTS_ONLY])
def test_every_size_is_read_off_the_tensors(like: FOMMConfig, tmp_path: Path) -> None:
    model = mobile(replace(like, mobile_net=True, sigma=0.25))
    states = states_of(model)
    read = loaded(saved(states, tmp_path / "mobile.pth"))
    assert read.config == replace(model.config, generator=read.config.generator) and read.config.mobile_net
    assert torch.equal(drawn_by(read), drawn_by(model))
    write(model, tmp_path / "mobile.safetensors")
    assert loaded(tmp_path / "mobile.safetensors").config == model.config


def test_a_blur_of_its_own_or_of_plain_models() -> None:
    for sigma in (0.25, None):
        states = states_of(mobile(replace(MOBILE, sigma=sigma)))
        read = from_states(states["kp_detector"], states["generator"])
        assert (read.sigma, read.kp_detector.scale_factor) == (sigma, 0.25)


def test_the_published_layout() -> None:
    states = states_of(mobile())
    shapes = {name: tuple(value.shape) for name, value in states["generator"].items()}
    assert not {name for name in shapes if name.endswith(("conv1.bias", "conv.bias"))}
    assert shapes["first.0.conv.weight"] == (3, 3, 3, 3) and shapes["first.2.conv.weight"] == (8, 3, 3, 3)
    assert shapes["down_blocks.0.conv.weight"] == (8, 1, 3, 3)
    assert shapes["down_blocks.0.conv1.weight"] == (16, 8, 1, 1) and shapes["down_blocks.0.norm1.bias"] == (16,)
    assert shapes["bottleneck.r1.conv_pw.weight"] == (32, 16, 1, 1)
    assert shapes["bottleneck.r1.conv_dw.weight"] == (32, 1, 3, 3)
    assert shapes["bottleneck.r1.norm_pw_linear.weight"] == (16,)
    assert shapes["final.4.weight"] == (3, 8, 3, 3)
    assert shapes["dense_motion_network.occlusion.4.weight"][0] == 1
    detector = {name: tuple(value.shape) for name, value in states["kp_detector"].items()}
    assert detector["kp.2.weight"][0] == 5 and detector["jacobian.2.bias"] == (20,)
    assert detector["down.weight"] == (3, 1, 3, 3)


def test_training_starts_from_identity_maps() -> None:
    maps = FOMMAnimator(MOBILE, SIDE).eval().motion(torch.rand(1, 3, SIDE, SIDE)).jacobians
    assert maps is not None
    torch.testing.assert_close(maps, torch.eye(2).expand_as(maps))


def test_the_yaml_says_so_for_both_networks() -> None:
    published = published_yaml(FOMM)
    params = published["model_params"]
    assert not from_published(published).mobile_net
    params["generator_params"]["mobile_net"] = True
    with pytest.raises(CheckpointError, match="mobile_net differs"):
        from_published(published)
    params["kp_detector_params"]["mobile_net"] = True
    read = from_published(published)
    assert read.mobile_net and read.sigma == 0.25


def test_the_fast_form_draws_the_same_with_every_norm_folded() -> None:
    model = mobile()
    fast = optimize(deepcopy(model), CPU)
    torch.testing.assert_close(drawn_by(fast), drawn_by(model), **NEAR)
    left = [name for name, module in fast.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left and all(name.endswith("norm1") and ".bottleneck." in name for name in left)  # none is in front of those
    low = optimize(deepcopy(model), CPU, torch.bfloat16)
    assert (drawn_by(low) - drawn_by(model)).abs().mean() < 0.05


def test_a_step_of_training(tmp_path: Path) -> None:
    changes = [f"model_params.{section}.mobile_net=true" for section in ("kp_detector_params", "generator_params")]
    run = video_trainer(write_strips(tmp_path / "data"), tmp_path / "run", "fomm", *changes)
    assert run.recipe.animator.config.mobile_net
    before = {name: value.clone() for name, value in run.recipe.animator.named_parameters()}
    assert all(torch.isfinite(torch.as_tensor(loss)) for loss in run.train_step().values())
    still = [name for name, value in run.recipe.animator.named_parameters() if torch.equal(value, before[name])]
    assert not [name for name in still if not name.endswith("bias") and ".jacobian." not in f".{name}"]


def test_pruning_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = mobile()
    with pytest.raises(InputError, match="checkpoint is a mobile FOMM"):
        prune(model, Slimming(0.5, least=1).of(MOBILE))
    write(model, tmp_path / "mobile.safetensors")
    assert main(["compress", str(tmp_path / "mobile.safetensors"), str(tmp_path / "small")]) != 0
    assert "a plain one was wanted" in capsys.readouterr().err
    assert main(["info", str(tmp_path / "mobile.safetensors")]) == 0
    assert "mobile_net" in capsys.readouterr().out


def test_the_bundled_network_never_has_them() -> None:
    with pytest.raises(ValueError, match="mobile_net is true"):
        DrawnConfig(mobile_net=True).check()


@pytest.mark.slow
def test_export() -> None:
    kp, motion = replace(MOBILE.kp_detector, num_blocks=1), replace(MOBILE.dense_motion, num_blocks=1)
    generator = replace(MOBILE.generator, num_down_blocks=1, num_bottleneck_blocks=1)
    model = mobile(replace(MOBILE, kp_detector=kp, dense_motion=motion, generator=generator))
    with torch.no_grad():
        for example in graphs_of(model, SIDE):
            content = to_onnx(exported(example), example, {"version": "1"}).SerializeToString()
            session = open_graph(content, Path(example.name), providers_for("cpu"), 1)
            fed = {entry.name: example.tensors[entry.name].numpy() for entry in session.get_inputs()}
            got = session.run(list(example.graph.outputs), fed)
            for part, wanted in zip(got, example.graph(*example.tensors.values()), strict=True):
                torch.testing.assert_close(torch.from_numpy(part), wanted, **NEAR)
