"""The lease: one desk at a time, and the next one sees all that the last one committed."""

import asyncio
import os
import signal
import sys

import pytest
from tests.store.entries import DESK, Chain

from quarterdeck.store import journal, lease
from quarterdeck.store.connection import Connection, connect
from quarterdeck.store.deadline import Deadline
from quarterdeck.store.rows import merge
from quarterdeck.store.writer import FenceLost, write_batch

pytestmark = pytest.mark.postgres

HOLDER = """
import asyncio, sys
from quarterdeck.store import lease
from quarterdeck.store.connection import connect
async def main():
    connection = await connect(sys.argv[1], application="holder")
    print(await lease.take(connection, sys.argv[2], "the other process", 1), flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def take_when_free(connection: Connection) -> int:
    deadline = Deadline(20)
    while isinstance(taken := await lease.take(connection, DESK, "next", 3), lease.LeaseHeld):
        assert not deadline.passed
        await asyncio.sleep(0.01)
    return taken


async def test_a_second_session_is_refused_until_the_first_is_gone(
    dsn: str, connection: Connection
):
    first = await connect(dsn, application="first")
    assert await lease.take(first, DESK, "host-1", 1) == 1
    refused = await lease.take(connection, DESK, "host-2", 2)
    assert refused == lease.LeaseHeld(desk_id=DESK, holder="host-1")
    assert await lease.take(connection, "another desk", "host-2", 2) == 1
    await first.close()
    assert await take_when_free(connection) == 2
    assert dict(await connection.fetchrow("SELECT * FROM lease WHERE desk_id = $1", DESK)) == {
        "desk_id": DESK,
        "epoch": 2,
        "holder": "next",
        "taken_ns": 3,
    }


@pytest.mark.processes
async def test_after_kill_9_the_next_process_takes_over(dsn: str, connection: Connection):
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, dsn, DESK, stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        assert await holder.stdout.readline() == b"1\n"
        refused = await lease.take(connection, DESK, "us", 2)
        assert refused == lease.LeaseHeld(desk_id=DESK, holder="the other process")
    finally:
        holder.kill()
        await holder.wait()
    assert await take_when_free(connection) == 2


async def test_a_takeover_waits_for_the_batch_under_way_and_sees_it(
    dsn: str, connection: Connection
):
    owner, writer = [await connect(dsn, application="old") for _ in range(2)]
    assert await lease.take(owner, DESK, "old", 1) == 1
    chain = Chain(epoch=1)
    under_way = writer.transaction()
    await under_way.start()
    await write_batch(writer, DESK, 1, merge([chain.order()]))
    await owner.close()
    takeover = asyncio.create_task(take_when_free(connection))
    other = await connect(dsn, application="observer")
    deadline = Deadline(20)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = $1"
    while not await other.fetchval(waiting, connection.get_server_pid()):
        assert not deadline.passed
    assert not takeover.done()
    await under_way.commit()
    assert await takeover == 2
    assert await journal.head(connection, DESK) == (1, chain.head)
    with pytest.raises(FenceLost):
        await write_batch(writer, DESK, 1, merge([chain.order()]))
    await writer.close()
    await other.close()


async def test_watch_ends_when_the_server_closes_the_session(dsn: str, connection: Connection):
    held = await connect(dsn, application="held")
    watching = asyncio.create_task(lease.watch(held, probe_s=30))
    await asyncio.sleep(0)
    assert not watching.done()
    await connection.execute("SELECT pg_terminate_backend($1)", held.get_server_pid())
    async with asyncio.timeout(10):
        assert await watching == "the connection was closed"
    assert await lease.watch(held) == "the connection was closed"


@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may pause another account's process")
async def test_watch_ends_when_the_server_goes_silent(dsn: str):
    held = await connect(dsn, application="held")
    pid = held.get_server_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            reason = await lease.watch(held, probe_s=0.02, probe_timeout_s=0.2)
        assert reason == "the probe failed: TimeoutError()"
        assert held.is_closed()
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_watch_lasts_while_the_server_answers(connection: Connection):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await lease.watch(connection, probe_s=0.01)
    assert not connection.is_closed()
