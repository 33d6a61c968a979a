"""Gateways in processes of their own: killed, stopped, started twice, and before a real venue."""

import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.gateways.commands import a_child
from tests.gateways.desk_end import DeskEnd, eventually
from tests.gateways.drydock_process import ACCOUNT, TOKEN, VENUE, DrydockProcess
from tests.gateways.gateway_process import GatewayProcess

from quarterdeck.core.model.facts import (
    GatewayLost,
    OrderAccepted,
    OrderClosed,
    OrderNotSent,
    OrderReport,
    Trade,
    VenueSnapshot,
    VenueStatus,
)
from quarterdeck.core.model.intents import QueryChild, RequestSnapshot, SendCancel, SendChild
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways.endpoint import local_endpoint

pytestmark = pytest.mark.processes

INSTRUMENT = f"{VENUE}:SPOT_PAIR:BTC-USDT"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[DeskEnd]:
    async with DeskEnd({"acc": local_endpoint(tmp_path / "run", "acc")}) as desk:
        yield desk


type Start = Callable[..., GatewayProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[GatewayProcess] = []

    def start_one(**settings: Any) -> GatewayProcess:
        started.append(GatewayProcess(tmp_path, **settings))
        return started[-1]

    yield start_one
    for gateway in started:
        gateway.end()


async def test_a_killed_gateway_is_lost_and_its_next_run_is_another(start: Start, desk: DeskEnd):
    first = start()
    epoch = await desk.connected()
    assert desk.links.send(SendChild(child=a_child("A", gateway_epoch=epoch))) is None
    await desk.next_of(OrderAccepted, client_order_id="A")
    first.end()
    killed_s = time.monotonic()
    await desk.next_of(GatewayLost, why=Reason.STREAM_STALE)
    assert time.monotonic() - killed_s < 5
    assert desk.links.send(SendChild(child=a_child("B"))) is Reason.GATEWAY_DOWN
    second = start()
    later_epoch = await desk.connected()
    assert later_epoch > epoch
    # A command that was meant for the dead run is refused, whoever delivers it now.
    assert desk.links.send(SendChild(child=a_child("C", gateway_epoch=epoch))) is None
    await desk.next_of(OrderNotSent, client_order_id="C", why=Reason.OTHER_GATEWAY_INCARNATION)
    assert second.end(signal.SIGTERM) == 0
    await desk.next_of(GatewayLost, why=Reason.VENUE_DISCONNECTED)


async def test_a_restart_within_the_silence_is_only_another_run(start: Start, desk: DeskEnd):
    first = start()
    epoch = await desk.connected()
    first.end()
    start()
    assert await desk.connected() > epoch


async def test_one_gateway_per_account(start: Start, desk: DeskEnd):
    start()
    epoch = await desk.connected()
    code, complaint = start().wait()
    assert code == 3
    assert f"epoch {epoch} pid" in complaint
    assert desk.links.send(SendChild(child=a_child("A", gateway_epoch=epoch))) is None
    await desk.next_of(OrderAccepted, client_order_id="A")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"driver": "nul"}, "driver 'nul' does not exist; there are: drydock, null"),
        ({"driver_settings": {"depht": 1}}, "depht"),
        ({"heartbeat_ms": 0}, "heartbeat_ms"),
    ],
)
def test_settings_that_make_no_sense_end_it_with_a_sentence(
    start: Start, settings: dict[str, Any], message: str
):
    code, complaint = start(**settings).wait()
    assert code == 2
    assert message in complaint
    assert "Traceback" not in complaint


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[DrydockProcess]:
    process = DrydockProcess(tmp_path)
    process.set_book("BTC-USDT", "50000", "50001", "5")
    yield process
    process.kill()


@pytest.fixture
def start_real(start: Start, venue: DrydockProcess) -> Start:
    driver_settings = {"url": venue.url, "token": TOKEN, "login": ACCOUNT}
    return partial(start, venue=VENUE, driver="drydock", driver_settings=driver_settings)


def a_real_child(name: str, epoch: int, **changes: Any) -> SendChild:
    terms = {"limit_px": Decimal(40_000), "quantity": Decimal("0.1")} | changes
    child = a_child(name, instrument=INSTRUMENT, gateway_epoch=epoch, **terms)
    return SendChild(child=child)


def a_query(name: str, epoch: int) -> QueryChild:
    return QueryChild(
        account="acc",
        instrument=INSTRUMENT,
        client_order_id=name,
        venue_order_id=None,
        gateway_epoch=epoch,
    )


async def test_orders_outlive_the_gateway(desk: DeskEnd, start_real: Start):
    first = start_real()
    epoch = await desk.connected()
    desk.links.send(a_real_child("REST", epoch))
    await desk.next_of(OrderAccepted, client_order_id="REST")
    desk.links.send(a_real_child("TAKE", epoch, limit_px=Decimal(50_001)))
    trade = await desk.next_of(Trade, client_order_id="TAKE")
    assert (trade.px, trade.quantity) == (Decimal(50_001), Decimal("0.1"))
    await desk.next_of(OrderClosed, client_order_id="TAKE", status=VenueStatus.FILLED)
    first.end()
    start_real()
    later_epoch = await desk.connected()
    desk.links.send(RequestSnapshot(account="acc", trades_from_ns=0))
    snapshot = await desk.next_of(VenueSnapshot)
    assert snapshot.gateway_epoch == later_epoch
    assert [order.client_order_id for order in snapshot.orders] == ["REST"]
    assert snapshot.trades == (trade,)
    # The new run knows nothing of what the old one sent, and so asks the venue.
    desk.links.send(a_query("TAKE", epoch))
    report = await desk.next_of(OrderReport, client_order_id="TAKE")
    assert (report.status, report.filled) == (VenueStatus.FILLED, Decimal("0.1"))
    cancel = SendCancel(
        account="acc", instrument=INSTRUMENT, client_order_id="REST", venue_order_id=None
    )
    assert desk.links.send(cancel) is None
    await desk.next_of(OrderClosed, client_order_id="REST", status=VenueStatus.CANCELED)


async def test_the_venues_restart_is_lived_through(
    desk: DeskEnd, start_real: Start, venue: DrydockProcess
):
    start_real()
    epoch = await desk.connected()
    desk.links.send(a_real_child("REST", epoch))
    await desk.next_of(OrderAccepted, client_order_id="REST")
    venue.kill()
    await desk.next_of(GatewayLost, why=Reason.VENUE_DISCONNECTED)
    await eventually(lambda: venue.url in desk.links.status()["acc"].reason)
    venue.start()
    assert await desk.connected() == epoch
    desk.links.send(a_query("REST", epoch))
    report = await desk.next_of(OrderReport, client_order_id="REST")
    assert report.status is VenueStatus.OPEN
    desk.views.clear()
    venue.set_book("BTC-USDT", "50000", "50001", "5")
    await desk.until(lambda: any(view.ask_px == 50_001 for _, view in desk.views))
    desk.links.send(a_real_child("TAKE", epoch, limit_px=Decimal(50_001)))
    await desk.next_of(OrderClosed, client_order_id="TAKE", status=VenueStatus.FILLED)
