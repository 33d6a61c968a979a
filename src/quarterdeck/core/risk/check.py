"""What a rule may look at: one order, its market and its account, at one instant.

Gathered once per order, so that every rule is a small function of plain values and can be tested
with a table.
"""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.model.account import AccountState
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.decimals import (
    ONE,
    ZERO,
    add,
    canonical,
    div,
    mul,
    round_down,
    round_up,
    sub,
)
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.limits import InstrumentLimits, TradingState
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import OrderTerms, OrderType, Route, Side

BPS = Decimal(10_000)


class OrderCheck(Struct, frozen=True, kw_only=True):
    """One order under examination."""

    terms: OrderTerms
    now_ns: int
    instrument: Instrument
    account: AccountState
    trading_state: TradingState
    instrument_halted: Reason | None
    limits: InstrumentLimits | None
    view: MarketView | None
    reducible_qty: Decimal
    """How much an order on this side may trade without opening or flipping; zero or more."""
    free: Decimal | None
    """What its accounts hold and no live order has reserved of the asset this order takes."""
    filled: Decimal = ZERO
    """Of a live order whose terms are to change: what it needs no more funds for."""

    @property
    def goes_whole(self) -> bool:
        """Whether the whole quantity goes out as one child, which the venue's maximum bounds."""
        return self.terms.algorithm is Algorithm.NORMAL and self.terms.route is Route.DIRECT

    @property
    def reference_px(self) -> Decimal | None:
        """Midpoint of the view, or None when it has none that is a positive number."""
        mid = self.view.mid_px if self.view is not None else None
        return mid if mid is not None and mid.is_finite() and mid > 0 else None

    @property
    def working_px(self) -> Decimal | None:
        """Worst price at which the order may trade, on the tick.

        The limit price; for a market order the tighter of the collar and the caller's own
        `max_slippage_bps` away from the reference, rounded towards it. None when that cannot be
        known.
        """
        if self.terms.order_type is OrderType.LIMIT:
            return self.terms.limit_px
        if self.reference_px is None or self.limits is None:
            return None
        bps = self.limits.collar_bps
        if self.terms.max_slippage_bps is not None:
            bps = min(bps, self.terms.max_slippage_bps)
        return protective_px(self.reference_px, bps, self.terms.side, self.instrument.tick_px)


def protective_px(reference_px: Decimal, bps: Decimal, side: Side, tick_px: Decimal) -> Decimal:
    """Return the price so many basis points on the worse side, rounded to the better tick."""
    part = div(bps, BPS)
    if side is Side.BUY:
        px = round_down(mul(reference_px, add(ONE, part)), tick_px)
    else:
        px = round_up(mul(reference_px, sub(ONE, part)), tick_px)
    return Decimal(canonical(px))  # Without the idle zeros that the quotient brought.
