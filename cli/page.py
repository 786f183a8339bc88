"""Command `page`: writes a static site on which a camera drives a picture, drawn by the browser itself."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from ..animation.faces.face import faces_from_text
from ..animation.faces.square import cut, square_around
from ..animation.media.picture import read_picture
from ..animation.samples import sample_boxes, sample_pictures
from ..core.errors import InputError, rename_parameters
from ..core.installation import install_hint, pack_version
from ..core.output_path import shown
from ..core.unfinished import make_folder
from ..live.runtime_files import extract_runtime, fetch_package
from ..live.site import add_model, add_pictures, copy_page, describe, model_id, site_folder
from .export import load_plain, refuse_missing_packages
from .progress import progress_bar

if TYPE_CHECKING:
    from ..live.site import SiteModel

log = logging.getLogger(__name__)

BUNDLED = "drawn-faces"
SHOWN = ("face", "fox", "portrait")  # samples with one face
SAMPLE_SIDE = 256  # pixels, of a face that is cut out of a sample
PRECISIONS = ("float16", "float32", "int8")


def add_page_options(command: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `page`, apart from those that choose a model and parts."""
    command.add_argument("folder", type=Path, help="a new or empty folder, or one that this command wrote before")
    group = command.add_argument_group("page")
    group.add_argument(
        "--exported", type=Path, nargs="+", action="extend", metavar="FOLDER",
        help="models that `export` wrote, instead of exporting one",
    )  # fmt: skip
    group.add_argument(
        "--pictures", type=Path, nargs="+", action="extend", metavar="FILE",
        help="pictures to choose from, square or with the face in the middle (default: samples)",
    )  # fmt: skip
    group.add_argument(
        "--runtime", type=Path, metavar="FILE",
        help="the package of ONNX Runtime for browsers, where it is there already (default: it is downloaded once)",
    )  # fmt: skip
    group.add_argument(
        "--precision", choices=PRECISIONS, help="of the model that is exported, as in `export` (default: float16)"
    )
    group.add_argument("--size", type=int, help="side of its pictures in pixels (default: the weights' own)")


def page(args: argparse.Namespace) -> None:
    """Write the site, and say how it is looked at."""
    refuse_other_model(args)
    with rename_parameters({"runtime": "--runtime"}), site_folder(args.folder) as site:
        from ..deploy.exported import onnx_refusals  # not above: it needs a package that may be missing

        copy_page(site)
        pictures = add_pictures(site, read_pictures(args))
        with onnx_refusals():
            models = [add_model(site, folder, folder.name) for folder in args.exported or ()]
        (site / "runtime").mkdir()
        extract_runtime(args.runtime or fetch(), site / "runtime")  # before an export, which takes a while
        models = models or [export_into(site, args)]
        describe(site, models, pictures, pack_version())
        size = sum(file.stat().st_size for file in site.rglob("*") if file.is_file())
    log.info("Wrote %s: %.1f MiB, ready for any web host.", shown(args.folder), size / 2**20)
    log.info("To look at it here: python -m http.server --bind 127.0.0.1 --directory %s", shown(args.folder))


def refuse_other_model(args: argparse.Namespace) -> None:
    """Raise InputError for options that do not go with --exported, and for packages that are missing."""
    if not args.exported:
        refuse_missing_packages()
        return
    for name in ("model", "checkpoint", "architecture", "precision", "size"):
        if getattr(args, name) is not None:
            raise InputError("was given; exported models have that settled. Leave it out.", name)
    if find_spec("onnxruntime") is None:
        raise InputError(f"needs onnxruntime, which is not installed. Run: {install_hint('deploy')}.", "exported")


def read_pictures(args: argparse.Namespace) -> Iterator[tuple[str, Tensor]]:
    """Read the pictures that the page offers, with their labels: the given ones, or the samples' faces."""
    if args.pictures:
        yield from ((path.stem, read_picture(path)) for path in args.pictures)
        return
    for name in SHOWN:
        path = sample_pictures()[name]
        picture, boxes = read_picture(path), sample_boxes(path)
        if boxes:
            square = square_around(faces_from_text(boxes)[0]).aligned()
            picture = cut(picture.movedim(-1, 1), square, SAMPLE_SIDE).round().byte().movedim(1, -1)
        yield name.capitalize(), picture


def export_into(site: Path, args: argparse.Namespace) -> SiteModel:
    """Export the model that the options name to where the site wants it."""
    from ..deploy.export import ExportOptions, export_model

    if args.checkpoint is None and args.model is None and args.architecture is None:
        args.model = BUNDLED
    animator, about, file = load_plain(args)
    label = args.model or file.stem
    folder = site / "models" / model_id(label)
    make_folder(folder)
    report = export_model(animator, folder, about, ExportOptions("onnx", args.precision or PRECISIONS[0], args.size))
    if report.psnr is not None:
        log.info("The model keeps to itself in float32 by %.1f dB.", report.psnr)
    return add_model(site, folder, label)


def fetch() -> Path:
    """Download the runtime's package, or take the one that is there from before."""
    with progress_bar("B", "ONNX Runtime for browsers") as progress:
        return fetch_package(progress)
