"""States of training: what is damaged, foreign or impossible is refused in a line, and the disk loses nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from first_order_motion.cli.main import main
from first_order_motion.core.errors import CheckpointError
from first_order_motion.training import pose_reader
from first_order_motion.training.begin import start_from
from first_order_motion.training.pose_reader import PoseReader, fitted
from first_order_motion.training.state import load_state
from first_order_motion.training.trainer import Trainer
from support.trained_model import TINY
from support.training_runs import drawn_trainer

State = dict[str, Any]


def trainer(folder: Path) -> Trainer:
    return drawn_trainer(folder, identities=2, steps=2)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a run of one step."""
    run = trainer(tmp_path_factory.mktemp("run"))
    run.train_step()
    run.save()
    return run.folder / "state.pt"


def first(state: State) -> torch.Tensor:
    return next(iter(state["networks"]["kp_detector"].values()))


def moments(state: State, optimizer: str = "adam") -> dict[str, torch.Tensor]:
    return next(iter(state["optimizers"][optimizer]["state"].values()))


def variance(state: State) -> torch.Tensor:
    return next(value for name, value in state["networks"]["kp_detector"].items() if name.endswith("running_var"))


def network(state: State) -> State:
    return state["networks"]["kp_detector"]


def group(state: State, optimizer: str) -> State:
    return state["optimizers"][optimizer]["param_groups"][0]


def swap(optimizers: State) -> None:
    optimizers["adam"], optimizers["muon"] = optimizers["muon"], optimizers["adam"]


