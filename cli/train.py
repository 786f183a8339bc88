"""Command `train`: makes a model of videos, or of drawn faces, by a configuration."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.contrib.logging import logging_redirect_tqdm

from ..animation.inventory import files_called, published_files
from ..animation.model_folders import default_folders
from ..core.atomic_file import atomic_write
from ..core.errors import InputError, TrainingError, join_names, suggest
from ..core.file_lock import held
from ..core.output_path import Output, check_folder, check_output, refuse_clashes, shown
from ..core.unfinished import make_folder
from ..core.weights.paths import find_file, find_or_raise
from ..module_fomm.architecture import FOMM
from .arguments import given_name
from .numbers import check_number, limit_threads
from .progress import progress_bar

if TYPE_CHECKING:
    from ..training.trainer import Trainer

logger = logging.getLogger(__name__)

RUNS = Path("output") / "training"
CONFIG, LOCK = "config.yaml", ".lock"

SETTINGS = {
    "data": "dataset.root_dir",
    "vgg": "train.vgg",
    "steps": "train.steps",
    "minutes": "train.minutes",
    "seed": "train.seed",
}
"""Settings of a configuration that have options of their own."""

DRAWN_SETTINGS = {
    "identities": "dataset.identities",
    "learning_rate": "train.learning_rate",
    "motion_only": "train.motion_only",
}
"""Those that drawn faces alone have."""


def add_train_options(command: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `train`."""
    command.add_argument(
        "config",
        type=given_name,
        help="a YAML, of the published ones or of your own, or the name of one of ours: character, drawn, fashion-256, "
        "small-128, taichi-256, vox-256, vox-512",
    )
    command.add_argument(
        "folder",
        type=Path,
        nargs="?",
        help=f"where state, models and log go; a run found there is resumed (default: {RUNS}/NAME)",
    )
    command.add_argument("--data", type=Path, help="folder of videos, as `prepare` makes it")
    add_common_options(command)
    command.add_argument(
        "--start",
        type=Path,
        help="a checkpoint, or published weights by name, that a new run begins with, where they fit",
    )
    command.add_argument("--steps", type=int, help="stop after so many steps")
    command.add_argument("--minutes", type=float, help="stop after so many minutes of training")
    command.add_argument("--seed", type=int, help="another seed means other draws")
    command.add_argument(
        "--layout",
        choices=("safetensors", "published"),
        default="safetensors",
        help="of the copies that are kept: ours, or the authors' own, with optimizers and discriminator",
    )
    command.add_argument("--compile", action="store_true", help="have PyTorch compile it; needs a C++ compiler")
    drawn = command.add_argument_group("drawn faces (train drawn)")
    drawn.add_argument("--identities", "--looks", type=int, help="drawn per step")
    drawn.add_argument("--learning-rate", type=float)
    drawn.add_argument("--motion-only", type=float, help="part without generator")
    drawn.add_argument("--keep-detector", action="store_true", help="as the start has it: less work")
    drawn.add_argument("--finish", action="store_true", help="the picture counts more than how it was moved")
    command.set_defaults(command=train)


def add_common_options(group: argparse._ActionsContainer) -> None:  # pyright: ignore[reportPrivateUsage]
    """Add the options of every command that trains."""
    group.add_argument(
        "--set",
        dest="changes",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="change a setting of the configuration, such as train.batch_size=8; may be given often",
    )
    group.add_argument("--vgg", type=Path, help="torchvision's vgg19-dcbb9e9d.pth (default: in torch's cache)")
    group.add_argument("--threads", type=int, help="CPU threads; by default PyTorch's choice")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default: auto)")


def given_settings(args: argparse.Namespace) -> list[str]:
    """List, as `--set` takes them, the settings of SETTINGS whose options were given."""
    values = {setting: getattr(args, name, None) for name, setting in SETTINGS.items()}
    return [f"{setting}={value}" for setting, value in values.items() if value is not None]


def train(args: argparse.Namespace) -> None:
    """Train, or go on with a run found in the folder."""
    # not above: they bring PyTorch's compiler, for which every command would wait
    from ..training.begin import changed_settings, make_recipe, start_from
    from ..training.config import VideoConfig, find_config, read_config, to_yaml
    from ..training.distributed import joined
    from ..training.keeping import Keeper
    from ..training.state import STATE
    from ..training.trainer import Trainer

    check_numbers(args)
    path = find_config(args.config)
    config = read_config(path, changes(args))
    folder: Path = args.folder or RUNS / path.stem
    if not (folder / STATE).exists():  # else the run there goes on, and nothing is read
        args.start = find_start(args.start, config.family.id if isinstance(config, VideoConfig) else FOMM.id)
    check_files(folder, args, path)
    if (root := getattr(config.dataset_params, "root_dir", None)) is not None:
        check_apart(folder, root)
    limit_threads(args.threads)
    with joined(args.device) as ranks:
        if not ranks.is_first:
            logging.getLogger().setLevel(logging.WARNING)  # one of them says it
        with ExitStack() as stack:
            stack.enter_context(logging_redirect_tqdm())
            if ranks.is_first:
                stack.enter_context(alone_in(folder))
            recipe = make_recipe(config, ranks)
            trainer = Trainer(recipe, folder, ranks, Keeper(recipe, folder, args.layout))
            if trainer.resume():
                _tell_of_changes(changed_settings(folder / CONFIG, config), args.start)
                if trainer.is_over():
                    logger.warning(
                        "The run in %s is over, after %d steps: nothing was trained. Give more --steps or --minutes to "
                        "go on, or another folder to begin anew.",
                        shown(folder), trainer.counters.step,
                    )  # fmt: skip
                    return
            elif args.start:
                start_from(args.start, recipe)
            if ranks.is_first:
                keep_settings(folder / CONFIG, to_yaml(config), path)
                logger.info("Training %s on %s, in %s.", recipe.architecture, recipe.device, folder)
                trainer.run(stack.enter_context(progress_bar("step", initial=trainer.counters.step)))
            else:
                trainer.run()
    tell_end(trainer, folder)


