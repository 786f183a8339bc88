"""What exporting changes: differences, sizes, precisions and speed, on full-size networks with known weights.

python tests/benchmarks/export.py [--packs bundled fomm/vox ...] [--precisions float16 int8] [--speed bundled fomm/vox]

Weights are those of the parity packs (drawn from a seed so that every layer matters) and the bundled model's.
Differences are the largest between ONNX Runtime and PyTorch on one CPU thread, for batches of 1 and 4. Times are the
process's CPU time for a driving frame (its pose and its picture), the best of several turns; frames per second are
measured by the clock, in turns too.
"""

from __future__ import annotations

import argparse
import runpy
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
FORMS: dict[str, Any] = runpy.run_path(str(HERE / "forms.py"))

from first_order_motion.animation.engine import Engine, optimize_for_inference
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.core.errors import InputError
from first_order_motion.deploy.export import FLOAT32, INT8, PRECISIONS, About, ExportOptions, Report, export_model
from first_order_motion.deploy.onnx_animator import OnnxAnimator, Options

BUNDLED = "bundled"
PACKS = (
    *(BUNDLED, "fomm/vox", "articulate/vox256", "partswap/seg10", "spline/vox-256"),
    *("mrfa/vox1", "mrfa/celebvhq", "fsrt/vox256"),
)
FRAMES, TURNS, BATCH = 8, 3, 4


def main() -> None:
    """Export, compare, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", nargs="*", default=[*PACKS])
    parser.add_argument("--precisions", nargs="*", choices=[*PRECISIONS], default=["float16", INT8])
    parser.add_argument("--speed", nargs="*", default=[BUNDLED])
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| Weights | Graph | Largest difference | MiB |\n|---|---|---|---|")
    for pack in args.packs:
        with TemporaryDirectory() as folder:
            report = exported(pack, Path(folder), FLOAT32)
            for path, size in report.files.items():
                print(
                    f"| {pack} | {path.stem} | {report.differences[path.stem]:.1e} | {size / 2**20:.2f} |", flush=True
                )
    for pack in args.speed:
        speed(pack, args.precisions)


def exported(pack: str, folder: Path, precision: str) -> Report:
    """Export a pack's model into a folder."""
    about = About(pack.split("/")[0], pack)
    return export_model(FORMS["model_of"](pack), folder, about, ExportOptions(precision=precision))


def speed(pack: str, precisions: list[str]) -> None:
    """Print how fast the exported forms of a model are beside PyTorch's, measured in turns."""
    print("\n| Weights | Form | MiB | PSNR | CPU ms a frame | Frames per second |\n|---|---|---|---|---|---|")
    runs: dict[str, Callable[[], object]] = {
        "PyTorch, plain": torch_run(pack, fast=False),
        "PyTorch, fast": torch_run(pack, fast=True),
    }
    facts = dict.fromkeys(runs, "| - | - ")
    for precision in [FLOAT32, *precisions]:
        with TemporaryDirectory() as folder:
            try:
                report = exported(pack, Path(folder), precision)
            except InputError as error:
                print(f"{pack}: {error}")
                continue
            name = f"ONNX Runtime, {precision}"
            runs[name] = onnx_run(OnnxAnimator.load(folder, threads=1))
        psnr = "-" if report.psnr is None else f"{report.psnr:.1f} dB"
        facts[name] = f"| {sum(report.files.values()) / 2**20:.1f} | {psnr} "
    for name, (cpu, clock) in measured(runs).items():
        print(f"| {pack} | {name} {facts[name]}| {1000 * cpu:.0f} | {1 / clock:.1f} |", flush=True)


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """The packs' source and driving frames, (1, H, W, 3) and (FRAMES, H, W, 3)."""
    found = np.load(FORMS["PARITY"] / "inputs.npz")
    driving = torch.from_numpy(found["driving"])
    return torch.from_numpy(found["source"])[None], driving[torch.arange(FRAMES) % len(driving)]


def torch_run(pack: str, fast: bool) -> Callable[[], object]:
    """Animate by PyTorch."""
    model, device = FORMS["model_of"](pack), torch.device("cpu")
    model = optimize_for_inference(model, device, Engine("float32")) if fast else model
    source, driving = inputs()
    options = AnimateOptions(batch=BATCH)
    return lambda: [*animate(model, source, TensorClip(driving), device, options)]


def onnx_run(animator: OnnxAnimator) -> Callable[[], object]:
    """Animate by ONNX Runtime."""
    source, driving = (part.numpy() for part in inputs())
    return lambda: [*animator.animate(source[0], driving, Options(batch=BATCH))]


def measured(runs: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Seconds a frame of each, of the processor and by the clock: the best of several turns."""
    best = dict.fromkeys(runs, (float("inf"), float("inf")))
    for _ in range(TURNS):
        for name, run in runs.items():
            cpu, clock = time.process_time(), time.perf_counter()
            run()
            taken = (time.process_time() - cpu) / FRAMES, (time.perf_counter() - clock) / FRAMES
            best[name] = (min(best[name][0], taken[0]), min(best[name][1], taken[1]))
    return best


if __name__ == "__main__":
    main()
