"""Our driver against the published schedule, on the same network, weights and frames, in one run.

python tests/benchmarks/run.py --frames 16 --markdown table.md --json table.json

Measures the CPU, and CUDA where there is one. The published schedule runs the networks as published, in float32.
With `--published fomm=~/first-order-model`, for any number of architectures, the demo loop of a clone of the published
repository is timed beside both, on the same weights; first it is checked that it gives the same pictures.
Weights and pictures are the parity packs' (weights drawn from a seed so that every layer matters).

"Share of peak" counts the fewest operations a frame can be drawn with directly (source-only work left out, doubling
inside the convolution, nothing for Winograd's) against the largest matrix product's speed measured in the same run.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import runpy
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent.parent
PARITY = ROOT / "tests" / "parity"
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()
seeded_weights = runpy.run_path(str(PARITY / "seeded_weights.py"))["load_pack"]

import fsrt_published
from first_order_motion.animation.engine import PRECISIONS, Engine, dtype_for, optimize_for_inference
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.registry import load_animator
from first_order_motion.animation.retarget import Retargeter, Retargeting
from first_order_motion.core.inference.precision import inference_mode
from first_order_motion.core.inference.rewrites import Form, rewrite
from first_order_motion.core.types import Motion, Prepared
from first_order_motion.module_articulate.animator import ArticulateAnimator
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_mrfa.animator import MRFAAnimator
from first_order_motion.module_partswap.animator import PartSwapAnimator
from first_order_motion.module_spline.animator import SplineAnimator
from published_code import PUBLISHED, PublishedCodeError, folders, published_code


@dataclass(frozen=True)
class Subject:
    """An architecture: the parity pack that its weights are drawn for, the name of such a published file, and how its
    source is encoded when the source's own motion is known, as the published loops do for every frame.

    A `loop` of its own stands for what the others have in common; `apart` names the files of components that are
    published in one of their own, and every key in the file starts with `prefix`.
    """

    pack: str
    file: str
    encode: Callable[[Any, Tensor, Motion], dict[str, Tensor]] | None = None
    loop: Callable[[Any, Tensor, Tensor, torch.device], list[Tensor]] | None = None
    apart: Mapping[str, str] = field(default_factory=dict[str, str])
    prefix: str = ""


def encode_fomm(model: FOMMAnimator, source: Tensor, motion: Motion) -> dict[str, Tensor]:
    return model.generator.encode(source) | model.generator.dense_motion_network.encode(source, motion)


def encode_spline(model: SplineAnimator, source: Tensor, motion: Motion) -> dict[str, Tensor]:
    return model.inpainting_network.encode(source) | model.dense_motion_network.encode(source, motion.points)


def encode_articulate(model: ArticulateAnimator, source: Tensor, motion: Motion) -> dict[str, Tensor]:
    return model.generator.encode(source) | model.generator.pixelwise_flow_predictor.encode(source, motion)


def encode_partswap(model: PartSwapAnimator, source: Tensor, motion: Motion) -> dict[str, Tensor]:
    return model.reconstruction_module.encode(source) | {"mask": model.swap.mask(motion.extra["segments"])}


def encode_mrfa(model: MRFAAnimator, source: Tensor, motion: Motion) -> dict[str, Tensor]:
    return model.model.encode(source, motion.points)


SUBJECTS = {
    "fomm": Subject("fomm/vox", "vox-cpk.pth.tar", encode_fomm),
    "spline": Subject("spline/vox-256", "vox.pth.tar", encode_spline),
    "articulate": Subject("articulate/vox256", "vox256.pth", encode_articulate),
    "partswap": Subject("partswap/seg10", "vox-10segments.pth.tar", encode_partswap),
    "mrfa": Subject("mrfa/vox1", "vox.pth", encode_mrfa, prefix="module."),
    "fsrt": Subject(
        "fsrt/vox256",
        "vox256.pt",
        loop=fsrt_published.published_schedule,
        apart={"kp_detector": "kp_detector.pt"},
    ),
}


INSTRUCTIONS = {
    "avx2": "AVX2", "avx512_f": "AVX-512", "avx512_vnni": "VNNI", "avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX-BF16",
    "neon": "NEON", "sve": "SVE", "bf16": "BF16",
}  # fmt: skip
Clock = Callable[[], float]
CLEAR = Path("/proc/self/clear_refs")
AGREES = 1e-3  # how far two schedules' float32 pictures in [0, 1] may differ that are said to be the same


@dataclass(frozen=True)
class Row:
    """One architecture's figures: frames per second, and how many times faster ours is.

    Of the published repository's own code, where it was given: its speed, and the largest difference of its pictures
    from those of its schedule on our networks, and from ours.
    """

    architecture: str
    device: str
    instructions: str
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
    code_fps: float | None = None
    code_ratio: float | None = None
    code_difference_from_schedule: float | None = None
    code_difference_from_ours: float | None = None


def main(arguments: list[str] | None = None) -> None:
    """Measure, print a Markdown table, and write it and the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", choices=[*SUBJECTS], default=[*SUBJECTS])
    parser.add_argument("--devices", nargs="+", default=["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"])
    parser.add_argument("--precision", choices=[*PRECISIONS], default="auto")
    parser.add_argument("--plain", action="store_true", help="ours without the inference form: the schedule alone")
    parser.add_argument("--compile", action="store_true", help="ours compiled by PyTorch")
    parser.add_argument("--cuda-graphs", action="store_true", help="ours recorded once and replayed, on CUDA")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many, taken in turns")
    parser.add_argument("--cpu-time", action="store_true", help="count CPU time: for a busy CPU, with one thread")
    parser.add_argument(
        "--published",
        nargs="+",
        default=[],
        metavar="NAME=FOLDER",
        help="clones of published repositories, whose demo loops are timed too: "
        + ", ".join(f"{name}: {row.address}" for name, row in PUBLISHED.items()),
    )
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(arguments)
    try:
        report(args)
    except PublishedCodeError as error:
        sys.exit(str(error))


