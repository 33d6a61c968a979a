"""The auditor: keeps books of its own, compares the desk's claims with the venue's truth, objects.

It looks past every network. Whatever the desk commits is checked at that instant against what the
venues really hold: an acknowledgement of an order that is not there, an end of one that is still
open, a fill that never was or was booked before, an absence of an order that exists, an order sent
beyond what may still be filled of its parent at all venues together. It never reads the desk's
reasoning, only its events, its messages that leave, and its answers to clients; what is promised
about parents is counted again in `tests.simulation.promises`.
"""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from tests.simulation.books import ChildBook, ParentBook
from tests.simulation.client import Request
from tests.simulation.desk import SimDesk
from tests.simulation.disk import Disk
from tests.simulation.market import Listed
from tests.simulation.plan import Plan
from tests.simulation.promises import Promises
from tests.simulation.venue import STATUSES, SimVenue
from tests.simulation.world import Violation, World

from drydock.core.orders import Order
from quarterdeck.core.desk.state import AssetKey
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.ids import client_order_id, is_ours
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.core.model.terms import Route
from quarterdeck.desk.record import decode_body
from quarterdeck.gateways.contract import VenueOrder
from quarterdeck.gateways.session import GatewaySession
from quarterdeck.ports import JournalEntry

ZERO = Decimal(0)
CLOSED_AS = {
    "filled": ChildStatus.FILLED,
    "canceled": ChildStatus.CANCELED,
    "expired": ChildStatus.EXPIRED,
}


