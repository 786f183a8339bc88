"""Start of the program: what has to be in place before PyTorch is imported, which takes seconds."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from ..core.installation import DISTRIBUTION, PACK
from .stop import FIRST_STATUS, install_handlers

BROKEN_PIPE = FIRST_STATUS + int(getattr(signal, "SIGPIPE", 13))


def start(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status, whatever becomes of signals and of the standard streams."""
    _open_missing_streams()
    _wait_passively()
    install_handlers()
    from .main import main

    try:
        try:
            return main(argv)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    except BrokenPipeError:  # nobody reads on, as behind `| head`
        _silence()
        return BROKEN_PIPE


def _wait_passively() -> None:
    """Have threads sleep while they wait for each other, unless the user chose: spinning takes a busy machine's time.

    GNU's OpenMP, which PyTorch works with on Linux, reads this when it is loaded, and never again.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def program_name() -> str:
    """Return what users call this program by: the installed command, the package, or the script of a clone."""
    started = Path(sys.argv[0])
    if started.stem == DISTRIBUTION:
        return DISTRIBUTION
    return "python -m first_order_motion" if started.resolve() == PACK / "__main__.py" else "animate.py"


def script() -> None:
    """Run as an installed command."""
    sys.exit(start())


def _open_missing_streams() -> None:
    """Open streams that the caller has closed: files opened later would take their numbers, and get their texts."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] (it is, where it was closed)
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (open to the end)
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def _silence() -> None:
    """Send what is still to be written nowhere, as Python writes it when it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
