"""Live under a real ComfyUI: the node says where the page is, the page is drawn for, and prompts go first."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from comfyui.interface import opened
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.samples import DRIVING, sample_pictures
from PIL import Image

if TYPE_CHECKING:
    from comfyui.server import ComfyServer, Prompt
    from playwright.sync_api import Page
    from websocket import WebSocket

NODE = "FirstOrderMotion_Live"
PATH = "/first_order_motion/live/"
SECONDS = 120


def prompt(picture: str = "face") -> Prompt:
    return {
        "1": {"class_type": "FirstOrderMotion_Sample", "inputs": {"picture": picture, "video": "driving"}},
        "2": {"class_type": NODE, "inputs": {"picture": ["1", 0], "model": "drawn-faces", "if_missing": "error"}},
    }


def offered(comfy: ComfyServer, picture: str = "face") -> str:
    """Run the node; the page's path, with the token."""
    run = comfy.run(prompt(picture))
    assert run.ending == "execution_success", run.error
    [path] = run.history["outputs"]["2"]["path"]
    return path


@contextmanager
def page(comfy: ComfyServer, path: str) -> Generator[WebSocket]:
    import websocket

    address = comfy.url.replace("http", "ws") + path.replace(PATH, f"{PATH}stream")
    socket = websocket.create_connection(address, origin=comfy.url, timeout=SECONDS)
    try:
        yield socket
    finally:
        socket.close()


def until(socket: WebSocket, kind: str, text: str = "") -> dict[str, Any]:
    """The next message of a kind whose text holds these words."""
    while True:
        heard = socket.recv()
        if isinstance(heard, str) and (said := json.loads(heard))["type"] == kind and text in said.get("text", ""):
            return said


def drawn(socket: WebSocket, number: int, frame: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "WEBP", lossless=True)
    socket.send_binary(struct.pack("<Id", number, 40.0 * number) + file.getvalue())
    while True:
        heard = socket.recv()
        if isinstance(heard, bytes):
            assert struct.unpack_from("<I", heard)[0] == number
            return np.asarray(Image.open(io.BytesIO(heard[12:]))).astype(int)


def test_the_page_draws_what_the_driver_draws(comfy: ComfyServer) -> None:
    clip = VideoClip(DRIVING)
    frames = [clip.frame(number) for number in (0, 30)]
    expected = [
        (part[0].movedim(0, -1) * 255).numpy()
        for part in Predictor.load().animate(read_picture(sample_pictures()["face"]), _Two(clip))
    ]
    with page(comfy, offered(comfy)) as socket:
        until(socket, "ready")
        socket.send(json.dumps({"type": "set", "smooth": 0}))
        until(socket, "state")
        for number, (frame, wanted) in enumerate(zip(frames, expected, strict=True)):
            assert np.abs(drawn(socket, number, frame[0].numpy()) - wanted).mean() < 3


class _Two:
    """Frames 0 and 30 of a clip, one at a time."""

    def __init__(self, clip: VideoClip) -> None:
        self._clip = clip

    def __len__(self) -> int:
        return 2

    def frame(self, index: int) -> Any:
        return self._clip.frame(30 * index)

    def chunks(self, size: int) -> Any:
        return (self.frame(index) for index in range(2))


def test_live_steps_aside_for_a_prompt_and_goes_on(comfy: ComfyServer) -> None:
    frame = VideoClip(DRIVING).frame(0)[0].numpy()
    with page(comfy, offered(comfy)) as socket:
        until(socket, "ready")
        before = drawn(socket, 1, frame)
        work = prompt("fox") | {
            "3": {
                "class_type": "FOMM_Runner",
                "inputs": {"source_image": ["1", 0], "driving_video_input": ["1", 1], "model_name": "vox-adv"},
            },
            "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
        }
        work["3"]["inputs"] |= {
            name: fields[1]["default"]
            for name, fields in comfy.object_info("FOMM_Runner")["input"]["required"].items()
            if name not in work["3"]["inputs"] and len(fields) > 1 and "default" in fields[1]
        }
        queued = comfy.queue(work)
        until(socket, "notice", "ComfyUI is working on a prompt; live goes on after it.")
        until(socket, "notice", "Live goes on.")
        run = comfy.wait(queued)
        assert run.ending == "execution_success", run.error
        after = drawn(socket, 2, frame)
    assert np.abs(after - before).mean() > 5  # the node that ran offers another picture


def test_a_model_that_comfyui_unloads_is_loaded_again(comfy: ComfyServer) -> None:
    frame = VideoClip(DRIVING).frame(0)[0].numpy()
    with page(comfy, offered(comfy)) as socket:
        until(socket, "ready")
        before = drawn(socket, 1, frame)
        loads = comfy.log().count("loaded drawn-faces")
        comfy.free(unload_models=True, free_memory=True)
        for number in range(2, 40):
            assert np.abs(drawn(socket, number, frame) - before).max() <= 2
            if comfy.log().count("loaded drawn-faces") > loads:
                break
        else:
            raise AssertionError("the model was not unloaded")


@pytest.mark.parametrize("query", ["", "?token=guess"])
def test_nobody_else_is_let_in(comfy: ComfyServer, query: str) -> None:
    assert comfy.get(f"{PATH}page.json{query}").status_code == 403
    assert comfy.get(PATH).status_code == 200
    assert comfy.get(PATH.rstrip("/")).url.endswith(PATH)


@pytest.fixture
def interface(comfy: ComfyServer) -> Iterator[Page]:
    with opened(comfy) as page:
        yield page


def test_the_button_runs_the_node_and_opens_the_page(comfy: ComfyServer, interface: Page) -> None:
    interface.evaluate(
        """() => {
            app.graph.clear();
            const sample = LiteGraph.createNode("FirstOrderMotion_Sample");
            const live = LiteGraph.createNode("FirstOrderMotion_Live");
            app.graph.add(sample); app.graph.add(live);
            sample.connect(0, live, 0);
        }"""
    )
    with interface.context.expect_page(timeout=60_000) as tab:
        interface.evaluate(
            """() => app.graph.nodes.find(n => n.type == "FirstOrderMotion_Live").widgets.at(-1).callback()"""
        )
    address = tab.value.url
    assert address.startswith(comfy.url + PATH)
    tab.value.wait_for_function("document.title.includes('ive')")
    tab.value.close()
    sent = interface.evaluate("() => app.graphToPrompt()")["output"]
    live = next(node for node in sent.values() if node["class_type"] == NODE)
    assert set(live["inputs"]) == {"picture", "model", "if_missing"}
