"""Nothing is said before it is durable: host, outbox and session together."""

import asyncio
import os
from decimal import Decimal

import pytest
from tests.drydock.served_venue import MANUAL, Client, Venue, eventually, order_args

from drydock import journal as journal_module
from drydock.config import parse_config
from drydock.core.events import Expired
from drydock.core.inputs import BookUpdate, Submit
from drydock.core.orders import OrderType, Side
from drydock.faults import Faults
from drydock.host import VenueHost
from drydock.journal import Journal
from drydock.outbox import Outbox
from drydock.server import Server
from drydock.streams import AccountStream, MarketView


class Ear:
    """A listener that notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.backlog = 0

    def send(self, text: str) -> None:
        self.heard.append(text)


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "j")
    yield journal
    journal.close()


async def test_a_delivery_waits_for_the_sync_and_keeps_its_place(journal):
    failures: list[OSError] = []
    outbox = Outbox(journal, failures.append)
    said: list[str] = []
    outbox.post(lambda: said.append("clean"))
    journal.append(1, [Expired(1, 1)])
    outbox.post(lambda: said.append(f"first, durable: {journal.is_clean}"))
    journal.sync()
    outbox.post(lambda: said.append("second"))  # durable itself, but not before the first
    assert said == ["clean"]
    outbox.flush()
    assert said == ["clean", "first, durable: True", "second"]
    assert not failures


async def test_a_disk_that_refuses_silences_everything(journal, monkeypatch):
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    failures: list[OSError] = []
    outbox = Outbox(journal, failures.append)
    said: list[str] = []
    journal.append(1, [Expired(1, 1)])
    outbox.post(lambda: said.append("never"))
    monkeypatch.setattr(journal_module.os, "fdatasync", refuse)
    outbox.flush()
    outbox.post(lambda: said.append("never either"))
    assert (len(failures), said) == (1, [])


async def test_who_listens_now_does_not_hear_what_waited_from_before(journal):
    outbox = Outbox(journal, lambda error: None)
    stream = AccountStream("a", outbox, Faults())
    early, late = Ear(), Ear()
    stream.listen(early)
    journal.append(1, [Expired(1, 1)])
    stream.publish("expired", {})
    assert stream.listen(late) == 1
    stream.publish("expired", {})
    outbox.flush()
    assert [len(early.heard), len(late.heard)] == [2, 1]
    assert '"seq":2' in late.heard[0]


async def test_a_reply_leaves_only_after_its_sync(tmp_path, monkeypatch):
    """Serve for real with a sync that looks at what was written to the socket so far."""
    import aiohttp

    config = parse_config(MANUAL)
    journal = Journal(tmp_path / "j")
    failures: list[OSError] = []
    server = Server(VenueHost(config, journal, failures.append), None)
    await server.start()
    refuse = False
    synced: list[int] = []
    really_sync = os.fdatasync

    def watched(fd: int) -> None:
        if refuse:
            raise OSError(28, "No space left on device")
        really_sync(fd)
        synced.append(fd)

    monkeypatch.setattr(journal_module.os, "fdatasync", watched)
    try:
        async with aiohttp.ClientSession() as http:
            venue = Venue(f"http://127.0.0.1:{server.port}", http)
            await venue.market([["99", "1"]], [["101", "1"]])
            async with venue.client() as client:
                await client.ok("subscribe_orders")
                for number in range(3):
                    await client.ok("submit", **order_args(f"k{number}", "BUY", "1", "90"))
                    assert len(synced) == number + 1
                refuse = True
                await silence(client, "lost")
                assert len(failures) == 1
                # The process would be gone by now; here it is silent for good.
                await silence(client, "more")
                assert [seq for seq, _ in client.order_pushes()] == [1, 2, 3]
    finally:
        refuse = False
        await server.stop()
        journal.close()


async def silence(client: Client, key: str) -> None:
    number = await client.start("submit", **order_args(key, "BUY", "1", "90"))
    with pytest.raises(TimeoutError):
        await client.reply(number, wait_s=0.2)


async def test_time_does_not_run_back_over_a_restart(tmp_path):
    journal = Journal(tmp_path / "j")
    future_ns = 2**62
    host = VenueHost(parse_config(MANUAL), journal, lambda error: None)
    journal.append(future_ns, [Expired(1, 1)][:0])
    journal.sync()
    assert host.tick() < future_ns
    journal.close()
    journal = Journal(tmp_path / "j")
    assert VenueHost(parse_config(MANUAL), journal, lambda error: None).tick() == future_ns
    journal.close()


async def test_what_nobody_waits_for_becomes_durable_too(tmp_path):
    journal = Journal(tmp_path / "j")
    host = VenueHost(parse_config(MANUAL), journal, lambda error: None)
    host.execute(BookUpdate(symbol="BTC-USDT", ts_ns=1, bids=[(9900, 5)], asks=[], snapshot=True))
    assert journal.is_clean  # What the market shows is not kept.
    host.execute(
        Submit(
            account="a",
            client_order_id="x",
            symbol="BTC-USDT",
            side=Side.BUY,
            type=OrderType.LIMIT,
            quantity=Decimal(1),
            price=Decimal(99),
            timestamp_ns=host.tick(),
            recv_window_ms=1000,
        )
    )
    assert not journal.is_clean
    await asyncio.sleep(0)  # One turn of the loop.
    assert journal.is_clean
    journal.close()


async def test_a_slow_client_gets_the_newest_view_when_it_has_caught_up(tmp_path):
    journal = Journal(tmp_path / "j")
    host = VenueHost(parse_config(MANUAL), journal, lambda error: None)
    ear = Ear()
    view = MarketView(host.state, "BTC-USDT", 5, 0, ear)
    host.views["BTC-USDT"].add(view)

    def show(lots: int) -> None:
        levels = [(9900, lots)]
        host.execute(BookUpdate(symbol="BTC-USDT", ts_ns=1, bids=levels, asks=[], snapshot=True))

    async def heard() -> bool:
        return bool(ear.heard)

    ear.backlog = 1
    show(1)
    with pytest.raises(AssertionError):
        await eventually(heard, wait_s=0.05)
    show(2)
    ear.backlog = 0
    await eventually(heard)
    assert len(ear.heard) == 1
    assert '"bids":[["99.00","0.002"]]' in ear.heard[0]
    view.close()
    journal.close()
