"""One hold of the database by a desk: its lease, the writer under it, what was there at its start.

Opening waits as long as it takes: for a server that is starting or recovering, and for a lease
that another process holds, in which case this one stands by. Whatever goes wrong afterwards is
told once, and then only a new session helps; except a lost fence, which means that another process
is the desk: that is told to somebody who ends this one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

import asyncpg
from msgspec import Struct

from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.ports import Clock, JournalEntry
from quarterdeck.store import lease, recovery
from quarterdeck.store.connection import SESSION, Connection, connect
from quarterdeck.store.documents import entry_rows
from quarterdeck.store.lease import LeaseHeld
from quarterdeck.store.memory import rebuild, stored_orders
from quarterdeck.store.rows import Entry
from quarterdeck.store.writer import FenceLost, Writer
from quarterdeck.telemetry.crash import reached

RETRY_MIN_S: Final = 0.1
RETRY_MAX_S: Final = 2.0
CONNECT_WITHIN_S: Final = 5.0
QUEUE_MAX: Final = 100_000
"""Far above what the engine lets wait; reaching it means that facts pour in and nothing drains."""
READERS_MAX: Final = 4

ANY_STORED: Final = """
SELECT EXISTS (SELECT FROM parents WHERE operation_id = ANY($1))
    OR EXISTS (SELECT FROM children WHERE client_order_id = ANY($2))
"""

IDS_PAGE: Final = """
SELECT operation_id FROM parents WHERE operation_id > $1 ORDER BY operation_id LIMIT $2
"""
PAGE: Final = 2_000

UNAVAILABLE: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What a database that is down, starting or recovering makes asyncpg raise."""


class StoreUnavailable(OSError):  # noqa: N818 - a state of the world, not an error of ours
    """The database cannot be read now."""


class Settings(Struct, frozen=True, kw_only=True):
    """What a session needs to know."""

    dsn: str
    desk_id: str
    holder: str
    """How other processes will name this one."""


class Events(Struct, frozen=True, kw_only=True):
    """Whom a session tells what."""

    failed: Callable[[str], None]
    """Once, when the journal cannot be written any more, with why."""
    fence_lost: Callable[[str], None]
    """Another process is the desk; this one must end."""
    waiting: Callable[[str], None]
    """While opening takes long, with why."""


class StoreJournal:
    """The journal port over the writer: chains entries and releases them when durable."""

    def __init__(self, writer: Writer, epoch: int, head_hash: bytes) -> None:
        """Continue a chain."""
        self._writer = writer
        self._epoch = epoch
        self._head = head_hash

    def append(self, entry: JournalEntry, on_durable: Callable[[], None]) -> None:
        """Queue an entry; see `ports.Journal`."""
        rows = entry_rows(entry, self._epoch, self._head, on_durable)
        self._head = rows.journal.hash
        if not self._writer.submit(rows):
            self._writer.abort(OSError("the journal's queue is full or closed"))


