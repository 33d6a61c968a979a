"""What an order cost against the price it met: slippage and fees, in basis points of arrival.

The arrival price is the midpoint when the order was decided. Every figure has the caller's side in
its sign: positive is a cost, whether he bought or sold.
"""

from decimal import Decimal
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.decimals import ZERO, add, div, mul, sub
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.tca.fees import in_quote

BPS: Final = Decimal(10_000)
BPS_PLACES: Final = 9
"""Decimal places of a figure in basis points; a share has four more."""


class Cost(Struct, frozen=True, kw_only=True, gc=False):
    """The cost of what is filled so far."""

    arrival_px: Decimal | None
    """None when there was no midpoint; then nothing is measured against it."""
    avg_px: Decimal
    slippage_bps: Decimal | None
    """Price alone."""
    fees_quote: Decimal
    """In quote currency; negative is a rebate."""
    fees_unconverted: dict[str, Decimal]
    """Fees in other assets, by asset: neither converted nor in any figure here."""
    fees_bps: Decimal | None
    shortfall_bps: Decimal | None
    """Slippage and fees: exactly the sum of the two."""
    filled_share: Decimal
    """Of the quantity ordered; above one when a venue filled too much."""


def cost_of(parent: ParentOrder, instrument: Instrument) -> Cost | None:
    """Return what the fills of a parent cost; None before the first.

    Also None for an inverse contract: its average price is the harmonic mean of its fills, and a
    parent keeps the sum of quantity × price, from which that mean cannot be had.
    """
    avg_px = parent.avg_px
    if avg_px is None or instrument.settlement is Settlement.INVERSE:
        return None
    fees = in_quote(parent.fees, instrument, avg_px)
    slippage_bps = fees_bps = shortfall_bps = None
    if parent.arrival_px is not None and parent.arrival_px > ZERO:
        ideal = mul(parent.filled, parent.arrival_px)
        lost = mul(sub(parent.notional, ideal), Decimal(parent.terms.side.sign))
        slippage_bps = div(mul(lost, BPS), ideal, places=BPS_PLACES)
        fees_bps = div(mul(fees.quote, BPS), mul(ideal, instrument.multiplier), places=BPS_PLACES)
        shortfall_bps = add(slippage_bps, fees_bps)
    return Cost(
        arrival_px=parent.arrival_px,
        avg_px=avg_px,
        slippage_bps=slippage_bps,
        fees_quote=fees.quote,
        fees_unconverted=fees.unconverted,
        fees_bps=fees_bps,
        shortfall_bps=shortfall_bps,
        filled_share=div(parent.filled, parent.terms.quantity, places=BPS_PLACES + 4),
    )