def report(args: argparse.Namespace) -> None:
    """Measure what was asked for; raises PublishedCodeError for a published repository that is of no use."""
    repositories = folders(args.published)
    for name in repositories.keys() - set(args.architectures):
        raise PublishedCodeError(f"{name}: given with --published, but not with --architectures; add it there.")
    engine = Engine(args.precision, not args.plain, args.compile, args.cuda_graphs)
    clock = time.process_time if args.cpu_time else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(
                *(name, Path(folder), torch.device(device), engine, args.frames, args.batch, args.repeats, clock),
                repositories.get(name),
            )
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
    name: str,
    folder: Path,
    device: torch.device,
    engine: Engine,
    count: int,
    batch: int,
    repeats: int,
    clock: Clock,
    repository: Path | None = None,
) -> Row:
    """An architecture at 256 pixels with seeded weights, in the container they were published in."""
    subject = SUBJECTS[name]
    path = folder / subject.file
    write_weights(subject, path)
    source, driving = pictures(count)
    plain, options = load_animator(path, name).to(device), AnimateOptions(batch=batch)
    started = clock()
    model = optimize_for_inference(load_animator(path, name), device, engine).to(device)

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

    runs = [ours, published, published_kept]
    if repository is not None:
        code = published_code(name, repository, path, device)
        runs.append(lambda: code(source, driving))
    results, operations = first_results(runs)
    differences = [largest_difference(results[-1], result) for result in (results[2], results[0])]
    if repository is not None:
        agree(name, repository, *differences)
    seconds = race(runs, device, repeats, clock)
    return Row(
        architecture=model.spec.name,
        **circumstances(device),
        frames=count,
        batch=batch,
        precision=str(dtype).removeprefix("torch."),
        **speeds(count, seconds),
        largest_difference=largest_difference(results[0], results[1]),
        operations_ratio=operations[2] / 2e9 / count / gmac,
        first_run_seconds=first_run,
        peak_mib=peak,
        gmac=gmac,
        share_of_peak=gmac * 1e9 * count / seconds[0] / matmul_peak(device, dtype, clock),
        code_difference_from_schedule=None if repository is None else differences[0],
        code_difference_from_ours=None if repository is None else differences[1],
    )


def circumstances(device: torch.device) -> dict[str, Any]:
    """What a row's figures were measured on."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else device.type,
        "instructions": "" if on_gpu else instruction_sets(),
        "threads": torch.get_num_threads(),
    }


def speeds(count: int, seconds: list[float]) -> dict[str, float | None]:
    """A row's frames per second, from the seconds of ours, of both schedules and, if it was run, the published code."""
    ours, published, kept, *code = seconds
    return {
        "published_fps": count / published,
        "published_fps_without_reading": count / kept,
        "ours_fps": count / ours,
        "ratio": published / ours,
        "ratio_without_reading": kept / ours,
        "code_fps": count / code[0] if code else None,
        "code_ratio": code[0] / ours if code else None,
    }


def instruction_sets() -> str:
    """Those of the processor that decide on speed, where PyTorch can tell."""
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return " ".join(name for key, name in INSTRUCTIONS.items() if known.get(key))


def pictures(count: int) -> tuple[Tensor, Tensor]:
    """The parity packs' source (1, 256, 256, 3) and so many driving frames (count, 256, 256, 3), over and over."""
    inputs = np.load(PARITY / "inputs.npz")
    source, driving = (torch.from_numpy(inputs[name]) / 255 for name in ("source", "driving"))
    return source[None], driving[torch.arange(count) % len(driving)]


def largest_difference(some: list[Tensor], others: list[Tensor]) -> float:
    """Between the pictures of two runs, of frames one by one or in batches."""
    return float((torch.cat(some) - torch.cat(others)).abs().max())


