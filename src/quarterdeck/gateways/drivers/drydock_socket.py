"""One WebSocket connection to drydock: requests answered by id, pushes handed on, an end.

A request ends in exactly one of four ways, and the difference is what a submit's outcome rests on:
a `Reply`, `Unsent` (nothing left), `Lost` (it left, and the connection ended or the reply could not
be read) or `Late` (it left, and no reply came in time).
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
import structlog
from msgspec import Struct

from quarterdeck.gateways.drivers.drydock_messages import Frame, Refusal
from quarterdeck.telemetry.crash import reached

log = structlog.get_logger("quarterdeck.gateway")

FRAME_BYTES_MAX = 64 * 1024 * 1024


class Reply(Struct, frozen=True):
    """The venue answered."""

    result: msgspec.Raw
    refusal: Refusal | None


class Unsent(Struct, frozen=True):
    """Not one byte left."""


class Lost(Struct, frozen=True):
    """It left and cannot be answered any more."""

    text: str


class Late(Struct, frozen=True):
    """It left and was not answered in time."""

    text: str


type Answer = Reply | Unsent | Lost | Late

_encoder = msgspec.json.Encoder()
_frames = msgspec.json.Decoder(Frame)


class VenueSocket:
    """An open connection.

    Args:
        on_push: takes each frame that has a stream, with its raw bytes.
        on_unreadable: called when a frame could not be read: something was lost.
        on_end: called once when the connection ended by itself, with the reason.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        socket: aiohttp.ClientWebSocketResponse,
        *,
        timeout_s: float,
        on_push: Callable[[Frame, bytes], None],
        on_unreadable: Callable[[str], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._session = session
        self._socket = socket
        self._timeout_s = timeout_s
        self._on_push = on_push
        self._on_unreadable = on_unreadable
        self._on_end = on_end
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._open = True
        self._reading = asyncio.create_task(self._read())

    async def request(self, op: str, args: dict[str, Any]) -> Answer:
        """Send one request, once, and wait for its end."""
        if not self._open or self._socket.closed:
            return Unsent()
        request_id = next(self._ids)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        frame = _encoder.encode({"id": request_id, "op": op, "args": args}).decode()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._socket.send_str(frame)
                if op == "submit":
                    reached("gateway_request_sent")
                return await future
        except TimeoutError:
            return Late(f"no reply to {op} within {self._timeout_s:g} s")
        except (ConnectionError, RuntimeError, aiohttp.ClientError) as error:
            return Lost(f"{op}: {error!r}")
        finally:
            self._waiting.pop(request_id, None)

    async def close(self) -> None:
        """Close; requests under way end as lost. `on_end` is not called."""
        self._open = False
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        self._fail("the connection was closed")
        try:
            await self._socket.close()
        finally:
            await self._session.close()

    async def _read(self) -> None:
        reason = "the venue closed the connection"
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(message.data.encode())
                elif message.type is aiohttp.WSMsgType.BINARY:
                    self._on_unreadable("a binary frame")
                else:
                    reason = f"the connection failed: {message.data!r}"
        except (ConnectionError, aiohttp.ClientError) as error:
            reason = f"the connection failed: {error!r}"
        self._open = False
        self._fail(reason)
        self._on_end(reason)

    def _take(self, raw: bytes) -> None:
        try:
            frame = _frames.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._on_unreadable(str(error))
            return
        if frame.stream is not None:
            self._on_push(frame, raw)
            return
        future = self._waiting.get(frame.id) if frame.id is not None else None
        if future is None or future.done():
            # The reply to a request that was given up; a refusal without an id is for none of ours.
            log.info("reply_unclaimed", id=frame.id, error=frame.error)
            return
        if frame.ok is True or (frame.ok is False and frame.error is not None):
            future.set_result(Reply(frame.result, frame.error))
        else:
            future.set_result(Lost("a reply that is neither a result nor an error"))

    def _fail(self, reason: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_result(Lost(reason))


async def open_socket(
    url: str,
    *,
    timeout_s: float,
    on_push: Callable[[Frame, bytes], None],
    on_unreadable: Callable[[str], None],
    on_end: Callable[[str], None],
) -> VenueSocket:
    """Connect.

    Raises:
        OSError, TimeoutError, aiohttp.ClientError: if there is no such venue.
    """
    session = aiohttp.ClientSession()
    try:
        async with asyncio.timeout(timeout_s):
            socket = await session.ws_connect(url, max_msg_size=FRAME_BYTES_MAX)
    except BaseException:
        await session.close()
        raise
    return VenueSocket(
        session,
        socket,
        timeout_s=timeout_s,
        on_push=on_push,
        on_unreadable=on_unreadable,
        on_end=on_end,
    )
