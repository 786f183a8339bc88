"""The page as a static site, in a browser: the browser draws what PyTorch draws, and needs no network once loaded."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
import torch
from first_order_motion.animation.media.reader import VideoClip, read_picture
from first_order_motion.animation.predictor import Predictor
from first_order_motion.animation.samples import DRIVING, sample_pictures
from first_order_motion.cli.main import main
from first_order_motion.live.runtime_files import NAME, cache_folder
from numpy.typing import NDArray
from support.browser import KEEP_FIRST, results, saved, shown, until, until_drawn, until_said
from support.live_page import READY, opened, serving, started
from torch import Tensor

if TYPE_CHECKING:
    from playwright.sync_api import Page

CLOSE = 2.0  # grey levels of 255, the largest difference
FRAMES = (0, 30)
LEAST_SECONDS = 2.0

pytestmark = pytest.mark.slow

DRAW = """async ([source, frames]) => {
    const { LocalEngine } = await import("./local.mjs");
    const site = await (await fetch("page.json")).json();
    const bitmap = ({ pixels, side }) =>
        createImageBitmap(new ImageData(Uint8ClampedArray.from(pixels), side, side));
    const drawn = [];
    let ready, came;
    const isReady = new Promise((resolve) => { ready = resolve; });
    const listener = {
        picture: (image) => came(image), ready, state() {}, notice() {}, dropped() {},
        error: (text) => { throw new Error(text); },
    };
    const engine = new LocalEngine(listener, site, document.baseURI);
    engine.pictures.set("given", URL.createObjectURL(new Blob([Uint8Array.from(source)], { type: "image/png" })));
    const settings = { picture: "given", strength: 1, expression: 1, smooth: 0, mirror: false, framing: "whole" };
    await engine.open(settings);
    await isReady;
    for (const [number, frame] of frames.entries()) {
        const next = new Promise((resolve) => { came = resolve; });
        engine.send(await bitmap(frame), 40 * number);
        drawn.push([...(await next).data]);
    }
    engine.close();
    return drawn;
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site that `animate.py page` writes with the bundled model."""
    package = cache_folder() / NAME
    if not package.exists():
        pytest.skip(f"needs {package}: run animate.py page once")
    pytest.importorskip("onnxscript", reason="needs the extra `deploy`")
    folder = tmp_path_factory.mktemp("site") / "page"
    assert main(["page", str(folder), "--runtime", str(package)]) == 0
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with serving(site) as address:
        yield address


@pytest.fixture(scope="module")
def source() -> Tensor:
    return read_picture(sample_pictures()["face"])[..., :3]


@pytest.fixture(scope="module")
def clip() -> Tensor:
    return torch.cat([*VideoClip(DRIVING).chunks(32)])


@pytest.fixture(scope="module")
def wanted(source: Tensor, clip: Tensor) -> NDArray[np.float32]:
    """Some frames as PyTorch draws them, in grey levels (N, S, S, 3)."""
    return 255 * Predictor.load("drawn-faces").animate_tensors(source, clip[list(FRAMES)]).numpy()


def test_the_browser_draws_what_pytorch_draws(
    page: Page, address: str, clip: Tensor, wanted: NDArray[np.float32]
) -> None:
    opened(page, address)
    frames: list[dict[str, Any]] = []
    for number in FRAMES:
        rgba = np.full((*clip.shape[1:3], 4), 255, np.uint8)
        rgba[..., :3] = clip[number].numpy()
        frames.append({"pixels": rgba.ravel().tolist(), "side": clip.shape[1]})
    drawn = page.evaluate(DRAW, [[*sample_pictures()["face"].read_bytes()], frames])
    for number, pixels, right in zip(FRAMES, drawn, wanted, strict=True):
        got = np.array(pixels, np.float32).reshape(*right.shape[:2], 4)[..., :3]
        difference = float(np.abs(got - right).max())
        print(f"frame {number}: largest difference from PyTorch {difference:.2f} of 255")
        assert difference <= CLOSE


def test_the_first_frame_of_the_camera(page: Page, address: str, wanted: NDArray[np.float32]) -> None:
    page.add_init_script(KEEP_FIRST)
    started(page, address)
    difference = np.abs(results(page, 1)[0] - wanted[0]).max()
    print(f"first frame from the camera: largest difference from PyTorch {difference:.2f} of 255")
    assert difference <= CLOSE  # movement is none yet, so that the camera's compression changes nothing


def test_threads_and_figures(page: Page, address: str) -> None:
    started(page, address)
    assert page.evaluate("crossOriginIsolated")
    devices = page.evaluate("[...document.getElementById('device').options].map(o => o.value)")
    counts = [int(name.removeprefix("wasm-")) for name in devices if name.startswith("wasm")]
    assert sorted(counts) == [*range(1, max(counts) + 1)]
    for device in (f"wasm-{count}" for count in counts[:2]):
        if device != page.input_value("#device"):
            page.select_option("#device", device)
        before = int(page.evaluate("document.getElementById('result').dataset.number"))
        until_drawn(page, before + 12)
        assert page.input_value("#device") == device and page.inner_text("#alert") == ""
        figures = page.inner_text("#figures").replace("\n", " ")
        print(f"{device}: {figures}")


def test_no_network_is_needed_once_it_is_loaded(page: Page, address: str, source: Tensor) -> None:
    asked: list[str] = []
    opened(page, address)
    page.context.set_offline(True)
    page.on("request", lambda request: asked.append(request.url))
    page.set_input_files("#file", DRIVING)
    until_drawn(page, 2)
    page.fill("#strength", "1.5")
    page.set_input_files("#own", sample_pictures()["fox"])
    count = int(page.evaluate("document.getElementById('result').dataset.number"))
    until_drawn(page, count + 3)
    fox = read_picture(sample_pictures()["fox"])[0, ..., :3].numpy().astype(float)
    face = source[0].numpy().astype(float)
    picture = shown(page)
    assert np.abs(picture - fox).mean() < np.abs(picture - face).mean()
    assert page.inner_text("#alert") == ""
    assert {url.split(":")[0] for url in asked} <= {"blob", "data"}


def test_any_static_server_will_do(page: Page, site: Path) -> None:
    """One without our headers: then there is one thread."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(site)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split(" port ")[1].split()[0]
            started(page, f"http://127.0.0.1:{port}/")
            assert not page.evaluate("crossOriginIsolated")
            assert page.input_value("#device") == "wasm-1"
        finally:
            server.terminate()


def test_a_recording_has_its_length_and_sound(page: Page, address: str) -> None:
    started(page, address)
    page.check("#sound")
    page.click("#record")
    until(page, "!document.getElementById('badge').hidden")
    began = time.monotonic()
    before = int(page.evaluate("document.getElementById('result').dataset.number"))
    page.wait_for_timeout(1000 * LEAST_SECONDS)
    until_drawn(page, before + 3)
    file = saved(page, lambda: page.click("#record"))
    lasted = time.monotonic() - began
    with av.open(str(file)) as recording:
        ends = [float((p.pts + p.duration) * p.time_base) for p in recording.demux(video=0) if p.pts is not None]
    with av.open(str(file)) as recording:
        sound = [frame.to_ndarray().astype(float) for frame in recording.decode(audio=0)]
        samples = sum(part.shape[-1] for part in sound) / recording.streams.audio[0].rate
    print(f"{file.suffix}: pictures {max(ends):.2f} s, sound {samples:.2f} s, recorded {lasted:.2f} s at most")
    assert LEAST_SECONDS * 0.8 < max(ends) < lasted + 0.5
    assert samples == pytest.approx(max(ends), abs=1.0)
    assert max(np.abs(part).max() for part in sound) > 0


def test_webgpu_is_left_where_there_is_none(page: Page, address: str) -> None:
    started(page, address)
    if "webgpu" not in page.evaluate("[...document.getElementById('device').options].map(o => o.value)"):
        pytest.skip("this browser offers no WebGPU")
    page.select_option("#device", "webgpu")
    until_said(page, "WebGPU is not used")
    assert page.input_value("#device").startswith("wasm")
    until_drawn(page, int(page.evaluate("document.getElementById('result').dataset.number")) + 2)


@pytest.mark.parametrize("lost", ["render.onnx", "ort-wasm-simd-threaded.wasm"])
def test_a_site_that_lacks_a_file(page: Page, address: str, lost: str) -> None:
    page.context.route(lambda url: url.endswith(lost), lambda route: route.fulfill(status=404))
    page.goto(address)
    until(page, "document.getElementById('alert').textContent")
    assert page.inner_text("#again") == "Try again"
    page.context.unroute_all()
    page.click("#again")
    until_said(page, READY)
    assert page.inner_text("#alert") == ""


def test_pictures_that_are_none(page: Page, address: str, tmp_path: Path) -> None:
    opened(page, address)
    (tmp_path / "text.png").write_text("no picture")
    page.set_input_files("#own", tmp_path / "text.png")
    until_said(page, "This file is no picture", "alert")
    assert page.evaluate("document.querySelector('#choices input:checked').value") == "0"


def test_every_file_of_the_site_is_served_and_small_enough(address: str, site: Path) -> None:
    for file in site.rglob("*.*"):
        if file.is_file():
            assert file.stat().st_size < 25 * 2**20, f"{file.name} is more than some hosts take"
            with urllib.request.urlopen(address.replace("index.html", file.relative_to(site).as_posix())) as answer:
                assert answer.status == 200
