"""Our driver against the published schedule, on the same network, weights and frames, in one run.

python benchmarks/run.py --frames 16 --markdown table.md --json table.json

Measures the CPU, and CUDA where there is one. The published schedule runs the networks as published, in float32.
"Share of peak" counts the fewest operations a frame can be drawn with directly (source-only work left out, doubling
inside the convolution, nothing for Winograd's) against the largest matrix product's speed measured in the same run.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import runpy
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

import fsrt_published
from firstordermm.animation.engine import PRECISIONS, Engine, dtype_for, ready
from firstordermm.animation.frames import TensorClip
from firstordermm.animation.pipeline import AnimateOptions, animate
from firstordermm.animation.registry import load_animator
from firstordermm.animation.retarget import Retargeter, Retargeting
from firstordermm.core.inference_form import Form, rewrite
from firstordermm.core.precision import inference_mode
from firstordermm.core.types import Motion, Prepared
from firstordermm.module_articulate.animator import ArticulateAnimator
from firstordermm.module_articulate.config import ArticulateConfig
from firstordermm.module_fomm.animator import FOMMAnimator
from firstordermm.module_fomm.config import FOMMConfig
from firstordermm.module_fsrt.animator import FSRTAnimator
from firstordermm.module_fsrt.config import FSRTConfig
from firstordermm.module_mrfa.animator import MRFAAnimator
from firstordermm.module_mrfa.config import MRFAConfig
from firstordermm.module_partswap.animator import PartSwapAnimator
from firstordermm.module_partswap.config import PartSwapConfig
from firstordermm.module_spline.animator import SplineAnimator
from firstordermm.module_spline.config import SplineConfig


@dataclass(frozen=True)
class Subject:
    """An architecture: its published form with random weights, the name of such a file, and how its source is
    encoded when the source's own motion is known, as the published loops do for every frame.

    A `loop` of its own stands for what the others have in common; `apart` names the files of components that are
    published in one of their own.
    """

    build: Callable[[], nn.Module]
    file: str
    encode: Callable[[Any, Tensor, Motion], dict[str, Tensor]] | None = None
    loop: Callable[[Any, Tensor, Tensor, torch.device], list[Tensor]] | None = None
    apart: Mapping[str, str] = field(default_factory=dict[str, str])


def encode_fomm(model: FOMMAnimator, source: Tensor, _: Motion) -> dict[str, Tensor]:
    return model.generator.encode(source) | {"small": model.generator.dense_motion_network.down(source)}


def encode_spline(model: SplineAnimator, source: Tensor, motion: Motion) -> dict[str, Tensor]:
    return model.inpainting_network.encode(source) | model.dense_motion_network.encode(source, motion.points)


def encode_articulate(model: ArticulateAnimator, source: Tensor, motion: Motion) -> dict[str, Tensor]:
    flow = model.generator.pixelwise_flow_predictor
    small = flow.down(source)
    return model.generator.encode(source) | {"small": small, "heatmaps": flow.heatmaps(small, motion)}


def encode_partswap(model: PartSwapAnimator, source: Tensor, motion: Motion) -> dict[str, Tensor]:
    return model.reconstruction_module.encode(source) | {"mask": model.swap.mask(motion.extra["segments"])}


def encode_mrfa(model: MRFAAnimator, source: Tensor, motion: Motion) -> dict[str, Tensor]:
    return model.model.encode(source, motion.points)


SUBJECTS = {
    "fomm": Subject(lambda: FOMMAnimator(FOMMConfig()), "vox-cpk.pth.tar", encode_fomm),
    "spline": Subject(lambda: SplineAnimator(SplineConfig()), "vox.pth.tar", encode_spline),
    "articulate": Subject(lambda: ArticulateAnimator(ArticulateConfig()), "vox256.pth", encode_articulate),
    "partswap": Subject(lambda: PartSwapAnimator(PartSwapConfig()), "vox-10segments.pth.tar", encode_partswap),
    "mrfa": Subject(lambda: MRFAAnimator(MRFAConfig()), "vox.pth", encode_mrfa),
    "fsrt": Subject(
        lambda: FSRTAnimator(FSRTConfig()),
        "vox256.pt",
        loop=fsrt_published.published_schedule,
        apart={"kp_detector": "kp_detector.pt"},
    ),
}


Clock = Callable[[], float]
CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Row:
    """One architecture's figures: frames per second, and how many times faster ours is."""

    architecture: str
    device: str
    threads: int
    frames: int
    batch: int
    precision: str
    published_fps: float
    published_fps_without_reading: float
    ours_fps: float
    ratio: float
    ratio_without_reading: float
    largest_difference: float
    operations_ratio: float
    first_run_seconds: float
    peak_mib: float | None
    gmac: float
    share_of_peak: float


