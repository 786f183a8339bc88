"""Checks of what a file of training holds, before anything of it is used."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn, cast

import torch
from torch import Tensor

from ..core.errors import CheckpointError, join_names, quote
from ..core.weights.container import container_of
from ..core.weights.torch_file import read_torch_file
from .muon import Muon

_ADVICE: Final = re.compile(r"; (?![^()]*\))")
"""Where a message's advice begins: at a semicolon, but not within brackets."""

MOST_COUNTED: Final = 10**12  # steps: no run has more
MOMENTS: Final[Mapping[type[torch.optim.Optimizer], set[str]]] = {
    Muon: {"momentum"},
    torch.optim.Adam: {"step", "exp_avg", "exp_avg_sq"},
}
"""Names of what the optimizers of training keep of each parameter."""


class SavedFile:
    """Content of a torch file of training; every complaint names the file and says what to do instead.

    `kind` is what it should be ("training state"), `advice` a sentence. Nothing in the file is executed. Raises
    CheckpointError for one that cannot be read.
    """

    def __init__(self, path: Path, kind: str, advice: str) -> None:
        self.path, self.kind, self.advice = path, kind, advice
        try:
            container = container_of(path)
            self.content = read_torch_file(path, container)
        except CheckpointError as error:
            fault = _ADVICE.split(str(error).removeprefix(f"{path} "))[0]  # what to do is another thing here
            self.refuse(f"it {fault}", error)
        if container == "zip":
            with zipfile.ZipFile(path) as archive:
                if archive.testzip() is not None:
                    self.refuse("bytes in it have changed since it was written")

    def refuse(self, fault: str, cause: Exception | None = None) -> NoReturn:
        """Raise CheckpointError for a fault in the content."""
        raise CheckpointError(f"{self.path} is no whole {self.kind} ({fault}). {self.advice}") from cause

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
            self.refuse(f"{what} is a {type(value).__name__}, not a {'whole ' if whole else ''}number")
        if not 0 <= value <= (MOST_COUNTED if whole else sys.float_info.max):
            self.refuse(f"{what} is {quote(value)}")
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

    def optimizer(self, value: object, own: torch.optim.Optimizer) -> dict[str, object]:
        """Return the state dict of an optimizer of the same kind, settings and parameters."""
        what = f"the state of {type(own).__name__}"
        entries, parameters = self.entries(value, what), self._groups(value, own, what)
        for index, moments in self.entries(entries.get("state"), what).items():
            found = self.entries(moments, what)
            if index not in parameters or found.keys() != MOMENTS.get(type(own)):
                self.refuse(f"{what} is of other parameters")
            for name, moment in found.items():
                like = torch.zeros(()) if name == "step" else parameters[index]
                self.tensor(moment, like, f"{name} in {what}", 0 if name in ("step", "exp_avg_sq") else None)
        groups = zip(self.items(entries["param_groups"], what), own.state_dict()["param_groups"], strict=True)
        return {
            "state": entries["state"],
            "param_groups": [{**mine, **self.entries(one, what)} for one, mine in groups],
        }

    def _groups(self, value: object, own: torch.optim.Optimizer, what: str) -> dict[str, Tensor]:
        """Compare the groups of an optimizer's state with its own, and return its parameters by their numbers."""
        groups = cast(list[dict[str, object]], own.state_dict()["param_groups"])
        found = self.items(self.entries(value, what).get("param_groups"), what)
        if len(found) != len(groups):
            self.refuse(f"{what} is of other parameters")
        for group, saved in zip(groups, (self.entries(one, what) for one in found), strict=True):
            self.number(saved.get("lr"), f"the learning rate in {what}")
            both = sorted(group.keys() & saved.keys() - {"lr"})
            differing = [name for name in both if _plain(group[name]) != _plain(saved[name])]
            if differing or "params" not in saved:  # others may be missing: those of another PyTorch
                self.refuse(f"{what} has another setting of {join_names(differing or ['params'])}")
        listed = (parameter for group in own.param_groups for parameter in cast(list[Tensor], group["params"]))
        return {str(index): parameter for index, parameter in enumerate(listed)}


def _plain(value: object) -> object:
    """Return a list for a tuple, as which files may hold it."""
    return [*cast(tuple[object, ...], value)] if isinstance(value, tuple) else value


def least_of(name: str) -> float | None:
    """Return the least value of a tensor of a network: variances are never negative."""
    return 0.0 if name.endswith("running_var") else None


def is_sound(name: str, value: Tensor) -> bool:
    """Tell whether a network can have these values: all are numbers, and no variance is negative."""
    least = least_of(name)
    return bool(torch.isfinite(value).all()) and (least is None or bool((value >= least).all()))


def _describe(tensor: Tensor) -> str:
    return f"{'x'.join(map(str, tensor.shape)) or 'one'} {'real' if tensor.is_floating_point() else 'whole'} numbers"
