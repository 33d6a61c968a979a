"""What an order cost so far and how closely it kept to its schedule, as the API shows it.

Measured anew at every look from what the order holds, by the instruments and terms as they are
now: nothing of it is stored, so nothing of it can disagree with the fills.
"""

from collections.abc import Sequence

from msgspec import Struct

from quarterdeck.api.amounts import Amount, amount, amount_or_none
from quarterdeck.core.algos.contract import Grid
from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.desk.grid import grid_of, lowest_px
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.tca.cost import cost_of
from quarterdeck.core.tca.schedule import PlannedPoint, schedule_error


class CostView(Struct, frozen=True, kw_only=True):
    """The cost of what is filled, in basis points of the arrival price; positive is a cost."""

    arrival_px: Amount | None
    """Midpoint when the order was decided; without one no basis points are told."""
    avg_px: Amount
    slippage_bps: Amount | None
    """Price alone."""
    fees_bps: Amount | None
    shortfall_bps: Amount | None
    """Slippage and fees."""
    fees: Amount
    """In quote currency; negative is a rebate."""
    fees_unconverted: dict[str, Amount]
    """Fees in other assets, by asset; in none of the figures."""
    filled_share: Amount
    """Of the quantity ordered."""


class ScheduleErrorView(Struct, frozen=True, kw_only=True):
    """Distance between fills and schedule, in basis points of the quantity."""

    mean_bps: Amount
    """Weighted by time."""
    max_bps: Amount
    from_ns: int
    until_ns: int
    """The order's end, or the present while it lives."""


def cost_view(parent: ParentOrder, instrument: Instrument | None) -> CostView | None:
    """Return what an order cost; None before a fill and where it cannot be told.

    That is where the instrument is not loaded, and for inverse contracts.
    """
    cost = cost_of(parent, instrument) if instrument is not None else None
    if cost is None:
        return None
    return CostView(
        arrival_px=amount_or_none(cost.arrival_px),
        avg_px=amount(cost.avg_px),
        slippage_bps=amount_or_none(cost.slippage_bps),
        fees_bps=amount_or_none(cost.fees_bps),
        shortfall_bps=amount_or_none(cost.shortfall_bps),
        fees=amount(cost.fees_quote),
        fees_unconverted={asset: amount(paid) for asset, paid in cost.fees_unconverted.items()},
        filled_share=amount(cost.filled_share),
    )


class Followed(Struct, frozen=True, kw_only=True):
    """Everything that the distance from a schedule is measured from."""

    parent: ParentOrder
    grid: Grid
    fills: tuple[Trade, ...]
    from_ns: int
    until_ns: int


def followed(
    parent: ParentOrder, fills: Sequence[Trade], state: DeskState, now_ns: int
) -> Followed | None:
    """Return what to measure an order's schedule by; None where there can be none.

    The schedule is that of the present terms, from acceptance on. Fills count at their venue's
    time: a venue's clock that is off shows as an error of that size.
    """
    terms, from_ns = parent.terms, parent.created_ns
    until_ns = parent.finished_ns if parent.finished_ns is not None else now_ns
    if terms.params is None or terms.instrument not in state.instruments or until_ns <= from_ns:
        return None
    return Followed(
        parent=parent,
        grid=grid_of(state, terms, lowest_px(parent.arrival_px, parent.reserved_px)),
        fills=tuple(fills),
        from_ns=from_ns,
        until_ns=until_ns,
    )


def schedule_error_view(seen: Followed) -> ScheduleErrorView | None:
    """Return how far the fills were from the schedule; None for an algorithm that has none.

    Thousands of slices take a tenth of a second: not for the desk's own thread.
    """
    terms = seen.parent.terms
    points = [
        PlannedPoint(at_ns=seen.from_ns + planned.at_ns, cumulative=planned.cumulative)
        for planned in KINDS[terms.algorithm].schedule(terms, seen.grid)
    ]
    if not points:
        return None
    done = [(trade.at_ns, trade.quantity) for trade in seen.fills]
    found = schedule_error(points, done, terms.quantity, seen.from_ns, seen.until_ns)
    return ScheduleErrorView(
        mean_bps=amount(found.mean_bps),
        max_bps=amount(found.max_bps),
        from_ns=seen.from_ns,
        until_ns=seen.until_ns,
    )
