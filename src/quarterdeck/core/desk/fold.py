"""`apply`: how each event changes what the desk knows.

One function, called for every event, live, in recovery, in replay and inside a decision's sketch
pad. It raises only for decisions of ours that are illegal; what retells a fact always applies.
"""

from decimal import Decimal
from typing import assert_never

from msgspec.structs import replace

from quarterdeck.core.desk import fold_account
from quarterdeck.core.desk.ledger import book_trade
from quarterdeck.core.desk.state import AssetKey, DeskState
from quarterdeck.core.model import child as children
from quarterdeck.core.model import events as ev
from quarterdeck.core.model import order as orders
from quarterdeck.core.model.decimals import ZERO, add, sub
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.order import IllegalDecision, OpenChild, ParentOrder
from quarterdeck.core.risk.reserve import held_by


def apply(state: DeskState, event: ev.Event, now_ns: int) -> None:
    """Fold one event into the state.

    Raises:
        IllegalDecision: if the event is a decision of ours that the state forbids.
    """
    match event:
        case ev.ParentAccepted():
            _begin(state, orders.accepted(event, now_ns))
        case ev.ParentDenied():
            _begin(state, orders.denied(event, now_ns))
        case (
            ev.CancelRequested()
            | ev.ParentAmended()
            | ev.ParentPaused()
            | ev.ParentResumed()
            | ev.ParentExpiring()
            | ev.ParentHeld()
            | ev.SliceRouted()
            | ev.ParentFinished()
            | ev.ParentReopened()
        ):
            _put(state, orders.apply(state.parents[event.operation_id], event, now_ns))
        case ev.ChildCreated():
            _create_child(state, event, now_ns)
        case (
            ev.ChildAcknowledged()
            | ev.ChildRejected()
            | ev.ChildNotSent()
            | ev.ChildUnknown()
            | ev.ChildReleased()
            | ev.ChildFilled()
            | ev.ChildClosed()
            | ev.ChildNotFound()
            | ev.ChildAbsent()
            | ev.ChildResolved()
            | ev.ChildCancelRequested()
            | ev.ChildCancelRejected()
        ):
            _move_child(state, event, now_ns)
        case ev.ExternalFill():
            _book_external(state, event.trade)
        case (
            ev.AccountConnected()
            | ev.AccountLost()
            | ev.AccountOpened()
            | ev.AccountReconciled()
            | ev.DifferenceSeen()
            | ev.DifferenceGone()
            | ev.ExternalOrderSeen()
            | ev.ExternalOrderGone()
            | ev.HoldingOpened()
            | ev.HoldingUnexplained()
            | ev.HoldingExplained()
            | ev.PositionOpened()
        ):
            fold_account.apply(state, event, now_ns)
        case _:
            _switch(state, event)


def _switch(state: DeskState, event: ev.DeskEvent) -> None:
    match event:
        case ev.InstrumentLoaded():
            state.instruments[event.instrument.id] = event.instrument
        case ev.InstrumentHalted():
            state.halted[event.account, event.instrument] = event.reason
        case ev.InstrumentReleased():
            state.halted.pop((event.account, event.instrument), None)
        case ev.TradingStateSet():
            state.trading_state = event.state
        case ev.LimitsSet():
            state.limits = dict(event.limits)
        case _:
            assert_never(event)


def _begin(state: DeskState, parent: ParentOrder) -> None:
    if parent.id in state.parents:
        raise IllegalDecision(f"{parent.id} begins twice")
    _put(state, parent)


def _put(state: DeskState, parent: ParentOrder) -> None:
    """Replace a parent and move the reservations by the difference it makes."""
    before = state.parents.get(parent.id)
    instrument = state.instruments.get(parent.terms.instrument)
    state.parents[parent.id] = parent
    if instrument is None or (before is not None and _holds_as(before, parent)):
        return
    held = held_by(before, instrument) if before is not None else ()
    holds = held_by(parent, instrument)
    if held == holds:
        return
    for account, asset, quantity in held:
        key = AssetKey(account, asset)
        state.reserved[key] = sub(state.reserved.get(key, ZERO), quantity)
    _reserve(state, holds)


def _holds_as(before: ParentOrder, after: ParentOrder) -> bool:
    """Tell at a glance that two versions hold the same: nothing that it hangs on was replaced."""
    return (
        before.open_children is after.open_children
        and before.filled is after.filled
        and before.status is after.status
        and before.terms is after.terms
        and before.reserved_px is after.reserved_px
    )


def derive_reservations(state: DeskState) -> None:
    """Count what live parents hold, in a state that was loaded and not folded."""
    for parent in state.parents.values():
        instrument = state.instruments.get(parent.terms.instrument)
        if instrument is not None:
            _reserve(state, held_by(parent, instrument))


def _reserve(state: DeskState, holds: tuple[tuple[str, str, Decimal], ...]) -> None:
    for account, asset, quantity in holds:
        key = AssetKey(account, asset)
        state.reserved[key] = add(state.reserved.get(key, ZERO), quantity)


def _create_child(state: DeskState, event: ev.ChildCreated, now_ns: int) -> None:
    parent = state.parents[event.operation_id]
    if event.client_order_id in state.children:
        raise IllegalDecision(f"{event.client_order_id} is created twice")
    terms = parent.terms
    flags = (terms.post_only, terms.reduce_only)
    _put(state, orders.apply(parent, event, now_ns))
    state.children[event.client_order_id] = children.created(event, terms.side, flags, now_ns)


def _book_external(state: DeskState, trade: Trade) -> None:
    book_trade(state, trade)
    state.external_trades[trade.account, trade.instrument, trade.trade_id] = trade.at_ns


def _move_child(state: DeskState, event: ev.ChildEvent, now_ns: int) -> None:
    before = state.children[event.client_order_id]
    child = children.apply(before, event, now_ns)
    state.children[event.client_order_id] = child
    parent = state.parents[child.operation_id]
    if isinstance(event, ev.ChildFilled):
        parent = orders.with_trade(parent, event.trade, now_ns)
        book_trade(state, event.trade)
    if child.status.is_dead and not before.status.is_dead:
        parent = orders.with_failure(parent, now_ns)
    px = child.limit_px if child.limit_px is not None else parent.reserved_px
    assert px is not None, "an accepted order has a worst price"
    leaving = child.cancel_requested_ns is not None
    left = OpenChild(account=child.account, leaves=child.leaves, px=px, leaving=leaving)
    parent = orders.with_child_leaves(parent, child.child_no, left, now_ns)
    _put(state, replace(parent, updated_ns=now_ns))
