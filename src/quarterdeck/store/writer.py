"""The one writer: queued entries become batches, a batch becomes one transaction.

While a batch is being flushed the queue fills, and everything in it goes with the next one, so
batches grow exactly as fast as the disk is slow. An entry counts only once `on_committed` has seen
it. Any failure ends the writer for good, an answer that never came included: after that nobody
knows whether the batch is durable, and only reading the database again can tell.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg

from quarterdeck.store.connection import Connection
from quarterdeck.store.rows import Batch, Entry, merge
from quarterdeck.store.statement import statement
from quarterdeck.telemetry.crash import reached

BATCH_MAX: Final = 500
CAPACITY: Final = 5_000
COMMIT_TIMEOUT_S: Final = 30.0
LINGER_S: Final = 0.005
"""How long entries that nobody waits for may wait for others."""

type OnCommitted = Callable[[Sequence[Entry]], None]
type OnFailed = Callable[[BaseException], None]


class FenceLost(Exception):  # noqa: N818 - not a malfunction: another process owns the desk now
    """The lease is no longer at our epoch. Nothing of the batch was written."""


class HeadMismatchError(Exception):
    """The journal does not end where the batch begins. Nothing of the batch was written."""


# What a database may do to us. Anything else is a bug, and is raised as well as reported.
STORE_FAILURES: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError is one.
    FenceLost,
    HeadMismatchError,
)


async def write_batch(connection: Connection, desk_id: str, epoch: int, batch: Batch) -> None:
    """Commit a batch; returning means that it is durable and that the lease was still ours.

    Raises:
        FenceLost: if the lease is not at `epoch`; nothing was written.
        HeadMismatchError: if the first row does not continue the journal; nothing was written.
        ValueError: if the rows are not a chain; nothing was sent.
        asyncpg.PostgresError: if a row broke a constraint (nothing was written), or the
            connection was lost, in which case the outcome is unknown.
    """
    sql, arguments = statement(desk_id, epoch, batch)
    row = await connection.fetchrow(sql, *arguments)
    assert row is not None
    if not row["fenced"]:
        raise FenceLost(f"the lease of desk {desk_id} is no longer at epoch {epoch}")
    if not row["headed"]:
        first = batch.journal[0].seq
        raise HeadMismatchError(f"journal row {first} does not continue desk {desk_id}'s journal")


class Writer:
    """Writes the entries of one desk, in the order they were submitted.

    Args:
        connection: for the writer alone; it is closed hard when a write fails.
        desk_id: whose journal this is.
        epoch: the lease epoch every batch must still find.
        on_committed: called with the entries of each batch, in order, once they are durable.
        on_failed: called once, with the reason, before the writer ends.
        capacity: entries that may wait; beyond it `submit` says no.
        batch_max: entries per transaction.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        desk_id: str,
        epoch: int,
        on_committed: OnCommitted,
        on_failed: OnFailed,
        capacity: int = CAPACITY,
        batch_max: int = BATCH_MAX,
        commit_timeout_s: float = COMMIT_TIMEOUT_S,
    ) -> None:
        self._connection = connection
        self._desk_id = desk_id
        self._epoch = epoch
        self._on_committed = on_committed
        self._on_failed = on_failed
        self._capacity = capacity
        self._batch_max = batch_max
        self._commit_timeout_s = commit_timeout_s
        self._waiting: deque[Entry] = deque()
        self._urgent = False
        self._wake = asyncio.Event()
        self._closing = False
        self._failed = False

    @property
    def depth(self) -> int:
        """Entries that wait for a batch; those in the batch under way are not counted."""
        return len(self._waiting)

    @property
    def failed(self) -> bool:
        """Whether the writer has ended on a failure."""
        return self._failed

    def submit(self, entry: Entry) -> bool:
        """Queue an entry; False when the queue is full or the writer has ended or is ending."""
        if self._failed or self._closing or len(self._waiting) >= self._capacity:
            return False
        self._waiting.append(entry)
        self._urgent = self._urgent or entry.urgent
        self._wake.set()
        return True

    def close(self) -> None:
        """Take no more; `run` returns once what waits is committed."""
        self._closing = True
        self._wake.set()

    def abort(self, error: BaseException) -> None:
        """End on a failure that was found outside, unless it has ended already."""
        if not self._failed:
            self._fail(error)

    async def run(self) -> None:
        """Write until closed or failed.

        Raises:
            BaseException: what is not the database's doing, a cancellation for one, after
                `on_failed` has been told.
        """
        try:
            # The statement never changes and is wide: planning it each time costs more than it.
            await self._connection.execute("SET plan_cache_mode = force_generic_plan")
            while True:
                while not self._waiting:
                    if self._closing:
                        return
                    self._wake.clear()
                    await self._wake.wait()
                await self._linger()
                entries = self._take()
                reached("writer_before_commit")
                async with asyncio.timeout(self._commit_timeout_s):
                    await write_batch(self._connection, self._desk_id, self._epoch, merge(entries))
                reached("writer_after_commit")
                self._on_committed(entries)
        except STORE_FAILURES as error:
            self._fail(error)
        except BaseException as error:
            self._fail(error)
            raise

    async def _linger(self) -> None:
        """Wait a moment for company when nobody waits for what is queued.

        At a few hundred orders a second this halves the flushes: an order's acknowledgement is
        written with the next order, which then does not wait behind it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while not (self._urgent or self._closing or len(self._waiting) >= self._batch_max):
                    self._wake.clear()
                    await self._wake.wait()

    def _take(self) -> list[Entry]:
        count = min(len(self._waiting), self._batch_max)
        entries = [self._waiting.popleft() for _ in range(count)]
        self._urgent = any(entry.urgent for entry in self._waiting)
        return entries

    def _fail(self, error: BaseException) -> None:
        if self._failed:
            return
        self._failed = True
        self._connection.terminate()
        self._on_failed(error)
