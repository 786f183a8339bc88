"""Command line of the installed package: `python -m first_order_motion --help`."""

from __future__ import annotations

from .cli.start import script

if __name__ == "__main__":
    script()
