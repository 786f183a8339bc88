"""Installed packages and the model files in their folders, found without importing them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ....core.errors import CheckpointError, FirstOrderError

LONGEST_REASON = 200  # characters
DAMAGE = (
    *(ImportError, SyntaxError, CheckpointError, OSError, EOFError, RuntimeError, ValueError, TypeError),
    *(AttributeError, LookupError, ArithmeticError, AssertionError, MemoryError),
)
"""Errors that packages of many makers raise for what is broken; they share no base class."""


class BrokenDetectorError(FirstOrderError):
    """Detector that is installed and does not work: an import that fails, or a damaged file."""


def is_installed(package: str) -> bool:
    """Tell whether a top-level package can be found, without importing it."""
    try:
        return find_spec(package) is not None
    except ValueError:  # a module that something else put there by hand
        return False


def files_of(package: str, *names: str) -> list[Path]:
    """Find files in a package's folder without importing it; none unless all of them are there."""
    spec = find_spec(package) if is_installed(package) else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        files = [Path(folder) / name for name in names]
        if all(file.is_file() for file in files):
            return files
    return []


def need(condition: object, part: str) -> str | None:
    """Return the part's name unless the condition holds."""
    return None if condition else part


@contextmanager
def reporting_damage(of: str, *errors: type[Exception]) -> Generator[None, None, None]:
    """Turn what a broken package or file raises, and the given errors, into a BrokenDetectorError of one line."""
    try:
        yield
    except (*DAMAGE, *errors) as error:
        first_line = (str(error).strip().splitlines() or [""])[0]
        raise BrokenDetectorError(f"{of}: {type(error).__name__}: {first_line[:LONGEST_REASON]}") from error
