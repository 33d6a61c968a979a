"""The signed position in one instrument of one account, from fills alone.

Owns netting: what a fill adds, closes or turns round, what was realised by it and at what average
the rest stands. Fees are kept beside it by asset and are never part of P&L; funding and transfers
are not trades and belong to the holding.

Formulas, with q in units (spot) or contracts, positive for long, m the multiplier:

    spot, linear   P&L in quote = q · m · (exit - entry)           entry = Σ(q · px) / Σq
    inverse        P&L in base  = q · m · (1/entry - 1/exit)       entry = Σq / Σ(q / px)

Source: Bybit's help centre, "FAQ - P&L Calculation" for both formulas and "Profit & Loss
calculations (Inverse Contracts)" for the inverse entry; the tests work its examples. A reduction
is valued at the average entry, not first in, first out, and leaves that average as it was.

The non-obvious: the average is for people to read and is never calculated with. What is kept is
`open_value`, the sum Σ(q · px) or Σ(q / px) of what is still open. A reduction moves a part of it
into `realised`, so what rounding took from the part waits in the rest and is not lost. Hence, after
any sequence of fills, realised P&L equals the cash that came in, less what went out, plus the value
still open: exactly for spot and linear, to 1e-36 per closing fill for inverse. Closing fully leaves
exactly zero.
"""

from decimal import Decimal
from typing import Final, assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from quarterdeck.core.model.decimals import (
    ONE,
    PLACES_MAX,
    QUOTIENT_PLACES,
    ZERO,
    add,
    div,
    mul,
    sub,
    to_places,
)
from quarterdeck.core.model.instrument import Instrument, Settlement

INVERSE_VALUE_PLACES: Final = 54
"""Places of q / px: the smallest, 1e-18 / 1e18, is still known to 18 digits."""


class Terms(Struct, frozen=True, kw_only=True, gc=False):
    """What turns a quantity and a price into money; fixed while a position is open."""

    settlement: Settlement
    settle: str
    """The asset that P&L is in: quote for spot and linear, base for inverse."""
    multiplier: Decimal = ONE
    """Base units per contract (linear), quote units per contract (inverse); 1 for spot."""


class Position(Struct, frozen=True, kw_only=True, gc=False):
    """What was bought and sold, netted; a value."""

    terms: Terms
    quantity: Decimal = ZERO
    """Positive is long. Base units for spot, contracts otherwise."""
    open_value: Decimal = ZERO
    """Σ(q · px), for inverse Σ(q / px), of the open quantity, before the multiplier."""
    avg_px: Decimal | None = None
    """Average entry to 18 places, to be shown; None when flat."""
    realised: Decimal = ZERO
    """Profit of what was closed, in the settle asset, before fees."""
    fees: dict[str, Decimal] = field(default_factory=dict)
    """Paid so far by asset; negative is a rebate."""

    @property
    def is_flat(self) -> bool:
        """Whether nothing is open."""
        return self.quantity.is_zero()


def terms_of(instrument: Instrument) -> Terms:
    """Return the terms that an instrument's positions have."""
    return Terms(
        settlement=instrument.settlement,
        settle=instrument.settle,
        multiplier=instrument.multiplier,
    )


def apply_fill(position: Position, quantity: Decimal, px: Decimal) -> Position:
    """Return the position after a fill of a signed quantity (positive was bought).

    The part of the fill that opposes the position closes it; what is left over opens the other
    way at the fill's price.

    Raises:
        ValueError: if the quantity is zero, a number is not finite, or an inverse contract is
            priced at or below zero.
    """
    _require_fill(position.terms, quantity, px)
    value = _value(position.terms, quantity, px)
    held = position.quantity
    after = add(held, quantity)
    if held.is_zero() or held.is_signed() == quantity.is_signed():
        return _opened(position, after, add(position.open_value, value))
    if after.is_zero():
        return _closed(position, after, position.open_value, value)
    if after.is_signed() == held.is_signed():
        # Divide last: the product is exact and the quotient is rounded once.
        places = _value_places(position.terms)
        part = div(mul(position.open_value, quantity.copy_negate()), held, places=places)
        return _closed(position, after, part, value)
    # Through zero. The value that opens is the remainder, so that both parts sum to the fill's.
    closing = _value(position.terms, held.copy_negate(), px)
    flat = _closed(position, ZERO, position.open_value, closing)
    return _opened(flat, after, sub(value, closing))


def charge_fee(position: Position, asset: str, amount: Decimal) -> Position:
    """Return the position with a fee noted in the asset it was paid in; negative is a rebate."""
    paid = add(position.fees.get(asset, ZERO), amount)
    return replace(position, fees={**position.fees, asset: paid})


def unrealised(position: Position, mark_px: Decimal) -> Decimal:
    """Return the profit, in the settle asset, that closing all of it at the mark would realise."""
    if position.is_flat:
        return ZERO
    closing = _value(position.terms, position.quantity.copy_negate(), mark_px)
    return _profit(position.terms, position.open_value, closing)


def notional(position: Position, px: Decimal) -> Decimal:
    """Return what the open quantity is worth at a price, in quote currency, never negative.

    An inverse contract is a fixed amount of quote, so its notional does not depend on the price.
    """
    size = mul(position.quantity.copy_abs(), position.terms.multiplier)
    match position.terms.settlement:
        case Settlement.SPOT | Settlement.LINEAR:
            return mul(size, px.copy_abs())
        case Settlement.INVERSE:
            return size
        case _ as unknown:
            assert_never(unknown)


def _opened(position: Position, quantity: Decimal, open_value: Decimal) -> Position:
    if position.terms.settlement is Settlement.INVERSE:
        avg_px = div(quantity, open_value, places=PLACES_MAX)
    else:
        avg_px = div(open_value, quantity, places=PLACES_MAX)
    return replace(position, quantity=quantity, open_value=open_value, avg_px=avg_px)


def _closed(position: Position, quantity: Decimal, part: Decimal, closing: Decimal) -> Position:
    profit = _profit(position.terms, part, closing)
    return replace(
        position,
        quantity=quantity,
        open_value=sub(position.open_value, part),
        avg_px=None if quantity.is_zero() else position.avg_px,
        realised=add(position.realised, profit),
    )


def _value(terms: Terms, quantity: Decimal, px: Decimal) -> Decimal:
    match terms.settlement:
        case Settlement.SPOT | Settlement.LINEAR:
            return mul(quantity, px)
        case Settlement.INVERSE:
            return div(quantity, px, places=INVERSE_VALUE_PLACES)
        case _ as unknown:
            assert_never(unknown)


def _value_places(terms: Terms) -> int:
    inverse = terms.settlement is Settlement.INVERSE
    return INVERSE_VALUE_PLACES if inverse else QUOTIENT_PLACES


# `entry` and `closing` have opposite signs: what one side took in, the other gives back.
def _profit(terms: Terms, entry: Decimal, closing: Decimal) -> Decimal:
    gap = mul(add(entry, closing), terms.multiplier)
    if terms.settlement is Settlement.INVERSE:
        return to_places(gap, QUOTIENT_PLACES)
    return gap.copy_negate()


def _require_fill(terms: Terms, quantity: Decimal, px: Decimal) -> None:
    if quantity.is_zero() or not (quantity.is_finite() and px.is_finite()):
        raise ValueError(f"a fill has a finite price and quantity, not zero: {quantity} at {px}")
    if terms.settlement is Settlement.INVERSE and px <= ZERO:
        raise ValueError(f"an inverse contract has a price above zero, not {px}")
