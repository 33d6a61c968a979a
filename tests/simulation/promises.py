"""What is promised about parents, checked on each entry as it becomes durable.

Nothing is sent beyond what the terms of that moment leave, or while its parent is paused or on
its way out; what is out beyond new terms, or of a paused parent, is asked back in the same entry;
each algorithm keeps to its own rule; and an order ends for a reason that is so.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from msgspec.structs import replace
from tests.simulation.books import ZERO, ChildBook, ParentBook, Schedule, least_of
from tests.simulation.market import Listed
from tests.simulation.world import MS, SECOND, World

from quarterdeck.core.model import events as ev
from quarterdeck.core.model.algorithm import Algorithm, IcebergParams
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import Route

type Require = Callable[[bool, str], None]

PASSING = frozenset({Reason.ACCOUNT_NOT_READY, Reason.REFERENCE_STALE, Reason.TRADING_HALTED})
"""What holds a slice back no longer once accounts are compared and the desk is active."""

HELD_MOST_NS = 2_500 * MS
"""Within this a slice goes out after what held it back has passed."""

LOW_PX = Decimal("0.98")
"""Under the lowest that a price may be of the one that an order was judged at."""


class Promises:
    """The books of all parents, and the rules they must keep."""

    def __init__(self, world: World, listed: Mapping[str, Listed], require: Require) -> None:
        self.parents: dict[str, ParentBook] = {}
        self._world = world
        self._listed = listed
        self._require = require
        self._by_child: dict[str, ParentBook] = {}
        self._at_ns = 0
        self._epoch = 0
        self._touched: dict[str, ParentBook] = {}
        self._released: dict[str, list[ChildBook]] = {}
        self._changed: set[str] = set()
        """Parents amended in more than their quantity."""

    # One entry.

    def begin(self, at_ns: int, epoch: int) -> None:
        """Begin an entry."""
        self._at_ns, self._epoch = at_ns, epoch
        self._touched.clear()
        self._released.clear()
        self._changed.clear()

    def take(self, event: ev.Event) -> None:
        """Note an event of it."""
        match event:
            case ev.ParentAccepted(terms=terms):
                self.parents[terms.operation_id] = ParentBook(terms, self._at_ns, status="working")
            case ev.ParentDenied(terms=terms):
                self.parents[terms.operation_id] = ParentBook(terms, self._at_ns, status="ended")
            case ev.ChildCreated():
                self._sent(self.parents[event.operation_id], event)
            case _ if (name := getattr(event, "client_order_id", None)) is not None:
                self._child_event(self._by_child[name], event)
            case _ if (name := getattr(event, "operation_id", None)) is not None:
                parent = self.parents[name]
                self._touched[name] = parent
                self._parent_event(parent, event)
            case _:
                pass

    def end(self) -> None:
        """End the entry: what its decisions owe each other is all in it."""
        for name, children in self._released.items():
            self._check_release(self.parents[name], children)
        for parent in self._touched.values():
            unasked = [child for child in parent.open if not child.cancel_wished]
            if parent.status in {"paused", "canceling"}:
                names = [child.name for child in unasked]
                self._require(not names, f"{parent.id} is {parent.status}, {names} stay out")
            old = [
                child.name for child in unasked if child not in self._released.get(parent.id, ())
            ]
            stays = parent.id in self._changed and old
            self._require(not stays, f"{old} of {parent.id} stay out at its old terms")
            left = sum((child.out for child in unasked), ZERO)
            allowed = max(parent.terms.quantity - parent.filled, ZERO)
            self._require(left <= allowed, f"{left} of {parent.id} stay out, {allowed} may")

    # Its events.

    def _child_event(self, parent: ParentBook, event: ev.Event) -> None:
        child = next(
            c
            for c in parent.children.values()
            if c.name == getattr(event, "client_order_id")  # noqa: B009
        )
        was_dead = child.dead
        child.take(event)  # type: ignore[arg-type]
        if child.dead and not was_dead:
            parent.failures += 1
        elif isinstance(event, ev.ChildFilled):
            parent.failures = 0
        self._touched[parent.id] = parent
        if not parent.out and parent.idle_since_ns is None:
            parent.idle_since_ns = self._at_ns

    def _parent_event(self, parent: ParentBook, event: ev.Event) -> None:
        seen = self._world.features
        match event:
            case ev.ParentAmended(terms=terms):
                seen["amended"] += 1
                if parent.out and terms.quantity < parent.filled + parent.out:
                    seen["amended_below_what_is_out"] += 1
                self._amended(parent, event)
            case ev.ParentPaused():
                seen["paused"] += 1
                parent.status, parent.held = "paused", None
                parent.times_paused += 1
            case ev.ParentResumed():
                seen["resumed"] += 1
                if parent.out:
                    seen["resumed_with_children_out"] += 1
                parent.status = "working"
                parent.releases_in_round = parent.failures = 0
                parent.times_resumed += 1
            case ev.ParentExpiring(by=by):
                seen["expired_by_the_clock" if by is None else "expired_on_request"] += 1
                parent.status, parent.held = "canceling", None
                parent.times_expired += 1
                if by is None:
                    in_time = parent.terms.expire_ns is not None
                    in_time = in_time and self._at_ns >= (parent.terms.expire_ns or 0)
                    self._require(in_time, f"{parent.id} expired before its time")
            case ev.CancelRequested():
                parent.status, parent.held = "canceling", None
                parent.cancel_asked = True
            case ev.ParentReopened():
                parent.status, parent.cancel_asked = "canceling", True
            case ev.ParentHeld(reason=reason):
                seen["slice_held"] += 1
                parent.held, parent.held_ns = reason, self._at_ns
            case ev.SliceRouted(legs=legs):
                taking = {leg.account for leg in legs if not leg.rests}
                seen["smart_over_several_venues"] += len(taking) > 1
            case ev.ParentFinished():
                self._finished(parent, event)
            case _:
                pass

    def _amended(self, parent: ParentBook, event: ev.ParentAmended) -> None:
        before, parent.terms = parent.terms, event.terms
        parent.most = max(event.terms.quantity, parent.filled + parent.out)
        parent.releases_in_round = parent.failures = 0
        parent.held = None
        parent.amends.append(event.terms)
        fixed = [
            name
            for name in before.__struct_fields__
            if name not in {"quantity", "limit_px", "expire_ns", "params", "max_slippage_bps"}
        ]
        if event.terms != replace(before, quantity=event.terms.quantity):
            self._changed.add(parent.id)
        same = all(getattr(before, name) == getattr(event.terms, name) for name in fixed)
        self._require(same, f"{parent.id} was amended to another order")

    def _sent(self, parent: ParentBook, event: ev.ChildCreated) -> None:
        say = f"{event.client_order_id} of {parent.id}"
        terms, item = parent.terms, self._listed[event.instrument]
        self._require(parent.status == "working", f"{say} was sent, it is {parent.status}")
        in_time = terms.expire_ns is None or self._at_ns < terms.expire_ns
        self._require(in_time, f"{say} was sent after the expire time")
        free = parent.free
        self._require(event.quantity <= free, f"{say}: {event.quantity} sent of {free} available")
        markets = {(market.account, market.instrument) for market in terms.markets}
        allowed = (event.account, event.instrument) in markets
        self._require(allowed, f"{say} went to {event.account}, which is not among {markets}")
        self._check_size(event, item, say)
        if terms.limit_px is not None and event.limit_px is not None:
            worse = (event.limit_px - terms.limit_px) * terms.side.sign
            self._require(worse <= 0, f"{say} at {event.limit_px}, worse than {terms.limit_px}")
        self._released.setdefault(parent.id, []).append(ChildBook(event))
        child = self._released[parent.id][-1]
        parent.children[event.child_no] = child
        self._by_child[child.name] = parent
        self._touched[parent.id] = parent

    def _check_size(self, event: ev.ChildCreated, item: Listed, say: str) -> None:
        spec, px = item.spec, event.limit_px
        assert px is not None, "every child has a worst price"
        self._require(event.quantity % spec.lot_qty == 0, f"{say}: {event.quantity} is off the lot")
        self._require(event.quantity >= spec.min_qty, f"{say}: {event.quantity} is too small")
        worth = event.quantity * px * spec.multiplier
        self._require(worth >= spec.min_notional, f"{say}: {event.quantity} at {px} is too small")

    # A release: what one entry sends for one parent.

    def _check_release(self, parent: ParentBook, children: list[ChildBook]) -> None:
        sent = sum((child.quantity for child in children), ZERO)
        before = [child for child in parent.open if child not in children]
        match parent.terms.algorithm:
            case Algorithm.TWAP:
                self._check_twap(parent, sent)
            case Algorithm.ICEBERG:
                self._check_iceberg(parent, sent, before)
            case _:
                again = parent.terms.route is Route.SMART and parent.may_rest
                once = again or not parent.releases_in_round
                self._require(once, f"{parent.id} was sent twice in one round")
        parent.releases_in_round += 1
        parent.released_ns, parent.idle_since_ns = self._at_ns, None
        parent.held = None
        parent.epochs.add(self._epoch)
        if len(parent.epochs) > 1:
            self._world.features["went_on_after_a_restart"] += 1

    def _check_twap(self, parent: ParentBook, sent: Decimal) -> None:
        schedule = Schedule(parent.terms)
        slot = schedule.latest(self._at_ns - parent.created_ns)
        due_ns = parent.created_ns + schedule.due_ns(slot)
        once = parent.released_ns is None or parent.released_ns < due_ns
        self._require(once, f"{parent.id} was sent twice in slot {slot}")
        slack = self.least(parent) + self._lot(parent)
        out = parent.filled + parent.out
        most = schedule.most_by(slot) + slack
        self._require(out <= most, f"{parent.id} is ahead: {out} out in slot {slot}, not {most}")
        largest = max(schedule.largest, slack) + slack
        self._require(sent <= largest, f"{parent.id} sent {sent} at once, at most {largest}")

    def _check_iceberg(self, parent: ParentBook, sent: Decimal, before: list[ChildBook]) -> None:
        self._require(not before, f"{parent.id} shows a part while another is out")
        params = parent.terms.params
        assert isinstance(params, IcebergParams), "an ICEBERG has the parameters of one"
        slack = self.least(parent) + self._lot(parent)
        most = max(params.display_qty * (1 + params.display_variance_pct / 100), slack) + slack
        self._require(sent <= most, f"{parent.id} shows {sent}, at most {most}")
        if parent.releases_in_round:
            self._world.features["iceberg_refilled"] += 1

    def least(self, parent: ParentBook) -> Decimal:
        """Return the least quantity that one of a parent's venues surely takes."""
        items = [self._listed[market.instrument] for market in parent.terms.markets]
        return min(least_of(item, item.px(item.mid_ticks) * LOW_PX) for item in items)

    def _lot(self, parent: ParentBook) -> Decimal:
        return min(self._listed[m.instrument].spec.lot_qty for m in parent.terms.markets)

    # An end.

    def _finished(self, parent: ParentBook, event: ev.ParentFinished) -> None:
        self._require(not parent.out, f"{parent.id} ended with {parent.out} out")
        too_little = parent.free <= self.least(parent)
        why = {
            Reason.COMPLETED: parent.filled >= parent.terms.quantity,
            Reason.CANCELED_ON_REQUEST: parent.cancel_asked,
            Reason.TIME_OVER: parent.times_expired > 0,
            Reason.REMAINDER_CANCELED: not parent.may_rest or too_little,
            Reason.REMAINDER_UNSENDABLE: too_little,
            Reason.CANCELED_BY_VENUE: any(c.ended_unasked for c in parent.children.values()),
        }
        so = why.get(event.reason, True)
        self._require(so, f"{parent.id} ended as {event.status} {event.reason}, which is not so")
        if parent.status != "canceling" and event.status is ParentStatus.FILLED:
            self._world.features[f"{parent.terms.algorithm.value.lower()}_filled"] += 1
        parent.status = "ended"

    # After the faults.

    def check_goes_on(self, calm_ns: int, ready_ns: Callable[[str], int | None]) -> None:
        """Object to an order that works over time and has come to a standstill.

        Each account is ready since some time, or is not.
        """
        now_ns = self._world.now_ns
        for parent in self.parents.values():
            waits = parent.out or parent.failures or self._is_held(parent, ready_ns)
            if parent.status != "working" or waits or parent.free < 2 * self.least(parent):
                continue
            since_ns = max(parent.released_ns or 0, calm_ns + 2 * SECOND)
            if parent.terms.algorithm is Algorithm.TWAP:
                self._require(
                    self._is_on_time(parent, now_ns, since_ns), f"{parent.id} stands still"
                )
            elif isinstance(parent.terms.params, IcebergParams):
                ready_ns = max(parent.idle_since_ns or 0, since_ns)
                ready_ns += parent.terms.params.refill_delay_ns + SECOND
                self._require(now_ns < ready_ns, f"{parent.id} shows no further part")

    def _is_held(self, parent: ParentBook, ready_ns: Callable[[str], int | None]) -> bool:
        """Tell whether something may still hold a parent's slice back."""
        if parent.held not in PASSING:
            return parent.held is not None
        ready = [ready_ns(market.account) for market in parent.terms.markets]
        since = [parent.held_ns, *(at_ns for at_ns in ready if at_ns is not None)]
        return None in ready or max(since) > self._world.now_ns - HELD_MOST_NS

    def _is_on_time(self, parent: ParentBook, now_ns: int, since_ns: int) -> bool:
        """Tell whether TWAP has sent since a time what fell due; past the horizon all is due."""
        schedule = Schedule(parent.terms)
        slot = schedule.latest(now_ns - SECOND - parent.created_ns)
        due_ns = parent.created_ns + schedule.due_ns(slot)
        return slot < schedule.slots - 1 or due_ns <= since_ns

    def check_totals(self, filled_by_ours: Callable[[ParentBook], Decimal]) -> None:
        """Object, at the end, to a parent that is filled for more than was ever allowed."""
        for parent in self.parents.values():
            filled = filled_by_ours(parent)
            self._require(filled <= parent.most, f"I6: {parent.id} {filled} of {parent.most}")
