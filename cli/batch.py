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

from ..core.errors import FirstOrderError, in_words, one_line, renamed, shorten
from ..core.output_path import shown
from ..core.unfinished import make_folder
from .finished import is_finished, places_of
from .jobs import Row, RowParser, read_rows
from .models import NAMING, Models
from .run import all_faults, given_files, perform, prepare
from .share import Share, joined
from .table import write_table

log = logging.getLogger(__name__)

DONE, SKIPPED, FAILED, READY = "done", "skipped", "failed", "ready"
SOME_FAILED: Final = 1  # exit status
LONGEST_NOTE: Final = 80  # characters of a fault in the table; above it stands the whole


@dataclass(frozen=True, slots=True)
class Outcome:
    """Ending of a job: what became of it, in how many seconds, and what is wrong with it."""

    row: Row
    state: str
    seconds: float = 0.0
    faults: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """Beginning and end of the first fault, and how many more there are."""
        more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
        return shorten(self.faults[0], LONGEST_NOTE) + more if self.faults else ""


def add_batch_options(command: argparse.ArgumentParser, add_run_options: Callable[[Any], None]) -> None:
    """Add the arguments and options of `batch`; those of `run` are for all rows that have nothing else."""
    command.add_argument(
        "jobs",
        type=Path,
        help="a table, csv or jsonl, with the columns source, driving and output, and any option of run as further "
        "ones (strength, best-frame, model, ...); paths are relative to the table. Outputs that are there are skipped",
    )
    command.add_argument(
        "--dry-run", action="store_true", help="say all that is wrong in the rows, and animate nothing"
    )
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
        errors = [*row.errors]
        for place in () if row.args is None else places_of(row.args):
            other = inputs.get(place) or taken.setdefault(place, row)
            if other is not row or place in inputs:
                what = "reads" if place in inputs else "writes"
                errors.append(f"output is {row.output}, which row {other.number} {what}. Choose another name.")
        checked.append(replace(row, errors=tuple(dict.fromkeys(errors))))
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
        """Do a job, or find that it is done; all that is wrong is logged with its row, and told."""
        started = time.perf_counter()
        try:
            state, faults = self._do(place, row)
        except (FirstOrderError, OSError) as error:
            state, faults = FAILED, [self._words(error)]
        except RuntimeError as error:  # PyTorch's and the device's; the next job may do
            log.exception("row %d (line %d) failed unexpectedly", row.number, row.line)
            state, faults = FAILED, [one_line(f"{type(error).__name__}: {error}")]
        for fault in faults:
            log.error("row %d (line %d): %s", row.number, row.line, fault)
        return Outcome(row, state, time.perf_counter() - started, tuple(faults))

    def _words(self, error: Exception) -> str:
        return in_words(renamed(error, self.flags))

    def _do(self, place: int, row: Row) -> tuple[str, list[str]]:
        """Return what becomes of a job, and all that is wrong with it where it fails before it begins."""
        if row.args is None or (row.errors and not self.dry_run):
            return FAILED, [*row.errors]
        args = self.share.on_own_device(row.args)
        if not (row.errors or self.redo) and is_finished(args):
            log.info("Job %d of %d: %s is finished already.", place, self.total, shown(args.output))
            return SKIPPED, []
        faults = [*row.errors]
        try:
            make_folder(args.output.parent)  # which goes again where nothing comes into it
        except OSError as error:
            if not self.dry_run:
                raise
            faults.append(self._words(error))
        if self.dry_run:
            faults += map(self._words, all_faults(args, self.models))
            return FAILED if faults else READY, [*dict.fromkeys(faults)]
        job = prepare(args, self.models)
        label = f"job {place} of {self.total}"
        log.info("%s: %s by %s.", label.capitalize(), shown(args.source), shown(args.driving))
        perform(job, self.models, label)
        return DONE, []


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
