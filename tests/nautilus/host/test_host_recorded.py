"""A hosted run over the recorded minutes of real markets."""

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.nautilus.host.small_market import (
    BTC,
    LATENCY_MS,
    MS,
    START_NS,
    ScriptedDesk,
    Step,
    account_of,
    buy,
    sell,
    venue_of,
)

from quarterdeck.core.model import facts as f
from quarterdeck.core.model.decimals import add, mul, sub
from quarterdeck.core.model.terms import TimeInForce
from quarterdeck.nautilus.catalog.ready import CatalogReady, ensure
from quarterdeck.nautilus.host.node import run_host
from quarterdeck.nautilus.host.plan import HostOutcome, HostPlan, HostPorts

SAMPLE = os.environ.get("QUARTERDECK_SAMPLE_DATA")
pytestmark = pytest.mark.skipif(
    SAMPLE is None, reason="QUARTERDECK_SAMPLE_DATA does not name the recorded sample data"
)

SPOT = replace(BTC, lot_qty=Decimal("0.00001"))
FUNDS = {"USDT": Decimal(10**9), "BTC": Decimal(10_000)}
ORDERS = 150


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> CatalogReady:
    assert SAMPLE is not None
    made = ensure(
        Path(SAMPLE),
        tmp_path_factory.mktemp("catalog"),
        [date(2024, 8, 8)],
        [SPOT],
        lambda progress: None,
    )
    assert isinstance(made, CatalogReady), made
    return made


def played(ready: CatalogReady, chunk_size: int | None) -> tuple[ScriptedDesk, HostOutcome]:
    """Send market orders and resting ones at even times through the recording."""
    first_ms = (ready.first_ns - START_NS) // MS
    every_ms = (ready.last_ns - ready.first_ns) // MS // (ORDERS + 2)
    steps: list[Step] = []
    for number in range(ORDERS):
        send = buy if number % 2 else sell
        qty = str(Decimal(7 + 13 * number) / 1000 + Decimal("0.00001"))
        px = None if number % 3 else ("61500" if number % 2 else "61900")
        terms = {} if number % 3 else {"tif": TimeInForce.GTC}
        steps.append((first_ms + every_ms * (number + 1), send(f"C{number}", qty, px, **terms)))
    plan = HostPlan(
        venues=(venue_of(SPOT, FUNDS),),
        catalog=str(ready.path),
        start_ns=ready.first_ns,
        end_ns=ready.last_ns,
        chunk_size=chunk_size,
    )
    desks: list[ScriptedDesk] = []

    def make(ports: HostPorts) -> ScriptedDesk:
        desks.append(ScriptedDesk(ports, steps))
        return desks[0]

    outcome = run_host(plan, make, lambda now_ns: None)
    return desks[0], outcome


def test_real_books_fill_market_orders_after_exactly_the_latency(ready: CatalogReady):
    desk, outcome = played(ready, 10_000)
    accepted = {fact.client_order_id: fact.at_ns for _, fact in desk.of(f.OrderAccepted)}
    assert len(accepted) == outcome.orders == ORDERS
    takers = [fact for _, fact in desk.of(f.Trade) if not fact.maker]
    assert {trade.at_ns - accepted[trade.client_order_id or ""] for trade in takers} == {0}
    offsets = {(at_ns - START_NS) // MS for at_ns in accepted.values()}
    sent = {ms - LATENCY_MS for ms in offsets}
    every = (ready.last_ns - ready.first_ns) // MS // (ORDERS + 2)
    first = (ready.first_ns - START_NS) // MS
    assert sent == {first + every * (number + 1) for number in range(ORDERS)}
    assert outcome.trades > ORDERS
    assert outcome.book_updates[SPOT.id] > 3000


def test_real_balances_add_up_to_the_last_digit(ready: CatalogReady):
    desk, outcome = played(ready, 10_000)
    held = dict(FUNDS)
    for _, trade in desk.of(f.Trade):
        signed = mul(trade.quantity, Decimal(trade.side.sign))
        held["BTC"] = add(held["BTC"], signed)
        held["USDT"] = sub(sub(held["USDT"], mul(signed, trade.px)), trade.fee)
    balances = {item.asset: item.total for item in outcome.balances[account_of(SPOT)]}
    assert balances == held


def test_the_size_of_the_chunks_changes_no_fact_of_a_real_run(ready: CatalogReady):
    heard = [played(ready, chunk_size)[0].facts for chunk_size in (997, None)]
    assert heard[0] == heard[1]
    assert len(heard[0]) > 3 * ORDERS
