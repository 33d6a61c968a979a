"""The auditor: keeps books of its own, compares the desk's claims with the venue's truth, objects.

It looks past every network. Whatever the desk commits is checked at that instant against what the
venue really holds: an acknowledgement of an order that is not there, an end of one that is still
open, a fill that never was or was booked before, an absence of an order that exists. It never reads
the desk's reasoning, only its events, its messages that leave, and its answers to clients.
"""

from collections import Counter
from decimal import Decimal

from tests.simulation.client import Request
from tests.simulation.desk import SimDesk
from tests.simulation.disk import Disk
from tests.simulation.plan import Plan
from tests.simulation.venue import STATUSES, SimVenue
from tests.simulation.world import Violation, World

from quarterdeck.core.model import events as ev
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.ids import client_order_id, is_ours
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.desk.record import decode_body
from quarterdeck.gateways.contract import VenueOrder
from quarterdeck.gateways.session import GatewaySession
from quarterdeck.ports import JournalEntry

CLOSED_AS = {
    "filled": ChildStatus.FILLED,
    "canceled": ChildStatus.CANCELED,
    "expired": ChildStatus.EXPIRED,
}


class Auditor:
    """Checks each step; `tests.simulation.verdict` checks the end."""

    def __init__(self, world: World, plan: Plan, disk: Disk, venue: SimVenue) -> None:
        self.sends: Counter[str] = Counter()
        """How often each child left for the venue."""
        self.declared_dead: dict[str, str] = {}
        """Children that the desk once held for dead, and as what."""
        self.reopened: set[str] = set()
        self._world = world
        self._plan = plan
        self._disk = disk
        self._venue = venue
        self._booked: set[tuple[str, str, str]] = set()
        self._trading_state = TradingState.ACTIVE
        self._compared_by: int | None = None
        """Epoch of the desk that compared the account since its stream was last lost."""

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self._world.seed

    def require(self, holds: bool, what: str) -> None:
        """Object unless something holds."""
        if not holds:
            raise Violation(f"seed {self._world.seed}: {what}")

    # A message that leaves for the venue.

    def on_submit(self, order: VenueOrder, desk_epoch: int, session: GatewaySession) -> None:
        """Check an order at the moment it leaves."""
        name = order.client_order_id
        self.sends[name] += 1
        self.require(self.sends[name] == 1, f"I2: {name} was sent {self.sends[name]} times")
        self.require(name in self._disk.children, f"{name} was sent before it was durable")
        child = self._disk.children[name]
        self.require(
            self._disk.created_by[name] == desk_epoch,
            f"I8: {name} of desk {self._disk.created_by[name]} was sent again by desk {desk_epoch}",
        )
        self.require(
            desk_epoch >= session.desk_epoch, f"I8: {name} was sent for a desk without the lease"
        )
        self.require(session.gateway_epoch == child.gateway_epoch, f"{name}: another gateway's")
        self.require(
            (child.quantity, child.limit_px) == (order.quantity, order.limit_px),
            f"{name} was sent with other terms than are durable",
        )

    # An answer that reaches a client.

    def on_answer(self, request: Request) -> None:
        """Check that what a client is told is durable."""
        command = request.command
        match command.__class__.__name__, request.refused:
            case "SubmitOrder", None:
                name = getattr(command, "terms").operation_id  # noqa: B009 - narrowed by name
                self.require(name in self._disk.parents, f"I10: {name} acknowledged, not durable")
            case "SubmitOrder", refused:
                self.require(False, f"a submit ended as {refused}")
            case "CancelOrder", refused if refused is not None:
                name = getattr(command, "operation_id")  # noqa: B009
                parent = self._disk.parents.get(name)
                self.require(
                    parent is not None and not parent.status.is_live,
                    f"a cancel of {name} was refused as {refused.code}, it is {parent}",
                )

    # An entry that becomes durable.

    def on_commit(self, entry: JournalEntry, epoch: int) -> None:
        """Check an entry against the journal before it and the venue's truth."""
        self.require(
            entry.seq == len(self._disk.entries),
            f"I9: entry {entry.seq} is the {len(self._disk.entries)}th",
        )
        self.require(
            not self._disk.fenced or epoch == self._disk.epoch,
            f"desk {epoch} committed under the lease of {self._disk.epoch}",
        )
        body = decode_body(entry.body)
        for event in body.events:
            self._check_gate(event, epoch)
            self._check(event)
        for parent in entry.parents:
            self._check_parent(parent)
        for child in entry.children:
            self._check_child(child)

    def _check_gate(self, event: ev.Event, epoch: int) -> None:
        match event:
            case ev.AccountReconciled():
                self._compared_by = epoch
            case ev.AccountLost() | ev.AccountConnected():
                self._compared_by = None
            case ev.ParentAccepted(terms=terms):
                self.require(
                    self._compared_by == epoch,
                    f"I8: {terms.operation_id} accepted before the account was compared",
                )
            case _:
                pass

    def _check(self, event: ev.Event) -> None:
        match event:
            case ev.ParentAccepted(terms=terms):
                self.require(
                    self._trading_state is TradingState.ACTIVE,
                    f"I8: {terms.operation_id} accepted while {self._trading_state}",
                )
            case ev.TradingStateSet(state=state):
                self._trading_state = state
            case ev.ChildAcknowledged(client_order_id=name):
                self.require(bool(self._venue.orders_named(name)), f"{name} is not at the venue")
            case ev.ChildFilled(client_order_id=name, trade=trade):
                self.require(trade.client_order_id == name, f"{trade} booked to {name}")
                self._check_trade(event)
            case ev.ExternalFill(trade=trade):
                self.require(
                    not is_ours(trade.client_order_id), f"ours booked as external: {trade}"
                )
                self._check_trade(event)
            case ev.ChildClosed():
                self._check_closed(event)
            case ev.ChildRejected(client_order_id=name, code=code):
                self._check_dead(name, f"rejected {code}")
            case ev.ChildNotSent(client_order_id=name, why=why):
                self.require(self.sends[name] == 0, f"{name} is not sent ({why}), but it was")
                self._check_dead(name, f"not sent {why}")
            case ev.ChildAbsent(client_order_id=name):
                self._check_dead(name, "absent")
            case ev.ParentReopened(operation_id=operation_id, child_no=number):
                name = client_order_id(operation_id, number)
                self.require(name in self.declared_dead, f"I1: {operation_id} had ended too early")
                self.reopened.add(operation_id)
            case _:
                pass

    def _check_trade(self, event: ev.ChildFilled | ev.ExternalFill) -> None:
        trade = event.trade
        key = (trade.account, trade.instrument, trade.trade_id)
        self.require(key not in self._booked, f"I3: trade {trade.trade_id} is booked twice")
        self._booked.add(key)
        self.require(self._venue.trade(trade.trade_id) == trade, f"no such trade: {trade}")

    def _check_closed(self, event: ev.ChildClosed) -> None:
        orders = self._venue.orders_named(event.client_order_id)
        name = event.client_order_id
        self.require(bool(orders), f"{name} is closed and never was at the venue")
        truth = CLOSED_AS.get(STATUSES[orders[-1].status].value)
        self.require(truth is event.status, f"{name} is {truth} at the venue, not {event.status}")
        if event.filled is not None:
            filled = self._venue.filled(orders[-1])
            self.require(filled == event.filled, f"{name} ended at {filled}, not {event.filled}")

    def _check_dead(self, name: str, how: str) -> None:
        self.declared_dead.setdefault(name, how)
        if how.startswith("rejected") and "request_doubled" in self._plan.rates:
            return  # The network's copy of a refused request may be accepted: see the verdict.
        self.require(not self._venue.orders_named(name), f"{name} is {how}, the venue has it")

    def _check_parent(self, parent: ParentOrder) -> None:
        terms, out = parent.terms, parent.exposed
        self.require(
            terms.quantity == parent.filled + out + parent.available, f"ledger of {parent.id}"
        )
        self.require(parent.filled + out <= terms.quantity, f"I6: {parent.id} is out with {out}")
        if not parent.status.is_live:
            self.require(not parent.open_children, f"I6: {parent.id} ended with open children")
            self.require(
                (parent.status is ParentStatus.FILLED) == (parent.filled == terms.quantity),
                f"{parent.id} is {parent.status} with {parent.filled} of {terms.quantity}",
            )
        children = [
            self._disk.children[client_order_id(parent.id, n)]
            for n in range(1, parent.children + 1)
        ]
        filled = sum((child.filled for child in children), Decimal(0))
        self.require(filled == parent.filled, f"I6: children of {parent.id} filled {filled}")
        leaves = {child.child_no: child.leaves for child in children if child.leaves}
        out_now = {no: child.leaves for no, child in parent.open_children.items()}
        self.require(leaves == out_now, f"I6: {parent.id} {leaves}")

    def _check_child(self, child: ChildOrder) -> None:
        name = child.client_order_id
        self.require(len(set(child.trade_ids)) == len(child.trade_ids), f"{name} counts twice")
        self.require(
            name == client_order_id(child.operation_id, child.child_no), f"{name} is misnamed"
        )

    # A desk that did something.

    def on_step(self, desk: SimDesk) -> None:
        """Check a desk's memory after a step."""
        assert desk.engine is not None
        for key, held in desk.engine.state.reserved.items():
            self.require(held >= 0, f"I7: {held} {key.asset} is reserved")
