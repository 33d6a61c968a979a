"""What a gateway does with each command: pure, so that a simulation runs the very same rules.

The session remembers two things for the life of one run of the gateway: the highest desk epoch it
heard of, and the fate of every client order id it was told to send. From these it keeps the two
promises that sending exactly one order rests on:

    an id is let out at most once:    SubmitNow(id) is returned never or once
    "not sent" is a proof:            an id reported as not sent is refused from then on, and one
                                      that was let out is never reported as not sent, except by
                                      its sender's own certainty that nothing left (`submitted`)

Every id has one of three fates, and only these changes exist:

    (unheard) ──submit in order──► let out ──sender: nothing left──► refused
        └──submit refused, or a query for an id that never came──────► refused

So a repeated submit of an id that is out is answered by silence: nothing is sent again, and to say
"not sent" would be a lie. Its desk finds out by asking. A cancel is harmless when repeated and is
always passed on.

Memory grows with the orders of one run, by about 100 bytes for each, and is deliberately not
bounded: a forgotten id could be sent twice. A million orders take 100 MB; restart before that.
"""

from typing import Final, assert_never

from msgspec import Struct

from quarterdeck.core.model.facts import (
    Fact,
    OrderAccepted,
    OrderNotSent,
    OrderRejected,
    OrderUnknown,
)
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways.contract import (
    Accepted,
    NotSent,
    OrderChange,
    OrderRef,
    Rejected,
    SubmitOutcome,
    Unknown,
    VenueOrder,
)
from quarterdeck.gateways.wire import Cancel, Command, Modify, Query, Snapshot, Submit


class SubmitNow(Struct, frozen=True, kw_only=True):
    """Send this order, once, if `recheck` still agrees when its turn comes."""

    desk_epoch: int
    order: VenueOrder


class ModifyNow(Struct, frozen=True, kw_only=True):
    """Send this change."""

    change: OrderChange


class CancelNow(Struct, frozen=True, kw_only=True):
    """Ask the venue for the end of this order."""

    order: OrderRef


class QueryNow(Struct, frozen=True, kw_only=True):
    """Ask the venue what it knows of this order."""

    order: OrderRef


class SnapshotNow(Struct, frozen=True, kw_only=True):
    """Ask the venue for all that it holds."""

    trades_from_ns: int


class Emit(Struct, frozen=True, kw_only=True):
    """Report a fact to the leading desk."""

    fact: Fact


class Note(Struct, frozen=True, kw_only=True):
    """Nothing is done; worth counting and logging."""

    code: str
    text: str


type Work = SubmitNow | ModifyNow | CancelNow | QueryNow | SnapshotNow
type Action = Work | Emit | Note

REPEATED: Final = "repeated_submit"
STALE: Final = "stale_desk"
TOO_LATE: Final = "too_late"
OTHER_RUN: Final = "other_gateway"
NO_VENUE: Final = "venue_disconnected"


