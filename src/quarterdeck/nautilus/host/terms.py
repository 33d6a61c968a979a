"""A child order in NautilusTrader's terms, and why a venue would not take it.

Checked here is only what NautilusTrader does not refuse by itself: it would round a price or a
quantity to the instrument's precision, and does not know the expiry of orders that land late.
Funds, bounds of quantity and notional are left to its risk engine, crossing to its matching.
"""

from decimal import Decimal
from typing import Final

from msgspec import Struct
from nautilus_trader.common import OrderFactory
from nautilus_trader.model import (
    ClientOrderId,
    InstrumentId,
    LimitOrder,
    MarketOrder,
    OrderSide,
    Price,
    Quantity,
    TimeInForce,
)

from quarterdeck.core.model import terms
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.decimals import canonical, is_multiple
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.nautilus.instruments import nautilus_id, price_places, size_places

REJECTED: Final = "REJECTED"
"""Code of a refusal for which NautilusTrader gives a sentence only."""

CODES: Final = {
    "No market": "NO_MARKET",
    "POST_ONLY": "POST_ONLY_WOULD_TAKE",
    "Reduce-only": "REDUCE_ONLY_WOULD_INCREASE",
}
"""Codes of the sentences that are known, by their beginnings."""

SIDES: Final = {terms.Side.BUY: OrderSide.BUY, terms.Side.SELL: OrderSide.SELL}

TIMES_IN_FORCE: Final = {
    terms.TimeInForce.GTC: TimeInForce.GTC,
    terms.TimeInForce.IOC: TimeInForce.IOC,
    terms.TimeInForce.FOK: TimeInForce.FOK,
    # NautilusTrader looks for expired orders only when their venue's book changes, up to seconds
    # too late; the host ends them itself, in time.
    terms.TimeInForce.GTD: TimeInForce.GTC,
}


class Listed(Struct, frozen=True):
    """An instrument of the venue, with what NautilusTrader needs to name it and its numbers."""

    instrument: Instrument
    nautilus_id: InstrumentId
    price_places: int
    size_places: int


def listed(instrument: Instrument) -> Listed:
    """Return an instrument ready to be traded."""
    return Listed(
        instrument, nautilus_id(instrument.id), price_places(instrument), size_places(instrument)
    )


def problem(child: ChildOrder, item: Listed, lands_ns: int) -> tuple[str, str] | None:
    """Return code and text of why the venue refuses the order; None when it does not here."""
    instrument = item.instrument
    if not is_multiple(child.quantity, instrument.lot_qty):
        return "QUANTITY_LOT", f"{child.quantity} is no multiple of {instrument.lot_qty}"
    if child.limit_px is not None and not is_multiple(child.limit_px, instrument.tick_px):
        return "PRICE_TICK", f"{child.limit_px} is no multiple of {instrument.tick_px}"
    if child.reduce_only and instrument.settlement is Settlement.SPOT:
        return "REDUCE_ONLY_SPOT", "reduce-only is for derivatives"
    if child.expire_ns is not None and child.expire_ns <= lands_ns:
        return "EXPIRED", f"its time was over at {child.expire_ns} ns, before it arrived"
    return None


def order_of(
    child: ChildOrder, item: Listed, factory: OrderFactory, bound_px: Decimal | None
) -> LimitOrder | MarketOrder:
    """Return the order to submit; with a bound, a market order goes no further than to there."""
    side = SIDES[child.side]
    quantity = Quantity.from_str(_fixed(child.quantity, item.size_places))
    name = ClientOrderId(child.client_order_id)
    limit_px, tif = child.limit_px, TIMES_IN_FORCE[child.tif]
    if limit_px is None:
        # What a market order cannot fill at once would otherwise stay open for ever.
        limit_px = bound_px
        tif = TimeInForce.FOK if child.tif is terms.TimeInForce.FOK else TimeInForce.IOC
    if limit_px is None:
        market: MarketOrder = factory.market(
            item.nautilus_id,
            side,
            quantity,
            time_in_force=tif,
            reduce_only=child.reduce_only,
            client_order_id=name,
        )
        return market
    limit: LimitOrder = factory.limit(
        item.nautilus_id,
        side,
        quantity,
        Price.from_str(_fixed(limit_px, item.price_places)),
        time_in_force=tif,
        post_only=child.post_only,
        reduce_only=child.reduce_only,
        client_order_id=name,
    )
    return limit


def split(reason: str) -> tuple[str, str]:
    """Return code and text of a refusal; NautilusTrader puts both into one sentence."""
    head, colon, rest = reason.partition(":")
    if colon and head.isupper() and head.replace("_", "").isalpha():
        return head, rest.strip()
    code = next((code for start, code in CODES.items() if reason.startswith(start)), REJECTED)
    return code, reason


def _fixed(value: Decimal, places: int) -> str:
    """Return a multiple of the step with exactly the places that the instrument has."""
    whole, _, rest = canonical(value).partition(".")
    return f"{whole}.{rest.ljust(places, '0')}" if places else whole