def main() -> None:
    """Measure, print a Markdown table, and write it and the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", choices=[*SUBJECTS], default=[*SUBJECTS])
    parser.add_argument("--devices", nargs="+", default=["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"])
    parser.add_argument("--precision", choices=[*PRECISIONS], default="auto")
    parser.add_argument("--plain", action="store_true", help="ours without the inference form: the schedule alone")
    parser.add_argument("--compile", action="store_true", help="ours compiled by PyTorch")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many, taken in turns")
    parser.add_argument("--cpu-time", action="store_true", help="count CPU time: for a busy CPU, with one thread")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    engine = Engine(args.precision, fast=not args.plain, compiled=args.compile)
    clock = time.process_time if args.cpu_time else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(name, Path(folder), torch.device(device), engine, args.frames, args.batch, args.repeats, clock)
            for device in args.devices
            for name in args.architectures
        ]
    text = table(rows)
    print(text)
    if args.markdown:
        args.markdown.write_text(text + "\n")
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def measure(
    name: str, folder: Path, device: torch.device, engine: Engine, count: int, batch: int, repeats: int, clock: Clock
) -> Row:
    """An architecture at 256 pixels with random weights, in the container they were published in."""
    subject = SUBJECTS[name]
    path = folder / subject.file
    write_weights(subject, path)
    generator = torch.Generator().manual_seed(1)
    source, driving = (torch.rand((n, 256, 256, 3), generator=generator) for n in (1, count))
    plain, options = load_animator(path, name).to(device), AnimateOptions(batch=batch)
    started = clock()
    model = ready(load_animator(path, name), device, engine).to(device)

    def ours() -> list[Tensor]:
        return [frames.cpu() for frames in animate(model, source, TensorClip(driving), device, options)]

    next(animate(model, source, TensorClip(driving), device, options)).cpu()
    first_run = clock() - started
    reset_peak(device)
    ours()
    peak, gmac, dtype = peak_mib(device), fewest_gmac(plain), dtype_for(engine.precision, device)

    def published() -> list[Tensor]:
        return published_schedule(subject, load_animator(path, name).to(device), source, driving, device)

    def published_kept() -> list[Tensor]:
        return published_schedule(subject, plain, source, driving, device)

    seconds, results, operations = race([ours, published, published_kept], device, repeats, clock)
    return Row(
        architecture=model.spec.name,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
        frames=count,
        batch=batch,
        precision=str(dtype).removeprefix("torch."),
        published_fps=count / seconds[1],
        published_fps_without_reading=count / seconds[2],
        ours_fps=count / seconds[0],
        ratio=seconds[1] / seconds[0],
        ratio_without_reading=seconds[2] / seconds[0],
        largest_difference=float((torch.cat(results[0]) - torch.cat(results[1])).abs().max()),
        operations_ratio=operations[2] / 2e9 / count / gmac,
        first_run_seconds=first_run,
        peak_mib=peak,
        gmac=gmac,
        share_of_peak=gmac * 1e9 * count / seconds[0] / matmul_peak(device, dtype, clock),
    )


@inference_mode()
def fewest_gmac(plain: Any) -> float:
    """Billions of multiplications that a frame of a loaded model's costs, beyond what the source costs."""
    direct = copy.deepcopy(plain).cpu()
    rewrite(direct, torch.device("cuda"), Form(winograd=False, few_outputs=False, group_norm=False))
    picture = torch.rand(1, 3, direct.spec.size, direct.spec.size)
    prepared = direct.prepare(picture)
    with FlopCounterMode(display=False) as counter:
        direct.render(prepared, direct.motion(picture))
    return counter.get_total_flops() / 2e9


