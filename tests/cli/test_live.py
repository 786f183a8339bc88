"""The command `live`: what it serves, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.samples import DRIVING, sample_pictures
from first_order_motion.cli.main import main
from support.live import LIMIT, FakeFinder, Page, encoded
from support.paths import ROOT

FACE = str(sample_pictures()["face"])
START = 60  # seconds


@contextmanager
def started(*args: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Start the command; yields the process and the page's address."""
    command = [sys.executable, str(ROOT / "animate.py"), "live", FACE, "--no-browser", "--device", "cpu", *args]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # whatever these tests run under
    )  # fmt: skip
    watch = threading.Timer(START, process.kill)
    watch.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if (found := re.search(r"http://127\.0\.0\.1:\d+/\?token=[\w-]+", line)) is not None:
                yield process, found[0]
                break
        else:
            raise AssertionError("no address was printed")
    finally:
        watch.cancel()
        process.kill()
        process.wait()


async def stream_until_stopped(address: str, process: subprocess.Popen[str], picture: bytes) -> int:
    """Open the page, have a frame drawn, and interrupt the server while frames come: the code it closes with."""
    origin, _, token = address.partition("/?")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{origin}/stream?{token}", origin=origin) as socket,
    ):
        page = Page(socket)
        await page.until("ready")
        await page.show(1, picture)
        await page.picture()
        for number in range(2, 6):  # before the signal: whoever writes to a closed server hears its last word no more
            await page.show(number, picture)
        process.send_signal(signal.SIGINT)
        return await asyncio.wait_for(page.closed(), LIMIT)


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as POSIX has them")
@pytest.mark.slow
def test_it_serves_a_picture_and_ends_cleanly_in_mid_stream() -> None:
    picture = encoded(VideoClip(DRIVING).frame(0)[0].numpy())
    with started("--model", "drawn-faces", "--strength", "0.5") as (process, address):
        assert asyncio.run(stream_until_stopped(address, process, picture)) == 1001
        rest, _ = process.communicate(timeout=START)
    assert process.returncode == 0
    assert rest.splitlines()[-1] == "INFO: Live has ended."
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--port", "70000"], "--port is 70000; 0 to 65535"),
        (["--strength", "3"], "--strength is 3; 0 to 2"),
        (["--smooth", "9"], "--smooth is 9; 0 to 1"),
        (["--size", "100"], "--size is 100; FOMM needs a multiple of 64"),
        (["--detail", "2"], "--detail is 2; 0 to 1"),
        (["--avd"], "FOMM offers relative, standard"),
        (["--faces", "3"], "--faces names face 3; there is 0 alone"),
        (["--faces", "0", "--ratio", "9"], "--ratio is 9; 0 to 4"),
        ([FACE, "--boxes", "faces.json"], "--boxes are of one picture; 2 were given"),
        (["--virtual-camera"], "--virtual-camera needs the package pyvirtualcam"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("first_order_motion.cli.live._serve", None)  # it is not to get so far
    monkeypatch.setattr("first_order_motion.cli.live.load_face_finder", lambda _: FakeFinder(Face(30, 30, 100, 100)))
    assert main(["live", FACE, "--no-browser", "--model", "drawn-faces", "--device", "cpu", *options]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and words in error


def test_an_address_where_nothing_can_listen_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", FACE, "--no-browser", "--model", "drawn-faces", "--host", "192.0.2.1", "--port", "9"]) == 1
    assert "--port is 9, where nothing can listen at 192.0.2.1" in capsys.readouterr().err


def test_a_missing_picture_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", str(tmp_path / "face.png"), "--no-browser"]) == 1
    assert "is not there or not a file; a picture was wanted" in capsys.readouterr().err


def test_without_aiohttp_it_is_said_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("first_order_motion.cli.live.find_spec", lambda name: None)
    assert main(["live", FACE]) == 1
    assert "Run: pip install '.[live]'" in capsys.readouterr().err
