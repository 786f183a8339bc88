"""Static site: the live page with models, pictures and the runtime beside it, for any host of files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..core.atomic_file import atomic_folder
from ..core.errors import InputError, MediaError
from ..core.input_file import open_file
from ..core.output_path import check_folder, shown
from ..core.unfinished import make_folder

PAGE: Final = Path(__file__).resolve().parent / "page"
DESCRIPTION: Final = "page.json"
MARK: Final = "first-order-motion live page"
"""Value of "made_by" in the description of a site, by which a folder is known to be one; "files" says what is its."""

SOCKETS: Final = " ws: wss:"
"""Sources in the page's policy that only a page of a server needs."""

GRAPHS: Final = ("motion.onnx", "prepare.onnx", "render.onnx")
LARGEST_PICTURE: Final = 1024  # pixels, of the longer side
HEADERS: Final = """\
/*
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
/*.mjs
  Content-Type: text/javascript; charset=utf-8
/*.wasm
  Content-Type: application/wasm
"""
"""Headers for hosts that read such a file: they let the page use several threads."""


@dataclass(frozen=True, slots=True)
class SiteModel:
    """Model of a site, as its page wants to know it; `folder` is relative to the site."""

    id: str
    label: str
    folder: str
    size: int
    licence: str
    spec: Mapping[str, Any]


@contextmanager
def site_folder(folder: Path) -> Generator[Path, None, None]:
    """Yield a hidden folder for a new site, which takes the place of `folder` when the block ends well.

    A site that was written there before goes; raises InputError for a folder that holds anything else.
    """
    check_folder(folder)
    if (foreign := foreign_file(folder)) is not None:
        raise InputError(
            f"{shown(folder)} holds {shown(foreign)}, which this command did not write and would remove; an empty or "
            "new folder, or a page made before, was wanted. Move it away, or choose another folder."
        )
    try:
        make_folder(folder.parent)
        with atomic_folder(folder, replace=True) as part:
            yield part
    except OSError as error:
        raise MediaError(f"{shown(folder)} cannot be written ({error.strerror}). Choose another folder.") from error


def foreign_file(folder: Path) -> Path | None:
    """Find the first file or folder in a folder, by its path in there, that is of no site that was written before."""
    written = _written_before(folder)
    own = {Path(name) for name in written}
    own.update(*(file.parents for file in own))
    return next((found for found in _paths_in(folder) if found not in own), None)


def _written_before(folder: Path) -> frozenset[str]:
    """List the files of the site that a folder is; none for any other folder."""
    try:
        with open_file(folder / DESCRIPTION) as file:
            found: object = json.load(file)
    except (OSError, ValueError, RecursionError):
        return frozenset()
    facts = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    files = facts.get("files")
    if facts.get("made_by") != MARK or not isinstance(files, list):
        return frozenset()
    return frozenset(name for name in cast("list[object]", files) if isinstance(name, str))


def _paths_in(folder: Path) -> list[Path]:
    """List what is in a folder and its subfolders, these and links included, by paths in there."""
    return [path.relative_to(folder) for path in sorted(folder.rglob("*"))] if folder.is_dir() else []


def copy_page(folder: Path) -> None:
    """Copy the page's own files, and write the headers that hosts may read; the page may then reach no server."""
    for file in sorted(PAGE.iterdir()):
        if file.suffix in (".html", ".css", ".mjs"):
            text = file.read_text("utf-8")
            (folder / file.name).write_text(text.replace(SOCKETS, ""), "utf-8")
    (folder / "_headers").write_text(HEADERS, "utf-8")


def add_model(site: Path, exported: Path, label: str) -> SiteModel:
    """Describe an exported model for the site, and copy it there if it lies elsewhere.

    Raises InputError for a model that the page cannot draw with, OnnxError for what is no export.
    """
    from ..deploy.onnx_loading import RELATIVE, STANDARD, inputs_of, load_graphs  # not above: it needs onnxruntime

    sessions, facts = load_graphs(exported, "cpu", 1)
    if "queries" in inputs_of(sessions["render"]):
        raise InputError(f"is of {facts.name}, which draws pixel by pixel; in a browser that takes minutes a frame.")
    if not {RELATIVE, STANDARD} & {*facts.modes}:
        raise InputError(f"is of {facts.name}, which offers {', '.join(facts.modes)} only; the page has relative.")
    identity = model_id(label)
    target = site / "models" / identity
    if exported != target:
        if target.exists():
            raise InputError(f"has two models called {label!r}; different names were wanted. Rename a folder.")
        target.mkdir(parents=True)
        for name in GRAPHS:
            shutil.copyfile(exported / name, target / name)
    metadata: dict[str, str] = sessions["render"].get_modelmeta().custom_metadata_map
    spec = {
        "relative": RELATIVE in facts.modes,
        "poseExtras": [*facts.pose_extras],
        "unsignedFrames": facts.unsigned_frames,
        "keepsPose": facts.keeps_pose,
    }
    licence = metadata.get("licence", "not stated")
    return SiteModel(identity, label, f"models/{identity}", facts.size, licence, spec)


def model_id(label: str) -> str:
    """Make a name that is good in addresses of a model's label."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "model"


def add_pictures(site: Path, pictures: Iterable[tuple[str, Tensor]]) -> list[dict[str, str]]:
    """Write pictures (1, H, W, C) of bytes with their labels, and list them as the page wants.

    They are written anew, without what cameras note in files, and no larger than a page needs.
    """
    rows: list[dict[str, str]] = []
    (site / "pictures").mkdir()
    for number, (label, picture) in enumerate(pictures):
        file = f"pictures/{number}.png"
        Image.fromarray(_shrunk(picture)).save(site / file)
        rows.append({"id": str(number), "label": label, "file": file})
    return rows


def describe(site: Path, models: Sequence[SiteModel], pictures: Sequence[Mapping[str, str]], version: str) -> None:
    """Write the description that the page reads first, and that lists all files of the site."""
    facts = {
        "made_by": MARK,
        "version": version,
        "engine": "browser",
        "models": [asdict(model) for model in models],
        "pictures": [*pictures],
        "files": [*(path.as_posix() for path in _paths_in(site) if (site / path).is_file()), DESCRIPTION],
    }
    (site / DESCRIPTION).write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


def _shrunk(picture: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Bring a picture (1, H, W, C) of bytes to the largest size at most: (H, W, C)."""
    height, width = picture.shape[1:3]
    share = LARGEST_PICTURE / max(height, width)
    if share < 1:
        size = (max(1, round(height * share)), max(1, round(width * share)))
        planes = F.interpolate(picture.permute(0, 3, 1, 2).float(), size, mode="bilinear", antialias=True)
        picture = planes.round().clamp(0, 255).byte().permute(0, 2, 3, 1)
    return picture[0].numpy()
