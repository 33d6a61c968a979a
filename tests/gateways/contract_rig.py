"""What the contract suite needs of a venue: a rig to drive it, and orders to send."""

import time
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

import pytest
from tests.gateways.ear import Ear

from quarterdeck.core.model.facts import OrderReport
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce
from quarterdeck.gateways.contract import Driver, OrderRef, VenueOrder

D = Decimal
BID_PX, ASK_PX, REST_PX = D("50000.00"), D("50001.00"), D("40000.00")


class Rig(Protocol):
    """A venue as the suite uses it."""

    account: str
    venue: str
    instrument: str
    """A spot pair, tick 0.01 and lot 0.00001."""
    off_tick_px: Decimal | None
    """A price that the venue refuses; None when it takes every price."""
    cannot: frozenset[str]
    """Out of `trade`, `fail`, `restart`, `print`."""

    def driver(self, **settings: Any) -> Driver: ...

    def set_book(self, bid_px: Decimal, ask_px: Decimal, quantity: Decimal) -> None: ...

    def print_trade(self, px: Decimal, quantity: Decimal, aggressor: Side) -> str:
        """Let the market trade, and return the trade's id."""
        ...

    def fail(self, op: str, fault: str, **more: Any) -> None: ...

    def stop_venue(self) -> None: ...

    def start_venue(self) -> None: ...


class Connected:
    """A driver that is connected for the time of a `with`."""

    def __init__(self, rig: Rig, **settings: Any) -> None:
        self.driver = rig.driver(**settings)
        self.ear = Ear()

    async def __aenter__(self) -> tuple[Driver, Ear]:
        await self.driver.connect(self.ear)
        return self.driver, self.ear

    async def __aexit__(self, *_: object) -> None:
        await self.driver.disconnect()


def needs(rig: Rig, what: str) -> None:
    if what in rig.cannot:
        pytest.skip(f"the venue {rig.venue} cannot {what}")


def an_order(rig: Rig, **changes: Any) -> VenueOrder:
    terms: dict[str, Any] = {
        "client_order_id": "QD" + uuid.uuid4().hex[:20].upper(),
        "instrument": rig.instrument,
        "side": Side.BUY,
        "quantity": D("0.01"),
        "order_type": OrderType.LIMIT,
        "limit_px": REST_PX,
        "tif": TimeInForce.GTC,
        "expire_ns": None,
        "post_only": False,
        "reduce_only": False,
        "send_by_ns": time.time_ns() + 5_000_000_000,
    }
    return VenueOrder(**(terms | changes))


def ref(order: VenueOrder) -> OrderRef:
    return OrderRef(
        instrument=order.instrument, client_order_id=order.client_order_id, venue_order_id=None
    )


def found(orders: Sequence[OrderReport], order: VenueOrder) -> list[OrderReport]:
    return [each for each in orders if each.client_order_id == order.client_order_id]
