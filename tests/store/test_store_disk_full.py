"""A full disk under the server: an error to the writer, and nothing acknowledged is lost."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import asyncpg
import pytest
from tests.store.entries import DESK, Chain

from quarterdeck.store import journal, lease, schema
from quarterdeck.store.connection import Connection, connect
from quarterdeck.store.deadline import Deadline
from quarterdeck.store.embedded import EmbeddedPostgres
from quarterdeck.store.verify import verify
from quarterdeck.store.writer import Writer

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

DISK_BYTES = 160 * 1024 * 1024
LEFT_BYTES = 256 * 1024
BIG_BODY = '"' + "x" * 100_000 + '"'


@pytest.fixture
def small_disk(data_dir: Path):
    data_dir.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    size = f"size={DISK_BYTES}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "quarterdeck-test", str(data_dir)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield data_dir
    subprocess.run(["umount", str(data_dir)], check=True)


@pytest.fixture
def full_disk_server(small_disk: Path):
    server = EmbeddedPostgres(small_disk)
    dsn = server.start()
    yield server, dsn
    server.stop()


async def connect_again(dsn: str) -> Connection:
    """Connect once the server has recovered."""
    deadline = Deadline(60)
    while True:
        try:
            return await connect(dsn, application="again")
        except (asyncpg.PostgresError, OSError):
            assert not deadline.passed
            await asyncio.sleep(0.05)


class Desk:
    """Writes big entries one at a time, so that what is acknowledged is known exactly."""

    def __init__(self, connection: Connection, chain: Chain) -> None:
        self.chain, self.acked, self.failures = chain, 0, []
        self.writer = Writer(
            connection,
            desk_id=DESK,
            epoch=chain.epoch,
            on_committed=self.next,
            on_failed=self.failures.append,
        )
        self.left = 10_000

    def next(self, entries=()) -> None:
        self.acked += len(entries)
        self.left -= 1
        if self.left > 0:
            assert self.writer.submit(self.chain.entry(body=BIG_BODY))
        else:
            self.writer.close()


async def test_a_full_disk_fails_the_writer_and_loses_nothing(full_disk_server, small_disk: Path):
    server, dsn = full_disk_server
    await schema.upgrade(dsn)
    connection = await connect(dsn, application="desk")
    epoch = await lease.take(connection, DESK, "first", 1)
    assert isinstance(epoch, int)
    desk = Desk(connection, Chain(epoch=epoch))
    running = asyncio.create_task(desk.writer.run())
    desk.next()
    deadline = Deadline(30)
    while desk.acked < 20:
        assert not deadline.passed
        await asyncio.sleep(0.001)

    ballast = small_disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free - LEFT_BYTES)
    await running
    assert len(desk.failures) == 1
    assert isinstance(desk.failures[0], (asyncpg.PostgresError, asyncpg.InterfaceError, OSError))
    assert server.alive()

    ballast.unlink()
    connection = await connect_again(dsn)
    seq, head = await journal.head(connection, DESK)
    # At most the entry whose answer was lost may be there on top.
    assert seq in {desk.acked, desk.acked + 1}
    assert (await verify(connection, DESK)).ok
    taken = await lease.take(connection, DESK, "second", 2)
    assert taken == epoch + 1
    desk = Desk(connection, Chain(epoch=taken, seq=seq, head=head))
    desk.left = 10
    desk.next()
    await desk.writer.run()
    assert (desk.failures, desk.acked) == ([], 9)
    await connection.close()