class Auditor:
    """Checks each step; `tests.simulation.verdict` checks the end."""

    def __init__(
        self, world: World, plan: Plan, disk: Disk, venues: Mapping[str, SimVenue]
    ) -> None:
        self.sends: Counter[str] = Counter()
        """How often each child left for the venue."""
        self.declared_dead: dict[str, str] = {}
        """Children that the desk once held for dead, and as what."""
        self.reopened: set[str] = set()
        self._revived: set[str] = set()
        self._world = world
        self._plan = plan
        self._disk = disk
        self._venues = venues
        self._listed: dict[str, Listed] = {}
        for venue in venues.values():
            self._listed.update(venue.listed)
        self._promises = Promises(world, self._listed, self.require)
        self._booked: set[tuple[str, str, str]] = set()
        self._trading_state = TradingState.ACTIVE
        self._compared_by: dict[str, int] = {}
        """Epoch of the desk that compared an account since its stream was last lost."""
        self._compared_ns: dict[str, int] = {}
        self._active_ns = 0

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
        self.require(
            (session.gateway_epoch, session.account) == (child.gateway_epoch, child.account),
            f"{name}: another gateway's",
        )
        self.require(
            (child.quantity, child.limit_px) == (order.quantity, order.limit_px),
            f"{name} was sent with other terms than are durable",
        )

    # An answer that reaches a client.

    def on_answer(self, request: Request) -> None:
        """Check that what a client is told is durable."""
        command, refused = request.command, request.refused
        match command:
            case cmd.SubmitOrder(terms=terms):
                self._check_submitted(request, terms.operation_id)
            case (
                cmd.CancelOrder()
                | cmd.AmendOrder()
                | cmd.PauseOrder()
                | cmd.ResumeOrder()
                | cmd.ExpireOrder()
            ) if refused is not None:
                parent = self._disk.parents.get(command.operation_id)
                over = parent is not None and not parent.status.is_live
                over = over or command.operation_id in self.reopened
                if isinstance(command, cmd.CancelOrder) or refused.code is Reason.ALREADY_FINISHED:
                    self.require(over, f"{command} was refused as {refused.code}, it is {parent}")
                self.require(refused.code is not Reason.UNKNOWN_ORDER, f"{command} of no order")
            case cmd.AmendOrder() | cmd.PauseOrder() | cmd.ResumeOrder() | cmd.ExpireOrder():
                self._check_steered(command)
            case _:
                pass

    def _check_submitted(self, request: Request, name: str) -> None:
        durable = name in self._disk.parents
        if request.refused is None:
            self.require(durable, f"I10: {name} acknowledged, not durable")
        elif request.attempts == 1:
            self.require(not durable, f"I10: {name} refused as {request.refused}, and is there")

    def _check_steered(self, command: cmd.OrderCommand) -> None:
        parent = self._promises.parents[command.operation_id]
        match command:
            case cmd.AmendOrder(changes=changes):
                wished = {
                    name: value
                    for name in changes.__struct_fields__
                    if (value := getattr(changes, name)) is not None
                }
                done = any(
                    all(getattr(terms, name) == value for name, value in wished.items())
                    for terms in parent.amends
                )
            case cmd.PauseOrder():
                done = parent.times_paused > 0
            case cmd.ResumeOrder():
                done = parent.times_resumed > 0
            case cmd.ExpireOrder():
                done = parent.times_expired > 0
        self.require(done, f"I10: {command} acknowledged, not durable")

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
        self._promises.begin(entry.at_ns, epoch)
        for event in body.events:
            self._check_gate(event, epoch)
            self._check(event)
            if isinstance(event, ev.ChildCreated):
                self._check_sent(event, epoch, moved=bool(entry.holdings))
            self._promises.take(event)
        self._promises.end()
        for parent in entry.parents:
            self._check_parent(parent)
        for child in entry.children:
            self._check_child(child)

    def _check_gate(self, event: ev.Event, epoch: int) -> None:
        match event:
            case ev.AccountReconciled(account=account):
                self._compared_by[account] = epoch
                self._compared_ns[account] = self._world.now_ns
            case ev.AccountLost(account=account) | ev.AccountConnected(account=account):
                self._compared_by.pop(account, None)
            case ev.ParentAccepted(terms=terms):
                accounts = {market.account for market in terms.markets}
                self.require(
                    any(self._compared_by.get(account) == epoch for account in accounts),
                    f"I8: {terms.operation_id} accepted before {accounts} was compared",
                )
            case _:
                pass

    def _check_sent(self, event: ev.ChildCreated, epoch: int, *, moved: bool) -> None:
        """Check a child against its account's gate, its parent's truth and its account's funds."""
        say = f"{event.client_order_id} of {event.operation_id}"
        self.require(
            self._compared_by.get(event.account) == epoch,
            f"I8: {say} was sent while the gate of {event.account} is shut",
        )
        self.require(self._trading_state is TradingState.ACTIVE, f"I8: {say} was sent while halted")
        parent = self._promises.parents[event.operation_id]
        out = sum((self._may_fill(child) for child in parent.children.values()), event.quantity)
        most = parent.terms.quantity
        self.require(out <= most, f"I6: {say}: venues may fill {out} of {most}")
        if parent.terms.route is Route.SMART and not moved:
            self._check_funds(parent, event, say)

    def _may_fill(self, child: ChildBook) -> Decimal:
        """Return what has been or may yet be filled of a child, in truth."""
        venue = self._venues[child.account]
        orders = venue.orders_named(child.name)
        if child.dead:
            return child.filled
        if orders and not orders[-1].is_open:
            return venue.filled(orders[-1])
        return child.quantity

    def _check_funds(self, parent: ParentBook, event: ev.ChildCreated, say: str) -> None:
        """Check that SMART sends no account more than it can pay for beside what is out there."""
        asset, need = parent.need(ChildBook(event), self._listed[event.instrument])
        out = Decimal(0)
        for other in self._promises.parents.values():
            for child in other.open if other.status != "ended" else ():
                item = self._listed[child.instrument]
                if child.account == event.account and item.instrument.settlement == "spot":
                    named, taken = other.need(child, item)
                    out += taken if named == asset else 0
        holding = self._disk.holdings[AssetKey(event.account, asset)]
        self.require(
            need + out <= holding.total,
            f"{say} needs {need} {asset} of {event.account}, which holds {holding.total} with "
            f"{out} out",
        )

    def on_calm(self, calm_ns: int) -> None:
        """Check, a while after the faults stopped, that orders left alone do as they should."""
        self._promises.check_goes_on(calm_ns, self._ready_ns)

    def _ready_ns(self, account: str) -> int | None:
        """Return since when an account is compared and the desk active; None while not both."""
        if self._compared_by.get(account) != self._disk.epoch:
            return None
        active = self._trading_state is TradingState.ACTIVE
        return max(self._compared_ns[account], self._active_ns) if active else None

    def judge_totals(self) -> None:
        """Check, at the end, that no parent was filled for more than was ever allowed."""
        self._promises.check_totals(self._filled)

    def _filled(self, parent: ParentBook) -> Decimal:
        # What a network's copy of a refused request filled is not of our sending.
        ours = [c for c in parent.children.values() if c.name not in self.declared_dead]
        truth = Decimal(0)
        for child in ours:
            venue = self._venues[child.account]
            truth += sum((venue.filled(order) for order in venue.orders_named(child.name)), ZERO)
        return truth

    def _check(self, event: ev.Event) -> None:
        match event:
            case ev.ParentAccepted(terms=terms):
                self.require(
                    self._trading_state is TradingState.ACTIVE,
                    f"I8: {terms.operation_id} accepted while {self._trading_state}",
                )
            case ev.TradingStateSet(state=state):
                self._trading_state = state
                self._active_ns = self._world.now_ns
            case ev.ChildAcknowledged(client_order_id=name):
                self.require(bool(self._orders(name)), f"{name} is not at the venue")
                if name in self.declared_dead:
                    self._revived.add(self._disk.children[name].operation_id)
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
        truth = self._venues[trade.account].trade(trade.trade_id)
        self.require(truth == trade, f"no such trade: {trade}")

    def _check_closed(self, event: ev.ChildClosed) -> None:
        name = event.client_order_id
        orders = self._orders(name)
        self.require(bool(orders), f"{name} is closed and never was at the venue")
        truth = CLOSED_AS.get(STATUSES[orders[-1].status].value)
        self.require(truth is event.status, f"{name} is {truth} at the venue, not {event.status}")
        if event.filled is not None:
            filled = self._venue_of(name).filled(orders[-1])
            self.require(filled == event.filled, f"{name} ended at {filled}, not {event.filled}")

    def _check_dead(self, name: str, how: str) -> None:
        self.declared_dead.setdefault(name, how)
        rates = self._plan.venues[self._disk.children[name].account].rates
        if how.startswith("rejected") and "request_doubled" in rates:
            return  # The network's copy of a refused request may be accepted: see the verdict.
        self.require(not self._orders(name), f"{name} is {how}, the venue has it")

    def _venue_of(self, name: str) -> SimVenue:
        return self._venues[self._disk.children[name].account]

    def _orders(self, name: str) -> list[Order]:
        return self._venue_of(name).orders_named(name)

    def _not_leaving(self, parent: ParentOrder) -> Decimal:
        """Return what is out without a wish to end it."""
        open_ = (self._disk.children[client_order_id(parent.id, n)] for n in parent.open_children)
        return sum((c.leaves for c in open_ if c.cancel_requested_ns is None), Decimal(0))

    def _check_parent(self, parent: ParentOrder) -> None:
        terms, out = parent.terms, parent.exposed
        self.require(
            terms.quantity == parent.filled + out + parent.available, f"ledger of {parent.id}"
        )
        book = self._promises.parents[parent.id]
        self.require(
            (terms, parent.filled, out) == (book.terms, book.filled, book.out),
            f"I6: {parent.id} is {parent.filled} filled and {out} out, by the events "
            f"{book.filled} and {book.out} of {book.terms.quantity}",
        )
        # More only by what venues filled while an amend was on its way, or a dead child's life;
        # then what is too much is called back, as far as nothing of it was filled already.
        kept = out if parent.id not in self._revived | self.reopened else self._not_leaving(parent)
        may = max(book.most, parent.filled if kept is not out else book.most)
        self.require(parent.filled + kept <= may, f"I6: {parent.id} is out with {out}, of {may}")
        if not parent.status.is_live:
            self.require(not parent.open_children, f"I6: {parent.id} ended with open children")
            self.require(
                (parent.status is ParentStatus.FILLED) == (parent.filled >= terms.quantity),
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
        if desk.epoch != self._disk.epoch:
            return  # What it loads of its successor's orders it cannot make durable any more.
        for key, held in desk.engine.state.reserved.items():
            self.require(held >= 0, f"I7: {held} {key.asset} is reserved")