CHANGES: dict[str, tuple[Callable[[State], Any], str]] = {
    "nan": (lambda state: first(state).fill_(math.nan), "values that are no numbers"),
    "negative_variance": (lambda state: variance(state).fill_(-1), "values below 0"),
    "step": (lambda state: state.update(step=-5), "its step is -5"),
    "text": (lambda state: state.update(step="many"), "its step is a str"),
    "fraction": (lambda state: state.update(step=1.5), "its step is a float, not a whole number"),
    "time": (lambda state: state.update(seconds=math.nan), "its time is nan"),
    "no_model": (lambda state: state.pop("networks"), "it lacks networks"),
    "a_list": (lambda state: state.update(networks=[1]), "its networks is a list"),
    "shape": (lambda state: network(state).update({next(iter(network(state))): torch.zeros(3)}), "is 3 real numbers"),
    "more": (lambda state: network(state).update(x=torch.zeros(3)), "missing or too many: x"),
    "number": (lambda state: network(state).update({next(iter(network(state))): 1}), "is no tensor"),
    "fewer_optimizers": (
        lambda state: state["optimizers"].pop("adam"),
        "missing or too many: adam",
    ),
    "swapped": (lambda state: swap(state["optimizers"]), "another setting of"),
    "rate": (
        lambda state: group(state, "muon").update(lr=math.inf),
        "learning rate .* is inf",
    ),
    "betas": (
        lambda state: group(state, "adam").update(betas=(9, 9)),
        "another setting of betas",
    ),
    "groups": (lambda state: state["optimizers"]["adam"].update(param_groups=[]), "of other parameters"),
    "moments": (lambda state: moments(state)["exp_avg"].fill_(math.nan), "exp_avg .* no numbers"),
    "squares": (lambda state: moments(state)["exp_avg_sq"].fill_(-1), "exp_avg_sq .* below 0"),
    "fewer_moments": (lambda state: moments(state).pop("exp_avg"), "of other parameters"),
    "stranger": (lambda state: state["optimizers"]["muon"]["state"].update({10**6: {}}), "of other parameters"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_state_that_cannot_be_is_refused(tmp_path: Path, saved: Path, name: str) -> None:
    change, says = CHANGES[name]
    state = torch.load(saved, weights_only=True)
    change(state)
    torch.save(state, tmp_path / "state.pt")
    refuse(tmp_path, says)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda whole: whole[: len(whole) // 2], "damaged or cut short"),
        (lambda whole: whole[:-1000], "damaged or cut short"),
        (lambda whole: b"", "empty"),
        (lambda whole: b"steps: 5", "text file"),
        (lambda whole: whole[:100_000] + bytes([whole[100_000] ^ 1]) + whole[100_001:], "bytes in it have changed"),
    ],
    ids=["half", "end", "empty", "text", "flipped"],
)
def test_a_damaged_state_is_refused(tmp_path: Path, saved: Path, damage: Callable[[bytes], bytes], says: str) -> None:
    (tmp_path / "state.pt").write_bytes(damage(saved.read_bytes()))
    refuse(tmp_path, says)


def refuse(folder: Path, says: str) -> None:
    run = trainer(folder)
    with pytest.raises(CheckpointError, match=says) as caught:
        run.resume()
    message = str(caught.value)
    assert message.isprintable() and "new folder" in message
    assert "state.pt is no whole training state" in message or "state.pt does not go with these settings" in message
    assert run.counters.step == 0


def test_a_whole_state_resumes(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "state.pt").write_bytes(saved.read_bytes())
    run = trainer(tmp_path)
    assert run.resume() and run.counters.step == 1
    run.train_step()


def test_a_full_disk_keeps_what_was_saved(tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trainer(tmp_path)
    run.save()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(bytes(content)[:1000])
        raise OSError(28, "No space left on device")

    run.train_step()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CheckpointError, match=r"No space left on device.*saved last is kept"):
        run.save()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_start_with_nothing_to_begin_with_is_refused(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    name = next(iter(run.recipe.animator.state_dict()))
    torch.save({"other.weight": torch.zeros(3)}, tmp_path / "foreign.pth")
    torch.save({name: torch.full_like(run.recipe.animator.state_dict()[name], math.nan)}, tmp_path / "nan.pth")
    with pytest.raises(CheckpointError, match="no tensor that this model has"):
        start_from(tmp_path / "foreign.pth", run.recipe)
    with pytest.raises(CheckpointError, match="values that no network can have"):
        start_from(tmp_path / "nan.pth", run.recipe)


def test_the_pose_reader_is_checked_or_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = PoseReader().eval()
    monkeypatch.setattr(pose_reader, "fit", lambda steps: made)
    path = tmp_path / "new" / "reader.pt"
    for reader in (fitted(path), fitted(path)):
        assert all(map(torch.equal, reader.state_dict().values(), made.state_dict().values()))
    torch.save({name: value * math.nan for name, value in made.state_dict().items()}, path)
    with pytest.raises(CheckpointError, match=r"no whole pose reader .*--reader"):
        fitted(path)
    path.write_bytes(b"text")
    with pytest.raises(CheckpointError, match="no whole pose reader"):
        fitted(path)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--steps", "0"], "--steps is 0; 1 or more"),
        (["--minutes", "nan"], "--minutes is nan; more than 0"),
        (["--minutes", "-1"], "--minutes is -1.0"),
        (["--steps", "1", "--identities", "0"], "--identities is 0"),
        (["--steps", "1", "--learning-rate", "inf"], "--learning-rate is inf"),
        (["--steps", "1", "--motion-only", "2"], "--motion-only is 2.0; 0 to 1"),
        (["--steps", "1", "--seed", "-1"], "--seed is -1"),
        (["--steps", "1", "--threads", "0"], "--threads is 0"),
        (["--steps", "1", "--start", "FOLDER/model.safetensors"], "FOLDER is .*overwrite the checkpoint to start with"),
    ],
)
def test_settings_are_checked_before_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], says: str
) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"mine")
    assert main(["train", "drawn", str(tmp_path), *(word.replace("FOLDER", str(tmp_path)) for word in given)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert re.search(says, line), line
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_places_are_checked_before_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.csv").mkdir()
    model = str(tmp_path / "file")
    for args, says in (
        (["train", "drawn", f"{tmp_path}/file", "--steps", "1"], "cannot be made"),
        (["train", "drawn", f"{tmp_path}/run", "--steps", "1"], "log.csv cannot be written: it is a folder"),
        (["evaluate", model, "--output", model], "--output is .*overwrite the checkpoint"),
        (["evaluate", model, "--output", f"{tmp_path}/none/a"], "there is no folder"),
        (["evaluate", model, "--reader", f"{tmp_path}/file/a"], "cannot be made"),
        (["evaluate", model, "--clips", "0"], "--clips is 0"),
    ):
        assert main(args) == 1
        assert re.search(says, capsys.readouterr().err), args
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_state_of_another_model_is_told_from_a_damaged_one(tmp_path: Path, saved: Path) -> None:
    (tmp_path / "state.pt").write_bytes(saved.read_bytes())
    other = drawn_trainer(tmp_path, model=replace(TINY, num_kp=5))
    with pytest.raises(CheckpointError, match="another model"):
        load_state(tmp_path / "state.pt", other.recipe)
