"""The market of one product over several venues, as one."""

from collections.abc import Sequence
from decimal import Decimal

from quarterdeck.core.model.decimals import add, mul
from quarterdeck.core.model.market import HALF, MarketView


def mid_px_of(views: Sequence[MarketView]) -> Decimal | None:
    """Return the midpoint of the best bid and the best offer over all venues; None without both.

    Venues may stand crossed against each other for a moment; the midpoint is still between them.
    """
    bids = [view.bid_px for view in views if view.bid_px is not None]
    asks = [view.ask_px for view in views if view.ask_px is not None]
    if not bids or not asks:
        return None
    return mul(add(max(bids), min(asks)), HALF)


def top_of(views: Sequence[MarketView], instrument: str) -> MarketView:
    """Return the best prices over several venues as one view, as old as the oldest of them.

    Where venues stand crossed against each other both sides are their midpoint, so that the view
    has the same midpoint as they have together.

    Args:
        views: two-sided, at least one.
        instrument: named by the view.
    """
    bid = max((view.bids[0] for view in views), key=lambda level: level[0])
    ask = min((view.asks[0] for view in views), key=lambda level: level[0])
    if bid[0] > ask[0]:
        mid_px = mul(add(bid[0], ask[0]), HALF)
        bid, ask = (mid_px, bid[1]), (mid_px, ask[1])
    return MarketView(
        instrument=instrument,
        bids=(bid,),
        asks=(ask,),
        seq=0,
        at_ns=min(view.at_ns for view in views),
    )
