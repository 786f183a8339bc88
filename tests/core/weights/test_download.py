"""Downloads, against a small server on this machine that misbehaves on request."""

from __future__ import annotations

import hashlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace

import pytest
from first_order_motion.animation.registry import KINDS
from first_order_motion.core.errors import DownloadError, InputError
from first_order_motion.core.weights import download as module
from first_order_motion.core.weights.catalog import PublishedWeights
from first_order_motion.core.weights.download import download
from support.web_server import CONTENT, DIGEST, Server, Step, entry, ranged, send, serving, whole


class CancelledError(Exception):
    """What a caller raises to stop."""


def breaking(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Promises everything and stops half-way."""
    rest = CONTENT[start:]
    range_ = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
    send(handler, 206 if start else 200, rest[: len(rest) // 2], len(rest), range_ if start else "")


def resetting(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Promises everything, sends a large block and a small one, and resets the connection."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    for block in (CONTENT[:300_001], CONTENT[300_001:301_001]):
        handler.wfile.write(block)
        handler.wfile.flush()
        time.sleep(0.2)  # so that both are read before the reset
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def endless(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Says no length and sends too much."""
    send(handler, 200, CONTENT + b"more", length=None)


def unlimited(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Says no length, and closes at the end."""
    send(handler, 200, CONTENT, length=None)


def other(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Another file of the same size."""
    send(handler, 200, CONTENT[::-1])


def page(handler: BaseHTTPRequestHandler, start: int) -> None:
    """A web page instead of the file."""
    send(handler, 200, b"<html>Quota exceeded</html>")


def wrong_place(handler: BaseHTTPRequestHandler, start: int) -> None:
    """Continues further on than it was asked to."""
    send(handler, 206, CONTENT[-5:], content_range=f"bytes {len(CONTENT) - 5}-{len(CONTENT) - 1}/{len(CONTENT)}")


def status(code: int) -> Step:
    return lambda handler, start: send(handler, code, b"")


def redirect(target: str) -> Step:
    def step(handler: BaseHTTPRequestHandler, start: int) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return step


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "TIMEOUT", 2.0)
    with serving() as described:
        yield described


def fetch(
    row: PublishedWeights, folder: Path, check: Callable[[], None] = lambda: None
) -> tuple[Path, list[tuple[int, int | None]]]:
    reports: list[tuple[int, int | None]] = []
    path = download(row, folder, lambda done, total: reports.append((done, total)), check, schemes=("http",), wait=0.01)
    return path, reports


def refused(row: PublishedWeights, folder: Path) -> str:
    with pytest.raises(DownloadError) as caught:
        fetch(row, folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("step", [whole, ranged, unlimited])
@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_plain_download(server: Server, tmp_path: Path, step: Step, size: int | None) -> None:
    server.steps = [step]
    path, reports = fetch(entry(server.url, size=size), tmp_path / "new" / "models")
    assert path == (tmp_path / "new" / "models" / "vox.pth").resolve()
    assert path.read_bytes() == CONTENT
    assert files(path.parent) == ["vox.pth"]
    assert server.starts == [0]
    known = size or (None if step is unlimited else len(CONTENT))
    assert reports[-1] == (len(CONTENT), known)
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)


@pytest.mark.parametrize("step", [ranged, whole])
@pytest.mark.parametrize("have", [1, 1000, len(CONTENT) - 1])
def test_an_unfinished_file_is_continued(server: Server, tmp_path: Path, step: Step, have: int) -> None:
    server.steps = [step]
    (tmp_path / "vox.pth.part").write_bytes(CONTENT[:have])
    path, reports = fetch(entry(server.url), tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.starts == [have]
    assert reports[-1] == (len(CONTENT), len(CONTENT))
    assert files(tmp_path) == ["vox.pth"]


def test_a_broken_connection_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.steps = [breaking, breaking, ranged]
    path, _ = fetch(entry(server.url), tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.starts == [0, len(CONTENT) // 2, len(CONTENT) * 3 // 4]


def test_what_came_before_a_reset_is_where_the_next_attempt_goes_on(server: Server, tmp_path: Path) -> None:
    server.steps = [resetting, ranged]
    assert fetch(entry(server.url), tmp_path)[0].read_bytes() == CONTENT
    assert server.starts == [0, 301_001]


def test_attempts_are_bounded_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    server.steps = [breaking]
    said = refused(entry(server.url), tmp_path)
    assert "failed 4 times" in said
    assert len(server.starts) == module.ATTEMPTS
    part = (tmp_path / "vox.pth.part").read_bytes()
    assert f"goes on with the {len(part)} bytes that came" in said
    assert len(part) > len(CONTENT) * 0.9 and CONTENT.startswith(part)
    server.steps = [ranged]
    assert fetch(entry(server.url), tmp_path)[0].read_bytes() == CONTENT


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path, code: int) -> None:
    server.steps = [status(code), ranged]
    assert fetch(entry(server.url), tmp_path)[0].read_bytes() == CONTENT
    assert len(server.starts) == 2


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_a_refusal_is_final_and_names_the_page(server: Server, tmp_path: Path, code: int) -> None:
    server.steps = [status(code)]
    message = refused(entry(server.url), tmp_path)
    assert f"status {code}" in message and "https://example.org/page" in message
    assert len(server.starts) == 1


def test_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.5)
    assert "failed 4 times" in refused(entry("http://127.0.0.1:9/vox.pth"), tmp_path)


def test_a_whole_unfinished_file_is_only_checked(server: Server, tmp_path: Path) -> None:
    server.steps = [ranged]
    (tmp_path / "vox.pth.part").write_bytes(CONTENT)
    assert fetch(entry(server.url), tmp_path)[0].read_bytes() == CONTENT
    assert server.starts == [len(CONTENT)]


def test_an_unfinished_file_that_is_too_long_is_started_anew(server: Server, tmp_path: Path) -> None:
    server.steps = [ranged]
    (tmp_path / "vox.pth.part").write_bytes(CONTENT + b"more")
    assert fetch(entry(server.url), tmp_path)[0].read_bytes() == CONTENT
    assert server.starts == [len(CONTENT) + 4, 0]


def test_an_answer_from_the_wrong_place_is_not_written(server: Server, tmp_path: Path) -> None:
    server.steps = [wrong_place, ranged]
    (tmp_path / "vox.pth.part").write_bytes(CONTENT[:100])
    assert fetch(entry(server.url), tmp_path)[0].read_bytes() == CONTENT
    assert server.starts == [100, 0]


def test_a_wrong_hash_deletes_the_file(server: Server, tmp_path: Path) -> None:
    server.steps = [other]
    message = refused(entry(server.url), tmp_path)
    assert DIGEST in message and hashlib.sha256(CONTENT[::-1]).hexdigest() in message and "deleted" in message
    assert files(tmp_path) == []
    assert len(server.starts) == 1


def test_a_page_instead_of_the_file_is_refused_before_writing(server: Server, tmp_path: Path) -> None:
    server.steps = [page]
    assert "offers 27 bytes" in refused(entry(server.url), tmp_path)
    assert files(tmp_path) == []


def test_more_than_the_published_size_is_refused(server: Server, tmp_path: Path) -> None:
    server.steps = [endless]
    assert "sends more than" in refused(entry(server.url), tmp_path)
    assert not (tmp_path / "vox.pth").exists()


def test_a_file_too_large_for_any_model(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    server.steps = [whole]
    assert "at most 1000" in refused(entry(server.url, size=None), tmp_path)


def test_cancelling_keeps_what_came(server: Server, tmp_path: Path) -> None:
    server.steps = [ranged]
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise CancelledError

    with pytest.raises(CancelledError):
        fetch(entry(server.url), tmp_path, check)
    part = (tmp_path / "vox.pth.part").read_bytes()
    assert 0 < len(part) < len(CONTENT) and CONTENT.startswith(part)
    assert not (tmp_path / "vox.pth").exists()
    assert fetch(entry(server.url), tmp_path)[0].read_bytes() == CONTENT
    assert server.starts == [0, len(part)]


def test_cancelling_while_waiting_for_another_attempt(server: Server, tmp_path: Path) -> None:
    server.steps = [status(503)]
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise CancelledError

    start = time.monotonic()
    with pytest.raises(CancelledError):
        download(entry(server.url), tmp_path, lambda *_: None, check, schemes=("http",), wait=30)
    assert time.monotonic() - start < 10


def test_too_little_space(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.steps = [whole]
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    assert "1 MiB free, 65 MiB are needed" in refused(entry(server.url), tmp_path)
    assert files(tmp_path) == []


def test_only_https_unless_told_otherwise(server: Server, tmp_path: Path) -> None:
    server.steps = [whole]
    for url in (server.url, "file:///etc/passwd", "ftp://example.org/vox.pth", "vox.pth"):
        with pytest.raises(DownloadError, match="only https is safe"):
            download(entry(url), tmp_path, lambda *_: None, lambda: None)
    assert server.starts == []


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/vox.pth", "https://127.0.0.1:9/vox.pth"])
def test_redirects_keep_to_the_allowed_schemes(server: Server, tmp_path: Path, target: str) -> None:
    server.steps = [redirect(target)]
    said = refused(entry(server.url), tmp_path)
    assert said.startswith(f"vox.pth could not be downloaded: {server.url} redirects ({target} ")
    assert "only http is safe" in said and "bytes that came" not in said
    assert len(server.starts) == 1


def test_a_mirror_is_asked_where_an_address_redirects_to_another_scheme(server: Server, tmp_path: Path) -> None:
    server.steps = [redirect("ftp://127.0.0.1/vox.pth"), whole]
    row = replace(entry(server.url), mirrors=(f"{server.url}?copy",))
    assert fetch(row, tmp_path)[0].read_bytes() == CONTENT


def test_redirects_are_followed_with_the_range(server: Server, tmp_path: Path) -> None:
    server.steps = [redirect("/elsewhere"), ranged]
    (tmp_path / "vox.pth.part").write_bytes(CONTENT[:100])
    assert fetch(entry(server.url), tmp_path)[0].read_bytes() == CONTENT
    assert server.starts == [100, 100]


@pytest.mark.parametrize(
    ("url", "sha256", "lacking"), [(None, DIGEST, "address"), ("https://x.org/a", None, "SHA-256")]
)
def test_what_cannot_be_checked_is_not_downloaded(
    tmp_path: Path, url: str | None, sha256: str | None, lacking: str
) -> None:
    message = refused(entry(url, sha256), tmp_path)
    assert lacking in message and "https://example.org/page" in message and str(tmp_path) in message


def test_of_the_published_files_only_those_with_a_hash_are_downloaded(tmp_path: Path) -> None:
    unchecked = [row for kind in KINDS.values() for row in kind.published if row.sha256 is None]
    assert unchecked
    for row in unchecked:
        assert row.page in refused(row, tmp_path)


def test_a_file_that_is_there_already(server: Server, tmp_path: Path) -> None:
    server.steps = [whole]
    (tmp_path / "vox.pth").write_bytes(CONTENT)
    assert fetch(entry(server.url), tmp_path)[0].read_bytes() == CONTENT
    (tmp_path / "vox.pth").write_bytes(b"mine")
    assert "rename or delete" in refused(entry(server.url), tmp_path)
    assert (tmp_path / "vox.pth").read_bytes() == b"mine"
    assert server.starts == []


@pytest.mark.parametrize("name", ["../vox.pth", "/vox.pth", "C:vox.pth"])
def test_names_stay_inside_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        fetch(entry("http://127.0.0.1:9/", name=name), tmp_path)


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert "cannot be written" in refused(entry(server.url), tmp_path / "file" / "models")


def test_a_mirror_is_asked_where_an_address_fails(server: Server, tmp_path: Path) -> None:
    server.steps = [status(404), whole]
    row = replace(entry(server.url), mirrors=(f"{server.url}?copy",))
    assert fetch(row, tmp_path)[0].read_bytes() == CONTENT


def test_other_bytes_of_an_address_do_not_reach_the_mirror_s_file(server: Server, tmp_path: Path) -> None:
    server.steps = [other, whole]
    row = replace(entry(server.url), mirrors=(f"{server.url}?copy",))
    assert fetch(row, tmp_path)[0].read_bytes() == CONTENT


def test_all_addresses_are_told_of_with_what_each_did(server: Server, tmp_path: Path) -> None:
    server.steps = [status(404), status(403)]
    row = replace(entry(server.url), mirrors=(f"{server.url}?copy",))
    message = refused(row, tmp_path)
    assert f"{server.url} was refused with status 404; {server.url}?copy was refused with status 403. " in message
    assert message.endswith(f"get it from {row.page} and put it into {tmp_path}.")


def test_what_can_be_fetched_says_where_its_hash_was_read() -> None:
    rows = [row for kind in KINDS.values() for row in kind.published if row.can_be_fetched]
    assert {"vox-adv", "vox", "taichi-adv", "79999_iter"} <= {row.name for row in rows}
    for row in rows:
        assert row.stated_at is not None and row.stated_at.endswith(row.files[0])
        assert row.url == row.stated_at.replace("/blob/", "/resolve/")
