"""The server's addresses: who may ask for what, and what comes back."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from first_order_motion.animation.media.reader import VideoClip
from first_order_motion.live.access import Access
from first_order_motion.live.limits import Limits
from first_order_motion.live.pictures import MOST_UPLOADS
from first_order_motion.live.server import address_of
from PIL import Image
from support.live import TOKEN, encoded, page_folder, pixels, run, served
from support.media_files import build_video

GUARDED = {"/page.json": "GET", "/picture": "POST", "/picture/p1": "GET", "/recording": "POST", "/stream": "GET"}


def test_the_page_is_open_to_all(tmp_path: Path) -> None:
    async def test() -> None:
        async with served(page=page_folder(tmp_path)) as server:
            for path, kind in (("/", "text/html"), ("/index.html", "text/html"), ("/live.mjs", "text/javascript")):
                answer = await server.client.get(path)
                assert (answer.status, answer.content_type) == (200, kind)
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy and "frame-ancestors 'self'" in policy
                assert f"ws://127.0.0.1:{server.client.server.port}" in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            for path in (f"/{'a' * 300}.html", "/nothing.mjs", "/notes.txt", "/..%2fserver.py", "/live.py"):
                answer = await server.client.get(path)
                assert answer.status == 404, path

    (tmp_path / "notes.txt").write_text("private")
    run(test)


@pytest.mark.parametrize("token", ["", "?token=", "?token=guess", "?token=%FF%00"])
def test_everything_else_needs_the_token(token: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with served() as server:
            for path, method in GUARDED.items():
                answer = await server.client.request(method, path + token, headers={"Origin": server.origin})
                assert answer.status == 403
                assert "start live again" in (await answer.json())["error"]

    with caplog.at_level(logging.WARNING):
        run(test)
    assert [record.getMessage() for record in caplog.records] == [
        f"Refused a page with a wrong token ({method} {path})." for path, method in GUARDED.items()
    ]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}"])
def test_pages_of_other_origins_are_refused(origin: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with served() as server:
            headers = {"Origin": origin.format(port=server.client.server.port)}
            for path, method in GUARDED.items():
                answer = await server.client.request(method, f"{path}?token={TOKEN}", headers=headers)
                assert answer.status == 403
                assert (await answer.json())["error"] == "Only the page of this server may ask for this."

    with caplog.at_level(logging.WARNING):
        run(test)
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == len(GUARDED)
    assert all(text.startswith("Refused a page of ") for text in texts)


def test_the_stream_needs_an_origin() -> None:
    async def test() -> None:
        async with served() as server:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await server.client.ws_connect(f"/stream?token={TOKEN}")
            assert caught.value.status == 403

    run(test)


@pytest.mark.parametrize(
    ("host", "allowed", "refused"),
    [
        (
            "127.0.0.1",
            ["127.0.0.1", "localhost:80", "[::1]:5", "127.1.2.3"],
            ["evil.example", "192.168.1.5", "a b", ""],
        ),
        ("box.lan", ["box.lan:8000", "BOX.lan", "localhost"], ["evil.example", "box.lan.evil.example", "10.0.0.1"]),
        ("0.0.0.0", ["10.0.0.1:80", "localhost", "[fe80::1]"], ["evil.example", "x" * 300, "[zz]"]),
        (None, ["anything.example"], []),
    ],
)
def test_other_names_for_this_machine_are_refused(host: str | None, allowed: list[str], refused: list[str]) -> None:
    async def test() -> None:
        async with served(access=Access(host, TOKEN)) as server:
            for name in (*allowed, *refused):
                answer = await server.client.get(f"/page.json?token={TOKEN}", headers={"Host": name})
                assert answer.status == (200 if name in allowed else 403), name

    run(test)


def test_behind_another_server_both_schemes_are_the_pages_own() -> None:
    async def test() -> None:
        async with served(access=Access(None, TOKEN)) as server:
            for origin, status in (("https://box.example", 200), ("http://box.example", 200), ("http://evil", 403)):
                headers = {"Host": "box.example", "Origin": origin}
                answer = await server.client.get(f"/page.json?token={TOKEN}", headers=headers)
                assert answer.status == status

    run(test)


def test_tokens_are_new_each_time() -> None:
    tokens = {Access().token for _ in range(5)}
    assert len(tokens) == 5
    assert min(map(len, tokens)) >= 32


def test_the_page_is_told_what_there_is() -> None:
    async def test() -> None:
        async with served() as server:
            answer = await server.client.get(f"/page.json?token={TOKEN}")
            assert await answer.json() == {
                "engine": "server",
                "pictures": [{"id": "p1", "label": "blobs"}],
                "models": [{"id": name, "label": name.upper()} for name in ("fomm", "spline", "partswap")],
                "limits": {"upload_bytes": 2**25, "frame_bytes": 2_000_000, "frames_per_second": 120},
                "recording": "mp4",
            }

    run(test)


def test_a_picture_is_taken_shown_and_animated() -> None:
    async def test() -> None:
        async with served() as server:
            [own] = pixels(1, 64, 96, seed=9)
            answer = await server.client.post(f"/picture?token={TOKEN}", data=encoded(own, "PNG"))
            added = await answer.json()
            assert added == {"id": "p2", "label": "own picture 1"}
            answer = await server.client.get(f"/picture/p2?token={TOKEN}")
            shown = np.asarray(Image.open(io.BytesIO(await answer.read())))
            assert np.abs(shown.astype(int) - own).mean() < 6
            async with server.page() as page:
                before = await page.draw(1, own)
                await page.say(type="set", picture="p2")
                state = await page.until("state", picture="p2", shown="square", faces_found=[])
                assert "In the picture no face is found" in state["note"]
                after = await page.draw(2, own)
            assert np.abs(after.astype(int) - before).mean() > 5
            answer = await server.client.get(f"/picture/p9?token={TOKEN}")
            assert answer.status == 404

    run(test)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Großmutter 1.png", "Großmutter 1.png"),
        ("a\u202egnp.exe\n b.png", "a gnp.exe b.png"),
        (" \t", "own picture 1"),
        (300 * "a", 255 * "a"),
    ],
)
def test_pictures_that_are_sent_are_called_as_their_files(name: str, label: str) -> None:
    async def test() -> None:
        async with served() as server:
            query = {"token": TOKEN, "name": name}
            answer = await server.client.post("/picture", params=query, data=encoded(pixels(1)[0], "PNG"))
            assert await answer.json() == {"id": "p2", "label": label}

    run(test)


def test_only_so_many_pictures_are_kept() -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            for number in range(MOST_UPLOADS + 2):
                await server.client.post(f"/picture?token={TOKEN}", data=encoded(pixels(1, seed=number)[0], "PNG"))
                if number == 0:
                    await page.say(type="set", picture="p2")
                    await page.until("state", picture="p2")
            listed = [one.id for one in server.server.setup.pictures.listed()]
            assert listed == ["p1", "p2", *(f"p{number}" for number in range(4, MOST_UPLOADS + 4))]

    run(test)


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("/picture", b"no picture", "the picture cannot be read as a picture"),
        ("/picture", b"", "The file is empty"),
        ("/picture", bytes(3 * 2**20), "larger than 2 MiB"),
        ("/recording", b"no video", "the recording cannot be read as a video"),
        ("/recording", b"", "The file is empty"),
        ("/recording", bytes(3 * 2**20), "larger than 2 MiB"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_words(
    path: str, content: bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        limits = Limits(upload_bytes=2**21, recording_bytes=2**21, close_seconds=0.5)
        async with served(limits=limits) as server:
            answer = await server.client.post(f"{path}?token={TOKEN}", data=content)
            error = (await answer.json())["error"]
            assert answer.status == 400
            assert words in error and "/tmp" not in error

    with caplog.at_level(logging.WARNING):
        run(test)
    assert len(caplog.records) == 1


def test_a_recording_comes_back_as_mp4(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with served() as server:
            answer = await server.client.post(
                f"/recording?token={TOKEN}", data=(tmp_path / "recording.webm").read_bytes()
            )
            assert (answer.status, answer.content_type) == (200, "video/mp4")
            (tmp_path / "result.mp4").write_bytes(await answer.read())
            again = await server.client.get(f"/page.json?token={TOKEN}")  # on the same connection
            assert again.status == 200

    build_video(tmp_path / "recording.webm", 10, codec="libvpx", audio="libopus")
    run(test)
    assert not caplog.records
    clip = VideoClip(tmp_path / "result.mp4")
    assert (len(clip), clip.has_audio) == (10, True)


def test_addresses_are_written_for_this_machine() -> None:
    assert address_of("127.0.0.1", 80, "t") == "http://127.0.0.1:80/?token=t"
    assert address_of("0.0.0.0", 80, "t") == "http://127.0.0.1:80/?token=t"
    assert address_of("::", 80, "t", "/live/") == "http://[::1]:80/live/?token=t"
    assert address_of("::1", 80, "t") == "http://[::1]:80/?token=t"


def test_answers_are_json_that_a_page_reads() -> None:
    async def test() -> None:
        async with served() as server:
            answer = await server.client.get("/page.json")
            assert json.loads(await answer.text())["error"]
            assert answer.content_type == "application/json"

    run(test)
