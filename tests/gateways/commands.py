"""Commands for tests, with everything that does not matter filled in."""

from decimal import Decimal
from typing import Any

from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce
from quarterdeck.gateways import wire
from quarterdeck.gateways.contract import OrderChange, OrderRef, VenueOrder

INSTRUMENT = "NULL:SPOT_PAIR:BTC-USDT"
DESK, EPOCH = 5, 1_000


def an_order(client_order_id: str, **changes: Any) -> VenueOrder:
    terms: dict[str, Any] = {
        "client_order_id": client_order_id,
        "instrument": INSTRUMENT,
        "side": Side.BUY,
        "quantity": Decimal(1),
        "order_type": OrderType.LIMIT,
        "limit_px": Decimal("49000.00"),
        "tif": TimeInForce.GTC,
        "expire_ns": None,
        "post_only": False,
        "reduce_only": False,
        "send_by_ns": 100,
    }
    return VenueOrder(**(terms | changes))


def a_child(client_order_id: str, **changes: Any) -> ChildOrder:
    terms: dict[str, Any] = {
        "client_order_id": client_order_id,
        "operation_id": "OP-1",
        "child_no": 1,
        "account": "acc",
        "instrument": INSTRUMENT,
        "side": Side.BUY,
        "quantity": Decimal(1),
        "order_type": OrderType.LIMIT,
        "limit_px": Decimal("49000.00"),
        "tif": TimeInForce.GTC,
        "expire_ns": None,
        "post_only": False,
        "reduce_only": False,
        "created_ns": 1,
        "send_by_ns": 2**62,
        "gateway_epoch": EPOCH,
    }
    return ChildOrder(**(terms | changes))


def ref(client_order_id: str) -> OrderRef:
    return OrderRef(instrument=INSTRUMENT, client_order_id=client_order_id, venue_order_id=None)


def submit(name: str, *, desk: int = DESK, gateway: int = EPOCH, by_ns: int = 100) -> wire.Submit:
    order = an_order(name, send_by_ns=by_ns)
    return wire.Submit(desk_epoch=desk, gateway_epoch=gateway, order=order)


def cancel(name: str, *, desk: int = DESK) -> wire.Cancel:
    return wire.Cancel(desk_epoch=desk, order=ref(name))


def query(name: str, *, desk: int = DESK, gateway: int = EPOCH) -> wire.Query:
    return wire.Query(desk_epoch=desk, gateway_epoch=gateway, order=ref(name))


def modify(name: str, *, desk: int = DESK, gateway: int = EPOCH, by_ns: int = 100) -> wire.Modify:
    change = OrderChange(order=ref(name), quantity=Decimal(2), limit_px=None, send_by_ns=by_ns)
    return wire.Modify(desk_epoch=desk, gateway_epoch=gateway, change=change)


def snapshot(*, desk: int = DESK, from_ns: int = 0) -> wire.Snapshot:
    return wire.Snapshot(desk_epoch=desk, trades_from_ns=from_ns)
