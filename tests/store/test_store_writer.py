"""The writer: order, batching, back-pressure, and one report of whatever ends it."""

import asyncio
import random
from collections.abc import Sequence

import asyncpg
import pytest
from msgspec.structs import replace
from tests.store.entries import DESK, Chain

from quarterdeck.store import journal, lease
from quarterdeck.store.connection import Connection, connect
from quarterdeck.store.deadline import Deadline
from quarterdeck.store.rows import Entry
from quarterdeck.store.verify import verify
from quarterdeck.store.writer import FenceLost, HeadMismatchError, Writer

pytestmark = pytest.mark.postgres


class Desk:
    """A writer of its own, and everything it reported."""

    def __init__(self, connection: Connection, epoch: int, **options) -> None:
        self.chain = Chain(epoch=epoch)
        self.connection = connection
        self.batches: list[list[Entry]] = []
        self.failures: list[BaseException] = []
        self.writer = Writer(
            connection,
            desk_id=DESK,
            epoch=epoch,
            on_committed=self.committed,
            on_failed=self.failures.append,
            **options,
        )

    def committed(self, entries: Sequence[Entry]) -> None:
        self.batches.append(list(entries))

    @property
    def seqs(self) -> list[int]:
        return [entry.journal.seq for batch in self.batches for entry in batch]

    async def wait_for(self, seq: int) -> None:
        deadline = Deadline(20)
        while seq not in self.seqs:
            assert not deadline.passed
            assert not self.failures, self.failures
            await asyncio.sleep(0.001)


@pytest.fixture
async def epoch(connection: Connection) -> int:
    taken = await lease.take(connection, DESK, "test", 1)
    assert isinstance(taken, int)
    return taken


@pytest.fixture
async def writing(dsn: str):
    connection = await connect(dsn, application="writer")
    yield connection
    connection.terminate()


async def hold_lease_row(connection: Connection) -> asyncpg.transaction.Transaction:
    """Keep every batch from committing until the transaction ends."""
    holding = connection.transaction()
    await holding.start()
    await connection.execute("SELECT 1 FROM lease WHERE desk_id = $1 FOR UPDATE", DESK)
    return holding