def find_start(start: Path | None, architecture: str) -> Path | None:
    """Find the checkpoint to begin with: a file, or where models lie, one of its name, or published weights.

    Raises MissingWeightsError for a published file that is not there, InputError for any other name.
    """
    if start is None or start.exists() or start.name != str(start):
        return start
    folders = default_folders(architecture)
    if (found := find_file([start.name], folders)) is not None:
        return found
    rows = files_called(start.name, architecture) or files_called(start.name)
    if not rows:
        raise InputError(
            f"is {shown(start)}, which is neither a file, nor one in {join_names([str(place) for place in folders])}, "
            f"nor published weights.{suggest(start.name, [row.name for row, _ in published_files()])}",
            "start",
        )
    kind, row = rows[0]
    return find_or_raise(row, default_folders(kind.id))


def keep_settings(path: Path, text: str, given: Path) -> None:
    """Write the settings of a run, unless they were read from that very file."""
    if not (path.exists() and given.exists() and path.samefile(given)):
        with atomic_write(path) as part:
            part.write_text(text, "utf-8")


def tell_end(trainer: Trainer, folder: Path) -> None:
    """Say how far a run came, and what it left."""
    from ..training.state import MODEL

    counters = trainer.counters
    words = "Done" if trainer.share_done() >= 1 else "Stopped"
    logger.info("%s after %d steps, %.1f minutes: %s.", words, counters.step, counters.seconds / 60, folder / MODEL)


def _tell_of_changes(changed: list[str], start: Path | None) -> None:
    """Warn of what makes a resumed run another than the one that began, and of what is of no effect."""
    if changed:
        logger.warning("The run goes on with other settings than it began with: %s.", join_names(changed))
    if start is not None:
        logger.warning("--start %s is not read: the run in the folder is resumed.", shown(start))


@contextmanager
def alone_in(folder: Path) -> Generator[None, None, None]:
    """Keep other runs out of a folder; TrainingError where one is in it."""
    make_folder(folder)
    with held(folder / LOCK) as mine:
        if not mine:
            raise TrainingError(
                f"Another run is at work in {shown(folder)}. Wait for its end, or choose another folder."
            )
        yield


def changes(args: argparse.Namespace) -> list[str]:
    """List what options change in a configuration; `--set` comes last."""
    given = given_settings(args)
    drawn = [name for name in DRAWN_SETTINGS if getattr(args, name) is not None]
    drawn += [name for name in ("keep_detector", "finish") if getattr(args, name)]
    if drawn and args.config != "drawn":
        raise InputError(f"belongs to drawn faces; the configuration is {args.config}. Use --set instead.", drawn[0])
    given += [f"{DRAWN_SETTINGS[name]}={getattr(args, name)}" for name in drawn if name in DRAWN_SETTINGS]
    given += ["train.freeze=[kp_detector]"] if args.keep_detector else []
    given += ["train.finish=true"] if args.finish else []
    given += ["train.compile=true"] if args.compile else []
    return [*given, *args.changes]


def check_numbers(args: argparse.Namespace) -> None:
    """Raise InputError for numbers with which nothing could be trained."""
    for name in ("steps", "identities", "threads"):
        check_number(args, name, 1)
    check_number(args, "seed", 0, 2**63 - 1)
    check_number(args, "motion_only", 0, 1)
    for name in ("minutes", "learning_rate"):
        check_number(args, name, sys.float_info.min, sys.float_info.max)


def check_apart(folder: Path, data: Path) -> None:
    """Raise InputError for a folder among the videos, where what a run leaves would be taken for more of them."""
    splits = [data / split for split in ("train", "test")]
    videos = splits if splits[0].is_dir() else [data]
    if any(place.resolve() in (folder.resolve(), *folder.resolve().parents) for place in videos):
        raise InputError(f"is {shown(folder)}, among the videos to train with. Choose one outside of them.", "folder")


def check_files(folder: Path, args: argparse.Namespace, config: Path) -> None:
    """Raise MediaError or InputError for a folder that cannot be written to, or in which something would be lost.

    A configuration may be its own folder's when the run there goes on: it then is what the run itself wrote.
    """
    from ..training.keeping import BEST
    from ..training.logs import LOG, SHEET
    from ..training.state import MODEL, STATE

    check_folder(folder)
    outputs = [Output("folder", folder / name) for name in (STATE, MODEL, BEST, LOG, SHEET, CONFIG)]
    if folder.exists():
        for output in outputs:
            check_output(output.path)
    goes_on = (folder / STATE).exists()
    given = {"the checkpoint to start with": args.start, "the configuration": None if goes_on else config}
    refuse_clashes(outputs, given)
    left = [name for name in (MODEL, BEST) if (folder / name).exists()]
    if left and not goes_on:
        raise InputError(
            f"is {shown(folder)}, which holds {join_names(left)} without {STATE}; a new run would overwrite them. "
            f"Put {STATE} back, or begin in another folder.",
            "folder",
        )
