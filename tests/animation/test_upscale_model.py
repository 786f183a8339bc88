"""Files of upscale models: read by our own reader alone, in the layouts that are published, and refused in words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from first_order_motion.animation.enhance import Enhancer
from first_order_motion.animation.upscale_model import load_upscale_model
from first_order_motion.core.errors import CheckpointError, InputError, MissingWeightsError
from safetensors.torch import save_file
from support.architectures import CPU, one_thread, tiny
from support.enhancers import compact_state, loud_noise, restoreformer_state
from support.pickled_files import archive, called, mapping, symbol, text
from torch import Tensor

spandrel = pytest.importorskip("spandrel", reason="spandrel is not installed: pip install -r tests/requirements.txt")


@pytest.fixture(autouse=True)
def no_other_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but this pack's own reader may touch a file."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("read by another reader")

    monkeypatch.setattr(torch, "load", refuse)
    monkeypatch.setattr(torch.jit, "load", refuse)
    monkeypatch.setattr("safetensors.torch.load_file", refuse)


def test_every_layout_is_read(tmp_path: Path) -> None:
    state, optimizer = compact_state(2), {"state": {}, "param_groups": [{"lr": 0.1}]}
    layouts: dict[str, object] = {
        "flat": state,
        "params": {"params": state},
        "params_ema": {"params": {"other": torch.zeros(1)}, "params_ema": state},
        "state_dict": {"epoch": 3, "state_dict": state, "optimizer": optimizer},
        "parallel": {f"module.{name}": value for name, value in state.items()},
        "half": {name: value.half() for name, value in state.items()},
    }
    for name, content in layouts.items():
        torch.save(content, tmp_path / f"{name}.pth")
    save_file(state, tmp_path / "flat.safetensors")
    given = torch.rand(1, 3, 20, 20)
    wanted = spandrel.ModelLoader().load_from_state_dict(state)(given)
    for file in sorted(tmp_path.iterdir()):
        model = load_upscale_model(file)
        assert (model.architecture.id, model.scale) == ("Compact", 2)
        torch.testing.assert_close(model(given), wanted, rtol=0, atol=1e-5 if file.stem != "half" else 2e-3)


def test_restoreformer_is_known(tmp_path: Path) -> None:
    save_file(restoreformer_state(), tmp_path / "RestoreFormer.safetensors")
    model = load_upscale_model(tmp_path / "RestoreFormer.safetensors")
    assert (model.architecture.id, Enhancer(model, CPU).result_side(100)) == ("RestoreFormer", 512)


@pytest.mark.slow
def test_gfpgan_of_the_published_size(tmp_path: Path) -> None:
    from spandrel.architectures.GFPGAN import GFPGAN

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = GFPGAN()
    loud_noise(network)
    torch.save({"params_ema": network.state_dict()}, tmp_path / "GFPGANv1.4.pth")
    del network
    model = load_upscale_model(tmp_path / "GFPGANv1.4.pth")
    given: Tensor = torch.rand(1, 3, 512, 512, generator=torch.Generator().manual_seed(0))
    calls: list[tuple[Tensor, dict[str, bool], Tensor]] = []
    model.model.register_forward_hook(
        lambda _network, inputs, named, made: calls.append((inputs[0], named, made[0])), with_kwargs=True
    )
    with one_thread():
        [result] = Enhancer(model, CPU).stream([given])
    [(seen, named, own)] = calls
    torch.testing.assert_close(seen, given * 2 - 1, rtol=0, atol=1e-6)
    torch.testing.assert_close(result, ((own + 1) / 2).clamp(0, 1), rtol=0, atol=1e-6)
    assert named == {"randomize_noise": False}
    assert own.std() > 0.1, "weights under which a wrong range would show"


@pytest.mark.slow
def test_codeformer_is_known_with_the_extra_package(tmp_path: Path) -> None:
    pytest.importorskip("spandrel_extra_arches", reason="spandrel-extra-arches, of a restricted licence, is optional")
    from spandrel_extra_arches.architectures.CodeFormer import CodeFormer

    torch.save({"params_ema": CodeFormer().state_dict()}, tmp_path / "codeformer.pth")
    before = len(spandrel.MAIN_REGISTRY)
    model = load_upscale_model(tmp_path / "codeformer.pth")
    assert model.architecture.id == "CodeFormer" and len(spandrel.MAIN_REGISTRY) == before


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        load_upscale_model(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_code_in_a_file_is_refused_and_named(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    command = called(symbol("os", "system"), text(f"touch {marker}"))
    file = archive(tmp_path / "GFPGANv1.4.pth", mapping({"params_ema": command}))
    assert "os.system" in refusal(file) or "posix.system" in refusal(file)
    assert not marker.exists()


def test_views_that_claim_far_more_than_the_file_has_are_refused(tmp_path: Path) -> None:
    whole = torch.zeros(2**20)
    torch.save({f"body.{number}.weight": whole for number in range(30)}, tmp_path / "views.pth")
    assert "claim" in refusal(tmp_path / "views.pth")


def test_files_of_something_else_are_named(tmp_path: Path) -> None:
    parts = {name: part.state_dict() for name, part in tiny("fomm").named_children()}
    torch.save(parts, tmp_path / "vox.pth.tar")
    assert "holds First Order Motion Model" in refusal(tmp_path / "vox.pth.tar")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    assert "no model that spandrel knows" in refusal(tmp_path / "other.pth")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    assert "a dict" in refusal(tmp_path / "tensor.pth")
    torch.save({"params": compact_state(2) | {"body.2.weight": torch.zeros(3, 3)}}, tmp_path / "wrong.pth")
    assert "does not fit it" in refusal(tmp_path / "wrong.pth")
    with pytest.raises(MissingWeightsError):
        load_upscale_model(tmp_path / "nowhere.pth")


def test_a_grey_model_is_refused(tmp_path: Path) -> None:
    save_file(compact_state(2, channels=1), tmp_path / "grey.safetensors")
    with pytest.raises(InputError, match="from 1 to 1 channels"):
        Enhancer(load_upscale_model(tmp_path / "grey.safetensors"), CPU)


def test_without_spandrel_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(InputError, match=r"needs the package spandrel.*pip install '\.\[enhance\]'"):
        load_upscale_model(tmp_path / "any.pth")
