"""The shell that runs the core: decide, apply to memory, make durable, then let go.

Theory. Memory runs ahead of the disk: events fold into it at once, so that the next decision sees
them. What outsiders could see waits: replies and intents of an entry are released, in order, when
that entry is durable. An input without events changes nothing, but its reply may speak of an
entry that is not durable yet, so it waits behind what is pending.

When the journal fails, memory may be ahead of a disk whose last commit may or may not have
happened. The engine then freezes: nothing is decided any more, what was waiting is answered with
`frozen`, and only cancels go out, straight from memory. It never thaws; the desk builds a new
engine from what the disk holds.

No asyncio here: the same engine runs under the event loop and in the seeded simulation.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from quarterdeck.core.desk import names
from quarterdeck.core.desk.decide import AccountDue, ChildDue, Input, ParentDue, decide
from quarterdeck.core.desk.draft import Decision
from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model import intents as todo
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.commands import CancelOrder, Kill, SubmitOrder
from quarterdeck.core.model.facts import GatewayLost, OrderNotSent
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.desk.record import entry
from quarterdeck.desk.wakes import Wakes
from quarterdeck.ports import Clock, Gateways, Journal
from quarterdeck.telemetry.crash import reached

EVICT_AFTER_NS = 10_000_000_000
"""A finished order stays in memory this long, for late facts and repeated requests."""

PENDING_MAX = 2_000
"""Orders are refused while this many entries wait for the disk; facts and cancels never are."""

LEAVING = (todo.SendChild, todo.SendCancel, todo.QueryChild, todo.RequestSnapshot)
"""Intents that go to a gateway, and so wait for the disk."""

OVERLOADED = Refused(
    code=Reason.OVERLOADED,
    text=f"{PENDING_MAX} decisions wait for the disk; send it again with the same id",
)

type Reply = Callable[[Decision], None]

CHILD, PARENT, ACCOUNT = "child:", "parent:", "account:"


class Watcher(Protocol):
    """Who is told what the engine does: metrics, logs, a person."""

    def decided(self, given: Input, decision: Decision, took_ns: int) -> None:
        """Hear of a decision."""
        ...

    def alert(self, alert: todo.Alert) -> None:
        """Hear of something that a person should know."""
        ...

    def durable(self, waited_ns: int) -> None:
        """Hear how long an entry took to become durable."""
        ...


class Engine:
    """One life of the desk's memory."""

    def __init__(
        self,
        state: DeskState,
        *,
        last_seq: int,
        journal: Journal,
        gateways: Gateways,
        clock: Clock,
        watcher: Watcher,
    ) -> None:
        """Begin from a state that the journal holds up to `last_seq`."""
        self.state = state
        self.views: Mapping[str, MarketView] = {}
        """The newest view of each instrument; whoever receives them owns the map."""
        self.frozen: str | None = None
        """Why nothing is decided any more; None while all is well."""
        self.wakes = Wakes()
        self.seq = last_seq
        self._journal = journal
        self._gateways = gateways
        self._clock = clock
        self._watcher = watcher
        self._pending: deque[_Pending] = deque()
        self._finished: deque[tuple[int, str]] = deque()

    @property
    def pending(self) -> int:
        """Entries that are decided and not yet durable."""
        return len(self._pending)

    def recover(self) -> None:
        """Shut the gates that the last life left open and look after every live child."""
        reached("desk_recovering")
        for account in tuple(self.state.accounts.values()):
            if account.connected or account.gate_open:
                self.handle(GatewayLost(account=account.account, why=Reason.NOT_RECONCILED))
        for parent in self.state.parents.values():
            if not parent.status.is_live:
                self._finished.append((self._clock.now_ns(), parent.id))
            else:
                self.wakes.ask(PARENT + parent.id, self._clock.now_ns())
        for child in self.state.children.values():
            if child.status.is_live:
                self.wakes.ask(CHILD + child.client_order_id, self._clock.now_ns())

    def missing(self, given: Input) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return operation ids and client order ids to be admitted before this is handled."""
        return (
            names.operation_ids(self.state, given),
            names.client_order_ids(self.state, given),
        )

    def admit(self, orders: Iterable[tuple[ParentOrder, tuple[ChildOrder, ...]]]) -> None:
        """Bring orders back from the store; what is in memory is newer and stays."""
        for parent, children in orders:
            if parent.id not in self.state.parents:
                self.state.admit(parent, children)
                self._finished.append((self._clock.now_ns(), parent.id))

    def handle(self, given: Input, reply: Reply | None = None) -> None:
        """Take one input. The reply comes once what it says is durable, or says `frozen`."""
        if self.frozen is not None:
            self._answer_frozen(given, reply)
            return
        if isinstance(given, SubmitOrder) and len(self._pending) >= PENDING_MAX:
            if reply is not None:
                reply(_refusal(OVERLOADED))
            return
        reached("desk_input_taken")
        now_ns = self._clock.now_ns()
        decision = decide(self.state, given, now_ns, self.views)
        if decision.events:
            self._record(given, decision, now_ns, reply)
        else:
            self._after_pending(decision, reply)
        self._watcher.decided(given, decision, self._clock.now_ns() - now_ns)

    def run_due(self) -> None:
        """Handle the wake-ups whose time has come, and forget orders that are long finished."""
        for subject in self.wakes.take_due(self._clock.now_ns()):
            if subject.startswith(CHILD):
                self.handle(ChildDue(client_order_id=subject.removeprefix(CHILD)))
            elif subject.startswith(PARENT):
                self.handle(ParentDue(operation_id=subject.removeprefix(PARENT)))
            else:
                self.handle(AccountDue(account=subject.removeprefix(ACCOUNT)))
        self._evict()

    def freeze(self, why: str) -> None:
        """Stop deciding: the journal's state is not known any more."""
        if self.frozen is not None:
            return
        self.frozen = why
        waiting, self._pending = self._pending, deque()
        self.wakes.clear()
        for pending in waiting:
            pending.abandon(why)

    def cancel_from_memory(self, command: CancelOrder) -> Refused | None:
        """While frozen: ask the venues to cancel what memory believes is out."""
        parent = self.state.parents.get(command.operation_id)
        if parent is None:
            return Refused(
                code=Reason.FROZEN,
                field="operation_id",
                text=f"order {command.operation_id} is not in memory and the database cannot "
                "be read; try again when it is back",
            )
        self._cancel_children(parent)
        return None

    def kill_from_memory(self) -> None:
        """While frozen: ask the venues to cancel all that memory believes is out."""
        for parent in self.state.parents.values():
            self._cancel_children(parent)

    def _cancel_children(self, parent: ParentOrder) -> None:
        for number in parent.open_children:
            child = self.state.children[client_order_id(parent.id, number)]
            self._gateways.send(
                todo.SendCancel(
                    account=child.account,
                    instrument=child.instrument,
                    client_order_id=child.client_order_id,
                    venue_order_id=child.venue_order_id,
                )
            )

    def _record(self, given: Input, decision: Decision, now_ns: int, reply: Reply | None) -> None:
        for event in decision.events:
            apply(self.state, event, now_ns)
        reached("desk_folded")
        self.seq += 1
        # Nobody waits for an acknowledgement to be durable; it rides with the next entry.
        urgent = reply is not None or any(isinstance(i, LEAVING) for i in decision.intents)
        record = entry(self.state, given, decision, self.seq, now_ns, urgent=urgent)
        for parent in record.parents:
            if not parent.status.is_live:
                self._finished.append((now_ns, parent.id))
        self._pending.append(_Pending(now_ns, decision, reply))
        self._journal.append(record, self._release)

    def _after_pending(self, decision: Decision, reply: Reply | None) -> None:
        if self._pending:
            self._pending[-1].waiting.append((decision, reply))
        else:
            self._let_go(decision, reply)

    def _release(self) -> None:
        """Let go of the oldest pending entry: it is durable."""
        if self.frozen is not None or not self._pending:
            return
        pending = self._pending.popleft()
        self._watcher.durable(self._clock.now_ns() - pending.since_ns)
        for decision, reply in pending.waiting:
            self._let_go(decision, reply)

    def _let_go(self, decision: Decision, reply: Reply | None) -> None:
        if reply is not None:
            reached("desk_before_reply")
            reply(decision)
        for intent in decision.intents:
            self._run(intent)

    def _run(self, intent: todo.Intent) -> None:
        match intent:
            case todo.SendChild():
                reached("desk_before_send")
                why = self._gateways.send(intent)
                reached("desk_after_send")
                if why is not None:
                    self._not_sent(intent, why)
            case todo.SendCancel() | todo.QueryChild() | todo.RequestSnapshot():
                self._gateways.send(intent)
            case todo.WakeChild():
                self.wakes.ask(CHILD + intent.client_order_id, intent.at_ns)
            case todo.WakeParent():
                self.wakes.ask(PARENT + intent.operation_id, intent.at_ns)
            case todo.WakeAccount():
                self.wakes.ask(ACCOUNT + intent.account, intent.at_ns)
            case todo.Alert():
                self._watcher.alert(intent)

    def _not_sent(self, intent: todo.SendChild, why: Reason) -> None:
        self.handle(
            OrderNotSent(
                account=intent.child.account,
                client_order_id=intent.child.client_order_id,
                why=why,
                at_ns=self._clock.now_ns(),
            )
        )

    def _answer_frozen(self, given: Input, reply: Reply | None) -> None:
        if reply is None:
            return
        if isinstance(given, CancelOrder):
            reply(_refusal(self.cancel_from_memory(given)))
        elif isinstance(given, Kill):
            self.kill_from_memory()
            reply(_refusal(None))
        else:
            reply(_refusal(frozen(self.frozen or "")))

    def _evict(self) -> None:
        """Forget orders that ended long ago and whose end is durable."""
        limit_ns = self._clock.now_ns() - EVICT_AFTER_NS
        if self._pending:
            limit_ns = min(limit_ns, self._pending[0].since_ns)
        while self._finished and self._finished[0][0] < limit_ns:
            _, operation_id = self._finished.popleft()
            parent = self.state.parents.get(operation_id)
            if parent is None or parent.status.is_live or parent.open_children:
                continue  # Gone already, or back to life: its next end is noted anew.
            if parent.updated_ns < limit_ns:
                self.state.evict(operation_id)
            else:
                self._finished.append((parent.updated_ns, operation_id))


class _Pending:
    """What waits for one entry to become durable."""

    def __init__(self, since_ns: int, decision: Decision, reply: Reply | None) -> None:
        self.since_ns = since_ns
        self.waiting: list[tuple[Decision, Reply | None]] = [(decision, reply)]

    def abandon(self, why: str) -> None:
        for _, reply in self.waiting:
            if reply is not None:
                reply(_refusal(frozen(why)))


def frozen(why: str) -> Refused:
    """Return the refusal of everything but cancels while the journal cannot be written."""
    return Refused(
        code=Reason.FROZEN,
        text=f"the journal cannot be written ({why}): only cancel works; "
        "the outcome of this request is not known, send it again with the same id",
    )


def _refusal(refused: Refused | None) -> Decision:
    return Decision(events=(), intents=(), views=(), refused=refused)
