"""ZeroMQ sockets on an asyncio loop, without `zmq.asyncio`.

A ZeroMQ socket's file descriptor does not mean "a message waits". It means "something happened,
look at the socket": it is signalled once, and any call on the socket, a send included, may use the
signal up. So a reader here always reads until there is nothing left, a bounded number of messages
per turn of the loop, and whoever sends on a socket that is also read says so (`Reader.nudge`).

Nothing here blocks and nothing lingers: a send that cannot be done at once is refused.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import zmq

READS_PER_TURN_MAX: Final = 64
COMMANDS_QUEUED_MAX: Final = 10_000
FACTS_QUEUED_MAX: Final = 100_000
VIEWS_QUEUED_MAX: Final = 256
HELLOS_QUEUED_MAX: Final = 1
RECONNECT_MS: Final = 20
RECONNECT_MS_MAX: Final = 500

type Socket = zmq.Socket[bytes]


def open_socket(
    context: zmq.Context[Socket], kind: int, *, queued_max: int, frame_bytes_max: int
) -> Socket:
    """Return a socket with bounded queues, no lingering and quick reconnects."""
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, queued_max)
    socket.setsockopt(zmq.RCVHWM, queued_max)
    socket.setsockopt(zmq.MAXMSGSIZE, frame_bytes_max)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MS_MAX)
    if kind == zmq.PUSH:
        # Queue only for a peer that is there: what waits for a peer to appear would arrive late.
        socket.setsockopt(zmq.IMMEDIATE, 1)
    if kind == zmq.DEALER:
        # It sends hellos only. Not IMMEDIATE, which drops what was received and not yet read when
        # the peer ends, its goodbye for one; a short queue keeps old hellos from piling up.
        socket.setsockopt(zmq.SNDHWM, HELLOS_QUEUED_MAX)
    if kind == zmq.ROUTER:
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    return socket


def send_now(socket: Socket, *frames: bytes) -> bool:
    """Hand a message to the socket; False when it certainly did not take it."""
    try:
        socket.send_multipart(frames, zmq.DONTWAIT)
    except zmq.Again:
        return False
    except zmq.ZMQError as error:
        if error.errno == zmq.EHOSTUNREACH:
            return False
        raise
    return True


def can_send(socket: Socket) -> bool:
    """Tell whether a message would be taken now: with PUSH, whether a peer is there."""
    return bool(socket.poll(0, zmq.POLLOUT))


class Reader:
    """Calls back for every message of a socket, on the running loop, until closed."""

    def __init__(self, socket: Socket, on_message: Callable[[list[bytes]], None]) -> None:
        self._socket = socket
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._fd: int = socket.getsockopt(zmq.FD)  # type: ignore[assignment] # int for FD
        self._again: asyncio.Handle | None = None
        self._closed = False
        self._loop.add_reader(self._fd, self.drain)
        self.nudge()

    def drain(self) -> None:
        """Read what waits, up to the bound of one turn; the rest follows in the next turn."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        for _ in range(READS_PER_TURN_MAX):
            if self._closed:
                return
            try:
                frames = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            self._on_message(frames)
        self.nudge()

    def nudge(self) -> None:
        """Look at the socket in the next turn: its signal may have been used up."""
        if self._again is None and not self._closed:
            self._again = self._loop.call_soon(self.drain)

    def close(self) -> None:
        """Stop reading; the socket stays open."""
        self._closed = True
        self._loop.remove_reader(self._fd)
        if self._again is not None:
            self._again.cancel()
            self._again = None
