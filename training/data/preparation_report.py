"""Report of a preparation: what was written, what was skipped and why; read again where one is gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from typing_extensions import Self

from ...core.atomic_file import atomic_write
from ...core.errors import InputError, MediaError, reason_in
from ...core.output_path import shown

FILE: Final = "report.json"
Settings = Mapping[str, str | float | None]


@dataclass(frozen=True, slots=True)
class Written:
    """Clip that was written: its place in the folder, the video it is of, its frames, and the side of what was cut."""

    video: str
    output: str
    frames: int
    cut_side: int


@dataclass(slots=True)
class PreparationReport:
    """Report of a folder that is being prepared with certain settings; `skipped` are reasons by video."""

    settings: Settings
    written: list[Written] = field(default_factory=list[Written])
    skipped: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def go_on(cls, folder: Path, settings: Settings) -> Self:
        """Read the report of a folder, or begin one.

        Of videos that were skipped nothing is kept. Raises InputError for a folder prepared with other settings,
        MediaError for a damaged report.
        """
        path = folder / FILE
        if path.is_dir():
            raise MediaError(f"{shown(path)} is a folder; the report is to be written there. Choose another folder.")
        if not path.is_file():
            return cls(dict(settings))
        try:
            content = cast("Mapping[str, object]", json.loads(path.read_text("utf-8")))
            found = dict(cast("Mapping[str, object]", content["settings"]))
            written = [Written(**entry) for entry in cast("list[dict[str, Any]]", content["written"])]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise MediaError(
                f"{shown(path)} is no report of a preparation ({reason_in(error)}). Choose another folder."
            ) from error
        differing = [name for name, value in settings.items() if found.get(name) != value]
        if differing:
            name = differing[0]
            raise InputError(
                f"is {shown(folder)}, prepared with {name} {found.get(name)}; {settings[name]} is wanted now. Choose "
                "another folder.",
                "folder",
            )
        return cls(dict(settings), written)

    def outputs_of(self, video: str) -> list[str]:
        """List what was written of a video, in the folder."""
        return [entry.output for entry in self.written if entry.video == video]

    def save(self, folder: Path) -> None:
        """Write the report to its file. Raises OSError."""
        with atomic_write(folder / FILE) as part:
            part.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", "utf-8")

    def table(self) -> str:
        """Write the report as Markdown tables."""
        lines = ["| written | of | frames | cut side |", "|---|---|---|---|"]
        lines += [f"| {entry.output} | {entry.video} | {entry.frames} | {entry.cut_side} |" for entry in self.written]
        if self.skipped:
            lines += ["", "| skipped | reason |", "|---|---|"]
            lines += [f"| {video} | {reason} |" for video, reason in self.skipped.items()]
        return "\n".join(lines)
