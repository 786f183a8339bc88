"""Options of `run` for pictures of any size and with several faces."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..animation.faces.detectors import AUTO as ANY_DETECTOR
from ..animation.faces.detectors import NAMES, load_face_finder
from ..animation.faces.face import ALL, Face, faces_from_text
from ..animation.faces.paste import DEFAULT_FEATHER
from ..animation.faces.square import DEFAULT_RATIO
from ..animation.framing import AUTO, FACE, FRAMINGS, FaceOptions, Framing
from ..core.errors import InputError
from ..core.input_file import open_file

MOST_BOXES = 2**16  # bytes of a file of boxes


def add_face_options(command: argparse.ArgumentParser) -> None:
    """Add the options that choose the faces of a picture and of the driving clips."""
    group = command.add_argument_group("faces")
    group.add_argument(
        "--framing",
        choices=FRAMINGS,
        help="animate the faces where they are, or the whole picture stretched to a square (default: auto, the faces "
        "of a picture that is not square)",
    )
    group.add_argument("--faces", help=f"which: {ALL}, largest, or numbers from left to right such as 0,2")
    group.add_argument("--boxes", type=Path, help="JSON file of the faces' boxes: [[left, top, right, bottom], ...]")
    group.add_argument("--upright", action="store_true", help="turn faces so that their eyes are level")
    group.add_argument(
        "--feather", type=float, default=DEFAULT_FEATHER, help=f"width of the fading edge (default: {DEFAULT_FEATHER})"
    )
    group.add_argument("--match-colour", action="store_true", help="shift a face's colours to those around it")
    group.add_argument("--more-driving", type=Path, action="append", help="one more video, for the next face")
    group.add_argument(
        "--offsets", help="seconds into its video at which each face begins, such as 0,0.5; its last frame is then held"
    )
    add_driving_options(group)


def add_driving_options(group: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]
    """Add the options that choose the faces of driving clips, and how faces are found."""
    add_detection_options(group)
    group.add_argument(
        "--driving-framing",
        choices=FRAMINGS,
        default=AUTO,
        help="drive by the faces in the video or by whole frames (default: auto, faces where frames are not square)",
    )
    group.add_argument("--driving-boxes", type=Path, help="JSON file of boxes in the video, as --boxes")
    group.add_argument("--driving-faces", default=ALL, help="which faces of the video drive, as --faces")
    group.add_argument("--smooth-crop", action="store_true", help="follow the head in the video instead of one cut")


def add_detection_options(group: argparse._ActionsContainer) -> None:  # pyright: ignore[reportPrivateUsage]
    """Add the options of how faces are found, and of how much around them is taken."""
    group.add_argument("--detector", choices=NAMES, default=ANY_DETECTOR, help="of faces (default: the best installed)")
    group.add_argument(
        "--ratio", type=float, default=DEFAULT_RATIO, help=f"margin around faces (default: {DEFAULT_RATIO})"
    )


def read_face_options(args: argparse.Namespace) -> FaceOptions:
    """Read the choices for faces from the command line's options."""
    return FaceOptions(
        faces=args.faces or ALL,
        driving_faces=args.driving_faces,
        ratio=args.ratio,
        upright=args.upright,
        smooth_crop=args.smooth_crop,
        feather=args.feather,
        match_colour=args.match_colour,
        offsets=_seconds(args.offsets or ""),
    )


def refuse_unused_faces(args: argparse.Namespace) -> None:
    """Raise InputError for options of faces where the whole picture is animated."""
    for name in ("more_driving", "offsets", "smooth_crop", "upright", "match_colour"):
        if getattr(args, name):
            raise InputError("was given; it is for faces, and the whole picture is animated. Add --framing face.", name)


def _seconds(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise InputError(f"are {text[:40]!r}; seconds such as 0,0.5 were wanted.", "offsets") from error


def read_framing(args: argparse.Namespace) -> Framing:
    """Read from the command line's options which faces are animated, and what drives them."""
    boxes = None if args.boxes is None else read_boxes(args.boxes)
    chosen = args.faces is not None or boxes is not None
    return replace(
        read_driving_framing(args),
        picture=args.framing or (FACE if chosen else AUTO),
        options=read_face_options(args),
        boxes=boxes,
    )


def read_driving_framing(args: argparse.Namespace) -> Framing:
    """Read from the command line's options which face of a clip drives."""
    return Framing(
        driving=args.driving_framing,
        finder=lambda: load_face_finder(args.detector),
        options=FaceOptions(driving_faces=args.driving_faces, ratio=args.ratio, smooth_crop=args.smooth_crop),
        driving_boxes=None if args.driving_boxes is None else read_boxes(args.driving_boxes),
    )


def read_boxes(path: Path) -> list[Face]:
    """Read a JSON file of boxes; raises InputError for a file that is missing, too long or something else."""
    try:
        with open_file(path) as file:
            content = file.read(MOST_BOXES + 1)
    except OSError as error:
        raise InputError(f"cannot be read from {path} ({error.strerror}). Check the path.", "boxes") from error
    if len(content) > MOST_BOXES:
        raise InputError(f"fill more than {MOST_BOXES} bytes in {path}; that is no list of boxes.", "boxes")
    return faces_from_text(content.decode("utf-8", "replace"))
