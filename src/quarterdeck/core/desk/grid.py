"""What quantities an order can send at all, from the terms of the markets it may use."""

from decimal import Decimal

from quarterdeck.core.algos.contract import Grid
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.decimals import div, mul, round_up
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.terms import OrderTerms


def grid_of(state: DeskState, terms: OrderTerms, px: Decimal | None) -> Grid:
    """Return the finest lot and the smallest minimum among an order's markets.

    The price is the lowest at which the least notional may be judged; None leaves it out.
    """
    found = [state.instruments.get(market.instrument) for market in terms.markets]
    listed = [instrument for instrument in found if instrument is not None]
    lot_qty = min(instrument.lot_qty for instrument in listed)
    least = min(_least(instrument, px) for instrument in listed)
    return Grid(lot_qty=lot_qty, min_qty=max(least, lot_qty))


def _least(instrument: Instrument, px: Decimal | None) -> Decimal:
    """Return the least quantity of one child at a market, in its lots."""
    least = max(instrument.min_qty or instrument.lot_qty, instrument.lot_qty)
    if instrument.min_notional is not None and px is not None and px > 0:
        worth = instrument.notional(instrument.lot_qty, px)
        lots = div(instrument.min_notional, worth)
        least = max(least, round_up(mul(lots, instrument.lot_qty), instrument.lot_qty))
    return round_up(least, instrument.lot_qty)
