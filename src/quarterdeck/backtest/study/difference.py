"""How an order of the day and the same order of the backtest differ. Pure.

Decisions come first. What a matching engine made of them is measured in basis points of the day's
average price, with the side of the order in the sign: positive means that the backtest did worse.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest

from msgspec import Struct

from quarterdeck.backtest.study.decisions import FIELDS, Decision
from quarterdeck.core.model.decimals import add, canonical, div, mul, sub, total
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.terms import Side
from quarterdeck.core.tca.cost import BPS, BPS_PLACES, cost_of

TWO = Decimal(2)


class Parting(Struct, frozen=True, kw_only=True):
    """The first decision that differs."""

    index: int
    """Its place in the sequence, from 0."""
    field: str
    """The first field that differs; `decision` where one side has no more of them."""
    live: str | None
    backtest: str | None


class Outcome(Struct, frozen=True, kw_only=True):
    """What an order came to on one side, at the window's end. Numbers are canonical text."""

    state: str
    reason: str | None
    filled: str
    avg_px: str | None
    """None without a fill, and for inverse contracts."""
    arrival_px: str | None
    shortfall_bps: str | None
    """Against the arrival price of its own side, with fees; positive is a cost."""
    children: int


class OrderStudy(Struct, frozen=True, kw_only=True):
    """One order on both sides."""

    operation_id: str
    instrument: str
    side: str
    quantity: str
    algorithm: str
    route: str
    same_book: bool | None
    """Whether both desks saw the same books when it was sent; None when one of them looked at none,
    or what it saw is no longer kept."""
    decisions_equal: bool
    decisions_live: int
    """How many there were."""
    decisions_backtest: int
    parting: Parting | None
    """None when all decisions are equal."""
    live: Outcome
    backtest: Outcome | None
    """None when the backtest did not take the order."""
    difference_bps: str | None
    """Of the average prices, positive where the backtest was worse; None when one side has none."""

    @property
    def is_equal(self) -> bool:
        """Whether decisions and outcome are the same on both sides."""
        return self.decisions_equal and self.live == self.backtest


class Totals(Struct, frozen=True, kw_only=True):
    """All orders together."""

    orders: int
    equal_decisions: int
    same_book: int
    """Orders for which both desks saw the same books when they were sent."""
    parted_on_same_book: int
    """Of those, orders whose decisions differ all the same: by what happened later on."""
    equal: int
    """Orders that are equal in everything that is compared, their prices too."""
    measured: int
    """Orders that have an average price on both sides; the figures below are over these."""
    mean_bps: str | None
    """Signed: positive where the backtest was worse."""
    mean_abs_bps: str | None
    median_abs_bps: str | None
    max_abs_bps: str | None


def first_parting(live: Sequence[Decision], backtest: Sequence[Decision]) -> Parting | None:
    """Return the first difference between two sequences of decisions; None when they are equal."""
    for index, (ours, theirs) in enumerate(zip_longest(live, backtest)):
        if ours is None or theirs is None:
            return Parting(
                index=index, field="decision", live=_named(ours), backtest=_named(theirs)
            )
        for field in FIELDS:
            a, b = getattr(ours, field), getattr(theirs, field)
            if a != b:
                return Parting(index=index, field=field, live=_text(a), backtest=_text(b))
    return None


def difference_bps(side: Side, live_px: Decimal | None, backtest_px: Decimal | None) -> str | None:
    """Return how much worse the backtest's average price is, in basis points of the live one."""
    if live_px is None or backtest_px is None or live_px <= 0:
        return None
    worse = mul(sub(backtest_px, live_px), Decimal(side.sign))
    return canonical(div(mul(worse, BPS), live_px, places=BPS_PLACES))


def study_order(
    live: ParentOrder,
    backtest: ParentOrder | None,
    instrument: Instrument,
    decisions: tuple[Sequence[Decision], Sequence[Decision]],
    *,
    same_book: bool | None,
) -> OrderStudy:
    """Return one order on both sides.

    Args:
        live: the order at the window's end.
        backtest: the same in the backtest; None when it was not taken there.
        instrument: that it names, with the fees of its account.
        decisions: the day's and the backtest's.
        same_book: whether both desks saw the same books when it was sent.
    """
    parting = first_parting(*decisions)
    terms = live.terms
    return OrderStudy(
        operation_id=live.id,
        instrument=terms.instrument,
        side=terms.side,
        quantity=canonical(terms.quantity),
        algorithm=terms.algorithm,
        route=terms.route,
        same_book=same_book,
        decisions_equal=parting is None,
        decisions_live=len(decisions[0]),
        decisions_backtest=len(decisions[1]),
        parting=parting,
        live=_outcome(live, instrument),
        backtest=None if backtest is None else _outcome(backtest, instrument),
        difference_bps=difference_bps(
            terms.side,
            _avg_px(live, instrument),
            None if backtest is None else _avg_px(backtest, instrument),
        ),
    )


def totals_of(orders: Sequence[OrderStudy]) -> Totals:
    """Return all orders together."""
    signed = [Decimal(each.difference_bps) for each in orders if each.difference_bps is not None]
    sizes = sorted(value.copy_abs() for value in signed)
    return Totals(
        orders=len(orders),
        equal_decisions=sum(each.decisions_equal for each in orders),
        same_book=sum(each.same_book is True for each in orders),
        parted_on_same_book=sum(
            each.same_book is True and not each.decisions_equal for each in orders
        ),
        equal=sum(each.is_equal for each in orders),
        measured=len(signed),
        mean_bps=_mean(signed),
        mean_abs_bps=_mean(sizes),
        median_abs_bps=_median(sizes),
        max_abs_bps=canonical(sizes[-1]) if sizes else None,
    )


def _outcome(parent: ParentOrder, instrument: Instrument) -> Outcome:
    cost = cost_of(parent, instrument)
    return Outcome(
        state=parent.status,
        reason=parent.reason,
        filled=canonical(parent.filled),
        avg_px=None if cost is None else canonical(cost.avg_px),
        arrival_px=_number(parent.arrival_px),
        shortfall_bps=None if cost is None else _number(cost.shortfall_bps),
        children=parent.children,
    )


def _avg_px(parent: ParentOrder, instrument: Instrument) -> Decimal | None:
    cost = cost_of(parent, instrument)
    return None if cost is None else cost.avg_px


def _mean(values: Sequence[Decimal]) -> str | None:
    if not values:
        return None
    return canonical(div(total(values), Decimal(len(values)), places=BPS_PLACES))


def _median(ordered: Sequence[Decimal]) -> str | None:
    if not ordered:
        return None
    upper = ordered[len(ordered) // 2]
    lower = ordered[(len(ordered) - 1) // 2]
    return canonical(div(add(lower, upper), TWO, places=BPS_PLACES))


def _number(value: Decimal | None) -> str | None:
    return None if value is None else canonical(value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _named(decision: Decision | None) -> str | None:
    if decision is None:
        return None
    parts = (getattr(decision, field) for field in FIELDS)
    return " ".join(str(part) for part in parts if part is not None)
