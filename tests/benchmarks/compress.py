"""What compression costs and gains: a FOMM of half the published widths against small ones, on drawn faces.

python tests/benchmarks/compress.py --mobile
python tests/benchmarks/compress.py --minutes 4 [--keep 0.25] [--blocks 4] [--folder FOLDER] [--seed 0]

Each model is trained for the same minutes of CPU time of one thread, by plain FOMM losses without VGG19, on clips of a
few drawn faces at 128 pixels; pruned ones start from the trained large one and have as many minutes again. The error is
L1 of other clips of those faces, reconstructed from their first frames as `evaluate` does. Operations and frames per
second are those of a driving frame, its pose and its picture; frames per second are of the fast form, by CPU time, in
turns. The published widths themselves are there for their size and speed alone. With `--folder` the files are kept, and
the same command goes on from them.

`--mobile` has size and speed of PaddleGAN's small widths instead, of plain and of mobile blocks, with random weights
and pictures of 256 pixels.
"""

from __future__ import annotations

import argparse
import runpy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import count, product
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent.parent
runpy.run_path(str(ROOT / "animate.py"))["load_pack"]()

from first_order_motion.animation.engine import Engine
from first_order_motion.animation.frames import TensorClip
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.animation.pipeline import animate
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.registry import load_animator
from first_order_motion.core.layers.dense_motion import DenseMotionConfig
from first_order_motion.core.weights.checkpoint import read_content
from first_order_motion.core.weights.shapes import MOBILE_SIGMA
from first_order_motion.deploy.compress import Slimming, count_weights, prune, write
from first_order_motion.module_fomm.animator import FOMMAnimator
from first_order_motion.module_fomm.architecture import PUBLISHED_SIZE
from first_order_motion.module_fomm.config import FOMMConfig, GeneratorConfig, KPDetectorConfig
from first_order_motion.training import trainer
from first_order_motion.training.config import VideoConfig, find_config, read_config
from first_order_motion.training.data.dataset import DatasetParams, FramesDataset
from first_order_motion.training.distributed import Ranks
from first_order_motion.training.drawn.pairs import held_out_clip
from first_order_motion.training.evaluation.reconstruction import reconstruct
from first_order_motion.training.families import ModelParams
from first_order_motion.training.objectives.distillation import DistillationParams
from first_order_motion.training.phases import BOTH, FineTuning, fine_tune
from first_order_motion.training.preview import save_picture
from first_order_motion.training.state import MODEL, STATE
from first_order_motion.training.trainer import Trainer
from first_order_motion.training.video_recipe import VideoRecipe

CPU, SIZE = torch.device("cpu"), 128
FRAMES, GAP = 9, 5  # of each clip, and between two of them
FACES, TRAIN_CLIPS, TEST_CLIPS = 4, 25, 3  # clips of each face
TURNS, BATCH = 5, 4
UNTRAINED, LARGE = "published widths, untrained", "large: half of them"
SIZE_HEADS = ("Model", "Weights (M)", "MB", "GMAC", "Frames per second")
HEADS = (
    *("Model", "Weights (M)", "MB", "MB in 16 bits", "GMAC", "Steps", "L1", "L1 in 16 bits", "against large"),
    *("Frames per second", "times published", "times large"),
)


@dataclass
class Row:
    """A model's file, the steps it was trained for, and CPU seconds of a frame."""

    name: str
    path: Path
    steps: int | None = None
    seconds: float = float("inf")


