"""Orders against a venue that misbehaves, and a model that was written from the rules alone.

The machine plays callers and a venue whose messages come late, twice, reordered, or never. The
model knows what really happened at the venue and what was told; whatever the desk believes must
follow from what it was told.
"""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)
from tests.core.desk_bench import ACCOUNT, GATEWAY_EPOCH, SECOND, Bench
from tests.property.effort import PROFILE

from quarterdeck.core.model import facts
from quarterdeck.core.model.facts import VenueStatus
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.intents import SendChild
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.core.model.terms import Side

D = Decimal
LOT = D("0.1")


class ModelOrder:
    """An order as a careful clerk would keep it: what was asked, told and drawn from it."""

    def __init__(self, quantity: Decimal, side: Side) -> None:
        self.quantity = quantity
        self.side = side
        self.told: dict[str, Decimal] = {}
        """Fills that were told, by trade id."""
        self.sends = 0
        self.happened: list[facts.Trade] = []
        """Fills at the venue, told or not."""
        self.overfilled = False

    @property
    def filled(self) -> Decimal:
        return sum(self.told.values(), D(0))

    @property
    def happened_qty(self) -> Decimal:
        return sum((trade.quantity for trade in self.happened), D(0))


class OrderMachine(RuleBasedStateMachine):
    """See the module."""

    orders = Bundle("orders")
    pushes = Bundle("pushes")

    @initialize()
    def begin(self) -> None:
        self.bench = Bench()
        self.model: dict[str, ModelOrder] = {}
        self.number = 0
        self.epoch = GATEWAY_EPOCH

    def after(self) -> None:
        """Count what left: each child is handed over once in its life."""
        for send in self.bench.intents(SendChild):
            order = self.model[send.child.operation_id]
            order.sends += 1
            assert order.sends == 1, "an order is sent once"
            assert send.child.quantity == order.quantity

    @rule(target=orders, lots=st.integers(2, 60), side=st.sampled_from(Side))
    def submit(self, lots: int, side: Side) -> str:
        self.number += 1
        name = f"op{self.number}"
        self.model[name] = ModelOrder(lots * LOT, side)
        self.bench.submit(name, quantity=lots * LOT, side=side)
        self.after()
        return name

    @rule(name=orders)
    def submit_again(self, name: str) -> None:
        order = self.model[name]
        self.bench.submit(name, quantity=order.quantity, side=order.side)
        assert self.bench.last.events == ()
        self.after()

    @rule(name=orders)
    def cancel(self, name: str) -> None:
        live = self.bench.parent(name).status.is_live
        refused = self.bench.cancel(name).refused
        assert (refused is None) == live
        self.after()

    @rule(target=pushes, name=orders, lots=st.integers(1, 60), too_much=st.booleans())
    def venue_fills(self, name: str, lots: int, *, too_much: bool) -> Any:
        order = self.model[name]
        room = order.quantity - order.happened_qty
        quantity = lots * LOT if too_much else min(lots * LOT, room)
        if quantity <= 0 or not order.sends:
            return None
        order.overfilled |= quantity > room
        trade = self.bench.trade(str(quantity), name=name, side=order.side)
        order.happened.append(trade)
        return trade

    @rule(push=pushes)
    def tell_fill(self, push: facts.Trade | None) -> None:
        """Tell a fill; pushes are kept, so that it may be told again at any time."""
        if push is None:
            return
        name = next(n for n, o in self.model.items() if push in o.happened)
        self.bench.give(push)
        self.model[name].told[push.trade_id] = push.quantity
        self.after()

    @rule(push=consumes(pushes))
    def lose_fill(self, push: facts.Trade | None) -> None:
        """Forget a push for good."""

    @rule(name=orders)
    def accept(self, name: str) -> None:
        if self.model[name].sends:
            self.bench.accept(name)
            self.after()

    @rule(
        name=orders,
        what=st.sampled_from(["not_sent", "reject", "unknown", "not_found", "due"]),
        later_ns=st.integers(0, 9 * SECOND),
    )
    def tell(self, name: str, what: str, later_ns: int) -> None:
        self.bench.later(later_ns)
        getattr(self.bench, what)(name)
        self.after()

    @rule(
        name=orders,
        status=st.sampled_from([VenueStatus.CANCELED, VenueStatus.EXPIRED, VenueStatus.FILLED]),
        says_total=st.booleans(),
    )
    def close(self, name: str, status: VenueStatus, *, says_total: bool) -> None:
        order = self.model[name]
        if order.sends:
            self.bench.close(status, str(order.happened_qty) if says_total else None, name)
            self.after()

    @rule(
        name=orders,
        status=st.sampled_from(VenueStatus),
    )
    def report(self, name: str, status: VenueStatus) -> None:
        order = self.model[name]
        if order.sends:
            self.bench.give(self.bench.report(status, str(order.happened_qty), name))
            self.after()

    @rule()
    def gateway_restarts(self) -> None:
        self.epoch += 1
        self.bench.connect(self.epoch)
        self.bench.snapshot(
            trades=tuple(trade for order in self.model.values() for trade in order.happened)
        )
        for order in self.model.values():
            order.told.update({trade.trade_id: trade.quantity for trade in order.happened})
        self.after()

    @invariant()
    def what_was_told_is_what_is_booked(self) -> None:
        for name, order in self.model.items():
            parent = self.bench.parent(name)
            assert parent.filled == order.filled, "each fill counts once"
            assert parent.terms.quantity == parent.filled + parent.exposed + parent.available

    @invariant()
    def nothing_is_out_beyond_the_order(self) -> None:
        for name, order in self.model.items():
            parent = self.bench.parent(name)
            # Only a venue that filled too much, or says so, makes it more than was asked for.
            most = max(order.quantity, order.happened_qty)
            assert parent.exposed + parent.filled <= most
            assert most == order.quantity or order.overfilled
            assert all(child.leaves > 0 for child in parent.open_children.values())

    @invariant()
    def parent_and_child_agree(self) -> None:
        for name, order in self.model.items():
            parent = self.bench.parent(name)
            child = self.bench.state.children.get(client_order_id(name, 1))
            assert (child is not None) == bool(order.sends)
            if child is None:
                assert parent.status is ParentStatus.DENIED
                continue
            assert parent.exposed == child.leaves
            assert parent.filled == child.filled
            assert parent.status.is_live == bool(child.leaves)
            if child.filled >= child.quantity:
                assert (child.status, parent.status) == (ChildStatus.FILLED, ParentStatus.FILLED)
            elif not child.status.is_live:
                assert parent.status not in {ParentStatus.WORKING, ParentStatus.FILLED}
            if child.status.is_dead:
                assert not child.filled, "what filled was there"

    @invariant()
    def the_account_is_the_only_one(self) -> None:
        assert set(self.bench.state.accounts) == {ACCOUNT}


OrderMachine.TestCase.settings = PROFILE
TestOrders = OrderMachine.TestCase