@inference_mode()
def matmul_peak(device: torch.device, dtype: torch.dtype, clock: Clock, side: int = 2048) -> float:
    """Multiplications a second of the best of a few products of large matrices."""
    a, b = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
    (seconds,), _, _ = race([lambda: [a @ b]], device, 5, clock)
    return side**3 / seconds


def reset_peak(device: torch.device) -> None:
    """Start to measure memory."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR.exists():
        CLEAR.write_text("5")  # of the whole process, on Linux


def peak_mib(device: torch.device) -> float | None:
    """The most memory since: of tensors on CUDA, of the process on Linux; None elsewhere."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if not CLEAR.exists():
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", CLEAR.with_name("status").read_text())
    return None if found is None else int(found[1]) / 2**10


def write_weights(subject: Subject, path: Path) -> None:
    """Weights drawn from a seed, as the published files are laid out."""
    torch.manual_seed(0)
    parts = {name: part.state_dict() for name, part in subject.build().named_children()}
    for name, file in subject.apart.items():
        torch.save(parts.pop(name), path.with_name(file))
    torch.save(parts, path, _use_new_zipfile_serialization=False)


@inference_mode()
def published_schedule(
    subject: Subject, model: Any, source: Tensor, driving: Tensor, device: torch.device
) -> list[Tensor]:
    """The demo loop of the published code: frame by frame, source encoded and hulls worked out each time."""
    if subject.loop is not None:
        return subject.loop(model, source, driving, device)
    assert subject.encode is not None  # one of the two
    picture, clip = (frames.movedim(-1, 1).contiguous().to(device) for frames in (source, driving))
    own = model.prepare(picture).motion
    initial = model.motion(clip[:1]) if "relative" in model.spec.modes else None
    results: list[Tensor] = []
    for frame in clip.split(1):
        retargeter = Retargeter.for_clip(Retargeting(), own, initial)
        prepared = Prepared(own, subject.encode(model, picture, own))
        results.append(model.render(prepared, retargeter(model.motion(frame))).cpu())
    return results


def race(
    runs: list[Callable[[], list[Tensor]]], device: torch.device, repeats: int, clock: Clock
) -> tuple[list[float], list[list[Tensor]], list[float]]:
    """The least seconds of each run, taken in turns so that a noisy machine disturbs all alike; what they gave; and
    how many floating-point operations their convolutions and matrix products took.
    """
    results: list[list[Tensor]] = []
    operations: list[float] = []
    for run in runs:  # also warms up
        with FlopCounterMode(display=False) as counter:
            results.append(run())
        operations.append(counter.get_total_flops())
    best = [float("inf")] * len(runs)
    for _ in range(repeats):
        for i, run in enumerate(runs):
            started = clock()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best[i] = min(best[i], clock() - started)
    return best, results, operations


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| Architecture | Device (threads), precision | Published schedule | same, weights kept | Ours | Ratio "
        "| Ratio, kept | Operations' ratio | Largest difference | First run | Peak memory | GMAC a frame "
        "| Share of peak |",
        "|" + "---|" * 13,
    ]
    lines += [
        f"| {row.architecture} | {row.device} ({row.threads}), {row.precision} | {row.published_fps:.2f} fps "
        f"| {row.published_fps_without_reading:.2f} fps | {row.ours_fps:.2f} fps | {row.ratio:.2f} "
        f"| {row.ratio_without_reading:.2f} | {row.operations_ratio:.2f} | {row.largest_difference:.1e} "
        f"| {row.first_run_seconds:.1f} s | {'not known' if row.peak_mib is None else f'{row.peak_mib:.0f} MiB'} "
        f"| {row.gmac:.1f} | {row.share_of_peak:.0%} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