async def test_under_load_everything_is_committed_once_and_in_order(
    writing: Connection, connection: Connection, epoch: int
):
    desk = Desk(writing, epoch, batch_max=200)
    choose = random.Random(7)
    running = asyncio.create_task(desk.writer.run())
    for _ in range(60):
        for _ in range(choose.randrange(80)):
            assert desk.writer.submit(desk.chain.order())
        await asyncio.sleep(choose.choice((0, 0, 0.001)))
    desk.writer.close()
    assert not desk.writer.submit(desk.chain.entry())
    await running
    last = desk.chain.seq - 1
    assert desk.failures == []
    assert desk.seqs == list(range(1, last + 1))
    assert max(map(len, desk.batches)) <= 200
    assert len(desk.batches) < last
    verdict = await verify(connection, DESK)
    assert (verdict.ok, verdict.rows) == (True, last)
    for table in ("parents", "children", "fills", "market_views", "journal_refs"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == last


async def test_what_nobody_waits_for_rides_with_what_somebody_waits_for(
    writing: Connection, epoch: int
):
    desk = Desk(writing, epoch)
    running = asyncio.create_task(desk.writer.run())
    desk.writer.submit(replace(desk.chain.order(), urgent=False))
    await asyncio.sleep(0)
    desk.writer.submit(replace(desk.chain.order(), urgent=False))
    desk.writer.submit(desk.chain.order())
    await desk.wait_for(3)
    assert [len(batch) for batch in desk.batches] == [3]
    desk.writer.submit(replace(desk.chain.order(), urgent=False))
    await desk.wait_for(4)  # Alone it is written too, a moment later.
    desk.writer.close()
    await running


async def test_a_full_queue_says_no_and_recovers(
    writing: Connection, connection: Connection, epoch: int
):
    desk = Desk(writing, epoch, capacity=3)
    holding = await hold_lease_row(connection)
    running = asyncio.create_task(desk.writer.run())
    assert desk.writer.submit(desk.chain.order())
    deadline = Deadline(20)
    while desk.writer.depth:
        assert not deadline.passed
        await asyncio.sleep(0)
    assert [desk.writer.submit(desk.chain.order()) for _ in range(3)] == [True] * 3
    assert not desk.writer.submit(Chain(epoch=epoch).order())
    assert (desk.writer.depth, desk.seqs) == (3, [])
    await holding.rollback()
    await desk.wait_for(4)
    assert desk.seqs == [1, 2, 3, 4]
    assert [len(batch) for batch in desk.batches] == [1, 3]
    desk.writer.close()
    await running


async def test_a_killed_session_is_one_failure_and_loses_nothing_reported(
    writing: Connection, connection: Connection, epoch: int
):
    desk = Desk(writing, epoch, batch_max=10)
    running = asyncio.create_task(desk.writer.run())
    for _ in range(500):
        desk.writer.submit(desk.chain.order())
    await desk.wait_for(50)
    await connection.execute("SELECT pg_terminate_backend($1)", writing.get_server_pid())
    await running
    assert len(desk.failures) == 1
    assert isinstance(desk.failures[0], (asyncpg.PostgresError, asyncpg.InterfaceError, OSError))
    assert desk.writer.failed
    assert not desk.writer.submit(desk.chain.order())
    durable, _ = await journal.head(connection, DESK)
    assert durable in {len(desk.seqs), len(desk.seqs) + 10}


async def test_losing_the_lease_ends_the_writer(
    writing: Connection, connection: Connection, epoch: int
):
    desk = Desk(writing, epoch)
    running = asyncio.create_task(desk.writer.run())
    desk.writer.submit(desk.chain.order())
    await desk.wait_for(1)
    await lease.take(connection, DESK, "the next one", 2)
    desk.writer.submit(desk.chain.order())
    await running
    assert [type(error) for error in desk.failures] == [FenceLost]
    assert desk.seqs == [1]
    assert (await journal.head(connection, DESK))[0] == 1


async def test_a_fork_ends_the_writer(writing: Connection, connection: Connection, epoch: int):
    desk = Desk(writing, epoch)
    running = asyncio.create_task(desk.writer.run())
    desk.writer.submit(Chain(epoch=epoch, seq=4).order())
    await running
    assert [type(error) for error in desk.failures] == [HeadMismatchError]
    assert (await journal.head(connection, DESK))[0] == 0


async def test_a_cancelled_commit_is_a_failure(
    writing: Connection, connection: Connection, epoch: int
):
    desk = Desk(writing, epoch)
    holding = await hold_lease_row(connection)
    running = asyncio.create_task(desk.writer.run())
    desk.writer.submit(desk.chain.order())
    deadline = Deadline(20)
    while desk.writer.depth:
        assert not deadline.passed
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await holding.rollback()
    assert [type(error) for error in desk.failures] == [asyncio.CancelledError]
    assert desk.batches == []


async def test_a_commit_that_hangs_is_a_failure(
    writing: Connection, connection: Connection, epoch: int
):
    desk = Desk(writing, epoch, commit_timeout_s=0.1)
    holding = await hold_lease_row(connection)
    desk.writer.submit(desk.chain.order())
    await desk.writer.run()
    await holding.rollback()
    assert [type(error) for error in desk.failures] == [TimeoutError]
    assert desk.batches == []


async def test_a_bug_in_a_row_is_reported_and_raised(writing: Connection, epoch: int):
    desk = Desk(writing, epoch)
    desk.writer.submit(Chain(epoch=epoch + 1).order())
    with pytest.raises(ValueError, match="the lease is 1"):
        await desk.writer.run()
    assert [type(error) for error in desk.failures] == [ValueError]


async def test_a_bug_in_the_callback_is_reported_and_raised(
    writing: Connection, connection: Connection, epoch: int
):
    desk = Desk(writing, epoch)
    desk.writer._on_committed = lambda _entries: 1 / 0
    desk.writer.submit(desk.chain.order())
    with pytest.raises(ZeroDivisionError):
        await desk.writer.run()
    assert [type(error) for error in desk.failures] == [ZeroDivisionError]
    assert (await journal.head(connection, DESK))[0] == 1
