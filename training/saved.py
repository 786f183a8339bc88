"""Checks of what a file of training holds, before anything of it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, cast

import torch
from torch import Tensor

from ..core.errors import CheckpointError, join_names
from ..core.weights.container import container_of
from ..core.weights.torch_file import read_torch_file


class SavedFile:
    """Content of a torch file of training; every complaint names the file and says what to do instead.

    `kind` is what it should be ("a training state"), `advice` a sentence. Nothing in the file is executed. Raises
    CheckpointError for one that cannot be read.
    """

    def __init__(self, path: Path, kind: str, advice: str) -> None:
        self.path, self.kind, self.advice = path, kind, advice
        try:
            self.content = read_torch_file(path, container_of(path))
        except CheckpointError as error:
            raise CheckpointError(f"{error} It should be {kind}: {advice}") from error

    def refuse(self, fault: str) -> NoReturn:
        """Raise CheckpointError for a fault in the content."""
        raise CheckpointError(f"{self.path} is no whole {self.kind.removeprefix('a ')} ({fault}). {self.advice}")

    def entries(self, value: object, what: str) -> dict[str, object]:
        """Return a dict's entries by name; `what` is for messages."""
        if not isinstance(value, Mapping):
            self.refuse(f"{what} is a {type(value).__name__}, not a dict")
        return {str(key): entry for key, entry in cast(Mapping[object, object], value).items()}

    def items(self, value: object, what: str) -> list[object]:
        """Return a list's items."""
        if not isinstance(value, list | tuple):
            self.refuse(f"{what} is a {type(value).__name__}, not a list")
        return [*cast(list[object], value)]

    def number(self, value: object, what: str, *, whole: bool = False) -> float:
        """Return a finite number of at least 0, with `whole` an integer."""
        kinds = int if whole else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool):
            self.refuse(f"{what} is a {type(value).__name__}, not a number")
        if not math.isfinite(value) or value < 0:
            self.refuse(f"{what} is {value}")
        return value

    def tensor(self, value: object, like: Tensor, what: str, least: float | None = None) -> Tensor:
        """Return a tensor of finite values and of the shape of another."""
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_meta:
            self.refuse(f"{what} is no tensor")
        if value.shape != like.shape or value.is_floating_point() != like.is_floating_point():
            self.refuse(f"{what} is {_describe(value)}, not {_describe(like)}")
        if not bool(torch.isfinite(value).all()):
            self.refuse(f"{what} has values that are no numbers")
        if least is not None and bool((value < least).any()):
            self.refuse(f"{what} has values below {least:g}")
        return value

    def network(self, value: object, own: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
        """Return a state dict with the keys and shapes of a network's own."""
        entries = self.entries(value, what)
        if differing := sorted(entries.keys() ^ own.keys()):
            self.refuse(f"of {what} these are missing or too many: {join_names(differing)}")
        return {name: self.tensor(entries[name], like, name, least_of(name)) for name, like in own.items()}

    def optimizer(self, value: object, own: torch.optim.Optimizer, what: str) -> dict[str, object]:
        """Return the state dict of an optimizer of the same parameters."""
        entries, groups = self.entries(value, what), own.state_dict()["param_groups"]
        found = [self.entries(group, what) for group in self.items(entries.get("param_groups"), what)]
        if [(group.keys(), [*group["params"]]) for group in groups] != [
            (group.keys(), self.items(group.get("params"), what)) for group in found
        ]:
            self.refuse(f"{what} is of other parameters")
        for group in found:
            self.number(group["lr"], f"the learning rate of {what}")
        parameters = dict(enumerate(p for group in own.param_groups for p in cast(list[Tensor], group["params"])))
        for index, moments in self.entries(entries.get("state"), what).items():
            like = parameters.get(int(index)) if index.isdigit() else None
            for name, moment in self.entries(moments, what).items():
                if like is None:
                    self.refuse(f"{what} is of other parameters")
                shaped = torch.zeros(()) if name == "step" else like
                self.tensor(moment, shaped, f"{name} of {what}", 0 if name in ("step", "exp_avg_sq") else None)
        return cast(dict[str, object], value)


def least_of(name: str) -> float | None:
    """Return the least value of a tensor of a network: variances are never negative."""
    return 0.0 if name.endswith("running_var") else None


def is_sound(name: str, value: Tensor) -> bool:
    """Tell whether a network can have these values: all are numbers, and no variance is negative."""
    least = least_of(name)
    return bool(torch.isfinite(value).all()) and (least is None or bool((value >= least).all()))


def _describe(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or 'one'} {'real' if tensor.is_floating_point() else 'whole'} numbers"
