"""What the orders of a run cost together, per quote currency, from what each of them cost.

Only what can be measured is in it: an order without a fill, without an arrival price or in an
inverse contract has no cost against its arrival price, and is counted as not measured.
"""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.model.decimals import ZERO, add, div, mul, sub, to_places
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.order import PX_PLACES, ParentOrder
from quarterdeck.core.tca.cost import BPS, BPS_PLACES, cost_of


class CostTotal(Struct, frozen=True, kw_only=True):
    """Orders of one quote currency; amounts in it, positive is a cost."""

    orders: int
    """How many are in the figures."""
    notional: Decimal
    """What they filled, at their arrival prices."""
    slippage: Decimal
    fees: Decimal
    """Those that were charged in the quote or base currency."""
    slippage_bps: Decimal
    fees_bps: Decimal
    shortfall_bps: Decimal
    """Slippage and fees."""


class CostSum:
    """Adds up orders of one quote currency."""

    def __init__(self) -> None:
        """Begin with none."""
        self._orders = 0
        self._notional = ZERO
        self._slippage = ZERO
        self._fees = ZERO

    def add(self, parent: ParentOrder, instrument: Instrument) -> None:
        """Count an order, if its cost can be measured."""
        cost = cost_of(parent, instrument)
        if cost is None or cost.shortfall_bps is None or cost.arrival_px is None:
            return
        ideal = mul(parent.filled, cost.arrival_px)
        scale = mul(instrument.multiplier, Decimal(parent.terms.side.sign))
        self._orders += 1
        self._notional = add(self._notional, mul(ideal, instrument.multiplier))
        self._slippage = add(self._slippage, mul(sub(parent.notional, ideal), scale))
        self._fees = add(self._fees, cost.fees_quote)

    @property
    def result(self) -> CostTotal | None:
        """What they cost; None when nothing could be measured."""
        if not self._orders:
            return None
        slippage_bps = div(mul(self._slippage, BPS), self._notional, places=BPS_PLACES)
        fees_bps = div(mul(self._fees, BPS), self._notional, places=BPS_PLACES)
        return CostTotal(
            orders=self._orders,
            notional=to_places(self._notional, PX_PLACES),
            slippage=to_places(self._slippage, PX_PLACES),
            fees=to_places(self._fees, PX_PLACES),
            slippage_bps=slippage_bps,
            fees_bps=fees_bps,
            shortfall_bps=add(slippage_bps, fees_bps),
        )
