"""How to see from outside that a program does its work: it answers, or it holds what it serves.

Each condition is a question that can be asked again and again; none of them waits.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

ANSWER_S_MAX: Final = 2.0
ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound

type Ready = Callable[[int], Awaitable[bool]]
"""Tells whether the program that runs under a process id is ready."""


def file_exists(path: Path) -> Ready:
    """Ready once a file is there that is removed before each start."""

    async def ready(pid: int) -> bool:
        del pid
        return _exists(path)

    return ready


def holds_lock(lock: Path, socket: Path) -> Ready:
    """Ready once the lock file names the process and its socket is there."""

    async def ready(pid: int) -> bool:
        return _locked_by(lock, pid) and _exists(socket)

    return ready


def answers(host: str, port: int, path: str, *, tls: bool = False) -> Ready:
    """Ready once a GET of the path is answered with 200."""

    async def ready(pid: int) -> bool:
        del pid
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await _status(ANYWHERE.get(host, host), port, path, tls=tls) == 200
        except (OSError, TimeoutError, ValueError):
            return False

    return ready


def _exists(path: Path) -> bool:
    return path.exists()


def _locked_by(lock: Path, pid: int) -> bool:
    try:
        words = lock.read_text(encoding="utf-8").split()
    except OSError:
        return False
    return words[-2:] == ["pid", str(pid)]


async def _status(host: str, port: int, path: str, *, tls: bool) -> int:
    context: ssl.SSLContext | None = None
    if tls:
        # Only asks whether our own child listens; its name need not match this address.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        line = await reader.readline()
        return int(line.split()[1]) if len(line.split()) > 1 else 0
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
