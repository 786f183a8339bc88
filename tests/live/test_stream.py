"""What a page and the server say to each other, and what becomes of pages that behave oddly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct

import numpy as np
import pytest
from aiohttp import web
from first_order_motion.live.limits import Bucket, Limits
from first_order_motion.live.settings import LiveSettings
from support.live import LIMIT, FakeModels, Page, message, pixels, predictor, run, served, studio_setup

FRAMES = pixels(6)


def test_a_page_is_told_the_state_and_gets_a_picture_for_each_frame() -> None:
    async def test() -> None:
        async with served() as server, server.page(ready=False) as page:
            loading = await page.until("notice")
            assert "Loading the model fomm" in loading["text"]
            state = await page.until("state")
            assert state == {
                "type": "state", "model": "fomm", "picture": "p1", "size": 64, "device": "cpu", "strength": 1.0,
                "expression": 1.0, "smooth": 0.0, "mirror": False, "hold": False, "framing": "face", "frames_done": 0,
                "frames_dropped": 0,
            }  # fmt: skip
            await page.until("ready")
            await page.socket.send_bytes(message(5, FRAMES[0], 123.5))
            number, milliseconds, picture = await page.picture()
            assert (number, milliseconds, picture.shape) == (5, 123.5, (64, 64, 3))
            assert (await page.until("state"))["framing"] == "whole"

    run(test)


def test_pictures_are_those_of_the_driver_but_for_jpeg() -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            found = [await page.draw(number, frame) for number, frame in enumerate(FRAMES)]
            source = server.server.setup.pictures.get("p1").pixels
        from torch import from_numpy  # pyright: ignore[reportUnknownVariableType]

        expected = predictor().animate_tensors(source, from_numpy(np.stack(FRAMES))) * 255
        for one, other in zip(found, expected.numpy(), strict=True):
            assert np.abs(one.astype(float) - other).mean() < 4

    run(test)


def test_settings_are_changed_and_told() -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            await page.say(type="set", strength=0.5, mirror=True, framing="whole", model="spline")
            state = await page.until("state", strength=0.5)
            assert (state["mirror"], state["framing"], state["model"]) == (True, "whole", "spline")
            assert [one["text"] for one in page.heard if one["type"] == "notice"][-1] == "Loading the model spline …"
            assert server.models.loaded == ["fomm", "spline"]
            await page.draw(1, FRAMES[0])

    run(test)


def test_recentre_measures_from_the_next_frame() -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            first = await page.draw(0, FRAMES[0])
            moved = await page.draw(1, FRAMES[5])
            await page.say(type="recentre")
            again = await page.draw(2, FRAMES[5])
        assert np.abs(again.astype(int) - first).max() <= 8  # the source's own pose in both, but for JPEG
        assert np.abs(moved.astype(int) - first).max() > 8

    run(test)


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


def test_the_newest_frame_wins_and_nothing_queues() -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            server.models.may_draw.clear()
            await page.show(1, FRAMES[0])
            assert await asyncio.to_thread(server.models.draws.wait, LIMIT)
            for number, frame in enumerate(FRAMES, 2):
                await page.show(number, frame)
            await page.say(type="dance")  # is answered when all before it was read
            await page.until("error")
            server.models.may_draw.set()
            assert [(await page.picture())[0] for _ in range(2)] == [1, len(FRAMES) + 1]
            await page.say(type="set", hold=True)
            state = await page.until("state", hold=True)
            assert (state["frames_done"], state["frames_dropped"]) == (2, len(FRAMES) - 1)

    run(test)


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


def test_the_model_is_freed_a_while_after_the_last_page_and_loaded_for_the_next() -> None:
    async def test() -> None:
        async with served(limits=Limits(release_seconds=0.02, close_seconds=0.5)) as server:
            async with server.page() as page:
                await page.draw(1, FRAMES[0])
                await page.say(type="set", strength=0.5)
                await page.until("state", strength=0.5)
            while not server.models.freed:
                await asyncio.sleep(0.01)
            async with server.page(ready=False) as page:
                state = await page.until("state")
                assert (state["strength"], state["size"]) == (0.5, 64)
                await page.until("ready")
                await page.draw(1, FRAMES[0])
            assert server.models.loaded == ["fomm", "fomm"]

    run(test)


def test_a_model_that_cannot_be_loaded_is_said_and_another_may_be_chosen() -> None:
    async def test() -> None:
        async with served(studio_setup(FakeModels(refused="fomm"))) as server, server.page(ready=False) as page:
            assert "fomm is damaged" in (await page.until("error"))["text"]
            await page.until("ready")
            await page.show(1, FRAMES[0])
            assert (await page.until("error"))["number"] == 1
            await page.say(type="set", model="spline")
            await page.until("state", model="spline")
            await page.draw(2, FRAMES[0])
            await page.say(type="set", model="fomm")
            assert "fomm is damaged" in (await page.until("error"))["text"]
            assert (await page.until("state"))["model"] == "spline"
            await page.draw(3, FRAMES[0])

    run(test)


def test_a_model_that_was_taken_off_the_device_is_loaded_again() -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            first = await page.draw(1, FRAMES[0])
            server.models.is_there = False
            second = await page.draw(2, FRAMES[0])
            assert np.abs(second.astype(int) - first).max() <= 2
            assert server.models.loaded == ["fomm", "fomm"]

    run(test)


def test_a_model_that_keeps_the_pose_leaves_out_what_it_cannot_follow() -> None:
    async def test() -> None:
        setup = studio_setup(settings=LiveSettings(strength=1.5))
        async with served(setup) as server, server.page() as page:
            await page.say(type="set", model="partswap")
            assert (await page.until("state", model="partswap"))["strength"] == 1.0
            await page.draw(1, FRAMES[0])
            await page.say(type="set", strength=0.5)
            assert "Part Swap keeps the pose" in (await page.until("error"))["text"]

    run(test)


class FakeGate:
    """Other work on the device, for a while."""

    def __init__(self) -> None:
        self.busy = False

    def reason(self) -> str | None:
        return "Other work is being done; live goes on after it." if self.busy else None


def test_live_steps_aside_for_other_work_and_goes_on_after_it() -> None:
    async def test() -> None:
        gate = FakeGate()
        async with served(gate=gate) as server, server.page() as page:
            await page.draw(1, FRAMES[0])
            gate.busy = True
            assert "Other work" in (await page.until("notice", text=gate.reason() or ""))["text"]
            while not server.models.freed:
                await asyncio.sleep(0.01)
            await page.show(2, FRAMES[1])
            await page.show(3, FRAMES[2])
            gate.busy = False
            await page.until("notice", text="Live goes on.")
            assert (await page.picture())[0] == 3
            assert server.models.loaded == ["fomm", "fomm"]

    run(test)


def test_a_page_that_opens_while_other_work_is_done_waits_for_it() -> None:
    async def test() -> None:
        gate = FakeGate()
        gate.busy = True
        async with served(gate=gate) as server, server.page() as page:
            await page.until("notice", text=gate.reason() or "")
            assert server.models.loaded == []
            gate.busy = False
            await page.until("notice", text="Live goes on.")
            await page.draw(1, FRAMES[0])

    run(test)


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
