"""What taking costs: the price with the fee in it, and a plan against the midpoint.

Fees are proportional to what is traded, so a level's price can carry its own fee: a buyer pays
px · (1 + fee), a seller keeps px · (1 - fee). Levels of different venues then compare directly.

The non-obvious: inside the router these are integers, and a seller's are negated. Cheaper is
therefore less on both sides, sums are exact, and comparing costs no decimal arithmetic.
"""

from decimal import Decimal
from typing import Final

from quarterdeck.core.model.decimals import PLACES_MAX, div, mul, sub
from quarterdeck.core.model.terms import Side

BPS: Final = Decimal(10_000)
BPS_PLACES: Final = 9
"""Decimal places of a cost in basis points: far below any fee, short enough to be read."""

FEE_PLACES: Final = PLACES_MAX + 4
"""Decimal places of a fee as a share, when it is given in basis points as an amount."""
FEE_WHOLE: Final = int(10**FEE_PLACES)
"""A share of one as an integer."""


def net_px(side: Side, px: int, fee: int) -> int:
    """Return what one unit costs with its fee, times `FEE_WHOLE`; a seller's is below zero.

    The fee is a share times `FEE_WHOLE`; the price may be in any unit.
    """
    return side.sign * px * (FEE_WHOLE + side.sign * fee)


def cost_bps(
    side: Side, *, value: Decimal, quantity: Decimal, mid_px: Decimal | None
) -> Decimal | None:
    """Return what a trade costs against doing all of it at the midpoint; positive is a cost.

    The value is what a buyer pays or a seller keeps, fees included. None without a midpoint above
    zero or without a quantity.
    """
    if mid_px is None or not mid_px.is_finite() or mid_px <= 0 or quantity <= 0:
        return None
    ideal = mul(quantity, mid_px)
    lost = sub(value, ideal) if side is Side.BUY else sub(ideal, value)
    return div(mul(lost, BPS), ideal, places=BPS_PLACES)
