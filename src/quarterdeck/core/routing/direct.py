"""DIRECT: to the venue that the instrument names, at the order's own terms.

A market order goes out as a limit at its worst price that cancels what it cannot take at once:
no venue can then fill it beyond the collar, however thin its book is.
"""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.terms import OrderType, TimeInForce


class Route(Struct, frozen=True, kw_only=True):
    """Where one slice goes, and at what terms."""

    account: str
    instrument: str
    quantity: Decimal
    order_type: OrderType
    limit_px: Decimal
    tif: TimeInForce
    expire_ns: int | None


def route(parent: ParentOrder, quantity: Decimal) -> Route:
    """Return the one leg of a direct order."""
    terms = parent.terms
    assert parent.reserved_px is not None, "an accepted order has a worst price"
    if terms.order_type is OrderType.MARKET:
        tif = TimeInForce.FOK if terms.tif is TimeInForce.FOK else TimeInForce.IOC
    else:
        tif = terms.tif
    return Route(
        account=terms.account,
        instrument=terms.instrument,
        quantity=quantity,
        order_type=OrderType.LIMIT,
        limit_px=parent.reserved_px,
        tif=tif,
        expire_ns=terms.expire_ns if tif is TimeInForce.GTD else None,
    )
