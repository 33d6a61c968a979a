"""What a live parent holds of its account's assets until it is filled or finished.

A reservation is derived, never kept by hand: it is a function of the parent alone, and the desk's
ledger of reservations moves by the difference whenever a parent changes. So it returns to zero by
itself when the last parent ends, whatever happened in between.
"""

from decimal import Decimal
from typing import Final

from quarterdeck.core.model.decimals import mul
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderTerms, Route, Side

POOL: Final = ""
"""Stands for all accounts together: funds promised to a SMART order and not yet placed."""


def held_by(parent: ParentOrder, instrument: Instrument) -> tuple[tuple[str, str, Decimal], ...]:
    """Return what a parent holds: account, asset and quantity of each part.

    A spot buy holds quote currency, a spot sell holds base. What is out holds it in the account
    it was sent to, at its own worst price; what is still to be sent holds it at the parent's: in
    the parent's account, or over all accounts (`POOL`) when SMART has yet to choose one.
    Derivatives hold margin at their venue, not with us.
    """
    spot = instrument.settlement is Settlement.SPOT
    if not spot or not parent.status.is_live or parent.reserved_px is None:
        return ()
    terms = parent.terms
    parts = [(child.account, child.leaves, child.px) for child in parent.open_children.values()]
    unsent = parent.available
    if unsent > 0 and parent.status is not ParentStatus.CANCELING:
        where = terms.account if terms.route is Route.DIRECT else POOL
        parts.append((where, unsent, parent.reserved_px))
    held: list[tuple[str, str, Decimal]] = []
    for account, quantity, px in parts:
        need = needed(terms, quantity, px, instrument)
        if need is not None:
            held.append((account, *need))
    return tuple(held)


def needed(
    terms: OrderTerms, quantity: Decimal, px: Decimal, instrument: Instrument
) -> tuple[str, Decimal] | None:
    """Return asset and quantity that trading this much at this price would take, before fees."""
    if instrument.settlement is not Settlement.SPOT:
        return None
    if terms.side is Side.SELL:
        return instrument.base, quantity
    return instrument.quote, mul(mul(quantity, instrument.multiplier), px)
