"""Downloads from servers that stall, drip and lie, and two downloads of one file at once."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from first_order_motion.core.errors import DownloadError
from first_order_motion.core.weights import download as module
from first_order_motion.core.weights.download import download
from support.paths import ROOT
from support.web_server import CONTENT, DIGEST, Server, Step, entry, ranged, send, serving, whole

AT_ONCE = 1.0  # seconds


class CancelledError(Exception):
    """What a caller raises to stop."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "TIMEOUT", 0.6)
    with serving() as described:
        yield described


def fetch(url: str, folder: Path, check: Callable[[], None] = lambda: None) -> Path:
    return download(entry(url), folder, lambda *_: None, check, schemes=("http",), wait=0.01)


def refused(url: str, folder: Path) -> str:
    """Download in vain, leaving nothing but what another attempt goes on with, and return the one line that is said."""
    with pytest.raises(DownloadError) as caught:
        fetch(url, folder)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 600
    assert all(path.name == "vox.pth.part" and path.stat().st_size for path in folder.iterdir())
    return message


def headers(status: int = 200, body: bytes = CONTENT, **fields: str) -> Step:
    """Answer with headers exactly as given."""

    def step(handler: BaseHTTPRequestHandler, start: int) -> None:
        handler.send_response(status)
        for name, value in fields.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return step


def raw(text: bytes) -> Step:
    def step(handler: BaseHTTPRequestHandler, start: int) -> None:
        handler.wfile.write(text)

    return step


def dripping(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Sends a byte now and then, for ever."""
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
    handler.send_header("Content-Length", str(len(CONTENT) - start))
    handler.end_headers()
    for at in range(start, len(CONTENT)):
        handler.wfile.write(CONTENT[at : at + 1])
        time.sleep(0.1)


def slow_headers(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Sends its headers byte by byte, for ever."""
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10**4:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.1)


