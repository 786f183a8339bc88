"""Help of every command, for the page of the command line."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

WIDTH = "100"  # characters of a line


def subcommands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the commands of a parser, each followed by its own."""
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage] (argparse tells them in no other way)
        if isinstance(action, argparse._SubParsersAction):  # pyright: ignore[reportPrivateUsage]
            choices = cast("Mapping[str, argparse.ArgumentParser]", action.choices)
            for command in dict.fromkeys(choices.values()):
                yield command
                yield from subcommands(command)


def write() -> str:
    """Write a section for each command with its help as the command line shows it."""
    runpy.run_path(str(Path(__file__).resolve().parent.parent / "animate.py"))["load_pack"]()
    from first_order_motion.cli.main import build_parser

    os.environ["COLUMNS"] = WIDTH
    argv, sys.argv = sys.argv, ["animate.py"]
    try:
        commands = [*subcommands(build_parser())]
    finally:
        sys.argv = argv
    return "\n\n".join(f"### {command.prog}\n\n```text\n{command.format_help().rstrip()}\n```" for command in commands)


if __name__ == "__main__":
    print(write())
