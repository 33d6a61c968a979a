"""One run of a gateway in the simulation: the real session and outbox around a simulated driver.

What the process host does with sockets and tasks happens here with channels and the world's queue;
the rules (who leads, what may be sent, numbering of facts, what an answer means) are the real ones
or follow the host line by line.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace
from tests.simulation.market import capabilities
from tests.simulation.plan import VenuePlan
from tests.simulation.venue import STATUSES, SimVenue
from tests.simulation.world import MS, Channel, Crashed, Process, World

from drydock.core.orders import Order
from drydock.core.refusals import Refusal, RefusalCode
from quarterdeck.core.model import facts
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways import wire
from quarterdeck.gateways.contract import (
    Accepted,
    NotSent,
    Rejected,
    SnapshotParts,
    SubmitOutcome,
    Unknown,
    VenueOrder,
)
from quarterdeck.gateways.outbox import Outbox, Rate
from quarterdeck.gateways.session import (
    Action,
    CancelNow,
    Emit,
    GatewaySession,
    ModifyNow,
    Note,
    QueryNow,
    SnapshotNow,
    SubmitNow,
    Work,
)

HEARTBEAT_NS: Final = 500 * MS
REQUEST_TIMEOUT_NS: Final = 900 * MS
"""Shorter than a request stays valid: what timed out may still be executed."""
LATE_REQUEST_NS: Final = (100 * MS, 3_500 * MS)
LATE_REPLY_NS: Final = (100 * MS, 2_500 * MS)
LATE_PUSH_NS: Final = (5 * MS, 1_500 * MS)

DEFINITE: Final = frozenset(
    {
        RefusalCode.STALE_REQUEST,
        RefusalCode.INSUFFICIENT_FUNDS,
        RefusalCode.NO_MARKET,
        RefusalCode.POST_ONLY_WOULD_TAKE,
        RefusalCode.INVALID_ORDER,
    }
)
"""Refusals that mean that the order does not exist; a duplicate id, for one, does not."""

type Send = Callable[[wire.StreamMessage], None]
"""Carries a message to one desk."""


class SentLog:
    """What ever left for the venue, over all runs of the gateway: for the auditor."""

    def __init__(self) -> None:
        self.on_submit: Callable[[VenueOrder, int, GatewaySession], None] = lambda *_: None
        """Told of an order that leaves, the epoch of the desk that asked, and the session."""


class SimGateway(Process):
    """One run of the gateway."""

    session_class: type[GatewaySession] = GatewaySession

    def __init__(self, world: World, plan: VenuePlan, venue: SimVenue, sent: SentLog) -> None:
        super().__init__(world, f"gateway {venue.account}@{world.now_ns}")
        self.account = venue.account
        self.rates = plan.rates
        self._skew_ns = plan.gateway_skew_ns
        self.session = self.session_class(self.account, venue.site.venue, world.now_ns)
        self._capabilities = capabilities(venue.site, plan.absence_proof)
        self._venue = venue
        self._sent = sent
        self._outbox = Outbox(Rate(per_s=50, burst=40, cancel_reserve=10))
        self._requests = Channel(world, "request", late_ns=LATE_REQUEST_NS, rates=plan.rates)
        self._replies = Channel(world, "reply", late_ns=LATE_REPLY_NS, rates=plan.rates)
        self._pushes = Channel(world, "push", late_ns=LATE_PUSH_NS, rates=plan.rates)
        self._pending: dict[int, Callable[[], None]] = {}
        """What a lost connection means for each request that waits for its reply."""
        self._requested = 0
        self._seq = 0
        self._leader: tuple[Send, int] | None = None
        self.connect()
        self._beat()

    @property
    def now_ns(self) -> int:
        """The gateway's own clock."""
        return self.world.now_ns + self._skew_ns

    # Towards the desk.

    def hello(self, send: Send, hello: wire.Hello) -> None:
        """Hear of a desk; serve it when none has a higher epoch."""
        if not self.session.hello(hello.desk_epoch):
            return
        known = self._leader is not None and self._leader[1] == hello.desk_epoch
        self._leader = (send, hello.desk_epoch)
        if hello.want_welcome or not known:
            self._welcome()

    def command(self, command: wire.Command) -> None:
        """Obey a command, by the rules."""
        self.take(self.session.command(command, self.now_ns))

    def emit(self, fact: facts.Fact) -> None:
        """Number a fact and send it to the leading desk."""
        self._seq += 1
        self._to_leader(
            wire.FactFrame(gateway_epoch=self.session.gateway_epoch, seq=self._seq, fact=fact)
        )

    def take(self, actions: list[Action]) -> None:
        """Do what the session decided."""
        for action in actions:
            match action:
                case Emit(fact=fact):
                    self.emit(fact)
                case Note(code=code, text=text):
                    self.world.note(f"{self.name} {code}: {text[:90]}")
                case CancelNow(order=order) if waiting := self._outbox.withdraw(
                    order.client_order_id
                ):
                    self._settle(waiting.order, NotSent(why=Reason.CANCELED_ON_REQUEST))
                case _:
                    self._outbox.push(action, self.now_ns)
        self._pump()

    def _welcome(self) -> None:
        items = tuple(item.instrument for item in self._venue.listed.values())
        self._to_leader(
            wire.Welcome(
                protocol=wire.PROTOCOL,
                gateway_epoch=self.session.gateway_epoch,
                next_seq=self._seq + 1,
                account=self.account,
                venue=self._venue.site.venue,
                venue_connected=self.session.venue_connected,
                capabilities=self._capabilities,
                instruments=items,
            )
        )

    def _heartbeat(self) -> None:
        self._to_leader(
            wire.Heartbeat(
                gateway_epoch=self.session.gateway_epoch,
                last_seq=self._seq,
                now_ns=self.now_ns,
                venue_connected=self.session.venue_connected,
                reason="" if self.session.venue_connected else "disconnected",
                venue_clock_offset_ns=None,
            )
        )

    def _beat(self) -> None:
        self._heartbeat()
        self.after(HEARTBEAT_NS, self._beat)

    def _to_leader(self, message: wire.StreamMessage) -> None:
        if self._leader is not None and self._leader[1] >= self.session.desk_epoch:
            self._leader[0](message)

    # Towards the venue.

    def connect(self) -> None:
        """Have the venue, and its pushes."""
        self.session.venue_connected = True
        self._venue.push = lambda fact: self._pushes.send(self, lambda: self.emit(fact))
        self._welcome()
        self._heartbeat()

    def disconnect(self) -> None:
        """Lose the venue: what waits for a reply will not get one."""
        self.session.venue_connected = False
        self._venue.push = None
        self._heartbeat()
        pending, self._pending = self._pending, {}
        for lost in pending.values():
            lost()

    def die(self) -> None:
        """End; what is on the wire to the venue is not recalled."""
        super().die()
        self._venue.push = None

    def _pump(self) -> None:
        while (work := self._outbox.pop(self.now_ns)) is not None:
            self._start(work)
        ready_ns = self._outbox.ready_ns(self.now_ns)
        if ready_ns is not None:
            self.after(max(ready_ns - self.now_ns, MS), self._pump)

    def _start(self, work: Work) -> None:
        match work:
            case SubmitNow(order=order):
                why = self.session.recheck(work, self.now_ns)
                if why is not None:
                    self._settle(order, NotSent(why=why))
                    return
                self.send_order(work)
            case CancelNow(order=order):
                self._cancel(order.client_order_id)
            case QueryNow(order=order):
                self._query(order.client_order_id)
            case SnapshotNow(trades_from_ns=trades_from_ns):
                self._snapshot(trades_from_ns)
            case ModifyNow():
                raise AssertionError("the desk does not modify yet")

    def send_order(self, work: SubmitNow) -> None:
        """Put one order on the wire."""
        order = work.order
        stamp_ns = self.now_ns
        self.world.note(f"{self.name} sends {order.client_order_id}")
        self._sent.on_submit(order, work.desk_epoch, self.session)
        self._ask(
            lambda: self._venue.submit(order, stamp_ns),
            lambda answer: self._settle(order, judge(answer, self.now_ns)),
            lambda why: self.submit_unanswered(work, why),
        )
        if self.world.hit("gateway_dies_after_send", self.rates):
            raise Crashed("after send")

    def submit_unanswered(self, work: SubmitNow, why: Reason) -> None:
        """Report that the one send is over, without an answer."""
        self._settle(work.order, Unknown(why=why, detail="simulated"))

    def _settle(self, order: VenueOrder, outcome: SubmitOutcome) -> None:
        for action in self.session.submitted(order.client_order_id, outcome, self.now_ns):
            self.emit(action.fact)

    def _cancel(self, name: str) -> None:
        stamp_ns = self.now_ns
        self._ask(
            lambda: self._venue.cancel(name, stamp_ns),
            lambda answer: self.canceled(name, answer),
            lambda why: None,
        )

    def canceled(self, name: str, answer: Order | Refusal | None) -> None:
        """Report what became of a cancel."""
        match answer:
            case Refusal(code=code, text=text):
                self.emit(
                    facts.CancelRejected(
                        account=self.account,
                        client_order_id=name,
                        code=code,
                        text=text,
                        at_ns=self.now_ns,
                    )
                )
            case Order():
                self.emit(
                    facts.OrderClosed(
                        account=self.account,
                        client_order_id=name,
                        venue_order_id=answer.venue_order_id,
                        status=STATUSES[answer.status],
                        filled=self._venue.filled(answer),
                        at_ns=self.now_ns,
                    )
                )
            case None:
                pass  # An error that says nothing: the desk asks again.

    def _query(self, name: str) -> None:
        asked_ns = self.now_ns

        def found(report: facts.OrderReport | None) -> None:
            self.emit(
                facts.OrderNotFound(account=self.account, client_order_id=name, asked_ns=asked_ns)
                if report is None
                else replace(report, asked_ns=asked_ns)
            )

        self._ask(lambda: self._venue.order(name), found, lambda why: None, may_fail=False)

    def _snapshot(self, trades_from_ns: int) -> None:
        asked_ns = self.now_ns

        def told(parts: SnapshotParts) -> None:
            self.emit(
                facts.VenueSnapshot(
                    account=self.account,
                    gateway_epoch=self.session.gateway_epoch,
                    asked_ns=asked_ns,
                    trades_from_ns=trades_from_ns,
                    orders=tuple(replace(order, asked_ns=asked_ns) for order in parts.orders),
                    trades=parts.trades,
                    balances=parts.balances,
                    positions=parts.positions,
                )
            )

        self._ask(
            lambda: self._venue.snapshot(trades_from_ns), told, lambda why: None, may_fail=False
        )

    def _ask[T](
        self,
        perform: Callable[[], T],
        answered: Callable[[T], None],
        lost: Callable[[Reason], None],
        *,
        may_fail: bool = True,
    ) -> None:
        """Send a request; exactly one of `answered` and `lost` is called, or neither after death.

        With `may_fail` the venue may answer with an error after it did what was asked.
        """
        self._requested += 1
        number = self._requested

        def finish(then: Callable[[], None]) -> None:
            if self._pending.pop(number, None) is not None:
                then()

        def arrive() -> None:
            answer = perform()
            if may_fail and self.world.hit("venue_error_after", self.rates):
                then = lambda: lost(Reason.REPLY_LOST)  # noqa: E731 - one of two, by chance
            else:
                then = lambda: answered(answer)  # noqa: E731
            self._replies.send(self, lambda: finish(then))

        self._pending[number] = lambda: lost(Reason.REPLY_LOST)
        self._requests.send(self._venue, arrive)
        self.after(REQUEST_TIMEOUT_NS, lambda: finish(lambda: lost(Reason.NO_ANSWER)))


def judge(answer: Order | Refusal, now_ns: int) -> SubmitOutcome:
    """Return what an answer to a submit means: only a listed refusal is a definite no."""
    if isinstance(answer, Order):
        return Accepted(venue_order_id=answer.venue_order_id, at_ns=now_ns)
    if answer.code in DEFINITE:
        return Rejected(code=answer.code, text=answer.text, at_ns=now_ns)
    return Unknown(why=Reason.REPLY_LOST, detail=f"{answer.code}: {answer.text}")