def main() -> None:
    """Draw, train, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--minutes", type=float, help="of training, of each model")
    wanted.add_argument("--mobile", action="store_true", help="size and speed of mobile blocks, without training")
    parser.add_argument("--keep", type=float, default=0.25, help="share of the channels (default: 0.25)")
    parser.add_argument("--blocks", type=int, default=4, help="residual blocks that are kept (default: 4)")
    parser.add_argument("--folder", type=Path, help="where data and runs stay")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.mobile:
        print_mobile()
        return
    trainer.time = SimpleNamespace(monotonic=time.process_time)  # on a busy machine, minutes by the clock are no budget
    with TemporaryDirectory() if args.folder is None else nullcontext(args.folder) as place:
        folder = Path(place)
        data = draw_clips(folder / "data")
        config = configuration(data, args.minutes, args.seed)
        rows = trained(config, Slimming(args.keep, blocks=args.blocks), folder)
        print_table(rows, data)


def draw_clips(root: Path) -> Path:
    """Draw clips of a few faces as strips of frames, to train and to test with."""
    number = count(FACES)  # of the next clip's movement
    for split, clips in (("test", TEST_CLIPS), ("train", TRAIN_CLIPS)):
        (root / split).mkdir(parents=True, exist_ok=True)
        for face, clip in product(range(FACES), range(clips)):
            path, moved = root / split / f"{face}-{clip:03d}.png", held_out_clip(next(number), FRAMES * GAP).every(GAP)
            if not path.exists():
                pictures = moved.paint(held_out_clip(face, 1).identity, SIZE).pictures
                save_picture(path, torch.cat([*pictures], dim=2))
    return root


def configuration(data: Path, minutes: float, seed: int) -> VideoConfig:
    """Settings of `small-128`, for so many minutes, without what short runs have no use for."""
    train = {"minutes": minutes, "seed": seed, "ema_decay": 0.0, "evaluate_every": "null", "dataloader_workers": 0}
    train["batch_size"] = 4
    changes = [f"dataset.root_dir={data}", *(f"train.{name}={value}" for name, value in train.items())]
    config = read_config(find_config("small-128"), changes)
    assert isinstance(config, VideoConfig)
    return config


def trained(config: VideoConfig, slimming: Slimming, folder: Path) -> list[Row]:
    """Train every model of the table, each in a folder of its own."""
    full = FOMMConfig(align_corners=True)  # sampled as when weights are trained
    wide, published = Slimming(0.5).of(full), folder / "published.safetensors"
    narrow = slimming.of(wide)
    large = train(config, wide, folder / "large", LARGE)
    teacher = DistillationParams(large.path)
    write(FOMMAnimator(full, SIZE), published)
    rows = [
        Row(UNTRAINED, published),
        large,
        train(config, narrow, folder / "small", "small, new"),
        train(config, narrow, folder / "distilled", "small, new, distilled", teacher),
    ]
    before = folder / "pruned.safetensors"
    write(prune(load(large.path), narrow), before)
    rows.append(Row("pruned, before training", before))
    for name, learnt_from in (("pruned", None), ("pruned, distilled", teacher)):
        models = [load(path) for path in (large.path, before)]
        place = folder / name.replace(", ", "-")
        with timed(name):
            fine_tune(models[0], models[1], FineTuning(config, (BOTH,), learnt_from), place, CPU)
        rows.append(Row(name, place / BOTH / MODEL, steps_of(place / BOTH)))
    return rows


def train(
    config: VideoConfig, model: FOMMConfig, folder: Path, name: str, teacher: DistillationParams | None = None
) -> Row:
    """Train a model from the beginning."""
    params = replace(config.train_params, distillation=teacher)
    recipe = VideoRecipe(replace(config, model_params=ModelParams(model), train_params=params), Ranks(CPU))
    run = Trainer(recipe, folder)
    run.resume()
    with timed(name):
        run.run()
    return Row(name, folder / MODEL, run.counters.step)


def steps_of(folder: Path) -> int:
    """Read how many steps a run took."""
    step = read_content(folder / STATE)["step"]
    assert isinstance(step, int)
    return step


def load(path: Path) -> FOMMAnimator:
    """Load a FOMM, plain."""
    model = load_animator(path, "fomm")
    assert isinstance(model, FOMMAnimator)
    return model


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Say how long something took."""
    started = time.monotonic()
    yield
    print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def print_table(rows: list[Row], data: Path) -> None:
    """Judge every model, and print what is known of it; then the error of copying the source."""
    measure_speed(rows, data)
    print(f"\n| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    large = next(row for row in rows if row.name == LARGE)
    wanted = errors_of(large.path, data)
    for row in rows:
        model, halved = load(row.path), row.path.with_suffix(".half.safetensors")
        write(model, halved, torch.float16)
        values = [row.name, f"{count_weights(model) / 1e6:.2f}"]
        values += [f"{path.stat().st_size / 1e6:.1f}" for path in (row.path, halved)]
        values += [f"{operations(model):.2f}", "-" if row.steps is None else str(row.steps)]
        if row.name == UNTRAINED:
            values += ["-"] * 3
        else:
            errors = [errors_of(path, data)["model"] for path in (row.path, halved)]
            values += [*(f"{error:.4f}" for error in errors), f"{100 * (errors[0] / wanted['model'] - 1):+.0f} %"]
        values += [f"{1 / row.seconds:.1f}", *(f"{other.seconds / row.seconds:.1f}" for other in (rows[0], large))]
        print(f"| {' | '.join(values)} |", flush=True)
    print(f"\nL1 of the copied source: {wanted['copy']:.4f}")


def predictor_of(path: Path) -> Predictor:
    """Load a model in the fast form, in float32."""
    return Predictor.load(path, device=CPU, engine=Engine("float32"))


def errors_of(path: Path, data: Path) -> Mapping[str, float]:
    """L1 of the test clips, reconstructed by the model, and of the copied source."""
    tests = FramesDataset(DatasetParams(data, (SIZE, SIZE, 3)), "test")
    return reconstruct(predictor_of(path), tests.test_videos()).measures["L1"]


def print_mobile() -> None:
    """Print size and speed of a plain and of a mobile FOMM of the same widths."""
    detector, motion = KPDetectorConfig(32, 256), DenseMotionConfig(32, 256)
    plain = FOMMConfig(kp_detector=detector, dense_motion=motion, generator=GeneratorConfig(32, 256))
    configs = {"plain blocks": plain, "mobile blocks": replace(plain, mobile_net=True, sigma=MOBILE_SIGMA)}
    clip = held_out_clip(0, BATCH + 1)
    pictures = clip.paint(clip.identity, PUBLISHED_SIZE).pictures.movedim(1, -1)
    with TemporaryDirectory() as place:
        rows = [Row(name, Path(place) / f"{name}.safetensors") for name in configs]
        for row, config in zip(rows, configs.values(), strict=True):
            write(FOMMAnimator(config, PUBLISHED_SIZE), row.path)
        time_in_turns(rows, pictures[:1], pictures[1:])
        print(f"| {' | '.join(SIZE_HEADS)} |\n|{'---|' * len(SIZE_HEADS)}")
        for row in rows:
            model = load(row.path)
            values = [row.name, f"{count_weights(model) / 1e6:.2f}", f"{row.path.stat().st_size / 1e6:.1f}"]
            values += [f"{operations(model, PUBLISHED_SIZE):.2f}", f"{1 / row.seconds:.1f}"]
            print(f"| {' | '.join(values)} |")


def operations(model: FOMMAnimator, size: int = SIZE) -> float:
    """Count the multiplications of a driving frame, in billions."""
    picture = torch.rand(1, 3, size, size)
    with torch.no_grad():
        prepared = model.prepare(picture)
        with FlopCounterMode(display=False) as counter:
            model.render(prepared, model.motion(picture))
    return counter.get_total_flops() / 2e9


def measure_speed(rows: list[Row], data: Path) -> None:
    """Measure the CPU time of a frame, of every model in turns; the best of each counts."""
    video = next(iter(FramesDataset(DatasetParams(data, (SIZE, SIZE, 3)), "test").test_videos()))
    time_in_turns(rows, video.frame(0), torch.cat([*video.chunks(FRAMES)])[:8])


def time_in_turns(rows: list[Row], source: torch.Tensor, driving: torch.Tensor) -> None:
    """Animate a source, by every model in turns."""
    models = [predictor_of(row.path).animator for row in rows]
    options = AnimateOptions(batch=BATCH)
    for _ in range(TURNS):
        for row, model in zip(rows, models, strict=True):
            started = time.process_time()
            frames = [*animate(model, source, TensorClip(driving), CPU, options)]
            row.seconds = min(row.seconds, (time.process_time() - started) / sum(map(len, frames)))


if __name__ == "__main__":
    main()