class GatewaySession:
    """The rules of one run of one account's gateway."""

    def __init__(self, account: str, venue: str, gateway_epoch: int) -> None:
        self.account = account
        self.venue = venue
        self.gateway_epoch = gateway_epoch
        self.desk_epoch = 0
        """The highest epoch of a desk that was heard of."""
        self.venue_connected = False
        """Set by whoever runs the driver."""
        # None: let out. A reason: refused, and why.
        self._fates: dict[str, Reason | None] = {}
        self._unknown: dict[str, OrderUnknown] = {}

    def hello(self, desk_epoch: int) -> bool:
        """Hear of a desk; return whether it leads, so that facts are for it."""
        self.desk_epoch = max(self.desk_epoch, desk_epoch)
        return desk_epoch == self.desk_epoch

    def command(self, message: Command, now_ns: int) -> list[Action]:
        """Judge one command, in the order in which commands arrived."""
        leads = self.hello(message.desk_epoch)
        match message:
            case Submit():
                return [self._submit(message, leads=leads, now_ns=now_ns)]
            case Query() if leads:
                return self._query(message, now_ns)
            case Modify() if leads:
                return [self._modify(message, now_ns)]
            case Cancel() if leads:
                return [self._if_connected(CancelNow(order=message.order))]
            case Snapshot() if leads:
                return [self._if_connected(SnapshotNow(trades_from_ns=message.trades_from_ns))]
            case _:
                return [Note(code=STALE, text=f"from desk epoch {message.desk_epoch}: {message}")]

    def recheck(self, action: SubmitNow, now_ns: int) -> Reason | None:
        """Return why an order whose turn came after some waiting may not be sent any more.

        The answer goes to `submitted` as `NotSent`.
        """
        return self._too_late(action.desk_epoch, action.order.send_by_ns, now_ns)

    def submitted(self, client_order_id: str, outcome: SubmitOutcome, now_ns: int) -> list[Emit]:
        """Turn what became of a `SubmitNow` into the facts to report."""
        match outcome:
            case Accepted(venue_order_id=venue_order_id, at_ns=at_ns):
                fact: Fact = OrderAccepted(
                    account=self.account,
                    client_order_id=client_order_id,
                    venue_order_id=venue_order_id,
                    at_ns=at_ns,
                )
            case Rejected(code=code, text=text, at_ns=at_ns):
                fact = OrderRejected(
                    account=self.account,
                    client_order_id=client_order_id,
                    code=code,
                    text=text,
                    at_ns=at_ns,
                )
            case Unknown(why=why, detail=detail):
                fact = self._unknown[client_order_id] = OrderUnknown(
                    account=self.account,
                    client_order_id=client_order_id,
                    why=why,
                    detail=detail,
                    at_ns=now_ns,
                )
            case NotSent(why=why):
                return [self._refuse(client_order_id, why, now_ns)]
            case _:
                assert_never(outcome)
        return [Emit(fact=fact)]

    def _submit(self, message: Submit, *, leads: bool, now_ns: int) -> Action:
        order_id = message.order.client_order_id
        if order_id in self._fates:
            refused = self._fates[order_id]
            if refused is None:
                return Note(code=REPEATED, text=f"{order_id} is out already; not sent again")
            return self._not_sent(order_id, refused, now_ns)
        why: Reason | None
        if not leads:
            why = Reason.STALE_DESK
        elif message.gateway_epoch != self.gateway_epoch:
            why = Reason.OTHER_GATEWAY_INCARNATION
        else:
            why = self._too_late(message.desk_epoch, message.order.send_by_ns, now_ns)
        if why is not None:
            return self._refuse(order_id, why, now_ns)
        self._fates[order_id] = None
        return SubmitNow(desk_epoch=message.desk_epoch, order=message.order)

    def _query(self, message: Query, now_ns: int) -> list[Action]:
        order_id = message.order.client_order_id
        if message.gateway_epoch == self.gateway_epoch:
            if order_id not in self._fates:
                return [self._refuse(order_id, Reason.NEVER_RECEIVED, now_ns)]
            refused = self._fates[order_id]
            if refused is not None:
                return [self._not_sent(order_id, refused, now_ns)]
        # That the one send is over may have been lost on its way, and absence is measured from it.
        over = self._unknown.get(order_id)
        told: list[Action] = [Emit(fact=over)] if over is not None else []
        return [*told, self._if_connected(QueryNow(order=message.order))]

    def _modify(self, message: Modify, now_ns: int) -> Action:
        if message.gateway_epoch != self.gateway_epoch:
            return Note(code=OTHER_RUN, text=f"meant for {message.gateway_epoch}: {message}")
        if now_ns > message.change.send_by_ns:
            return Note(code=TOO_LATE, text=f"at {now_ns}: {message}")
        return self._if_connected(ModifyNow(change=message.change))

    def _too_late(self, desk_epoch: int, send_by_ns: int, now_ns: int) -> Reason | None:
        if desk_epoch < self.desk_epoch:
            return Reason.STALE_DESK
        if now_ns > send_by_ns:
            return Reason.SEND_DEADLINE_PASSED
        if not self.venue_connected:
            return Reason.VENUE_DISCONNECTED
        return None

    def _if_connected(self, action: Work) -> Action:
        if self.venue_connected:
            return action
        return Note(code=NO_VENUE, text=f"not passed on: {action}")

    def _refuse(self, order_id: str, why: Reason, now_ns: int) -> Emit:
        self._fates[order_id] = why
        return self._not_sent(order_id, why, now_ns)

    def _not_sent(self, order_id: str, why: Reason, now_ns: int) -> Emit:
        return Emit(
            fact=OrderNotSent(account=self.account, client_order_id=order_id, why=why, at_ns=now_ns)
        )
