"""What quantities an order can send at all, from the terms of the markets it may use."""

from decimal import Decimal
from functools import lru_cache

from quarterdeck.core.algos.contract import Grid
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.decimals import ONE, div, mul, round_up
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.terms import OrderTerms


def grid_of(state: DeskState, terms: OrderTerms, px: Decimal | None) -> Grid:
    """Return the finest lot and the smallest minimum among an order's markets.

    The price is the lowest at which the least notional may be judged; None leaves it out.
    """
    if not terms.others:
        instrument = state.instruments[terms.instrument]
        return Grid(lot_qty=instrument.lot_qty, min_qty=least_at(instrument, px))
    found = [state.instruments.get(market.instrument) for market in terms.markets]
    listed = [instrument for instrument in found if instrument is not None]
    lot_qty = min(instrument.lot_qty for instrument in listed)
    return Grid(lot_qty=lot_qty, min_qty=min(least_at(instrument, px) for instrument in listed))


def lowest_px(*prices: Decimal | None) -> Decimal | None:
    """Return the lowest of the prices that are known: there the least notional is hardest met."""
    return min((px for px in prices if px is not None and px > 0), default=None)


def least_at(instrument: Instrument, px: Decimal | None) -> Decimal:
    """Return the least quantity of one child at a market, in its lots."""
    worth = None
    if instrument.min_notional is not None and px is not None and px > 0:
        worth = instrument.notional(instrument.lot_qty, px)
    return _least_qty(instrument.lot_qty, instrument.min_qty, instrument.min_notional, worth)


@lru_cache(maxsize=4_096)
def _least_qty(
    lot_qty: Decimal, min_qty: Decimal | None, min_notional: Decimal | None, worth: Decimal | None
) -> Decimal:
    """Return the least quantity in lots; kept, since it is asked at every step of an order.

    `worth` is the notional of one lot, None when the least notional does not count.
    """
    least = max(min_qty or lot_qty, lot_qty)
    if min_notional is not None and worth is not None:
        least = max(least, mul(round_up(div(min_notional, worth), ONE), lot_qty))
    return round_up(least, lot_qty)
