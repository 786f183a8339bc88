"""What the source's own fine detail is worth: errors and sharpness with and without it, on clips whose truth is drawn.

python tests/benchmarks/detail.py [--clips 50] [--sizes 256 512] [--markdown table.md] [--sheet sheet.png]

The bundled model, which works at 128 pixels, animates the first frame of clips of identities that it never saw, drawn
at the size of the results. Without detail its pictures are enlarged (bicubic). L1 and SSIM are against the drawn
frames; sharpness is the mean length of the gradient over the drawn frames' own.
"""

from __future__ import annotations

import argparse
import runpy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.retarget import Retargeting
from first_order_motion.training.drawn.pairs import held_out_clip
from first_order_motion.training.preview import save_picture
from skimage.metrics import structural_similarity
from tqdm import tqdm

WITHOUT, WITH = "without", "with"
FRAMES, GAP = 21, 10  # of each clip, and between two that are looked at
SHEET_CLIPS, CELL = (0, 3, 7, 12, 21, 33), 256


@dataclass
class Score:
    """Sums of what is measured, over `count` frames."""

    sums: dict[str, float] = field(default_factory=lambda: {"L1": 0.0, "SSIM": 0.0, "Sharpness": 0.0})
    count: int = 0

    def add(self, results: Tensor, truth: Tensor) -> None:
        """Add frames (B, 3, H, W)."""
        self.count += len(truth)
        self.sums["L1"] += float((results - truth).abs().mean()) * len(truth)
        self.sums["Sharpness"] += float((gradient(results) / gradient(truth)).sum())
        for result, wanted in zip(results.movedim(1, -1).numpy(), truth.movedim(1, -1).numpy(), strict=True):
            self.sums["SSIM"] += float(structural_similarity(result, wanted, channel_axis=-1, data_range=1.0))

    def means(self) -> dict[str, float]:
        """Divide by the number of frames."""
        return {name: total / self.count for name, total in self.sums.items()}


def gradient(pictures: Tensor) -> Tensor:
    """Mean length of the gradient of each picture: (B,)."""
    across = pictures[..., :-1, 1:] - pictures[..., :-1, :-1]
    along = pictures[..., 1:, :-1] - pictures[..., :-1, :-1]
    return torch.hypot(across, along).mean(dim=(1, 2, 3))


def clips(predictor: Predictor, count: int, size: int) -> Iterator[dict[str, Tensor]]:
    """Draw clips, and animate the first frame of each by the others, with and without detail."""
    for number in range(count):
        clip = held_out_clip(number, FRAMES).every(GAP)
        drawn = clip.paint(clip.identity, size).pictures
        results = {"source": drawn[:1].expand_as(drawn[1:]), "truth": drawn[1:]}
        for name, detail in {WITHOUT: 0.0, WITH: 1.0}.items():
            options = AnimateOptions(Retargeting("relative", adapt_scale=False), detail=detail)
            frames = predictor.animate_tensors(drawn[:1].movedim(1, -1), drawn.movedim(1, -1), options)
            results[name] = enlarged(frames.movedim(-1, 1)[1:], size)
        yield results


def enlarged(pictures: Tensor, size: int) -> Tensor:
    """Bring pictures to the size of the truth."""
    if pictures.shape[-1] == size:
        return pictures
    return F.interpolate(pictures, (size, size), mode="bicubic").clamp(0, 1)


def table(scores: dict[int, dict[str, Score]]) -> list[str]:
    """Write the lines of a Markdown table, each size's gain last."""
    lines = ["| Side | Detail | L1 | SSIM | Sharpness |", "|---|---|---|---|---|"]
    for size, pair in scores.items():
        means = {name: score.means() for name, score in pair.items()}
        for name, mean in means.items():
            lines.append(f"| {size} | {name} | {mean['L1']:.4f} | {mean['SSIM']:.4f} | {mean['Sharpness']:.3f} |")
        change = {key: 100 * (means[WITH][key] / means[WITHOUT][key] - 1) for key in means[WITH]}
        lines.append(f"| {size} | change | " + " | ".join(f"{percent:+.1f} %" for percent in change.values()) + " |")
    return lines


def main() -> None:
    """Measure, print the table, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--sheet", type=Path, help="a png of a few clips: source, without, with, truth")
    args = parser.parse_args()
    predictor = Predictor.load("drawn-faces", device=args.device)
    scores: dict[int, dict[str, Score]] = {}
    rows: list[Tensor] = []
    for size in args.sizes:
        scores[size] = {WITHOUT: Score(), WITH: Score()}
        for number, results in enumerate(tqdm(clips(predictor, args.clips, size), total=args.clips)):
            for name, score in scores[size].items():
                score.add(results[name], results["truth"])
            if number in SHEET_CLIPS and size == args.sizes[-1]:
                rows.append(torch.cat([results[name][-1] for name in ("source", WITHOUT, WITH, "truth")], dim=2))
    lines = table(scores)
    print("\n".join(lines))
    if args.markdown:
        args.markdown.write_text("\n".join(lines) + "\n")
    if args.sheet:
        save_picture(args.sheet, torch.cat(rows, dim=1))


if __name__ == "__main__":
    main()
