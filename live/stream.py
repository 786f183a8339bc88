"""WebSocket of a page: frames in, pictures out, and what there is to say about them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from ..core.errors import FirstOrderError, one_line
from .frames import HEAD, MOST_BYTES, Frame
from .inbox import Inbox
from .session import Shot
from .stage import Stage

log = logging.getLogger(__name__)

ROOM: Final = 2  # times the largest frame: what is larger still ends the connection unread
POLL: Final = 0.25  # seconds between looks at whether other work is over
STATE_EVERY: Final = 30  # results between reports of how many frames were drawn and dropped
TOO_MANY: Final = "Too many messages a second came from this page; frames beyond are left out, and settings wait."
WAITING: Final = "Another page is live. This one goes on by itself when that one is closed."
STOPPED: Final = b"The server was stopped."
FULL: Final = "Too many pages wait already. Close some, and reload this one."


class Stream:
    """Conversation with one page, from its first message to its last."""

    def __init__(self, stage: Stage, socket: web.WebSocketResponse) -> None:
        self._stage, self._socket = stage, socket
        self._inbox = Inbox(stage.limits.messages_per_second)
        self._done = self._broken = 0
        self._warned = False
        self._paintings: deque[asyncio.Task[None]] = deque()  # frames that were read, the oldest first

    async def run(self) -> None:
        """Talk with the page until it leaves, or is let go."""
        tasks = {asyncio.create_task(self._read()), asyncio.create_task(self._play())}
        try:
            finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._broken > 1:
                log.warning("%d frames of a page were refused.", self._broken)
        for task in finished:
            await task

    async def _read(self) -> None:
        """Take the page's messages as they come."""
        async for message in self._socket:
            wait = self._inbox.allowance()
            if wait:
                await self._warn()
            if message.type == WSMsgType.BINARY:
                if wait:
                    self._inbox.dropped += 1
                else:
                    await self._take_frame(message.data)
            elif message.type == WSMsgType.TEXT:
                await asyncio.sleep(wait)
                await self._take_text(message.data)
            if self._inbox.said_goodbye:
                return
        if self._socket.exception() is not None:
            log.warning("A page's connection broke: %s", one_line(str(self._socket.exception())))

    async def _take_frame(self, message: bytes) -> None:
        try:
            self._inbox.put_frame(message)
        except FirstOrderError as error:
            await self._refuse_frame(error, HEAD.unpack_from(message)[0] if len(message) >= HEAD.size else None)

    async def _take_text(self, text: str) -> None:
        try:
            self._inbox.put_text(text)
        except FirstOrderError as error:
            await self._say_error(error)

    async def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            log.warning("A page sends more than %d messages a second.", self._stage.limits.messages_per_second)
            await self._send({"type": "notice", "text": TOO_MANY})

    async def _play(self) -> None:
        """Wait for the turn, and then draw what comes."""
        if self._stage.is_taken:
            await self._send({"type": "waiting", "text": WAITING})
        async with self._stage.turn():
            try:
                await self._begin()
                while True:
                    await self._follow()
            finally:
                for painting in self._paintings:
                    painting.cancel()

    async def _follow(self) -> None:
        """Follow what the page says next, or draw what it shows."""
        if not await self._news():
            return
        changes, recentre = self._inbox.take_wishes()
        if recentre:
            await self._stage.do(self._stage.studio.recentre)
        if changes:
            await self._painted()
            await self._change(changes)
            return
        await self._painted(self._stage.studio.setup.painters - 1)  # the frame is taken when one is free, not before
        if (frame := self._inbox.take_frame()) is not None:
            await self._draw(frame)

    async def _painted(self, most: int = 0) -> None:
        """Wait until at most so many paintings are under way, and raise what one that is not raised."""
        while len(self._paintings) > most or (self._paintings and self._paintings[0].done()):
            await self._paintings.popleft()

    async def _begin(self) -> None:
        studio = self._stage.studio
        await self._stage.do(studio.begin)
        await self._open()
        await self._send({"type": "ready"})

    async def _open(self) -> None:
        """Have the model loaded, and say so while it takes its time."""
        studio = self._stage.studio
        if self._blocked() is None:
            if not studio.is_open:
                await self._send({"type": "notice", "text": f"Loading the model {studio.label_of(studio.model)} …"})
            try:
                await self._stage.do(studio.open)
            except FirstOrderError as error:
                await self._say_error(error)
        await self._send_state()

    async def _change(self, changes: Mapping[str, object]) -> None:
        studio = self._stage.studio
        label = studio.label_of(changes.get("model"))
        if label is not None and changes["model"] != studio.model:
            await self._send({"type": "notice", "text": f"Loading the model {label} …"})
        try:
            await self._stage.do(lambda: studio.change(changes))
        except FirstOrderError as error:
            await self._say_error(error)
        await self._send_state()

    async def _draw(self, frame: Frame) -> None:
        """Read a frame, and have a painter go on with it."""
        studio = self._stage.studio
        before = studio.settings
        try:
            shot = await self._stage.do(lambda: studio.read(frame))
        except FirstOrderError as error:
            await self._painted()  # answers keep the order of frames
            await self._refuse_frame(error, frame.number)
            return
        before_it = self._paintings[-1] if self._paintings else None
        painting = asyncio.create_task(self._paint(frame, shot, before_it, studio.settings != before))
        painting.add_done_callback(lambda _: self._inbox.wake())  # so that it is heard of if it failed
        self._paintings.append(painting)

    async def _paint(self, frame: Frame, shot: Shot, before: asyncio.Task[None] | None, is_news: bool) -> None:
        """Draw a frame that was read, and send the picture after that of the frame before."""
        studio, sink = self._stage.studio, self._stage.studio.setup.sink
        try:
            painted = await self._stage.paint(lambda: studio.paint(frame, shot))
        except FirstOrderError as error:
            painted = error
        if before is not None:
            await asyncio.wait([before])  # answers keep the order of frames
        if isinstance(painted, FirstOrderError):
            await self._refuse_frame(painted, frame.number)
            return
        pixels, answer = painted
        if sink is not None:
            await self._stage.do(lambda: sink.show(pixels))
        await self._within_time(self._socket.send_bytes(answer))
        self._done += 1
        if (notice := studio.notice()) is not None:
            await self._send({"type": "notice", "text": notice})
        if is_news or self._done % STATE_EVERY == 0:
            await self._send_state()

    def _blocked(self) -> str | None:
        return None if self._stage.gate is None else self._stage.gate.reason()

    async def _news(self) -> bool:
        """Step aside for other work, and wait for a message; False where none has come yet."""
        await self._step_aside()
        came = await self._inbox.wait(None if self._stage.gate is None else POLL)
        return came and self._blocked() is None

    async def _step_aside(self) -> None:
        """Give the device back while other work wants it."""
        reason = self._blocked()
        if reason is None:
            return
        await self._painted()
        await self._stage.do(self._stage.studio.close)
        await self._send({"type": "notice", "text": reason})
        while self._blocked() is not None:
            await asyncio.sleep(POLL)
        await self._open()
        await self._send({"type": "notice", "text": "Live goes on."})

    async def _refuse_frame(self, error: FirstOrderError, number: int | None) -> None:
        self._broken += 1
        if self._broken == 1:
            log.warning("%s", error)
        message: dict[str, object] = {"type": "error", "text": str(error), "fatal": False}
        await self._send(message if number is None else {**message, "number": number})

    async def _say_error(self, error: FirstOrderError) -> None:
        log.warning("%s", error)
        await self._send({"type": "error", "text": str(error), "fatal": False})

    async def _send_state(self) -> None:
        counts = {"frames_done": self._done, "frames_dropped": self._inbox.dropped}
        await self._send({"type": "state", **self._stage.studio.state(), **counts})

    async def _send(self, message: Mapping[str, object]) -> None:
        await self._within_time(self._socket.send_json(message))

    async def _within_time(self, sending: Coroutine[Any, Any, None]) -> None:
        """Send, and let a page go that takes nothing for long."""
        try:
            await asyncio.wait_for(sending, self._stage.limits.slow_seconds)
        except asyncio.TimeoutError:
            raise SlowPageError from None


