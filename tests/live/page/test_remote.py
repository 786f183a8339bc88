"""The page with a server as its engine, in a browser: what goes over the wire, and what the page says of faults."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.animation.samples import DRIVING, sample_pictures
from support.browser import (
    DEVICE,
    KEEP_FIRST,
    chromium,
    eventually,
    results,
    saved,
    shown,
    until,
    until_drawn,
    until_said,
)
from support.live_page import READY, opened, started
from support.live_stand_in import STATE, TOKEN, StandIn, standing_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

BOXES = [[0.05, 0.2, 0.25, 0.5], [0.4, 0.2, 0.6, 0.5], [0.7, 0.2, 0.9, 0.5]]  # of faces, in parts of the picture
JPEG = 6.0  # grey levels, on average: what the camera's and the wire's compression change


@pytest.fixture
def server() -> Iterator[StandIn]:
    with standing_in() as server:
        yield server


def test_frames_go_and_come(page: Page, server: StandIn) -> None:
    page.add_init_script(KEEP_FIRST)
    started(page, server.address)
    until_drawn(page, 5)
    clip = np.concatenate([chunk.numpy() for chunk in VideoClip(DRIVING).chunks(96)]).astype(float)
    nearest = min(np.abs(clip - results(page, 1)[0]).mean(axis=(1, 2, 3)))
    assert nearest < JPEG
    numbers = [struct.unpack_from("<Id", frame) for frame in server.frames]
    assert [number for number, _ in numbers] == list(range(1, len(numbers) + 1))
    times = [time for _, time in numbers]
    assert times == sorted(times) and times[-1] <= page.evaluate("performance.now()")
    assert {frame[12:14] for frame in server.frames} == {b"\xff\xd8"}
    until(page, "parseFloat(document.getElementById('rate').textContent) > 0")
    assert page.inner_text("#latency").endswith(" ms")


def test_at_most_two_frames_are_on_their_way(page: Page) -> None:
    with standing_in(answers=False) as server:
        opened(page, server.address).click("#camera")
        until(page, "Number(document.getElementById('dropped').textContent) > 3")
        assert len(server.frames) == 2
        server.say({"type": "error", "text": "Frame 1 is no picture.", "fatal": False, "number": 1})
        until_said(page, "Frame 1 is no picture.", "alert")
        assert eventually(page, lambda: len(server.frames) == 3)
        before = int(page.inner_text("#dropped"))
        until(page, f"Number(document.getElementById('dropped').textContent) > {before + 3}")
        assert len(server.frames) == 3


def test_the_token_leaves_the_address(page: Page, server: StandIn) -> None:
    opened(page, server.address)
    assert TOKEN not in page.url
    page.reload()
    until_said(page, READY)
    page.goto("about:blank")
    assert page.goto(server.url) is not None
    until_said(page, READY)


def test_settings_and_keys(page: Page, server: StandIn) -> None:
    started(page, server.address)
    assert server.of_type("set") == [{"type": "set", "mirror": True}]  # a camera; all else is as the server has it
    page.fill("#strength", "1.5")
    page.check("#sound")
    page.keyboard.press("r")
    page.keyboard.press("h")
    until(page, "document.getElementById('hold').ariaPressed === 'true'")
    page.select_option("#framing", "face")
    page.uncheck("#mirror")
    wanted = [{"strength": 1.5}, {"hold": True}, {"framing": "face"}, {"mirror": False}]
    assert eventually(page, lambda: server.of_type("set")[1:] == [{"type": "set", **one} for one in wanted])
    assert len(server.of_type("recentre")) == 2  # the start of the camera, and the key
    server.say({**STATE, "strength": 0.4, "hold": False})
    until(page, "document.getElementById('strength').value === '0.4'")
    assert page.get_attribute("#hold", "aria-pressed") == "false"


def test_what_is_shown_of_a_picture_and_which_face_moves(page: Page, server: StandIn) -> None:
    opened(page, server.address)
    assert page.is_hidden("#shown") and page.is_hidden("#faces")
    server.say({**STATE, "shown": "whole", "faces": "1", "faces_found": BOXES})
    until(page, "document.getElementById('faces').value === '1'")
    assert page.is_visible("#shown") and page.is_visible("#faces")
    names = page.eval_on_selector_all("#faces option", "options => options.map(option => option.textContent)")
    assert names == ["1 (left)", "2", "3", "All"]
    assert page.inner_text("#faces-found") == "3 faces found" and moving(page) == ["2"]
    page.select_option("#faces", "all")
    page.select_option("#shown", "square")
    page.click("#faces-frames span:nth-child(3)")
    wanted = [{"type": "set", **one} for one in ({"faces": "all"}, {"shown": "square"}, {"faces": "2"})]
    assert eventually(page, lambda: server.of_type("set") == wanted)
    server.say({**STATE, "shown": "whole", "faces": "0,2", "faces_found": BOXES})
    until(page, "document.getElementById('faces').value === '0,2'")
    assert moving(page) == ["1", "3"]
    server.say({**STATE, "shown": "square", "faces": "", "faces_found": []})
    until(page, "document.getElementById('faces-row').hidden")


def moving(page: Page) -> list[str]:
    """The numbers in the frames of the faces that move, from left to right on the page."""
    script = "frames => frames.map(frame => [frame.getBoundingClientRect().left, frame.textContent])"
    return [number for _, number in sorted(page.eval_on_selector_all("#faces-frames .moves", script))]


def test_frames_are_sent_no_larger_than_the_model_needs(page: Page, server: StandIn) -> None:
    opened(page, server.address)
    script = """async () => {
        const { sentPart } = await import("./remote.mjs");
        const wide = (settings) => sentPart(640, 480, settings);
        return [wide({ framing: "whole", size: 128 }), wide({ framing: "face", size: 128 }), wide({}),
            sentPart(128, 128, { framing: "whole", size: 128 })];
    }"""
    assert page.evaluate(script) == [
        {"from": [80, 0, 480, 480], "to": [256, 256]},
        {"from": [0, 0, 640, 480], "to": [512, 384]},
        {"from": [0, 0, 640, 480], "to": [640, 480]},
        {"from": [0, 0, 128, 128], "to": [128, 128]},
    ]


def test_a_picture_that_came_to_the_server_is_offered(page: Page, server: StandIn) -> None:
    opened(page, server.address)
    server.pictures.append("later")
    server.say({**STATE, "picture": "later"})
    until(page, "document.querySelector('#choices input:checked')?.value === 'later'")
    assert page.inner_text("#choices").split() == ["Face", "Later"]


def test_what_is_said_of_the_first_frame_stays(page: Page, server: StandIn) -> None:
    page.add_init_script("""
        const list = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
        navigator.mediaDevices.enumerateDevices = () => new Promise((resolve) => {
            globalThis.listCameras = () => resolve(list());
        });
    """)
    opened(page, server.address).click("#camera")
    until_drawn(page)
    server.say({"type": "notice", "text": "No face is found."})
    until_said(page, "No face is found.")
    until(page, "Boolean(globalThis.listCameras)")
    page.evaluate("listCameras(); undefined")
    until(page, "document.getElementById('which').value !== ''")
    assert page.inner_text("#status") == "No face is found."


def test_a_note_on_the_picture_stays_as_long_as_the_picture(page: Page, server: StandIn) -> None:
    server.greeting = [{**STATE, "note": "There is no face."}, {"type": "ready"}]
    opened(page, server.address)
    assert page.inner_text("#note") == "There is no face."
    page.click("#camera")
    until_drawn(page)
    page.keyboard.press("r")
    until_said(page, "Recentred.")
    assert page.inner_text("#note") == "There is no face."
    server.say({**STATE, "note": ""})
    until(page, "document.getElementById('note').textContent === ''")


def test_hold_says_so(page: Page, server: StandIn) -> None:
    started(page, server.address)
    page.keyboard.press("r")
    until_said(page, "Recentred. Look straight ahead when you press it.")
    page.keyboard.press("r")
    until(page, "document.getElementById('status').textContent === 'Recentred.'")
    page.keyboard.press("h")
    until_said(page, "The picture is held.")
    page.keyboard.press("h")
    until(page, "document.getElementById('status').textContent === ''")


def test_own_pictures(page: Page, server: StandIn, tmp_path: Path) -> None:
    opened(page, server.address)
    page.set_input_files("#own", sample_pictures()["fox"])
    until(page, "document.querySelector('#choices input:checked').value === 'own'")
    assert page.inner_text("#choices").split() == ["Face", "fox.png"]
    assert eventually(page, lambda: server.of_type("set") == [{"type": "set", "picture": "own"}])
    (tmp_path / "text.png").write_text("no picture")
    page.set_input_files("#own", tmp_path / "text.png")
    until_said(page, "The file is no picture.", "alert")
    (tmp_path / "large.png").write_bytes(b"\x89PNG" + bytes(10**6))
    page.set_input_files("#own", tmp_path / "large.png")
    until_said(page, "1.0 MB are allowed", "alert")


def test_recordings_are_made_mp4_by_the_server(page: Page, server: StandIn) -> None:
    page.add_init_script("""
        const wait = setTimeout.bind(globalThis);
        globalThis.later = [];
        globalThis.setTimeout = (action, ms) => (ms > 5000 ? later.push(action) : wait(action, ms));
    """)
    started(page, server.address)
    page.keyboard.press("Space")
    until(page, "!document.getElementById('badge').hidden")
    until_drawn(page, int(page.evaluate("document.getElementById('result').dataset.number")) + 3)
    file = saved(page, lambda: page.keyboard.press("v"))
    assert file.suffix == ".mp4" and file.read_bytes() == b"an mp4"
    until_said(page, "Saved live-")
    page.evaluate("later.forEach((action) => action())")
    until(page, "document.getElementById('status').textContent === ''")
    assert len(server.recordings) == 1 and len(server.recordings[0]) > 500


def test_a_picture_that_is_held_lasts_in_a_recording(page: Page, server: StandIn) -> None:
    started(page, server.address)
    page.keyboard.press("h")
    page.keyboard.press("v")
    page.wait_for_timeout(1500)
    saved(page, lambda: page.keyboard.press("v"))
    with av.open(io.BytesIO(server.recordings[0])) as recording:
        ends = [float((packet.pts + packet.duration) * packet.time_base) for packet in recording.demux() if packet.size]
    assert max(ends) > 1.0


def test_the_focus_goes_on_with_the_buttons(page: Page, server: StandIn) -> None:
    opened(page, server.address).focus("#camera")
    page.keyboard.press("Enter")
    until_drawn(page)
    until(page, "document.activeElement.id === 'record'")
    page.focus("#stop")
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'camera'")


def test_what_the_camera_sees_is_hidden_by_a_click_and_a_key(page: Page, server: StandIn) -> None:
    opened(page, server.address)
    page.keyboard.press("c")  # nothing yet that could be hidden
    page.click("#camera")
    until_drawn(page)
    assert page.get_attribute("#preview", "aria-expanded") == "true" and page.is_hidden("#unfold")
    large = page.eval_on_selector("#preview", "preview => preview.clientWidth * preview.clientHeight")
    page.click("#preview")
    assert page.get_attribute("#preview", "aria-expanded") == "false" and page.is_visible("#unfold")
    assert page.eval_on_selector("#preview", "preview => preview.clientWidth * preview.clientHeight") < large / 2
    until_drawn(page, int(page.evaluate("document.getElementById('result').dataset.number")) + 3)  # frames go on
    page.reload()
    started(page, server.address)
    assert page.is_visible("#unfold") and page.inner_text("#unfold").startswith("Show camera")
    page.keyboard.press("c")
    assert page.is_hidden("#unfold")


def test_a_second_page_waits_in_words(page: Page) -> None:
    with standing_in(greeting=[{"type": "waiting", "text": "Another page is live."}]) as server:
        page.goto(server.address)
        until_said(page, "Another page is live.")
        page.click("#camera")
        page.wait_for_timeout(300)
        assert server.frames == []
        server.say({"type": "ready"})
        until_drawn(page)


def test_a_server_that_stops_can_be_connected_again(page: Page, server: StandIn) -> None:
    started(page, server.address)
    page.fill("#smooth", "0.5")
    server.stop()
    until_said(page, "The server was stopped.", "alert")
    page.click("#again")
    until_said(page, "The server does not answer.", "alert")
    server.start()
    server.heard.clear()
    before = len(server.frames)
    page.click("#again")
    until(page, "document.getElementById('alert').textContent === ''")
    assert eventually(page, lambda: len(server.frames) > before)
    assert server.of_type("set")[0]["smooth"] == 0.5  # the camera went on, and so do the user's settings


def test_a_server_that_vanishes(page: Page, server: StandIn) -> None:
    started(page, server.address)
    for socket in [*server.sockets]:
        server.loop.call_soon_threadsafe(socket._req.transport.abort)
    until_said(page, "The server has gone.", "alert")
    assert page.is_visible("#again")


def test_refusals_in_the_servers_words(page: Page, server: StandIn) -> None:
    page.goto(server.url)
    until_said(page, "The token is wrong.", "alert")
    server.refusal = "This address is of an earlier start."
    page.click("#again")
    until_said(page, "This address is of an earlier start.", "alert")
    server.refusal = ""
    opened(page, server.address)
    server.say({"type": "error", "text": "The model cannot be loaded.", "fatal": True})
    server.close(1001)
    until_said(page, "The model cannot be loaded.", "alert")


def test_touch_screens_show_no_keys_on_buttons(browser: Browser, server: StandIn) -> None:
    for touch in (True, False):
        context = browser.new_context(has_touch=touch, is_mobile=touch)
        page = opened(context.new_page(), server.address)
        assert page.is_visible("#recentre kbd") is not touch
        context.close()


def test_no_camera(driver: Playwright) -> None:
    with standing_in() as server, chromium(driver) as browser:
        page = browser.new_page()
        opened(page, server.address).click("#camera")
        until_said(page, "No camera was found.", "alert")


def test_a_camera_that_is_not_allowed(driver: Playwright, server: StandIn) -> None:
    with chromium(driver, DEVICE, "--deny-permission-prompts") as browser:
        page = browser.new_page()
        opened(page, server.address).click("#camera")
        until_said(page, "was not allowed to use the camera", "alert")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("NotReadableError", "used by another program"),
        ("OverconstrainedError", "not there any more"),
        ("StrangeError", "cannot be used (StrangeError)"),
    ],
)
def test_cameras_that_fail(page: Page, server: StandIn, fault: str, words: str) -> None:
    page.add_init_script(
        f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', {fault!r}));"
    )
    opened(page, server.address).click("#camera")
    until_said(page, words, "alert")
    assert page.is_visible("#camera") and page.is_hidden("#stop")


def test_a_camera_that_is_unplugged(page: Page, server: StandIn) -> None:
    started(page, server.address)
    page.evaluate("document.getElementById('input').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))")
    until_said(page, "The camera was unplugged", "alert")
    assert page.is_visible("#camera") and page.is_disabled("#record")


def test_a_video_file_moves_the_picture(page: Page, server: StandIn, tmp_path: Path) -> None:
    opened(page, server.address)
    (tmp_path / "broken.mp4").write_bytes(DRIVING.read_bytes()[:3000])
    page.set_input_files("#file", tmp_path / "broken.mp4")
    until_said(page, "broken.mp4 cannot be played", "alert")
    page.set_input_files("#file", DRIVING)
    until_drawn(page, 3)
    assert page.inner_text("#alert") == "" and shown(page).shape == (128, 128, 3)
    assert not page.is_checked("#mirror")  # which a camera is
    page.click("#stop")
    assert page.is_hidden("#preview")


def test_a_browser_that_lacks_something(page: Page, server: StandIn) -> None:
    page.add_init_script("delete globalThis.createImageBitmap")
    page.goto(server.address)
    until_said(page, "This browser lacks createImageBitmap.", "alert")


def test_without_the_frame_callback(page: Page, server: StandIn) -> None:
    page.add_init_script("delete HTMLVideoElement.prototype.requestVideoFrameCallback")
    started(page, server.address)
    until_drawn(page, 3)
