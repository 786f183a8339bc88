"""The page with the pack's own server, from the camera to a recording."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.samples import DRIVING, sample_pictures
from support.browser import KEEP_FIRST, results, saved, until, until_drawn, until_said
from support.live_page import READY, live_server, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

JPEG = 3.0  # grey levels, on average
LEAST_SECONDS = 2.0
SHOWN = 40  # frames

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    pytest.importorskip("aiohttp", reason="needs the extra `live`")
    with live_server() as (address, _):
        yield address


def test_the_camera_drives_the_picture(page: Page, address: str) -> None:
    page.add_init_script(KEEP_FIRST)
    page.goto(address)
    until_said(page, READY)
    page.click("#camera")
    source, first = read_picture(sample_pictures()["face"])[..., :3], VideoClip(DRIVING).frame(0)
    wanted = 255 * Predictor.load("drawn-faces").animate_tensors(source, first).numpy()[0]
    difference = np.abs(results(page, 1)[0] - wanted).mean()
    until_drawn(page, SHOWN)
    until(page, "parseFloat(document.getElementById('rate').textContent) > 0")
    print(f"first frame: {difference:.2f} grey levels from the driver's on average")
    print(page.inner_text("#figures").replace("\n", " "))
    assert difference < JPEG
    assert page.inner_text("#alert") == ""


def test_a_recording_has_its_length_and_sound(page: Page, address: str) -> None:
    page.goto(address)
    until_said(page, READY)
    page.click("#camera")
    until_drawn(page)
    page.check("#sound")
    page.click("#record")
    until(page, "!document.getElementById('badge').hidden")
    began = time.monotonic()
    page.wait_for_timeout(1000 * LEAST_SECONDS)
    file = saved(page, lambda: page.click("#record"))
    lasted = time.monotonic() - began
    with av.open(str(file)) as recording:
        assert recording.format.name.startswith("mov,mp4")
        names = [stream.codec_context.name for stream in recording.streams]
        lengths = [float(stream.duration * stream.time_base) for stream in recording.streams]
        frames = sum(1 for _ in recording.decode(video=0))
    print(f"{names}: {lengths} s, {frames} frames, recorded {lasted:.2f} s at most")
    assert names[0] == "h264" and frames > 2
    assert all(LEAST_SECONDS * 0.7 < length < lasted + 0.5 for length in lengths)
    assert lengths[0] == pytest.approx(lengths[1], abs=1.0)


def test_a_whole_picture_is_shown_and_recorded_at_its_shape(page: Page) -> None:
    group = sample_pictures()["group"]
    with live_server("group", boxes=group.with_suffix(".json")) as (address, _):
        started(page, address)
        size = page.evaluate("[document.getElementById('result').width, document.getElementById('result').height]")
        assert size == [1280, 720]
        screen = page.eval_on_selector("#screen", "screen => screen.clientWidth / screen.clientHeight")
        assert screen == pytest.approx(1280 / 720, rel=0.02)
        page.click("#record")
        until(page, "!document.getElementById('badge').hidden")
        page.wait_for_timeout(1000 * LEAST_SECONDS)
        file = saved(page, lambda: page.click("#record"))
        clip = VideoClip(file)
        assert tuple(clip.frame(0).shape) == (1, 720, 1280, 3)
        page.select_option("#shown", "square")
        until(page, "document.getElementById('result').width === 128")
