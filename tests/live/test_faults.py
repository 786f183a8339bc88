"""What becomes of pages that behave oddly, of too many of them, and of all when the server stops."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct

import pytest
from aiohttp import web
from first_order_motion.live.limits import Bucket, Limits
from support.live import Page, pixels, run, served

FRAMES = pixels(6)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("{", "no JSON"),
        ("[]", "is a list; an object was wanted"),
        ('{"type": "dance"}', "type dance came; one of set, recentre, bye"),
        ("{}", "type None came"),
        ('{"type": "set", "strength": 9}', "strength is 9; 0 to 2"),
        ('{"type": "set", "colour": 1}', "colour is no setting"),
        ('{"type": "set", "model": "nobody"}', "model is nobody, which is not there"),
        ('{"type": "set", "picture": "nowhere"}', "picture is nowhere, which is not there"),
        ('{"type": "set", "picture": 3}', "picture is 3; a text"),
    ],
)
def test_what_is_not_understood_is_said_and_changes_nothing(words: str, answer: str) -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            await page.socket.send_str(words)
            error = await page.until("error")
            assert answer in error["text"] and error["fatal"] is False
            assert "\n" not in error["text"]
            await page.draw(1, FRAMES[0])
            await page.say(type="set", mirror=True)
            state = await page.until("state", mirror=True)
            assert (state["strength"], state["model"], state["picture"]) == (1.0, "fomm", "p1")

    run(test)


def test_a_broken_frame_is_named_and_the_next_is_drawn(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            await page.show(4, b"no picture at all")
            error = await page.until("error")
            assert (error["number"], error["fatal"]) == (4, False)
            await page.socket.send_bytes(struct.pack("<Id", 5, float("inf")) + b"x")
            assert (await page.until("error"))["number"] == 5
            await page.socket.send_bytes(b"short")
            assert "number" not in await page.until("error")
            await page.draw(6, FRAMES[0])

    with caplog.at_level(logging.WARNING):
        run(test)
    texts = [record.getMessage() for record in caplog.records]
    assert texts == [texts[0], "3 frames of a page were refused."]
    assert "Frame 4 cannot be read" in texts[0]


def test_a_frame_that_is_too_large_is_refused_and_one_far_too_large_ends_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        async with served() as server:
            async with server.page() as page:
                await page.socket.send_bytes(bytes(3_000_000))
                assert "at most 2000000 are read" in (await page.until("error"))["text"]
                with contextlib.suppress(ConnectionError):
                    await page.socket.send_bytes(bytes(5_000_000))
                assert await page.closed() in (1006, 1009)
            async with server.page() as page:
                await page.draw(1, FRAMES[0])

    with caplog.at_level(logging.WARNING):
        run(test)
    assert [record.getMessage() for record in caplog.records][1:] == [
        "A page's connection broke: Message size 5000000 exceeds limit 4000024"
    ]


def test_a_flood_is_cut_and_settings_are_not(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with served(limits=Limits(messages_per_second=5, close_seconds=0.5)) as server, server.page() as page:
            for number in range(40):
                await page.show(number, FRAMES[0])
            for number in range(3):
                await page.say(type="set", strength=number / 4)
            state = await page.until("state", strength=0.5)
            assert state["frames_dropped"] >= 30
            notices = [one["text"] for one in page.heard if one["type"] == "notice"]
            assert sum("Too many messages" in text for text in notices) == 1

    with caplog.at_level(logging.WARNING):
        run(test)
    assert [record.getMessage() for record in caplog.records] == ["A page sends more than 5 messages a second."]


def test_the_allowance_fills_with_time() -> None:
    clock = [0.0]
    bucket = Bucket(4, lambda: clock[0])
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 0, 0.25]
    clock[0] = 0.5
    assert [bucket.take() for _ in range(3)] == [0, 0, 0.25]
    clock[0] = 100.0
    assert [bucket.take() > 0 for _ in range(5)] == [False] * 4 + [True]


def test_a_second_page_waits_in_words_and_goes_on_by_itself() -> None:
    async def test() -> None:
        async with served() as server, server.page() as first:
            await first.say(type="set", hold=True, strength=0.5)
            await first.until("state", hold=True)
            async with server.page(ready=False) as second:
                assert "Another page is live" in (await second.until("waiting"))["text"]
                await second.say(type="set", mirror=True)
                await first.draw(1, FRAMES[0])
                await first.say(type="bye")
                await second.until("ready")
                state = await second.until("state", mirror=True)
                assert (state["hold"], state["strength"]) == (False, 0.5)
                await second.draw(1, FRAMES[1])
        assert server.models.loaded == ["fomm"]

    run(test)


def test_too_many_pages_are_sent_away() -> None:
    async def test() -> None:
        limits = Limits(waiting=1, close_seconds=0.5)
        async with served(limits=limits) as server, server.page(), server.page(ready=False) as second:
            await second.until("waiting")
            async with server.page(ready=False) as third:
                assert (await third.until("error"))["fatal"] is True
                assert await third.closed() == 1013

    run(test)


def test_a_waiting_page_that_leaves_is_forgotten() -> None:
    async def test() -> None:
        async with served() as server, server.page() as first:
            async with server.page(ready=False) as second:
                await second.until("waiting")
            async with server.page(ready=False) as third:
                await third.until("waiting")
                await first.say(type="bye")
                await third.until("ready")

    run(test)


def test_a_page_that_takes_nothing_is_let_go(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: web.WebSocketResponse, data: bytes) -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        async with served(limits=Limits(slow_seconds=0.05, close_seconds=0.5)) as server, server.page() as page:
            with monkeypatch.context() as patch:
                patch.setattr(web.WebSocketResponse, "send_bytes", never)
                await page.show(1, FRAMES[0])
                assert await page.closed() != 1000
            async with server.page() as other:
                await other.draw(1, FRAMES[0])

    with caplog.at_level(logging.WARNING):
        run(test)
    assert [record.getMessage() for record in caplog.records] == ["A page took nothing for 0.05 s; it was let go."]


def test_pages_are_told_when_the_server_stops_in_mid_stream() -> None:
    async def test() -> list[int]:
        codes: list[int] = []
        async with served() as server, server.page() as page, server.page(ready=False) as waiting:
            await waiting.until("waiting")
            frames = asyncio.create_task(keep_showing(page))
            await page.picture()
            closing = asyncio.create_task(server.client.server.close())
            codes += await asyncio.gather(page.closed(), waiting.closed())
            await closing
            frames.cancel()
        return codes

    assert run(test) == [1001, 1001]


async def keep_showing(page: Page) -> None:
    number = 0
    while not page.socket.closed:
        number += 1
        await page.show(number, FRAMES[0])
        await asyncio.sleep(0.01)


def test_a_page_that_breaks_off_makes_room_for_the_next() -> None:
    async def test() -> None:
        async with served() as server:
            async with server.page() as page:
                await page.draw(1, FRAMES[0])
                connection = page.socket._response.connection
                assert connection is not None and connection.transport is not None
                connection.transport.abort()
            async with server.page() as page:
                await page.draw(1, FRAMES[0])

    run(test)


def test_messages_are_json_of_one_line() -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            await page.socket.send_str(json.dumps({"type": "a\nb"}))
            assert "a\\nb" in (await page.until("error"))["text"]

    run(test)