class SlowPageError(Exception):
    """Page that takes nothing of what is sent to it."""


async def serve_stream(request: web.Request, stage: Stage, sockets: set[web.WebSocketResponse]) -> web.StreamResponse:
    """Answer a request for the WebSocket; it is in `sockets` as long as it is open."""
    limits = stage.limits
    socket = web.WebSocketResponse(
        timeout=limits.close_seconds,
        heartbeat=limits.heartbeat_seconds,
        max_msg_size=ROOM * (HEAD.size + MOST_BYTES),
        compress=False,
    )
    await socket.prepare(request)
    sockets.add(socket)
    try:
        if stage.waiting >= limits.waiting:
            await socket.send_json({"type": "error", "text": FULL, "fatal": True})
            await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=FULL.encode())
            return socket
        await Stream(stage, socket).run()
        await socket.close(drain=False)
    except SlowPageError:
        log.warning("A page took nothing for %g s; it was let go.", limits.slow_seconds)
        if request.transport is not None:
            request.transport.abort()
    except ConnectionResetError:
        log.info("A page has gone in the middle of a message.")
    finally:
        sockets.discard(socket)
    return socket


async def close_all(sockets: set[web.WebSocketResponse], seconds: float) -> None:
    """Tell all pages that the server stops; those that do not listen are left after some seconds."""
    leaving = [
        asyncio.wait_for(socket.close(code=WSCloseCode.GOING_AWAY, message=STOPPED, drain=False), 2 * seconds)
        for socket in [*sockets]
    ]
    await asyncio.gather(*leaving, return_exceptions=True)
