"""Command `live`: serves a page on this machine, whose camera drives a picture."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import webbrowser
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import torch

from ..animation.faces.detectors import load_face_finder
from ..animation.faces.face import ALL, LARGEST
from ..animation.framing import FinderOnDemand
from ..animation.media.reader import read_picture
from ..core.device import keep_heap, pick_device, share_processors
from ..core.errors import InputError
from ..core.installation import install_hint
from ..core.signals import STOPPING
from ..live.settings import FRAMINGS, SHOWN, WHOLE, LiveSettings
from .detail import add_detail_share, with_detail
from .exported import ONNX, add_runtime_option
from .faces import add_detection_options, read_boxes
from .run import read_drawing
from .swap import add_swap_options

if TYPE_CHECKING:
    from ..live.server import LiveServer
    from ..live.studio import Setup

log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
MOST_PORT: Final = 2**16 - 1
PAINTERS: Final = 2  # frames that processors draw at a time
Add = Callable[[Any], None]


def add_live_options(command: argparse.ArgumentParser, add_model: Add, add_modes: Add, add_engine: Add) -> None:
    """Add the arguments and options of `live`; `add_model` and the others add those that other commands have too."""
    command.add_argument(
        "picture", type=Path, nargs="+", help="the picture to animate; the page offers all that are given"
    )
    _add_page_options(command.add_argument_group("page"))
    add_model(command)
    motion = command.add_argument_group("motion")
    add_modes(motion)
    _add_movement_options(motion)
    add_swap_options(command)
    _add_face_options(command.add_argument_group("faces"))
    work = command.add_argument_group("work")
    work.add_argument("--size", type=int, help="side of the result in pixels (default: the weights' own)")
    add_detail_share(work)
    work.add_argument("--max-pixels", type=int, help="pixels at once (fsrt); changes only speed and memory")
    add_engine(work)
    work.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    add_runtime_option(work)
    command.set_defaults(command=live, antialias=True, batch=None, detail_size=None)


def _add_face_options(group: argparse._ArgumentGroup) -> None:  # pyright: ignore[reportPrivateUsage]
    group.add_argument(
        "--shown",
        choices=SHOWN,
        help="the whole picture, with the faces that move in their places, or a square of it alone (default: whole, "
        "but square for pictures that are)",
    )
    group.add_argument(
        "--faces", help=f"which move: {LARGEST}, {ALL}, or numbers from left to right such as 0,2 (default: {LARGEST})"
    )
    group.add_argument(
        "--framing",
        choices=FRAMINGS,
        help="follow the head before the camera, or take the square in the middle (default: face, but whole where the "
        "camera's pictures are square)",
    )
    group.add_argument(
        "--boxes",
        type=Path,
        help="JSON file of the faces of the picture, of which one may be given then: [[left, top, right, bottom], ...]",
    )
    add_detection_options(group)


def _add_page_options(group: Any) -> None:
    group.add_argument("--port", type=int, default=0, help="of the page (default: 0, any that is free)")
    group.add_argument(
        "--host", default=LOOPBACK, help=f"address to listen at; 0.0.0.0 lets other machines in (default: {LOOPBACK})"
    )
    group.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    group.add_argument(
        "--virtual-camera", action="store_true", help="show the result to other programs as a camera (pyvirtualcam)"
    )


def _add_movement_options(group: Any) -> None:
    group.add_argument("--strength", type=float, default=1.0, help="of all movement to begin with, 0 to 2 (default: 1)")
    group.add_argument("--expression", type=float, default=1.0, help="that of the face's own alone (default: 1)")
    group.add_argument(
        "--smooth",
        type=float,
        metavar="SECONDS",
        help="steady a still head, 0 to 1 (default: 0.08, which takes jitter away)",
    )
    group.add_argument("--mirror", action="store_true", help="turn the camera's pictures left to right")


def live(args: argparse.Namespace) -> None:
    """Serve the page until a signal comes."""
    if find_spec("aiohttp") is None:
        raise InputError(f"The command live needs aiohttp, not installed here. Run: {install_hint('live')}.")
    from ..live.access import Access  # not above: they need that package
    from ..live.server import LiveServer

    if not 0 <= args.port <= MOST_PORT:
        raise InputError(f"is {args.port}; 0 to {MOST_PORT} was wanted. 0 is any that is free.", "port")
    server = LiveServer(_setup(args), Access(args.host))
    try:
        asyncio.run(_serve(server, args))
    finally:
        log.info("Live has ended.")


def _setup(args: argparse.Namespace) -> Setup:
    """Load what the options name."""
    from ..live.pictures import Pictures
    from ..live.studio import Setup
    from ..live.virtual_camera import VirtualCamera
    from .live_models import InstalledModels, use_bundled_where_none_is_chosen

    if args.boxes is not None and len(args.picture) > 1:
        raise InputError(f"are of one picture; {len(args.picture)} were given. Give that one, or no boxes.", "boxes")
    settings = LiveSettings(args.strength, args.expression, mirror=args.mirror, framing=args.framing, shown=args.shown)
    if args.faces is not None:
        settings = replace(settings, shown=args.shown or WHOLE, faces=args.faces)
    if args.smooth is not None:
        settings = settings.changed({"smooth": args.smooth})
    camera = VirtualCamera() if args.virtual_camera else None
    pictures = Pictures(finder := FinderOnDemand(lambda: load_face_finder(args.detector)), args.ratio)
    boxes = None if args.boxes is None else read_boxes(args.boxes)
    for path in args.picture:
        pictures.add(read_picture(path), path.stem, boxes)
    first = pictures.listed()[0]
    first.view(first.part(settings.shown, settings.faces))  # so that a wrong choice is said at once
    use_bundled_where_none_is_chosen(args)
    device = torch.device("cpu") if args.runtime == ONNX else pick_device(args.device)
    options = with_detail(read_drawing(args), args)
    keep_heap()
    painters = PAINTERS if device.type == "cpu" and args.runtime != ONNX else 1
    share_processors(painters)
    return Setup(InstalledModels(args, device), pictures, finder, settings, options, args.ratio, camera, painters)


async def _serve(server: LiveServer, args: argparse.Namespace) -> None:
    """Serve until the first signal that asks for a stop; a second one ends the program where it stands."""
    from ..live.server import serve

    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def tell(address: str) -> None:
        print(f"Live is at {address}", flush=True)
        log.info("Press Ctrl-C to end it.")
        if not args.no_browser:
            webbrowser.open(address)

    with _stopping(lambda: loop.call_soon_threadsafe(stopped.set)):
        await serve(server, args.host, args.port, stopped, tell)


@contextmanager
def _stopping(stop: Callable[[], object]) -> Generator[None]:
    """Have the first signal that asks for a stop call `stop`, within the block; the next ones act as ever."""
    earlier = {number: signal.getsignal(number) for number in STOPPING}
    handled = [number for number, handler in earlier.items() if handler is not signal.SIG_IGN]

    def restore() -> None:
        for number in handled:
            signal.signal(number, earlier[number])

    def note(_: int, __: FrameType | None) -> None:
        restore()
        stop()

    for number in handled:
        signal.signal(number, note)
    try:
        yield
    finally:
        restore()
