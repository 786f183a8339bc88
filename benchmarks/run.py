"""Our driver against the published schedule, on the same network, weights and frames, in one run.

python benchmarks/run.py --device cpu --frames 16 --markdown table.md --json table.json
"""

from __future__ import annotations

import argparse
import json
import runpy
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from firstordermm.animation.frames import TensorClip
from firstordermm.animation.pipeline import AnimateOptions, animate
from firstordermm.animation.registry import load_animator
from firstordermm.animation.retarget import Retargeter, Retargeting
from firstordermm.module_fomm.animator import FOMMAnimator
from firstordermm.module_fomm.config import FOMMConfig


@dataclass(frozen=True)
class Row:
    """One architecture's figures: frames per second, and how many times faster ours is."""

    architecture: str
    device: str
    threads: int
    frames: int
    batch: int
    published_fps: float
    published_fps_without_reading: float
    ours_fps: float
    ratio: float
    ratio_without_reading: float
    largest_difference: float


def main() -> None:
    """Measure, print a Markdown table, and write it and the figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many, taken in turns")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(Path(folder), torch.device(args.device), args.frames, args.batch, args.repeats)]
    text = table(rows)
    print(text)
    if args.markdown:
        args.markdown.write_text(text + "\n")
    if args.json:
        args.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def measure(folder: Path, device: torch.device, count: int, batch: int, repeats: int) -> Row:
    """FOMM at its published size with random weights, in the container they were published in."""
    path = folder / "weights.pth.tar"
    write_weights(path)
    generator = torch.Generator().manual_seed(1)
    source, driving = (torch.rand((n, 256, 256, 3), generator=generator) for n in (1, count))
    model = load_animator(path, "fomm").to(device)
    options = AnimateOptions(batch=batch)

    def ours() -> list[Tensor]:
        return [frames.cpu() for frames in animate(model, source, TensorClip(driving), device, options)]

    def published() -> list[Tensor]:
        return published_schedule(load_animator(path, "fomm").to(device), source, driving, device)

    def published_kept() -> list[Tensor]:
        return published_schedule(model, source, driving, device)

    seconds, results = race([ours, published, published_kept], device, repeats)
    return Row(
        architecture="FOMM",
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
        frames=count,
        batch=batch,
        published_fps=count / seconds[1],
        published_fps_without_reading=count / seconds[2],
        ours_fps=count / seconds[0],
        ratio=seconds[1] / seconds[0],
        ratio_without_reading=seconds[2] / seconds[0],
        largest_difference=float((torch.cat(results[0]) - torch.cat(results[1])).abs().max()),
    )


def write_weights(path: Path) -> None:
    """A FOMM drawn from a seed, as the published files are laid out."""
    torch.manual_seed(0)
    model = FOMMAnimator(FOMMConfig())
    jacobian = model.kp_detector.jacobian
    assert jacobian is not None
    torch.nn.init.normal_(jacobian.weight, std=0.001)
    state = {name: getattr(model, name).state_dict() for name in ("generator", "kp_detector")}
    torch.save(state, path, _use_new_zipfile_serialization=False)


@torch.inference_mode()
def published_schedule(model: FOMMAnimator, source: Tensor, driving: Tensor, device: torch.device) -> list[Tensor]:
    """The demo loop of the published code: frame by frame, source encoded and hulls worked out each time."""
    picture, clip = (frames.movedim(-1, 1).contiguous().to(device) for frames in (source, driving))
    kp_source, kp_initial = model.kp_detector(picture), model.kp_detector(clip[:1])
    results: list[Tensor] = []
    for frame in clip.split(1):
        retargeter = Retargeter.for_clip(Retargeting(), kp_source, kp_initial)
        prediction, _ = model.generator(picture, kp_source, retargeter(model.kp_detector(frame)))
        results.append(prediction.cpu())
    return results


def race(
    runs: list[Callable[[], list[Tensor]]], device: torch.device, repeats: int
) -> tuple[list[float], list[list[Tensor]]]:
    """The least seconds of each run, taken in turns so that a noisy machine disturbs all alike."""
    results = [run() for run in runs]  # also warms up
    best = [float("inf")] * len(runs)
    for _ in range(repeats):
        for i, run in enumerate(runs):
            started = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best[i] = min(best[i], time.perf_counter() - started)
    return best, results


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = [
        "| Architecture | Device (threads) | Published schedule | same, weights kept | Ours | Ratio | Ratio, kept "
        "| Largest difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.architecture} | {row.device} ({row.threads}) | {row.published_fps:.2f} fps "
        f"| {row.published_fps_without_reading:.2f} fps | {row.ours_fps:.2f} fps | {row.ratio:.2f} "
        f"| {row.ratio_without_reading:.2f} | {row.largest_difference:.1e} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
