"""What a parent does next: release a slice, wait, or finish. Called whenever something moved.

Stateless: it looks at the parent and its children and at nothing remembered, so a reject, a late
fill or a restart needs no case of its own.
"""

from typing import Final

from quarterdeck.core.algos import normal
from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.intents import SendCancel, SendChild, WakeChild
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.core.model.terms import TimeInForce
from quarterdeck.core.routing import direct

SEND_WITHIN_NS: Final = 1_000_000_000
"""A gateway may send a child this long after it was decided, and not later."""

ANSWER_WITHIN_NS: Final = 2_000_000_000
"""Silence this long after a child was decided makes its outcome unknown."""

CANCEL_AGAIN_NS: Final = 2_000_000_000
"""A cancel without an effect is repeated after this long."""


def plan(draft: Draft, operation_id: str) -> None:
    """Decide what a parent does next."""
    parent = draft.state.parents[operation_id]
    if not parent.status.is_live:
        if parent.open_children:
            _reopen(draft, parent)
        return
    quantity = normal.next_slice(parent)
    if quantity > 0:
        _send(draft, direct.route(parent, quantity), parent)
    elif not parent.open_children:
        _finish(draft, parent)


def children_of(draft: Draft, parent: ParentOrder) -> list[ChildOrder]:
    """Return a parent's children that a venue may still fill."""
    names = (client_order_id(parent.id, number) for number in parent.open_children)
    return [draft.state.children[name] for name in names]


def cancel_child(draft: Draft, child: ChildOrder) -> None:
    """Wish for the end of a child and ask its venue for it, again later if need be."""
    draft.emit(ev.ChildCancelRequested(client_order_id=child.client_order_id))
    ask_cancel(draft, child)


def ask_cancel(draft: Draft, child: ChildOrder) -> None:
    """Ask the venue to cancel; harmless when repeated."""
    draft.ask(
        SendCancel(
            account=child.account,
            instrument=child.instrument,
            client_order_id=child.client_order_id,
            venue_order_id=child.venue_order_id,
        )
    )
    again_ns = draft.now_ns + CANCEL_AGAIN_NS
    draft.ask(WakeChild(at_ns=again_ns, client_order_id=child.client_order_id))


def _send(draft: Draft, route: direct.Route, parent: ParentOrder) -> None:
    number = parent.children + 1
    name = client_order_id(parent.id, number)
    draft.emit(
        ev.ChildCreated(
            operation_id=parent.id,
            child_no=number,
            client_order_id=name,
            account=route.account,
            instrument=route.instrument,
            quantity=route.quantity,
            order_type=route.order_type,
            limit_px=route.limit_px,
            tif=route.tif,
            expire_ns=route.expire_ns,
            send_by_ns=draft.now_ns + SEND_WITHIN_NS,
            gateway_epoch=draft.state.accounts[route.account].gateway_epoch,
        )
    )
    draft.ask(SendChild(child=draft.state.children[name]))
    draft.ask(WakeChild(at_ns=draft.now_ns + ANSWER_WITHIN_NS, client_order_id=name))


def _reopen(draft: Draft, parent: ParentOrder) -> None:
    alive = children_of(draft, parent)
    draft.emit(ev.ParentReopened(operation_id=parent.id, child_no=alive[0].child_no))
    draft.alert(
        Reason.REOPENED,
        f"{parent.id} was {parent.status}, but {alive[0].client_order_id} is alive at "
        f"{alive[0].account}; it is being canceled",
    )
    for child in alive:
        cancel_child(draft, child)


def _finish(draft: Draft, parent: ParentOrder) -> None:
    status, reason, detail = _end_of(draft, parent)
    draft.emit(
        ev.ParentFinished(operation_id=parent.id, status=status, reason=reason, detail=detail)
    )


def _end_of(draft: Draft, parent: ParentOrder) -> tuple[ParentStatus, Reason, str | None]:
    """Return how a parent without open children ended: as its last child did."""
    if parent.filled >= parent.terms.quantity:
        return ParentStatus.FILLED, Reason.COMPLETED, None
    asked = parent.status is ParentStatus.CANCELING
    if not parent.children:
        return ParentStatus.CANCELED, Reason.CANCELED_ON_REQUEST, None
    last = draft.state.children[client_order_id(parent.id, parent.children)]
    match last.status:
        case ChildStatus.CANCELED if last.reason is Reason.RESOLVED_BY_OPERATOR:
            return ParentStatus.CANCELED, Reason.RESOLVED_BY_OPERATOR, last.detail
        case ChildStatus.CANCELED if asked:
            return ParentStatus.CANCELED, Reason.CANCELED_ON_REQUEST, None
        case ChildStatus.CANCELED if last.tif in {TimeInForce.IOC, TimeInForce.FOK}:
            return ParentStatus.CANCELED, Reason.REMAINDER_CANCELED, None
        case ChildStatus.CANCELED:
            return ParentStatus.CANCELED, Reason.CANCELED_BY_VENUE, None
        case ChildStatus.EXPIRED:
            return ParentStatus.EXPIRED, Reason.EXPIRED_AT_VENUE, None
        case ChildStatus.NOT_SENT | ChildStatus.ABSENT if asked:
            return ParentStatus.CANCELED, Reason.CANCELED_ON_REQUEST, last.detail
        case _:
            return ParentStatus.REJECTED, last.reason or Reason.VENUE_REJECTED, last.detail
