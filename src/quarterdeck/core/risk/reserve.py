"""What a live parent holds of its account's assets until it is filled or finished.

A reservation is derived, never kept by hand: it is a function of the parent alone, and the desk's
ledger of reservations moves by the difference whenever a parent changes. So it returns to zero by
itself when the last parent ends, whatever happened in between.
"""

from decimal import Decimal

from quarterdeck.core.model.decimals import mul
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.terms import OrderTerms, Side


def held_by(parent: ParentOrder, instrument: Instrument) -> tuple[str, Decimal] | None:
    """Return asset and quantity that a parent holds, or None when it holds nothing.

    A spot buy holds quote currency for its leaves at the reserved price, a spot sell holds base.
    Derivatives hold margin at their venue, not with us.
    """
    if parent.reserved_px is None or not parent.leaves:
        return None
    return needed(parent.terms, parent.leaves, parent.reserved_px, instrument)


def needed(
    terms: OrderTerms, quantity: Decimal, px: Decimal, instrument: Instrument
) -> tuple[str, Decimal] | None:
    """Return asset and quantity that trading this much at this price would take, before fees."""
    if instrument.settlement is not Settlement.SPOT:
        return None
    if terms.side is Side.SELL:
        return instrument.base, quantity
    return instrument.quote, mul(mul(quantity, instrument.multiplier), px)
