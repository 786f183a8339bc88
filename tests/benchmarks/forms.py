"""What each rewrite of the inference form and each precision costs and changes, on networks with known weights.

python tests/benchmarks/forms.py [--packs fomm/vox spline/vox-256] [--markdown table.md]

Weights are those of the parity packs (drawn from a seed so that every layer matters) and the bundled model's; times
are the process's CPU time where the device is the CPU, so that a busy machine disturbs them less. Rewrites are added
one after another; precisions are measured in the whole form. Differences are from the plain form in float32.
"""

from __future__ import annotations

import argparse
import copy
import runpy
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent.parent
PARITY = ROOT / "tests" / "parity"
ADAPTERS: dict[str, Any] = runpy.run_path(str(ROOT / "tests" / "parity_adapter.py"))["ADAPTERS"]

from first_order_motion.animation.engine import DTYPES, Engine, optimize_for_inference
from first_order_motion.animation.find_model import find_model
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.registry import load_files
from first_order_motion.core.inference.rewrites import Form, form_for, rewrite
from seeded_weights import load_pack
from skimage.metrics import peak_signal_noise_ratio

ORDER = ("channels_last", "fold", "upsample_conv", "small_output_conv", "group_norm", "winograd")
PACKS = ("fomm/vox", "spline/vox-256", "articulate/vox256")
BUNDLED_NAME = "bundled"


@dataclass(frozen=True)
class Variant:
    """A form of a model and what it did: seconds a frame, and the picture's difference from the reference."""

    name: str
    seconds: float
    speed: float
    psnr: float
    largest: float


def main() -> None:
    """Measure and print; write the table where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", nargs="+", default=[BUNDLED_NAME, *PACKS])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--precisions", nargs="*", choices=[*DTYPES], default=["bfloat16", "float16"])
    parser.add_argument("--no-rewrites", action="store_true", help="only the precisions")
    parser.add_argument("--markdown", type=Path)
    args = parser.parse_args()
    device, inputs = torch.device(args.device), dict(np.load(PARITY / "inputs.npz"))
    source, driving = torch.from_numpy(inputs["source"])[None], torch.from_numpy(inputs["driving"])[: args.frames]
    lines = [
        "| Weights | Form | Seconds a frame | Times faster | PSNR | Largest difference |",
        "|---|---|---|---|---|---|",
    ]
    for pack in args.packs:
        variants = measure(
            variants_of(model_of(pack), device, args.precisions, args.no_rewrites),
            device,
            source,
            driving,
            args.repeats,
        )
        for row in variants:
            lines.append(
                f"| {pack} | {row.name} | {row.seconds:.3f} | {row.speed:.2f} | {row.psnr:.1f} dB | {row.largest:.1e} |"
            )
            print(lines[-1], flush=True)
    if args.markdown:
        args.markdown.write_text("\n".join(lines) + "\n")


def model_of(pack: str) -> Any:
    """The plain model with a parity pack's weights, or the bundled one."""
    if pack == BUNDLED_NAME:
        return load_files(find_model("drawn-faces")[0])
    manifest, states = load_pack(PARITY / pack)
    return ADAPTERS[manifest["arch"]](manifest, states, {}).model


def variants_of(model: Any, device: torch.device, precisions: list[str], only: bool) -> dict[str, Callable[[], Any]]:
    """How to make each form of the model, by name; the plain one first."""
    form = Form(**dict.fromkeys((field.name for field in fields(Form)), False))
    made: dict[str, Callable[[], Any]] = {"plain": lambda: copy.deepcopy(model)}
    for switch in () if only else ORDER:
        form = replace(form, **{switch: True})
        made[f"+ {switch}"] = lambda form=form: rewritten(model, device, form)
    made[f"as used: {describe(form_for(device))}"] = lambda: optimize_for_inference(
        copy.deepcopy(model), device, Engine("float32")
    )
    return made | {
        name: lambda name=name: optimize_for_inference(copy.deepcopy(model), device, Engine(name))
        for name in precisions
    }


def describe(form: Form) -> str:
    """The rewrites that are on."""
    return ", ".join(switch for switch in ORDER if getattr(form, switch))


def rewritten(model: Any, device: torch.device, form: Form) -> Any:
    """A copy in the form."""
    changed = copy.deepcopy(model)
    rewrite(changed, device, form)
    return changed


def measure(
    made: dict[str, Callable[[], Any]], device: torch.device, source: Tensor, driving: Tensor, repeats: int
) -> list[Variant]:
    """Every variant in turns, so that a busy machine disturbs all alike; the best of each counts."""
    models = {name: make().to(device) for name, make in made.items()}
    options, clock = (
        AnimateOptions(batch=len(driving)),
        time.process_time if device.type == "cpu" else time.perf_counter,
    )

    def run(model: Any) -> Tensor:
        return torch.cat([part.cpu() for part in animate(model, source, TensorClip(driving), device, options)])

    pictures = {name: run(model) for name, model in models.items()}
    best = dict.fromkeys(models, float("inf"))
    for _ in range(repeats):
        for name, model in models.items():
            started = clock()
            run(model)
            best[name] = min(best[name], (clock() - started) / len(driving))
    rows: list[Variant] = []
    for name, picture in pictures.items():
        with np.errstate(divide="ignore"):  # equal pictures: infinite
            psnr = peak_signal_noise_ratio(pictures["plain"].numpy(), picture.numpy(), data_range=1)
        largest = float((picture - pictures["plain"]).abs().max())
        rows.append(Variant(name, best[name], best["plain"] / best[name], float(psnr), largest))
    return rows


if __name__ == "__main__":
    main()
