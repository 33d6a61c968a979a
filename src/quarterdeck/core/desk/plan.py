"""What a parent does next: release a slice, wait, or finish. Called whenever something moved.

Stateless: it looks at the parent and its children and at nothing remembered, so a reject, a late
fill or a restart needs no case of its own.
"""

from typing import Final

from quarterdeck.core.algos.contract import Situation
from quarterdeck.core.algos.registry import KINDS
from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.ending import End, end_of
from quarterdeck.core.desk.grid import grid_of, lowest_px
from quarterdeck.core.desk.release import release
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.decimals import add, sub, total
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.intents import SendCancel, WakeChild, WakeParent
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderTerms, OrderType, TimeInForce

CANCEL_AGAIN_NS: Final = 2_000_000_000
"""A cancel without an effect is repeated after this long."""

HELD_AGAIN_NS: Final = 1_000_000_000
"""A slice that could not be sent is tried again after this long."""

VENUE_EXPIRES_WITHIN_NS: Final = 1_000_000_000
"""A venue that was told the time may be this late to end an order before the desk does it."""


def plan(draft: Draft, operation_id: str) -> None:
    """Decide what a parent does next."""
    parent = draft.state.parents[operation_id]
    if not parent.status.is_live:
        if parent.open_children:
            _reopen(draft, parent)
        return
    if parent.status is not ParentStatus.CANCELING:
        _mind_expiry(draft, parent)
    _call_back(draft, operation_id)
    over: End | None = None
    parent = draft.state.parents[operation_id]
    if parent.status is ParentStatus.WORKING and not _is_late(draft, parent):
        over = _work(draft, operation_id)
    parent = draft.state.parents[operation_id]
    if parent.open_children:
        return
    if parent.filled >= parent.terms.quantity:
        over = End(status=ParentStatus.FILLED, reason=Reason.COMPLETED)
    elif parent.status is ParentStatus.CANCELING:
        over = end_of(draft, parent)
    if over is not None:
        draft.emit(
            ev.ParentFinished(
                operation_id=operation_id,
                status=over.status,
                reason=over.reason,
                detail=over.detail,
            )
        )


def _is_late(draft: Draft, parent: ParentOrder) -> bool:
    """Tell whether an order's time is over, though its venue may still be ending its children."""
    expire_ns = parent.terms.expire_ns
    return expire_ns is not None and draft.now_ns >= expire_ns


def _call_back(draft: Draft, operation_id: str) -> None:
    """Cancel what may not be out: anything while the order stands still, else what is too much.

    Steering cancels what it finds out; a child that was held for dead may show life after it.
    """
    parent = draft.state.parents[operation_id]
    if not parent.open_children:
        return
    unasked = [c for c in children_of(draft, parent) if c.cancel_requested_ns is None]
    excess = sub(
        add(parent.filled, total(child.leaves for child in unasked)), parent.terms.quantity
    )
    for child in reversed(unasked):
        if parent.status is ParentStatus.WORKING and excess <= 0:
            return
        cancel_child(draft, child)
        excess = sub(excess, child.leaves)


def expire(draft: Draft, parent: ParentOrder, *, by: str | None, why: str) -> None:
    """End a parent's time: nothing more is sent and what is out is canceled."""
    draft.emit(ev.ParentExpiring(operation_id=parent.id, by=by, why=why))
    for child in children_of(draft, parent):
        cancel_child(draft, child)


def _mind_expiry(draft: Draft, parent: ParentOrder) -> None:
    """End a parent whose time is over, else ask to be woken when it is."""
    expire_ns = parent.terms.expire_ns
    if expire_ns is None:
        return
    if any(child.expire_ns is not None for child in children_of(draft, parent)):
        expire_ns += VENUE_EXPIRES_WITHIN_NS
    if draft.now_ns >= expire_ns:
        expire(draft, parent, by=None, why="its expire_time has come")
    else:
        draft.ask(WakeParent(at_ns=expire_ns, operation_id=parent.id))


def _work(draft: Draft, operation_id: str) -> End | None:
    """Ask the algorithm what to do and do it; return how the parent ends, when it is over."""
    parent = draft.state.parents[operation_id]
    kind = KINDS[parent.terms.algorithm]
    px = lowest_px(parent.arrival_px, parent.reserved_px)
    grid = grid_of(draft.state, parent.terms, px)
    step = kind.step(Situation(parent=parent, grid=grid, now_ns=draft.now_ns))
    if step.release > 0:
        rests = kind.rests and may_rest(parent.terms)
        refused = release(draft, parent, step.release, rests=rests)
        parent = draft.state.parents[operation_id]
        if refused is not None:
            return _hold(draft, parent, refused)
    if step.look_ns is not None:
        draft.ask(WakeParent(at_ns=step.look_ns, operation_id=operation_id))
    if step.over and not parent.open_children:
        return end_of(draft, parent, grid)
    return None


def may_rest(terms: OrderTerms) -> bool:
    """Tell whether what an order sends may wait in the book."""
    waits = terms.tif in {TimeInForce.GTC, TimeInForce.GTD}
    return terms.order_type is OrderType.LIMIT and waits


def _hold(draft: Draft, parent: ParentOrder, refused: Refused) -> End | None:
    """Try a slice again later, telling why; an order that takes at once or never ends instead."""
    if parent.terms.algorithm is Algorithm.NORMAL and not may_rest(parent.terms):
        status = ParentStatus.CANCELED if parent.filled else ParentStatus.REJECTED
        return End(status=status, reason=refused.code, detail=refused.text)
    if (parent.held, parent.detail) != (refused.code, refused.text):
        held = ev.ParentHeld(operation_id=parent.id, reason=refused.code, detail=refused.text)
        draft.emit(held)
    draft.ask(WakeParent(at_ns=draft.now_ns + HELD_AGAIN_NS, operation_id=parent.id))
    return None


def children_of(draft: Draft, parent: ParentOrder) -> list[ChildOrder]:
    """Return a parent's children that a venue may still fill."""
    # By number: a parent that was loaded keeps them in another order than one that was folded.
    names = (client_order_id(parent.id, number) for number in sorted(parent.open_children))
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
