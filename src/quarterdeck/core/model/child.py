"""The child order: one order at one venue, sent at most once, and what we know of its fate.

Theory. A child is durable before it is sent, so from its first instant it may be at the venue
without our knowing. Its status is what we *know*:

    in_flight ──► working ──► filled | canceled | expired
        │            ▲  │
        ├─► rejected │  └─► unknown        (acknowledged, and the venue no longer knows it)
        ├─► not_sent │
        └─► unknown ─┴─► absent            (proven never to have arrived, or resolved by hand)

`in_flight` and `unknown` count as exposed in full: they may fill at any moment. Only a definite
no ends a child: a venue's rejection, our own gateway's proof that it never sent, or a proof of
absence. A wish to cancel is not a status but a time (`cancel_requested_ns`), since it may be
wished of a child in any live status and changes nothing until the venue says so.

Venues report an end before the fills that led to it. An end names the total filled; until our
own fills add up to it the child stays live as `closing`, exposed by what is missing.

A fact about a finished child is believed: dead children that show life are reopened.
"""

from decimal import Decimal
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model import events as ev
from quarterdeck.core.model.decimals import ZERO, add, mul, sub
from quarterdeck.core.model.order import IllegalDecision
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce


class ChildOrder(Struct, frozen=True, kw_only=True, gc=False):
    """One order at one venue, for one parent."""

    client_order_id: str
    operation_id: str
    child_no: int
    account: str
    instrument: str
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_px: Decimal | None
    tif: TimeInForce
    expire_ns: int | None
    post_only: bool
    reduce_only: bool
    created_ns: int
    send_by_ns: int
    """The gateway may not send it later than this."""
    gateway_epoch: int
    """The run of the gateway that the command was meant for."""

    status: ChildStatus = ChildStatus.IN_FLIGHT
    reason: Reason | None = None
    detail: str | None = None
    venue_order_id: str | None = None
    acknowledged_ns: int | None = None
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    trade_ids: tuple[str, ...] = ()
    cancel_requested_ns: int | None = None
    """When a cancel was last wished for; None when never."""
    close_as: ChildStatus | None = None
    close_filled: Decimal | None = None
    """While closing: what it becomes, and the venue's total of fills to wait for."""
    held_until_ns: int | None = None
    """From when on nobody on our side can send it any more; absence is measured from here."""
    not_found_ns: tuple[int, ...] = ()
    """Begin times of the queries, after the absence window, that did not find it."""
    updated_ns: int = 0

    @property
    def leaves(self) -> Decimal:
        """Quantity that the venue may still fill; never negative."""
        if not self.status.is_live:
            return ZERO
        if self.close_filled is not None:
            return max(sub(self.close_filled, self.filled), ZERO)
        return max(sub(self.quantity, self.filled), ZERO)


def created(
    event: ev.ChildCreated, side: Side, flags: tuple[bool, bool], now_ns: int
) -> ChildOrder:
    """Return the child that begins with this event; flags are post-only and reduce-only."""
    post_only, reduce_only = flags
    return ChildOrder(
        client_order_id=event.client_order_id,
        operation_id=event.operation_id,
        child_no=event.child_no,
        account=event.account,
        instrument=event.instrument,
        side=side,
        quantity=event.quantity,
        order_type=event.order_type,
        limit_px=event.limit_px,
        tif=event.tif,
        expire_ns=event.expire_ns,
        post_only=post_only,
        reduce_only=reduce_only,
        created_ns=now_ns,
        send_by_ns=event.send_by_ns,
        gateway_epoch=event.gateway_epoch,
        updated_ns=now_ns,
    )


