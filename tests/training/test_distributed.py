"""Several processes, as torchrun starts them: gradients are those of one, and a lost process costs a few steps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from firstordermm.core.errors import InputError
from firstordermm.training.distributed import Ranks
from firstordermm.training.state import load_state
from support.paths import ROOT
from support.training_runs import CPU, recorded_steps, video_trainer, write_strips

STEPS, DEADLY = 5, 3
PROGRAM = ROOT / "tests" / "support" / "torchrun_worker.py"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a process is killed as POSIX does")
def test_two_processes_train_as_one_and_survive_the_loss_of_one(tmp_path: Path) -> None:
    """Batch norms are in evaluation form: each process would otherwise norm by its own half of a batch."""
    data = write_strips(tmp_path / "data")
    alone = video_trainer(data, tmp_path / "alone", steps=STEPS, batch_size=4)
    expected = recorded_steps(alone)
    alone.run()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--max-restarts=1"]
    done = subprocess.run(
        [*command, str(PROGRAM), str(data), str(tmp_path / "two"), str(STEPS), str(DEADLY)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (file,) = (tmp_path / "two").glob("gradients-*.pt")
    began = int(file.stem.partition("-")[2])
    assert began == DEADLY  # what was done before was saved
    found: dict[int, dict[str, torch.Tensor]] = torch.load(file, weights_only=True)
    assert found.keys() == set(range(began + 1, STEPS + 1))
    for step, gradients in found.items():
        assert gradients.keys() == expected[step].keys()
        for name, gradient in gradients.items():
            largest = expected[step][name].abs().max()
            assert (gradient - expected[step][name]).abs().max() <= 1e-5 * largest + 1e-9, (step, name)
    weights = video_trainer(data, tmp_path / "two", steps=STEPS, batch_size=4)
    assert load_state(tmp_path / "two" / "state.pt", weights.recipe).step == STEPS


def test_one_process_agrees_with_itself() -> None:
    ranks = Ranks(CPU)
    assert ranks.agree(1.0, 0.0) == (1.0, 0.0) and ranks.is_first and ranks.share_of(5) == 5
    network = torch.nn.Linear(2, 2)
    assert ranks.wrap(network) is network and ranks.synchronised(network) is network
    with pytest.raises(InputError, match="a multiple of 4 was wanted"):
        Ranks(CPU, 1, 4).share_of(6)


def test_batch_norm_stays_apart_on_a_cpu(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(2))
    assert Ranks(CPU, 0, 2).synchronised(network) is network
    assert "on CUDA only" in caplog.text
