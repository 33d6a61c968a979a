"""The lease: which process is the desk.

Two things that answer different questions. A session advisory lock says who is alive: it goes with
its connection, so a second process can tell at once that the first is gone. The epoch says who may
write: it rises with every take, and a writer that was paused and wakes up late finds it changed.
Raising it waits for the batches that still hold the old one, so whoever takes the lease afterwards
sees everything that was ever committed under it.
"""

import asyncio
import contextlib
from typing import Final

import asyncpg
from msgspec import Struct

from quarterdeck.store.connection import Connection

PROBE_S: Final = 2.0
PROBE_TIMEOUT_S: Final = 5.0
LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('quarterdeck lease ' || $1, 0))"
RAISE_EPOCH: Final = """
INSERT INTO lease (desk_id, epoch, holder, taken_ns) VALUES ($1, 1, $2, $3)
ON CONFLICT (desk_id) DO UPDATE
SET epoch = lease.epoch + 1, holder = EXCLUDED.holder, taken_ns = EXCLUDED.taken_ns
RETURNING epoch
"""


class LeaseHeld(Struct, frozen=True, kw_only=True):
    """The answer when another live session is the desk."""

    desk_id: str
    holder: str
    """What that session called itself; empty if it has not written its name yet."""


async def take(connection: Connection, desk_id: str, holder: str, now_ns: int) -> int | LeaseHeld:
    """Become the desk, and return the epoch to write under.

    Args:
        connection: kept open by the caller for as long as it is the desk; closing it gives
            the lease up. Taking twice on one connection raises the epoch twice.
        desk_id: which desk.
        holder: how others will name us, for example host and process id.
        now_ns: when, for people who read the table.
    """
    if not await connection.fetchval(LOCK, desk_id):
        name = await connection.fetchval("SELECT holder FROM lease WHERE desk_id = $1", desk_id)
        return LeaseHeld(desk_id=desk_id, holder=name or "")
    epoch: int = await connection.fetchval(RAISE_EPOCH, desk_id, holder, now_ns)
    return epoch


async def watch(
    connection: Connection,
    *,
    probe_s: float = PROBE_S,
    probe_timeout_s: float = PROBE_TIMEOUT_S,
) -> str:
    """Wait until the lease's connection is lost, and return why.

    A closed socket is seen at once. One that has gone silent is seen by a query that is sent
    every `probe_s` and must be answered within `probe_timeout_s`.
    """
    lost = asyncio.Event()

    def listener(_connection: object) -> None:
        lost.set()

    connection.add_termination_listener(listener)
    try:
        while not connection.is_closed():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(probe_s):
                    await lost.wait()
            if lost.is_set():
                break
            try:
                async with asyncio.timeout(probe_timeout_s):
                    await connection.execute("SELECT 1")
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                connection.terminate()
                return f"the probe failed: {error!r}"
    finally:
        connection.remove_termination_listener(listener)
    return "the connection was closed"
