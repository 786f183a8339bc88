"""Command `batch`: many animations by a table of jobs, with the model loaded once; it can be stopped and goes on."""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ..core.errors import FirstOrderError, InputError, one_line, rename_parameters
from ..core.output_path import shown
from ..core.unfinished import make_folder
from .finished import is_finished, places_of
from .jobs import Row, RowParser, read_rows
from .models import NAMING, Models
from .run import given_files, perform, prepare
from .share import Share, joined
from .table import write_table

log = logging.getLogger(__name__)

DONE, SKIPPED, FAILED, READY = "done", "skipped", "failed", "ready"
SOME_FAILED: Final = 1  # exit status


@dataclass(frozen=True, slots=True)
class Outcome:
    """Ending of a job: what became of it, in how many seconds, and what there is to say."""

    row: Row
    state: str
    seconds: float = 0.0
    note: str = ""


def add_batch_options(command: argparse.ArgumentParser, add_run_options: Callable[[Any], None]) -> None:
    """Add the arguments and options of `batch`; those of `run` are for all rows that have nothing else."""
    command.add_argument(
        "jobs",
        type=Path,
        help="a table, csv or jsonl, with the columns source, driving and output, and any option of run as further "
        "ones (strength, best-frame, model, ...); paths are relative to the table. Outputs that are there are skipped",
    )
    command.add_argument("--dry-run", action="store_true", help="check all rows, and animate nothing")
    command.add_argument("--redo", action="store_true", help="animate also what is finished")
    add_run_options(command)
    command.set_defaults(command=batch)


def batch(args: argparse.Namespace) -> int:
    """Animate all rows, or this process's share of them; returns 1 where one failed."""
    from .main import FLAGS, add_run_command

    parser = RowParser(add_help=False)
    add_run_command(parser)
    own = {"jobs", "dry_run", "redo", "command"}
    common = argparse.Namespace(**{name: value for name, value in vars(args).items() if name not in own})
    rows = _without_clashes(read_rows(args.jobs, parser, common))
    with joined() as share:
        mine = share.of(_by_model(rows))
        log.info("%d jobs in %s%s.", len(rows), shown(args.jobs), share.words(len(mine)))
        work = _Work(len(mine), args.dry_run, args.redo, share, FLAGS)
        outcomes = [work.outcome(place, row) for place, row in enumerate(mine, 1)]
        everyone = share.gather(outcomes)
    if share.speaks:
        summarize(everyone)
    return SOME_FAILED if any(outcome.state == FAILED for outcome in everyone) else 0


def _by_model(rows: Sequence[Row]) -> list[Row]:
    """Put rows with the same model together, in the order of their first ones, so that each is loaded once."""
    order: dict[str, list[Row]] = {}
    for row in rows:
        order.setdefault("" if row.args is None else str([getattr(row.args, name) for name in NAMING]), []).append(row)
    return [row for group in order.values() for row in group]


def _without_clashes(rows: Sequence[Row]) -> list[Row]:
    """Note it with rows that write what another one writes too, or reads."""
    inputs: dict[Path, Row] = {}
    for row in rows:
        for files in () if row.args is None else given_files(row.args).values():
            for file in [files] if isinstance(files, Path) else files or ():
                inputs.setdefault(Path(os.path.realpath(file)), row)
    taken: dict[Path, Row] = {}
    checked: list[Row] = []
    for row in rows:
        error = row.error
        for place in () if row.args is None else places_of(row.args):
            other = inputs.get(place) or taken.setdefault(place, row)
            if other is not row or place in inputs:
                what = "reads" if place in inputs else "writes"
                error = error or f"output is {row.output}, which row {other.number} {what}. Choose another name."
        checked.append(replace(row, error=error))
    return checked


@dataclass(frozen=True, slots=True)
class _Work:
    """Work on jobs one after another, by models that stay loaded."""

    total: int
    dry_run: bool
    redo: bool
    share: Share
    flags: Mapping[str, str]
    models: Models = field(default_factory=Models)

    def outcome(self, place: int, row: Row) -> Outcome:
        """Do a job, or find that it is done; what fails is logged with its row, and told."""
        started = time.perf_counter()
        try:
            with rename_parameters(self.flags):
                state = self._do(place, row)
            return Outcome(row, state, time.perf_counter() - started)
        except (FirstOrderError, OSError) as error:
            note = one_line(str(error))
        except RuntimeError as error:  # PyTorch's and the device's; the next job may do
            log.exception("row %d (line %d) failed unexpectedly", row.number, row.line)
            note = one_line(f"{type(error).__name__}: {error}")
        log.error("row %d (line %d): %s", row.number, row.line, note)
        return Outcome(row, FAILED, time.perf_counter() - started, note)

    def _do(self, place: int, row: Row) -> str:
        if row.args is None or row.error:
            raise InputError(row.error)
        args = self.share.on_own_device(row.args)
        if not self.redo and is_finished(args):
            log.info("Job %d of %d: %s is finished already.", place, self.total, shown(args.output))
            return SKIPPED
        make_folder(args.output.parent)  # which goes again where nothing comes into it
        job = prepare(args, self.models)
        if self.dry_run:
            return READY
        label = f"job {place} of {self.total}"
        log.info("%s: %s by %s.", label.capitalize(), shown(args.source), shown(args.driving))
        perform(job, self.models, label)
        return DONE


def summarize(outcomes: Sequence[Outcome]) -> None:
    """Print what became of every row, in the order of the table."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.row.number)
    rows = [
        (str(one.row.number), one.state, f"{one.seconds:.1f}" if one.state == DONE else "", one.row.output, one.note)
        for one in ordered
    ]
    write_table(("row", "state", "seconds", "output", ""), rows)
    counts = {state: sum(one.state == state for one in ordered) for state in (DONE, SKIPPED, READY, FAILED)}
    print(", ".join(f"{count} {state}" for state, count in counts.items() if count))
