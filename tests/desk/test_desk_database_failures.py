"""The desk while its PostgreSQL is killed or out of disk: nothing acknowledged is ever lost."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from tests.desk.life import Life, assert_journal_true
from tests.desk.paper import PaperVenue, an_order
from tests.postgres import make_data_dir

from quarterdeck.core.model.ids import client_order_id
from quarterdeck.store import schema
from quarterdeck.store.embedded import EmbeddedPostgres

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

SMALL_DISK_BYTES = 160 * 1024 * 1024
LEFT_BYTES = 512 * 1024
KILLS = 3


@pytest.fixture
def folder(tmp_path_factory):
    made = make_data_dir(tmp_path_factory)
    yield made
    shutil.rmtree(made, ignore_errors=True)


class Clients:
    """Submit order after order, remember which were acknowledged, and send the rest again."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.acknowledged: set[str] = set()
        self.unanswered: set[str] = set()
        self.number = 0
        self.padding = "x" * 100

    async def submit(self, name: str) -> bool:
        order = an_order(name, metadata={"padding": self.padding})
        refused = await self.life.desk.execute(order)
        if refused is not None:
            self.unanswered.add(name)
            return False
        self.unanswered.discard(name)
        self.acknowledged.add(name)
        return True

    async def submit_until(self, stop) -> None:
        while not stop():
            self.number += 1
            await self.submit(f"op-{self.number}")
            self.life.links.deliver()
            await asyncio.sleep(0)

    async def submit_again(self) -> None:
        for name in sorted(self.unanswered):
            assert await self.submit(name)


async def assert_nothing_lost(clients: Clients, venue: PaperVenue, dsn: str) -> None:
    life = clients.life
    await life.settle(life.gate_is_open, "the gate opens again", within_s=60)
    await clients.submit_again()
    await life.settle(lambda: life.desk.engine.pending == 0, "all is written")
    parents = set(life.desk.engine.state.parents)
    assert clients.acknowledged <= parents
    sent = {child.child.operation_id for child in venue.orders.values()}
    assert sent <= parents, "nothing was sent that is not durable"
    for name in clients.acknowledged:
        status = life.desk.engine.state.children[client_order_id(name, 1)].status
        assert (name in sent) == (status in {"working", "in_flight"}), (name, status)
    await life.desk.stop()
    await assert_journal_true(dsn)


def kill_whole_server(pid: int) -> None:
    postmaster = psutil.Process(pid)
    family = [postmaster, *postmaster.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)


async def test_a_killed_server_is_waited_for_and_nothing_is_lost(folder, tmp_path):
    server = EmbeddedPostgres(folder / "pg")
    dsn = server.start()
    try:
        await schema.upgrade(dsn)
        venue = PaperVenue()
        clients = Clients(await Life(dsn, venue, tmp_path).begin())
        for round_ in range(1, KILLS + 1):
            enough = len(clients.acknowledged) + 40
            await clients.submit_until(lambda enough=enough: len(clients.acknowledged) >= enough)
            kill_whole_server(server.pid)
            await clients.submit_until(lambda: clients.life.desk.engine.frozen is not None)
            server.stop()
            server = EmbeddedPostgres(folder / "pg")
            server.start()
            await clients.life.settle(
                lambda: clients.life.desk.engine.frozen is None, f"kill {round_}", within_s=60
            )
            await clients.life.settle(clients.life.gate_is_open, "the gate", within_s=60)
        assert clients.unanswered, "the kills hit nothing"
        await assert_nothing_lost(clients, venue, dsn)
    finally:
        server.stop()


@pytest.fixture
def small_disk(folder: Path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    place = folder / "small"
    place.mkdir()
    size = f"size={SMALL_DISK_BYTES}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "quarterdeck-test", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_full_disk_freezes_the_desk_and_nothing_is_lost(small_disk, tmp_path):
    server = EmbeddedPostgres(small_disk / "pg")
    dsn = server.start()
    try:
        await schema.upgrade(dsn)
        venue = PaperVenue()
        clients = Clients(await Life(dsn, venue, tmp_path).begin())
        clients.padding = "x" * 50_000
        await clients.submit_until(lambda: len(clients.acknowledged) >= 20)
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(small_disk).free - LEFT_BYTES)
        await clients.submit_until(lambda: clients.life.desk.engine.frozen is not None)
        ballast.unlink()
        clients.padding = "x" * 100
        clients.unanswered.clear()  # Sent with another body; their ids are spent either way.
        await clients.life.settle(
            lambda: clients.life.desk.engine.frozen is None, "space is back", within_s=60
        )
        await assert_nothing_lost(clients, venue, dsn)
    finally:
        server.stop()