def apply(child: ChildOrder, event: ev.ChildEvent, now_ns: int) -> ChildOrder:
    """Return the child after a fact, or after a decision about it.

    Raises:
        IllegalDecision: if a decision of ours (cancel, resolve, absent) does not fit its status.
    """
    child = replace(child, updated_ns=now_ns)
    match event:
        case ev.ChildAcknowledged():
            return _acknowledged(child, event)
        case ev.ChildFilled():
            return _filled(child, event)
        case ev.ChildClosed():
            return _closed(child, event)
        case ev.ChildRejected():
            detail = f"{event.code}: {event.text}"
            return _ended(child, ChildStatus.REJECTED, Reason.VENUE_REJECTED, detail)
        case ev.ChildNotSent():
            return _ended(child, ChildStatus.NOT_SENT, event.why, None)
        case ev.ChildUnknown():
            return replace(child, status=ChildStatus.UNKNOWN, reason=event.why, detail=event.detail)
        case ev.ChildReleased():
            return replace(child, held_until_ns=event.held_until_ns, not_found_ns=())
        case ev.ChildNotFound():
            return replace(child, not_found_ns=(*child.not_found_ns, event.asked_ns))
        case ev.ChildAbsent():
            _require(child.status is ChildStatus.UNKNOWN, child, event)
            return _ended(child, ChildStatus.ABSENT, Reason.PROVEN_ABSENT, None)
        case ev.ChildResolved():
            _require(child.status is ChildStatus.UNKNOWN, child, event)
            outcome = ChildStatus(event.outcome.value)
            return _ended(child, outcome, Reason.RESOLVED_BY_OPERATOR, event.evidence)
        case ev.ChildCancelRequested():
            _require(child.status.is_live, child, event)
            return replace(child, cancel_requested_ns=now_ns)
        case ev.ChildCancelRejected():
            return child
        case _:
            assert_never(event)


def _acknowledged(child: ChildOrder, event: ev.ChildAcknowledged) -> ChildOrder:
    known = replace(
        child,
        venue_order_id=event.venue_order_id,
        acknowledged_ns=child.acknowledged_ns or event.at_ns,
    )
    if child.status in {ChildStatus.IN_FLIGHT, ChildStatus.UNKNOWN} or child.status.is_dead:
        return _settled(replace(known, status=ChildStatus.WORKING, reason=None, detail=None))
    return known


def _filled(child: ChildOrder, event: ev.ChildFilled) -> ChildOrder:
    trade = event.trade
    after = replace(
        child,
        filled=add(child.filled, trade.quantity),
        notional=add(child.notional, mul(trade.quantity, trade.px)),
        trade_ids=(*child.trade_ids, trade.trade_id),
        venue_order_id=child.venue_order_id or trade.venue_order_id,
        acknowledged_ns=child.acknowledged_ns or trade.at_ns,
    )
    if child.status in {ChildStatus.IN_FLIGHT, ChildStatus.UNKNOWN} or child.status.is_dead:
        # A fill proves that the venue has the order.
        after = replace(after, status=ChildStatus.WORKING, reason=None, detail=None)
    return _settled(after)


def _closed(child: ChildOrder, event: ev.ChildClosed) -> ChildOrder:
    if not child.status.is_live and not child.status.is_dead:
        return child
    return _settled(
        replace(
            child,
            status=ChildStatus.CLOSING,
            reason=event.reason,
            close_as=event.status,
            close_filled=child.filled if event.filled is None else event.filled,
        )
    )


def _settled(child: ChildOrder) -> ChildOrder:
    """End a child whose fills add up: to its quantity, or to what the venue said at its end."""
    if child.filled >= child.quantity:
        return _ended(child, ChildStatus.FILLED, Reason.COMPLETED, None)
    if child.close_as is None or child.close_filled is None:
        return child
    if child.filled >= child.close_filled:
        return replace(child, status=child.close_as, close_as=None, close_filled=None)
    return child


def _ended(
    child: ChildOrder, status: ChildStatus, reason: Reason, detail: str | None
) -> ChildOrder:
    return replace(
        child, status=status, reason=reason, detail=detail, close_as=None, close_filled=None
    )


def _require(condition: bool, child: ChildOrder, event: ev.Event) -> None:  # noqa: FBT001
    if not condition:
        raise IllegalDecision(f"{child.client_order_id} is {child.status}: {event!r} is illegal")
