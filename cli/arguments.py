"""Parser of command lines whose options may stand anywhere, also those that take a value or do without."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Final

from typing_extensions import Self

from ..core.errors import quote

LONGEST_NAME: Final = 255  # bytes; no common file system takes longer ones
LONGEST_PATH: Final = 4095  # bytes, of Linux


def given_path(text: str) -> Path:
    """Read a path; ArgumentTypeError for a text that can name no file. An empty one would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("is empty; a path was wanted. Name a file or a folder (. is the current one).")
    if "\0" in text:
        raise argparse.ArgumentTypeError("has a zero byte, which no path can hold. Correct it.")
    path = Path(text)
    if _leads_in_a_circle(path):
        raise argparse.ArgumentTypeError(f"is {quote(text, 60)}, a link that leads in a circle. Choose another.")
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    if longest > LONGEST_NAME or len(os.fsencode(text)) > LONGEST_PATH:
        raise argparse.ArgumentTypeError(
            f"is {quote(text, 60)}, longer than paths can be ({LONGEST_NAME} bytes a name, {LONGEST_PATH} in all). "
            "Shorten it."
        )
    return path


def given_name(text: str) -> str:
    """Read a name in whose place a path may stand; it comes as it was written."""
    given_path(text)
    return text


def _leads_in_a_circle(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


class Parser(argparse.ArgumentParser):
    """Parser that tells an option's values from the arguments behind it by how many arguments the command needs.

    argparse itself gives an option all that follows it: `--best-frame face.png clip.mp4 out.mp4` would have no source.
    Arguments of the type Path are read by `given_path`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.register("type", Path, given_path)

    @property
    def actions(self) -> Sequence[argparse.Action]:
        """Options and arguments, in order."""
        return self._actions

    def find_option(self, name: str) -> argparse.Action | None:
        """Find an option, or an argument, by its name without dashes in front."""
        option = self._option_string_actions.get(f"--{name}")
        arguments = (action for action in self._actions if not action.option_strings and action.dest == name)
        return option or next(arguments, None)

    def rivals_of(self, action: argparse.Action) -> list[argparse.Action]:
        """List the options that cannot be given together with one, without it."""
        groups = [group._group_actions for group in self._mutually_exclusive_groups]  # pyright: ignore[reportPrivateUsage]
        return [other for group in groups if action in group for other in group if other is not action]

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride] (its overloads say no more)
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse, after each value was tied to its option; argparse's other methods call this."""
        wanted = [action for action in self._actions if not action.option_strings]
        if args is not None and all(action.nargs != argparse.PARSER for action in wanted):
            args = _Line.read(args, self._option_string_actions).tied(len(wanted))
        return super().parse_known_args(args, namespace)


@dataclass(slots=True)
class _Option:
    """Option as it was given, its action, and the words behind it that may be its values.

    `action` is None for an option that the command does not know.
    """

    word: str
    action: argparse.Action | None = None
    values: list[str] = field(default_factory=list[str])

    @property
    def nargs(self) -> str | int:
        """Number of values it takes, in argparse's terms; 0 for one that has its value already."""
        if self.action is None or "=" in self.word:
            return 0
        return 1 if self.action.nargs is None else self.action.nargs

    def takes(self, word: str, is_option: bool) -> bool:
        """Tell whether one more word may be a value; only a single one may begin with a dash."""
        if is_option or self.nargs == 0 or (self.values and self.nargs != "+"):
            return False
        return self.nargs == 1 or not word.startswith("-")

    def release(self, wanted: int) -> list[str]:
        """Give back up to `wanted` values from the end, but not the only one of an option that needs one."""
        start = max(len(self.values) - wanted, 1 if self.nargs == "+" else 0)
        released = self.values[start:]
        del self.values[start:]
        return released

    def seems_mistaken(self) -> bool:
        """Tell whether the value that the option could do without looks like a file's name, and is no choice of it."""
        if self.action is None or self.nargs != "?" or not self.values:
            return False
        choices = self.action.choices
        return self.values[0] not in choices if choices else bool(PurePath(self.values[0]).suffix)

    def tied(self) -> list[str]:
        """Write the option with its values, each by an equals sign."""
        if self.action is not None and self.nargs == "?" and not self.values:
            return [f"{self.word}={self.action.const}"]
        return [f"{self.word}={value}" for value in self.values] or [self.word]


@dataclass(slots=True)
class _Line:
    """Words of a command line in their order: options with what may be their values, and arguments."""

    words: list[_Option | str]
    last: list[str]  # behind `--`: arguments, whatever they look like

    @classmethod
    def read(cls, args: Sequence[str], actions: Mapping[str, argparse.Action]) -> Self:
        """Sort the words."""
        end = args.index("--") if "--" in args else len(args)
        words: list[_Option | str] = []
        for word in args[:end]:
            before, action = words[-1] if words else "", _action(word, actions)
            if isinstance(before, _Option) and before.takes(word, action is not None):
                before.values.append(word)
            else:
                words.append(_Option(word, action) if word.startswith("-") and word != "-" else word)
        return cls(words, [*args[end + 1 :]])

    def tied(self, wanted: int) -> list[str]:
        """Write the line unmistakably for a command of so many arguments: options with their values, then arguments.

        Values that are wanted as arguments go to them: first those that seem to be none, then the last ones of many.
        """
        options = [word for word in self.words if isinstance(word, _Option)]
        missing = wanted - (len(self.words) - len(options)) - len(self.last)
        released: dict[int, list[str]] = {}
        free = [option for option in options if option.nargs in ("?", "+")]
        for option in sorted(free, key=lambda option: (not option.seems_mistaken(), option.nargs == "?")):
            released[id(option)] = option.release(max(0, missing))
            missing -= len(released[id(option)])
        arguments: list[str] = []
        for word in self.words:
            arguments += released.get(id(word), []) if isinstance(word, _Option) else [word]
        tied = [part for option in options for part in option.tied()]
        return [*tied, "--", *arguments, *self.last] if arguments or self.last else tied


def _action(word: str, actions: Mapping[str, argparse.Action]) -> argparse.Action | None:
    """Find the option that a word stands for: by its whole name, or by a beginning that only one has."""
    name = word.partition("=")[0]
    if name in actions:
        return actions[name]
    fitting = {id(action): action for text, action in actions.items() if text.startswith(name)}
    return next(iter(fitting.values())) if name.startswith("--") and len(fitting) == 1 else None
