"""The contract suite on a real drydock process, and what is drydock's alone."""

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from tests.gateways.contract_public_trades import *  # noqa: F403 - as below
from tests.gateways.contract_rig import ASK_PX, BID_PX, Connected, an_order
from tests.gateways.contract_suite import *  # noqa: F403 - the suite's tests become this file's
from tests.gateways.drydock_process import ACCOUNT, TOKEN, VENUE, DrydockProcess
from tests.gateways.ear import Ear

from quarterdeck.core.model.instrument import Settlement
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import Side
from quarterdeck.gateways.contract import Accepted, ConnectError, Driver, Unknown
from quarterdeck.gateways.registry import build_driver

pytestmark = pytest.mark.processes


class DrydockRig:
    account = ACCOUNT
    venue = VENUE
    instrument = f"{VENUE}:SPOT_PAIR:BTC-USDT"
    off_tick_px = Decimal("40000.005")
    cannot: frozenset[str] = frozenset()

    def __init__(self, process: DrydockProcess) -> None:
        self.process = process

    def driver(self, **settings: Any) -> Driver:
        given = {"url": self.process.url, "token": TOKEN} | settings
        return build_driver("drydock", ACCOUNT, VENUE, given)

    def set_book(self, bid_px: Decimal, ask_px: Decimal, quantity: Decimal) -> None:
        self.process.set_book("BTC-USDT", str(bid_px), str(ask_px), str(quantity))

    def print_trade(self, px: Decimal, quantity: Decimal, aggressor: Side) -> str:
        return self.process.print_trade("BTC-USDT", str(px), str(quantity), aggressor)

    def fail(self, op: str, fault: str, **more: Any) -> None:
        self.process.inject({"op": op, "fault": fault, "count": 1} | more)

    def stop_venue(self) -> None:
        self.process.kill()

    def start_venue(self) -> None:
        self.process.start()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrydockProcess]:
    process = DrydockProcess(tmp_path_factory.mktemp("drydock"))
    yield process
    process.kill()


@pytest.fixture
def rig(process: DrydockProcess) -> Iterator[DrydockRig]:
    rig = DrydockRig(process)
    rig.set_book(BID_PX, ASK_PX, Decimal(5))
    yield rig
    if not process.running:
        process.start()
    process.inject()


async def test_a_perpetual_has_its_suffix_and_its_position_is_reported(rig: DrydockRig):
    async with Connected(rig) as (driver, ear):
        name = f"{VENUE}:PERPETUAL:ETH-USDT@LIN"
        rig.process.set_book("ETH-USDT", "2999.9", "3000.0", "10")
        order = an_order(rig, instrument=name, limit_px=Decimal(3000), quantity=Decimal("1.5"))
        assert isinstance(await driver.submit(order), Accepted)
        await ear.until(lambda: order.client_order_id in ear.closes)
        (position,) = await driver.positions()
        assert (position.instrument, position.quantity) == (name, Decimal("1.5"))
        assert position.avg_px == Decimal(3000)
        reduce = an_order(
            rig,
            instrument=name,
            side=Side.SELL,
            limit_px=Decimal("2999.9"),
            quantity=Decimal("1.5"),
            reduce_only=True,
        )
        assert driver.capabilities.reduce_only
        assert isinstance(await driver.submit(reduce), Accepted)
        await ear.until(lambda: reduce.client_order_id in ear.closes)
        assert await driver.positions() == ()


async def test_settlements_follow_from_the_kind(rig: DrydockRig):
    driver = rig.driver(instruments={"BTC-USDT": f"{VENUE}:SPOT_PAIR:XBT-USDT"})
    instruments = {item.symbol: item for item in await driver.connect(Ear())}
    await driver.disconnect()
    assert instruments["BTC-USDT"].id == f"{VENUE}:SPOT_PAIR:XBT-USDT"
    assert instruments["BTC-USDT"].min_notional == 5
    assert instruments["ETH-USDT"].settlement is Settlement.LINEAR
    assert instruments["ETH-USDT"].min_notional is None


async def test_trades_beyond_one_page_are_all_returned(rig: DrydockRig):
    async with Connected(rig) as (driver, ear):
        rig.set_book(BID_PX, ASK_PX, Decimal(50))
        orders = [an_order(rig, limit_px=ASK_PX) for _ in range(1_100)]
        outcomes = await asyncio.gather(*(driver.submit(order) for order in orders))
        assert {type(outcome) for outcome in outcomes} == {Accepted}
        await ear.until(lambda: all(order.client_order_id in ear.closes for order in orders))
        listed = {trade.trade_id for trade in await driver.trades_since(ear.trades[0].at_ns)}
        assert {trade.trade_id for trade in ear.trades} <= listed
        assert len(ear.trades) == 1_100


@pytest.mark.parametrize(
    ("settings", "venue", "message"),
    [
        ({"token": "not-the-token-of-it"}, VENUE, "UNAUTHORIZED"),
        ({"token": None, "token_env": "QUARTERDECK_NO_SUCH"}, VENUE, "QUARTERDECK_NO_SUCH"),
        ({}, "OTHER", f"this is venue {VENUE}, not OTHER"),
        ({"url": "ws://127.0.0.1:1/ws"}, VENUE, "127.0.0.1:1"),
        ({"instruments": {"BTC-USDT": "nonsense"}}, VENUE, "symbol BTC-USDT"),
    ],
)
async def test_why_it_cannot_connect_is_said(
    rig: DrydockRig, settings: dict[str, Any], venue: str, message: str
):
    given = {"url": rig.process.url, "token": TOKEN} | settings
    driver = build_driver("drydock", ACCOUNT, venue, given)
    with pytest.raises(ConnectError, match=message):
        await driver.connect(Ear())


@pytest.mark.parametrize("ahead_ns", [3_000_000_000, -3_000_000_000])
async def test_a_clock_that_would_void_the_proof_is_refused(
    rig: DrydockRig, monkeypatch: pytest.MonkeyPatch, ahead_ns: int
):
    wrong = SimpleNamespace(time_ns=lambda: time.time_ns() + ahead_ns)
    monkeypatch.setattr("quarterdeck.gateways.drivers.drydock.time", wrong)
    with pytest.raises(ConnectError, match="clock"):
        await rig.driver().connect(Ear())
    driver = rig.driver(margin_ms=10_000)
    await driver.connect(Ear())
    assert driver.clock_offset_ns == pytest.approx(-ahead_ns, abs=500_000_000)
    await driver.disconnect()


async def test_a_broken_connection_ends_its_requests_without_waiting(rig: DrydockRig):
    async with Connected(rig, request_timeout_ms=60_000) as (driver, _), asyncio.timeout(10):
        rig.fail("submit", "disconnect_after")
        outcome = await driver.submit(an_order(rig))
        assert isinstance(outcome, Unknown)
        assert outcome.why is Reason.REPLY_LOST


async def test_a_silent_venue_is_given_up(rig: DrydockRig):
    async with Connected(rig, request_timeout_ms=200, probe_ms=50) as (_, ear):
        rig.fail("time", "request_lost")
        await ear.until(lambda: len(ear.endings) > 0)
        assert "probe" in ear.endings[0]
