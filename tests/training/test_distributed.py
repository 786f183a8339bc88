"""Several processes, as torchrun starts them: gradients are those of one, and a lost process costs a few steps."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from first_order_motion.core.errors import InputError
from first_order_motion.training.distributed import Ranks
from first_order_motion.training.state import load_state
from support.paths import ROOT
from support.training_runs import CPU, in_float64, recorded_steps, video_trainer, write_strips

STEPS, DEADLY = 5, 3
UNSHARED = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"  # else new processes look for old ones (PyTorch issue 135712)
PROGRAM = ROOT / "tests" / "support" / "torchrun_worker.py"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a process is killed as POSIX does")
def test_two_processes_train_as_one_and_survive_the_loss_of_one(tmp_path: Path) -> None:
    """Batch norms are in evaluation form: each process would otherwise norm by its own half of a batch."""
    data = write_strips(tmp_path / "data")
    alone = in_float64(video_trainer(data, tmp_path / "alone", steps=STEPS, batch_size=4))
    expected = recorded_steps(alone)
    alone.run()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--max-restarts=1"]
    done = subprocess.run(
        [*command, str(PROGRAM), str(data), str(tmp_path / "two"), str(STEPS), str(DEADLY)],
        env={**os.environ, "OMP_NUM_THREADS": "1", UNSHARED: "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    tries = [f"1-{step}" for step in range(1, DEADLY + 1)] + [f"0-{step}" for step in range(DEADLY + 1, STEPS + 1)]
    written = {path.stem for path in (tmp_path / "two").glob("gradients-*.pt")}
    assert written == {f"gradients-{name}" for name in tries}
    for name in tries:
        found = torch.load(tmp_path / "two" / f"gradients-{name}.pt", weights_only=True)
        wanted = expected[int(name[2:])]
        assert found.keys() == wanted.keys()
        for network in ("generator", "kp_detector"):
            difference, size = (
                torch.cat([one[key].flatten() for key in wanted if key.startswith(network)]).norm()
                for one in ({key: found[key] - wanted[key] for key in wanted}, wanted)
            )
            assert difference <= 1e-10 * size, (name, network)
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
