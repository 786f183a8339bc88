"""What a page and the server say to each other."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import numpy as np
import pytest
from first_order_motion.animation.faces.face import Face
from first_order_motion.animation.options import AnimateOptions
from first_order_motion.core.errors import InputError
from first_order_motion.live.frames import Frame
from first_order_motion.live.limits import Limits
from first_order_motion.live.pictures import Pictures
from first_order_motion.live.session import Shot
from first_order_motion.live.settings import LiveSettings
from first_order_motion.live.studio import Studio
from support.architectures import blobs
from support.live import LIMIT, FakeFinder, FakeModels, Pixels, message, pixels, predictor, run, served, studio_setup

FRAMES = pixels(6)


def test_a_page_is_told_the_state_and_gets_a_picture_for_each_frame() -> None:
    async def test() -> None:
        async with served() as server, server.page(ready=False) as page:
            loading = await page.until("notice")
            assert "Loading the model FOMM" in loading["text"]
            state = await page.until("state")
            assert state == {
                "type": "state", "model": "fomm", "picture": "p1", "size": 64, "device": "cpu", "strength": 1.0,
                "expression": 1.0, "smooth": 0.0, "mirror": False, "hold": False, "framing": "face", "shown": "square",
                "faces": "", "faces_found": [], "note": "", "frames_done": 0, "frames_dropped": 0,
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


def test_two_frames_are_drawn_at_a_time_and_answered_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, overtaken, paint = threading.Event(), threading.Event(), Studio.paint

    def uneven(studio: Studio, frame: Frame, shot: Shot) -> tuple[Pixels, bytes]:
        if frame.number == 0:
            begun.set()
            assert overtaken.wait(LIMIT)
        result = paint(studio, frame, shot)
        overtaken.set()
        if frame.number == 2:
            raise InputError("Frame 2 is spoilt.")
        return result

    async def test() -> None:
        async with served(studio_setup(painters=2)) as server, server.page() as page:
            for number in (1, 2):
                await page.show(0, FRAMES[0])
                assert await asyncio.to_thread(begun.wait, LIMIT)
                await page.show(number, FRAMES[1])
                assert (await page.picture())[0] == 0
                begun.clear()
                overtaken.clear()
                if number == 1:
                    assert (await page.picture())[0] == 1
                else:
                    await page.until("error", number=2)

    monkeypatch.setattr(Studio, "paint", uneven)
    run(test)


def test_a_change_of_which_a_part_is_refused_changes_nothing() -> None:
    async def test() -> None:
        setup = studio_setup(FakeModels(("fomm", "fsrt")), options=AnimateOptions(antialias=True, detail=0.5))
        setup.pictures.add(blobs(1, seed=4), "other")
        async with served(setup) as server, server.page() as page:
            await page.say(type="set", model="fsrt", picture="p2", strength=0.5)
            assert "FSRT has no flow" in (await page.until("error"))["text"]
            state = await page.until("state")
            assert (state["model"], state["picture"], state["strength"]) == ("fomm", "p1", 1.0)

    run(test)


def test_settings_are_changed_and_told() -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            await page.say(type="set", strength=0.5, mirror=True, framing="whole", model="spline")
            state = await page.until("state", strength=0.5)
            assert (state["mirror"], state["framing"], state["model"]) == (True, "whole", "spline")
            assert [one["text"] for one in page.heard if one["type"] == "notice"][-1] == "Loading the model SPLINE …"
            assert server.models.loaded == ["fomm", "spline"]
            await page.draw(1, FRAMES[0])

    run(test)


def test_a_model_that_is_not_there_is_not_said_to_be_loading() -> None:
    async def test() -> None:
        async with served() as server, server.page() as page:
            await page.say(type="set", model="<b>none</b>")
            assert "which is not there" in (await page.until("error"))["text"]
            assert not [one for one in page.heard if "none" in one.get("text", "") and one["type"] == "notice"]

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


def test_a_picture_is_whole_and_its_faces_are_chosen() -> None:
    async def test() -> None:
        pictures = Pictures(FakeFinder(Face(10, 20, 40, 50), Face(90, 20, 130, 60)), 0.25)
        for name in ("one", "other"):
            pictures.add(blobs(1, 80, 160), name)
        setup = replace(studio_setup(), pictures=pictures)
        async with served(setup) as server, server.page(ready=False) as page:
            state = await page.until("state", shown="whole", faces="1")
            assert state["faces_found"] == [
                [10 / 160, 20 / 80, 40 / 160, 50 / 80],
                [90 / 160, 20 / 80, 130 / 160, 60 / 80],
            ]
            await page.until("ready")
            assert (await page.draw(1, FRAMES[0])).shape == (80, 160, 3)
            await page.say(type="set", faces="2", strength=0.5)
            assert "faces names face 2; there is 0 to 1" in (await page.until("error"))["text"]
            await page.until("state", faces="1", strength=1.0)
            await page.say(type="set", faces="all")
            await page.until("state", faces="all")
            await page.say(type="set", shown="square")
            await page.until("state", shown="square", faces="1")
            assert (await page.draw(2, FRAMES[0])).shape == (64, 64, 3)
            await page.say(type="set", shown="whole", faces="0")
            await page.until("state", shown="whole", faces="0")
            await page.say(type="set", picture="p2")
            await page.until("state", picture="p2", faces="1")  # the largest, until one is chosen
            assert server.models.loaded == ["fomm"]

    run(test)


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


class FakeSink:
    """Notes the pictures that it gets."""

    def __init__(self) -> None:
        self.shown, self.closed = list[tuple[int, ...]](), 0

    def show(self, picture: Pixels) -> None:
        self.shown.append(picture.shape)

    def close(self) -> None:
        self.closed += 1


def test_a_virtual_camera_shows_what_the_page_does_and_rests_with_it() -> None:
    async def test() -> None:
        async with served(studio_setup(sink=sink)) as server, server.page() as page:
            for number, frame in enumerate(FRAMES[:2]):
                await page.draw(number, frame)
            assert (sink.shown, sink.closed) == ([(64, 64, 3)] * 2, 0)

    sink = FakeSink()
    run(test)
    assert sink.closed == 1
