"""The auditor's own books of parents: kept from the journal's events, with arithmetic of their own.

They share nothing with the core but the events: what is filled, what is out, what may be sent and
when are counted again from the terms, so that a mistake in the core's own counting shows as a
difference instead of being made twice.
"""

from decimal import ROUND_CEILING, Decimal
from typing import Final

from tests.simulation.market import Listed

from quarterdeck.core.algos.chance import uniform
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.algorithm import TwapParams
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import OrderTerms, OrderType, Side, TimeInForce

ZERO: Final = Decimal(0)


class ChildBook:
    """One child as its events tell it."""

    def __init__(self, event: ev.ChildCreated) -> None:
        self.name = event.client_order_id
        self.number = event.child_no
        self.account = event.account
        self.instrument = event.instrument
        self.quantity = event.quantity
        self.px = event.limit_px
        self.filled = ZERO
        self.dead = False
        self.ended_at: Decimal | None = None
        """The venue's total of fills once it is closed."""
        self.cancel_wished = False
        self.ended_unasked = False
        """Whether it ended without anybody's wish."""

    @property
    def out(self) -> Decimal:
        """What may still be filled."""
        if self.dead:
            return ZERO
        most = self.quantity if self.ended_at is None else self.ended_at
        return max(most - self.filled, ZERO)

    def take(self, event: ev.ChildEvent) -> None:
        """Note what happened to it."""
        match event:
            case ev.ChildAcknowledged():
                self.dead = False
            case ev.ChildFilled(trade=trade):
                self.dead = False
                self.filled += trade.quantity
            case ev.ChildClosed(filled=filled):
                self.dead = False
                self.ended_at = self.filled if filled is None else filled
                self.ended_unasked = not self.cancel_wished
            case ev.ChildRejected() | ev.ChildNotSent() | ev.ChildAbsent() | ev.ChildResolved():
                self.dead = True
            case ev.ChildCancelRequested():
                self.cancel_wished = True
            case _:
                pass


class ParentBook:
    """One parent as its events tell it."""

    def __init__(self, terms: OrderTerms, at_ns: int, *, status: str) -> None:
        self.terms = terms
        self.created_ns = at_ns
        self.status = status
        """`working`, `paused`, `canceling` or `ended`."""
        self.most = terms.quantity
        """What may ever be filled: an amend does not take back what is filled or out."""
        self.children: dict[int, ChildBook] = {}
        self.cancel_asked = False
        """By somebody, or by the desk when a child held for dead was alive."""
        self.times_paused = self.times_resumed = self.times_expired = 0
        self.amends: list[OrderTerms] = []
        self.held: Reason | None = None
        self.held_ns = 0
        self.failures = 0
        """Children that came to nothing since the last fill, amend or resume."""
        self.released_ns: int | None = None
        self.idle_since_ns: int | None = None
        self.releases_in_round = 0
        """Since it began, was amended or was resumed."""
        self.epochs: set[int] = set()
        """Of the desks that sent for it."""

    @property
    def id(self) -> str:
        """The operation id."""
        return self.terms.operation_id

    @property
    def filled(self) -> Decimal:
        """Filled by all children."""
        return sum((child.filled for child in self.children.values()), ZERO)

    @property
    def out(self) -> Decimal:
        """What venues may still fill."""
        return sum((child.out for child in self.children.values()), ZERO)

    @property
    def open(self) -> list[ChildBook]:
        """Children with something out."""
        return [child for child in self.children.values() if child.out]

    @property
    def free(self) -> Decimal:
        """What may still be sent."""
        return self.terms.quantity - self.filled - self.out

    @property
    def may_rest(self) -> bool:
        """Whether something of it may wait in a book."""
        waits = self.terms.tif in {TimeInForce.GTC, TimeInForce.GTD}
        return waits and self.terms.order_type is OrderType.LIMIT

    def need(self, child: ChildBook, item: Listed) -> tuple[str, Decimal]:
        """Return what a child takes out of its account at worst, before fees."""
        if self.terms.side is Side.SELL:
            return item.spec.base, child.out
        assert child.px is not None, "every child has a worst price"
        return item.spec.quote, child.out * child.px


def least_of(item: Listed, px: Decimal) -> Decimal:
    """Return the least quantity that a venue takes at a price."""
    spec = item.spec
    worth = px * spec.multiplier * spec.lot_qty
    lots = (spec.min_notional / worth).to_integral_value(ROUND_CEILING)
    return max(spec.min_qty, spec.lot_qty, lots * spec.lot_qty)


class Schedule:
    """When TWAP's slices fall due and how much of it may be out by then, at most."""

    def __init__(self, terms: OrderTerms) -> None:
        assert isinstance(terms.params, TwapParams), "the schedule is TWAP's"
        self._params = terms.params
        self._terms = terms
        self.slots = terms.params.horizon_ns // terms.params.interval_ns

    def due_ns(self, slot: int) -> int:
        """Return when a slot's slice falls due, from the order's start."""
        params = self._params
        widest_ns = int(params.interval_ns * params.time_variance_pct) // 100
        late_ns = 0
        if slot > 0 and widest_ns:
            late_ns = uniform(
                widest_ns,
                seed=params.seed,
                operation_id=self._terms.operation_id,
                number=slot,
                what="time",
            )
        return slot * params.interval_ns + late_ns

    def latest(self, elapsed_ns: int) -> int:
        """Return the last slot whose slice is due."""
        slot = elapsed_ns // self._params.interval_ns
        return slot if self.due_ns(slot) <= elapsed_ns else slot - 1

    def most_by(self, slot: int) -> Decimal:
        """Return the most that may be out or filled after a slot's slice, the lot left aside."""
        if slot >= self.slots - 1:
            return self._terms.quantity
        return self.even * (slot + 1 + self._params.size_variance_pct / 200)

    @property
    def even(self) -> Decimal:
        """An even slice."""
        return self._terms.quantity / self.slots

    @property
    def largest(self) -> Decimal:
        """The largest slice, the minimum and the lot left aside."""
        params = self._params
        return self.even * max(params.catch_up_max, 1 + params.size_variance_pct / 100)