class StoredOrders:
    """The orders that are not in memory.

    Nearly every look-up is for an id that was never used, so existence is asked first, on a
    connection of its own: a pool would spend more on resetting it than on the question.
    """

    def __init__(self, connection: Connection, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        """Look up through a connection of its own; read the ids of the past through the pool."""
        self._connection = connection
        self._pool = pool

    async def orders(
        self, operation_ids: Iterable[str], client_order_ids: Iterable[str]
    ) -> list[tuple[ParentOrder, tuple[ChildOrder, ...]]]:
        """Return the orders found, each with all its children.

        Raises:
            StoreUnavailable: if the database cannot be read.
        """
        connection = self._connection
        parents, children = list(operation_ids), list(client_order_ids)
        try:
            if not await connection.fetchval(ANY_STORED, parents, children):
                return []
            found = stored_orders(await recovery.load_orders(connection, parents))
            load = recovery.load_by_client_order_ids
            return found + stored_orders(await load(connection, children))
        except UNAVAILABLE as error:
            raise StoreUnavailable(str(error) or repr(error)) from error

    async def operation_ids(self) -> AsyncIterator[list[str]]:
        """Yield every operation id in the database, a page at a time.

        Raises:
            StoreUnavailable: if the database cannot be read.
        """
        last = ""
        try:
            async with self._pool.acquire() as connection:
                while page := [r[0] for r in await connection.fetch(IDS_PAGE, last, PAGE)]:
                    yield page
                    last = page[-1]
        except UNAVAILABLE as error:
            raise StoreUnavailable(str(error) or repr(error)) from error


class StoreSession:
    """See the module. Made by `open_session`."""

    def __init__(
        self,
        *,
        connections: tuple[Connection, Connection, Connection],
        pool: "asyncpg.Pool[asyncpg.Record]",
        epoch: int,
        started_from: tuple[DeskState, int, bytes],
        settings: Settings,
        events: Events,
    ) -> None:
        """Begin to write and to watch the lease."""
        self._lease_connection, writer_connection, lookup_connection = connections
        self.pool = pool
        self.epoch = epoch
        self.state, self.last_seq, head_hash = started_from
        self._events = events
        self._told = False
        writer = Writer(
            writer_connection,
            desk_id=settings.desk_id,
            epoch=epoch,
            on_committed=_release,
            on_failed=self._failed,
            capacity=QUEUE_MAX,
        )
        self.journal = StoreJournal(writer, epoch, head_hash)
        self.store = StoredOrders(lookup_connection, pool)
        self._writer = writer
        self._connections = connections
        self._tasks = (
            asyncio.create_task(writer.run(), name="journal writer"),
            asyncio.create_task(self._watch_lease(), name="lease watch"),
        )

    async def close(self) -> None:
        """Let go of the lease and the connections, after what is queued is written if it can be."""
        self._told = True
        self._writer.close()
        with contextlib.suppress(TimeoutError, *UNAVAILABLE):
            await asyncio.wait_for(asyncio.shield(self._tasks[0]), CONNECT_WITHIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.pool.terminate()
        for connection in self._connections:
            connection.terminate()

    async def _watch_lease(self) -> None:
        why = await lease.watch(self._lease_connection)
        self._tell(f"the lease's connection is lost: {why}")

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, FenceLost):
            self._events.fence_lost(str(error))
        self._tell(f"{type(error).__name__}: {error}")

    def _tell(self, why: str) -> None:
        if not self._told:
            self._told = True
            self._events.failed(why)


async def open_session(settings: Settings, clock: Clock, events: Events) -> StoreSession:
    """Take the lease and read what the journal holds, however long that takes."""
    wait_s = RETRY_MIN_S
    while True:
        try:
            session = await _try_open(settings, clock, events)
        except UNAVAILABLE as error:
            session = f"the database is not available: {str(error) or repr(error)}"
        if isinstance(session, StoreSession):
            return session
        events.waiting(session)
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, RETRY_MAX_S)


async def _try_open(settings: Settings, clock: Clock, events: Events) -> StoreSession | str:
    opened: list[Connection] = []
    pool: asyncpg.Pool[asyncpg.Record] | None = None
    try:
        for name in ("quarterdeck-lease", "quarterdeck-writer", "quarterdeck-lookup"):
            connection = await connect(settings.dsn, application=name, timeout_s=CONNECT_WITHIN_S)
            opened.append(connection)
        # The writer's few statements never change: planning each anew costs a fifth of a commit.
        await opened[1].execute("SET plan_cache_mode = force_generic_plan")
        taken = await lease.take(opened[0], settings.desk_id, settings.holder, clock.now_ns())
        if isinstance(taken, LeaseHeld):
            for held in opened:
                held.terminate()
            return f"standing by: desk {settings.desk_id} is held by {taken.holder or 'another'}"
        reached("desk_lease_taken")
        pool = await asyncpg.create_pool(
            settings.dsn,
            min_size=1,
            max_size=READERS_MAX,
            timeout=CONNECT_WITHIN_S,
            server_settings={**SESSION, "application_name": "quarterdeck-reader"},
        )
        live = await recovery.load_live(opened[1], settings.desk_id)
        state = await rebuild(opened[1], settings.desk_id, live)
    except BaseException:
        for connection in opened:
            connection.terminate()
        if pool is not None:
            pool.terminate()
        raise
    return StoreSession(
        connections=(opened[0], opened[1], opened[2]),
        pool=pool,
        epoch=taken,
        started_from=(state, live.seq, live.head_hash),
        settings=settings,
        events=events,
    )


def _release(entries: Sequence[Entry]) -> None:
    for entry in entries:
        assert callable(entry.token)
        entry.token()
