"""Checks of numbers on the command line of training and evaluation."""

from __future__ import annotations

import argparse

import torch

from ..core.errors import InputError


def check_number(args: argparse.Namespace, name: str, least: float, most: float = 2**31) -> None:
    """Raise InputError for a number that is given and is not from `least` to `most`."""
    value: float | None = getattr(args, name)
    if value is not None and not least <= value <= most:
        wanted = "more than 0" if 0 < least < 1 else f"{least:g} to 1" if most == 1 else f"{least:g} or more"
        raise InputError(f"is {value}; {wanted} was wanted. Choose another number.", name)


def limit_threads(threads: int | None) -> None:
    """Use so many CPU threads, PyTorch's choice if None."""
    if threads:
        torch.set_num_threads(threads)