def agree(name: str, repository: Path, from_schedule: float, from_ours: float) -> None:
    """Say how far the published code's pictures are from others; raise PublishedCodeError if they are not the same."""
    print(f"{name}: largest difference of {repository}: {from_schedule:.1e} plain, {from_ours:.1e} ours", flush=True)
    if not from_schedule <= AGREES:
        raise PublishedCodeError(
            f"{name}: pictures of the code in {repository} differ from ours by {from_schedule:.1e}, at most {AGREES} "
            f"was expected; is it a clone of {PUBLISHED[name].address}, unchanged?"
        )


@inference_mode()
def fewest_gmac(plain: Any) -> float:
    """Billions of multiplications that a frame of a loaded model's costs, beyond what the source costs."""
    direct = copy.deepcopy(plain).cpu()
    rewrite(direct, torch.device("cuda"), Form(winograd=False, small_output_conv=False, group_norm=False))
    picture = torch.rand(1, 3, direct.spec.size, direct.spec.size)
    prepared = direct.prepare(picture)
    with FlopCounterMode(display=False) as counter:
        direct.render(prepared, direct.motion(picture))
    return counter.get_total_flops() / 2e9


@inference_mode()
def matmul_peak(device: torch.device, dtype: torch.dtype, clock: Clock, side: int = 2048) -> float:
    """Multiplications a second of the best of a few products of large matrices."""
    a, b = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
    product: list[Callable[[], list[Tensor]]] = [lambda: [a @ b]]
    first_results(product)
    (seconds,) = race(product, device, 5, clock)
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
    _, states = seeded_weights(PARITY / subject.pack)
    parts = {
        name: {subject.prefix + key: torch.from_numpy(tensor) for key, tensor in state.items()}
        for name, state in states.items()
    }
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
    picture, clip = (frames.movedim(-1, 1).to(device) for frames in (source, driving))  # channels last, as there
    own = model.motion(picture)
    initial = model.motion(clip[:1]) if "relative" in model.spec.modes else None
    results: list[Tensor] = []
    for frame in clip.split(1):
        retargeter = Retargeter.for_clip(Retargeting(), own, initial)
        prepared = Prepared(own, subject.encode(model, picture, own))
        results.append(model.render(prepared, retargeter(model.motion(frame))).cpu())
    return results


def first_results(runs: list[Callable[[], list[Tensor]]]) -> tuple[list[list[Tensor]], list[float]]:
    """What runs give, and how many floating-point operations their convolutions and matrix products take; warms up."""
    results: list[list[Tensor]] = []
    operations: list[float] = []
    for run in runs:
        with FlopCounterMode(display=False) as counter:
            results.append(run())
        operations.append(counter.get_total_flops())
    return results, operations


def race(runs: list[Callable[[], list[Tensor]]], device: torch.device, repeats: int, clock: Clock) -> list[float]:
    """The least seconds of each run, taken in turns so that a noisy machine disturbs all alike."""
    best = [float("inf")] * len(runs)
    for _ in range(repeats):
        for i, run in enumerate(runs):
            started = clock()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best[i] = min(best[i], clock() - started)
    return best


Cell = Callable[[Row], str]
COLUMNS: dict[str, Cell] = {
    "Architecture": lambda row: row.architecture,
    "Device (threads), precision": lambda row: (
        f"{row.device} ({row.threads}), {row.instructions}, {row.precision}"
        if row.instructions
        else f"{row.device} ({row.threads}), {row.precision}"
    ),
    "Published schedule": lambda row: f"{row.published_fps:.2f} fps",
    "same, weights kept": lambda row: f"{row.published_fps_without_reading:.2f} fps",
    "Ours": lambda row: f"{row.ours_fps:.2f} fps",
    "Ratio": lambda row: f"{row.ratio:.2f}",
    "Ratio, kept": lambda row: f"{row.ratio_without_reading:.2f}",
    "Operations' ratio": lambda row: f"{row.operations_ratio:.2f}",
    "Largest difference": lambda row: f"{row.largest_difference:.1e}",
    "First run": lambda row: f"{row.first_run_seconds:.1f} s",
    "Peak memory": lambda row: "not known" if row.peak_mib is None else f"{row.peak_mib:.0f} MiB",
    "GMAC a frame": lambda row: f"{row.gmac:.1f}",
    "Share of peak": lambda row: f"{row.share_of_peak:.0%}",
}
CODE_COLUMNS: dict[str, Cell] = {
    "Published code": lambda row: known("{:.2f} fps", row.code_fps),
    "Ratio to it": lambda row: known("{:.2f}", row.code_ratio),
    "Its difference, plain": lambda row: known("{:.1e}", row.code_difference_from_schedule),
    "Its difference, ours": lambda row: known("{:.1e}", row.code_difference_from_ours),
}


def known(form: str, figure: float | None) -> str:
    """A figure, or that it was not measured."""
    return "not measured" if figure is None else form.format(figure)


def table(rows: list[Row]) -> str:
    """The rows as Markdown, with the published code's columns if it was measured for any."""
    columns = COLUMNS | (CODE_COLUMNS if any(row.code_fps is not None for row in rows) else {})
    lines: list[Iterable[str]] = [columns, ["---"] * len(columns)]
    lines += [[cell(row) for cell in columns.values()] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
