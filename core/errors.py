"""The errors users see. Each message is one line: what came, what was wanted, what to do."""

from __future__ import annotations


class FirstOrderError(Exception):
    """Base of every error this pack raises on purpose."""


class InputError(FirstOrderError, ValueError):
    """A picture, a clip or an option that cannot be used."""


class CheckpointError(FirstOrderError):
    """A weight file that is damaged, unsafe, of another architecture or of another shape."""


class MissingWeightsError(FirstOrderError, FileNotFoundError):
    """A weight file that is in none of the places where it was looked for."""


class DownloadError(FirstOrderError, OSError):
    """A download that could not be finished or whose bytes are not the published ones."""


class MediaError(FirstOrderError):
    """A picture or video file that cannot be read or written."""