def silent(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Takes the request and says nothing."""
    time.sleep(5)


def stalling(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Sends a part and then nothing."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT[:1000])
    handler.wfile.flush()
    time.sleep(5)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (headers(Content_Length="99999999999999999999"), "offers 9{20} bytes"),
        (headers(Content_Length="-1", body=CONTENT + b"more"), "sends more than"),
        (headers(Content_Encoding="gzip", body=gzip.compress(CONTENT)), "gave it compressed"),
        (headers(status=206), "other bytes came"),
        (headers(status=206, Content_Range="bytes 0-"), "other bytes came"),
        (headers(status=206, Content_Range="bytes 5-1048575/1048576"), "other bytes came"),
        (headers(status=206, Content_Range="pages 1-2/3"), "other bytes came"),
        (headers(status=204, body=b""), "status 204"),
        (headers(status=302, Location="/vox-cpk.pth.tar", body=b""), "redirected without end"),
        (headers(status=302, body=b""), "redirected without end or to nowhere"),
        (headers(status=302, Location="file:///etc/passwd", body=b""), "redirected|only http is safe"),
        (headers(status=302, Location="https://127.0.0.1:9/\x1b[31m", body=b""), "only http is safe"),
        (headers(status=302, Location="http://127.0.0.1:99999/a", body=b""), "failed 4 times"),
        (headers(status=302, Location="http://[::1/a", body=b""), "failed 4 times"),
        (headers(status=302, Location="http://a\r\n b/", body=b""), "failed 4 times"),
        (headers(status=302, Location="http://" + "x" * 300 + "/", body=b""), "failed 4 times"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"), "headers"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), "failed 4 times"),
        (raw(b"HTTP/1.1 2x0 \x1b[31m\r\n\r\n"), "failed 4 times"),
        (raw(b"\x00\xff\x1b[31m\r\n" * 9), "failed 4 times"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"), "failed 4 times"),
        (raw(b""), "failed 4 times"),
    ],
)  # fmt: skip
def test_odd_answers_are_one_line(server: Server, tmp_path: Path, step: Step, says: str) -> None:
    server.steps = [step]
    assert re.search(says, refused(server.url, tmp_path))


@pytest.mark.parametrize("length", ["-5", "many", "", "1e9"])
def test_a_length_that_is_none_does_not_matter(server: Server, tmp_path: Path, length: str) -> None:
    server.steps = [headers(Content_Length=length)]
    assert fetch(server.url, tmp_path).read_bytes() == CONTENT


def test_chunks_are_put_together(server: Server, tmp_path: Path) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (2**18, CONTENT[at : at + 2**18]) for at in range(0, len(CONTENT), 2**18))
    server.steps = [raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")]
    assert fetch(server.url, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("step", [dripping, slow_headers, silent, stalling])
def test_waiting_has_an_end(server: Server, tmp_path: Path, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    server.steps = [step]
    start = time.monotonic()
    assert "failed 2 times" in refused(server.url, tmp_path)
    assert time.monotonic() - start < 5


def test_all_in_all_a_download_has_an_end(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", -1.0)
    server.steps = [whole]
    assert "is too slow" in refused(server.url, tmp_path)


@pytest.mark.parametrize("step", [dripping, slow_headers, silent, stalling])
def test_a_cancel_is_heard_within_a_second(
    server: Server, tmp_path: Path, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 30.0)
    server.steps = [step]
    pressed = time.monotonic() + 0.3

    def check() -> None:
        if time.monotonic() > pressed:
            raise CancelledError

    with pytest.raises(CancelledError):
        fetch(server.url, tmp_path, check)
    assert time.monotonic() - pressed < AT_ONCE


def slowly(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Sends the file, with a pause in the middle in which another download begins."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT[: len(CONTENT) // 2])
    handler.wfile.flush()
    time.sleep(0.4)
    handler.wfile.write(CONTENT[len(CONTENT) // 2 :])


def test_two_threads_share_one_download(server: Server, tmp_path: Path) -> None:
    server.steps = [slowly]
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(server.url, tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 3 and {path.read_bytes() for path in found} == {CONTENT}
    assert server.starts == [0] and [path.name for path in tmp_path.iterdir()] == ["vox.pth"]


def test_two_processes_share_one_download(server: Server, tmp_path: Path) -> None:
    server.steps = [slowly]
    program = f"""
import runpy, sys
runpy.run_path({str(ROOT / "animate.py")!r})["load_pack"]()
from pathlib import Path
from first_order_motion.core.weights.catalog import PublishedWeights
from first_order_motion.core.weights.download import download
row = PublishedWeights(name="vox", files=("vox.pth",), sha256={DIGEST!r}, url={server.url!r}, page="", paper="")
download(row, Path({str(tmp_path)!r}), lambda *_: None, lambda: None, schemes=("http",))
"""
    environment = {**os.environ, "no_proxy": "*"}
    both = [subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(2)]
    assert [process.wait(30) for process in both] == [0, 0]
    assert (tmp_path / "vox.pth").read_bytes() == CONTENT
    assert server.starts == [0] and [path.name for path in tmp_path.iterdir()] == ["vox.pth"]


def test_one_that_waits_can_be_cancelled(server: Server, tmp_path: Path) -> None:
    server.steps = [stalling, ranged]
    first = threading.Thread(target=lambda: fetch(server.url, tmp_path))
    first.start()
    while not (tmp_path / "vox.pth.part").exists():
        time.sleep(0.01)
    calls = iter(range(3))

    def check() -> None:
        if next(calls, None) is None:
            raise CancelledError

    with pytest.raises(CancelledError):
        fetch(server.url, tmp_path, check)
    first.join(20)
    assert (tmp_path / "vox.pth").read_bytes() == CONTENT


@pytest.mark.skipif(os.name != "posix", reason="pipes have no name elsewhere")
def test_the_unfinished_file_has_to_be_a_file(server: Server, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "vox.pth.part")
    with pytest.raises(DownloadError, match=r"vox\.pth\.part is no ordinary file"):
        fetch(server.url, tmp_path)
    assert server.starts == []


def test_an_answer_that_was_not_asked_for_in_parts(server: Server, tmp_path: Path) -> None:
    server.steps = [lambda handler, start: send(handler, 206, CONTENT, content_range="bytes 0-1048575/1048576")]
    assert fetch(server.url, tmp_path).read_bytes() == CONTENT
