"""Runs a recipe: step by step to its end, seeded, resumable, and in as many processes as there are."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from ..core.errors import CheckpointError, TrainingError, join_names
from ..core.signals import undisturbed
from .distributed import Ranks
from .keeping import Keeper
from .logs import SHEET, Meter, RunLog
from .preview import save_picture
from .recipe import Recipe, Step
from .sampler import seed_step
from .state import STATE, Counters, broken_parts, load_state, save_state

logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None, str], None]
"""Called with the steps done, about how many there will be, and the newest losses as a text."""

MOST_TOLD = 3  # losses beside a progress bar
WAITING, RATE = "waiting", "steps_per_second"
"""Share of the time in which no data was there, and speed, in the log."""


def ignore(_done: int, _total: int | None, _losses: str) -> None:
    """Take no notice of progress."""


def told(means: Mapping[str, float]) -> str:
    """Write the first losses in a few words, for a progress bar."""
    return ", ".join(f"{name} {value:.3g}" for name, value in [*means.items()][:MOST_TOLD])


class Trainer:
    """One run in one folder: a state to go on from, models to use, a log and a contact sheet to look at."""

    def __init__(self, recipe: Recipe, folder: Path, ranks: Ranks | None = None, keeper: Keeper | None = None) -> None:
        self.recipe, self.folder, self.params = recipe, folder, recipe.params
        self.ranks = ranks or Ranks(recipe.device)
        self.keeper = keeper or Keeper(recipe, folder)
        self.counters = Counters()
        self._meter, self._log = Meter(), RunLog(folder)
        self._waited = self._saved = 0.0
        self._logged = (0, 0.0)  # steps and seconds at the last row of the log
        self._wrapped: tuple[nn.Module, nn.Module | None] | None = None
        self._batches: Iterator[Step] | None = None
        self._losses = ""

    def resume(self) -> bool:
        """Go on from the folder's state, if it has one; from there every step is the same as without the break."""
        path = self.folder / STATE
        if not path.exists():
            return False
        self.counters = load_state(path, self.recipe)
        self._saved = self.counters.seconds
        logger.info("resumed %s at step %d", path, self.counters.step)
        return True

    def save(self) -> None:
        """Write the state and the models. Raises CheckpointError where the disk refuses; older files are then whole."""
        self._saved = self.counters.seconds
        self._refuse_broken(self._means())
        self._refuse_broken_weights()
        if not self.ranks.is_first:
            return
        sheet = self.recipe.sheet()  # first: it is the first to need videos
        self._refuse_broken({"pictures": sheet.sum().item()})  # weights may be huge, and numbers still
        with self._disk_refusals():
            save_state(self.folder / STATE, self.recipe, self.counters)
            self.keeper.keep(self.counters.step)
            save_picture(self.folder / SHEET, sheet)
            self._log.picture(self.counters.step, sheet)

    @contextmanager
    def _disk_refusals(self) -> Generator[None, None, None]:
        """Raise what the disk refuses as CheckpointError."""
        try:
            yield
        except OSError as error:
            raise CheckpointError(
                f"{self.folder} cannot be written to ({error.strerror or error}); what was saved last is kept. "
                "Make room, then give the same command to go on."
            ) from error

    def train_step(self) -> dict[str, Tensor]:
        """Predict and improve; the losses by name, on their device.

        All randomness comes from the seed and the step's number.
        """
        objective, critic = self._modules()
        batch, transform = self._next_batch()
        recipe, counters = self.recipe, self.counters
        recipe.schedule(counters.step, self.share_done())
        seed_step(self.params.seed, counters.step, self.ranks.rank)
        if recipe.critic is not None:
            recipe.critic.requires_grad_(False)  # what the generator's losses would add is not wanted
        losses = objective(batch, transform)
        logged = {**recipe.logged(losses), **self._improve(recipe.optimizers, losses.terms, recipe.clip)}
        if critic is not None and recipe.critic is not None:
            recipe.critic.requires_grad_(True)
            outputs = losses.outputs
            judged = critic(batch.driving, outputs["prediction"], outputs["kp_driving"])
            logged |= judged.terms
            self._improve(recipe.critics, judged.terms)
        if recipe.averaged is not None:
            recipe.averaged.update_parameters(recipe.animator)
        counters.step += 1
        return {name: value.detach() for name, value in logged.items()}

    def _improve(
        self,
        optimizers: Mapping[str, torch.optim.Optimizer],
        terms: Mapping[str, Tensor],
        clip: Callable[[], dict[str, Tensor]] = dict,
    ) -> dict[str, Tensor]:
        """Move the parameters of optimizers down the sum of losses, and return what clipping found."""
        total = torch.stack([*terms.values()]).sum()
        if total.device.type == "cpu":  # elsewhere finding out would mean to wait
            self._refuse_broken({name: value.item() for name, value in terms.items()})
        for optimizer in optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        total.backward()  # pyright: ignore[reportUnknownMemberType]
        norms = clip()
        for optimizer in optimizers.values():
            optimizer.step()  # pyright: ignore[reportUnknownMemberType]
        return norms

    def _refuse_broken_weights(self) -> None:
        """Raise TrainingError where the last steps left weights, or what optimizers keep, that are no numbers."""
        if broken := broken_parts(self.recipe):
            self._refuse_broken(dict.fromkeys(broken, math.nan))

    def _refuse_broken(self, terms: Mapping[str, float]) -> None:
        """Raise TrainingError for losses that are no numbers."""
        if broken := [name for name, value in terms.items() if not math.isfinite(value)]:
            raise TrainingError(
                f"{join_names(broken)} became no number at step {self.counters.step}; what was saved last in "
                f"{self.folder} is good. Give the same command with a lower learning rate, or with train.clip_norm, "
                "to go on from there."
            )

    def _modules(self) -> tuple[nn.Module, nn.Module | None]:
        """Return objective and critic, joined with those of the other processes."""
        if self._wrapped is None:
            recipe = self.recipe
            if recipe.critic is None:
                self._wrapped = self.ranks.wrap(recipe.objective), None
            else:
                critic = self.ranks.wrap(recipe.critic.requires_grad_(True))
                recipe.critic.requires_grad_(False)  # the objective is joined without what only judges it
                self._wrapped = self.ranks.wrap(recipe.objective), critic
        return self._wrapped

    def _next_batch(self) -> Step:
        start = time.monotonic()
        if self._batches is None:
            self._batches = self.recipe.batches(self.counters.step)
        step = next(self._batches)
        self._waited += time.monotonic() - start
        return step

    def _end_batches(self) -> None:
        """End the processes that read batches, and give back what they share: a signal ends this one without that."""
        self._batches = None

    def share_done(self) -> float:
        """Return the share of the run that is over, in [0, 1]."""
        return self.recipe.share_done(self.counters.step, self.counters.seconds)

    def run(self, progress: Progress = ignore) -> None:
        """Train to the end, saving every few minutes. A signal that asks for a stop acts once the state is saved."""
        with undisturbed(at_most=1) as came, ExitStack() as stack:
            stack.callback(self._end_batches)
            if self.ranks.is_first:
                with self._disk_refusals():
                    self._log.begin(self.counters.step)
                    stack.callback(self._log.close)
            self._logged = self.counters.step, self.counters.seconds
            if self.counters.step == 0:
                self.save()  # a folder that cannot be written to is noticed now
            if self.ranks.is_first:
                self.recipe.warn()
            while self._goes_on(bool(came)):
                self._timed_step()
                self._report(progress)
            if not came:
                self._evaluate_at_end()
            self.save()
            self.ranks.agree(0.0)  # the others wait until all is written

    def _goes_on(self, asked_to_stop: bool) -> bool:
        """Agree with the other processes on time and on what to do, and save where that is due."""
        counters = self.counters
        due = counters.seconds - self._saved > 60 * self.params.save_minutes
        seconds, due, stop = self.ranks.agree(counters.seconds, float(due), float(asked_to_stop))
        counters.seconds = seconds  # learning rates may depend on it
        if stop or self.is_over():
            return False
        if due or (counters.step > 0 and self.recipe.saves_at(counters.step)):
            self.save()
        return True

    def is_over(self) -> bool:
        """Tell whether the run came to its end."""
        return self.share_done() >= 1 or self._is_stale()

    def _is_stale(self) -> bool:
        return self.params.patience is not None and self.counters.stale >= self.params.patience

    def _timed_step(self) -> None:
        start = time.monotonic()
        self._meter.add(self.train_step())
        self.counters.seconds += time.monotonic() - start

    def _report(self, progress: Progress) -> None:
        """Evaluate and log where that is due, and tell of the progress."""
        step, every = self.counters.step, self.params.evaluate_every
        error = self._evaluated() if every is not None and step % every == 0 else None
        if error is not None or step % self.params.log_every == 0:
            means = self._means()
            self._refuse_broken(means)
            self._meter = Meter()
            self._losses = told(means if error is None else {"evaluation": error, **means})
            if self.ranks.is_first:
                self._add_row(means if error is None else {**means, "evaluation": error})
        share = self.share_done()
        progress(step, round(step / share) if share else None, self._losses)

    def _evaluate_at_end(self) -> None:
        """Evaluate the last step too, where evaluation is wanted, so that a best model is there."""
        every = self.params.evaluate_every
        if every is not None and self.counters.step % every and self.is_over():
            error, means = self._evaluated(), self._means()
            self._refuse_broken(means)
            if self.ranks.is_first:
                self._add_row({**means, "evaluation": error})

    def _means(self) -> dict[str, float]:
        """Average the losses since the last row of the log over steps and processes."""
        return {name: self.ranks.mean(value).item() for name, value in self._meter.means().items()}

    def _add_row(self, means: Mapping[str, float]) -> None:
        counters, (step, seconds) = self.counters, self._logged
        steps, passed = counters.step - step, counters.seconds - seconds
        speed = {RATE: steps / passed, WAITING: self._waited / passed} if passed > 0 else {}
        self._waited, self._logged = 0.0, (counters.step, counters.seconds)
        with self._disk_refusals():
            self._log.add(counters.step, counters.seconds, {**means, **speed})

    def _evaluated(self) -> float:
        """Evaluate the model in the first process, and keep it if it is the best so far."""
        counters, error = self.counters, 0.0
        if self.ranks.is_first:
            error = self.recipe.evaluate()
        (error,) = self.ranks.agree(error)
        if counters.best is None or error < counters.best:
            counters.best, counters.stale = error, 0
            if self.ranks.is_first:
                with self._disk_refusals():
                    self.keeper.keep_best()
        else:
            counters.stale += 1
        return error
