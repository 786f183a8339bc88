"""A process that `torchrun` starts: trains a small model and records its gradients; one of them dies once.

Arguments: folder of data, folder of the run, steps, and the step before which the last process dies at the first try.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()
sys.path.insert(0, str(ROOT / "tests"))

import torch  # noqa: E402
from first_order_motion.training.distributed import joined  # noqa: E402
from support.training_runs import Gradients, in_float64, recorded_steps, video_trainer  # noqa: E402


def main() -> None:
    """Train; the first process writes the gradients of each step."""
    data, folder, steps, deadly = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    first_try = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    with joined("cpu") as ranks:
        run = in_float64(video_trainer(data, folder, ranks=ranks, steps=steps, batch_size=4, save_minutes=1e-6))
        run.resume()
        last = ranks.rank == ranks.world - 1

        def fall() -> None:
            if first_try and last and run.counters.step == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

        def write(step: int, gradients: Gradients) -> None:
            if ranks.is_first:
                torch.save(gradients, folder / f"gradients-{first_try:d}-{step}.pt")

        recorded_steps(run, fall, write)
        run.run()


if __name__ == "__main__":
    main()
