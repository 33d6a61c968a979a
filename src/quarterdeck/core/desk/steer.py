"""Steering a live order: amend, pause, resume, expire.

An amend downwards lowers what may still be sent at once; what is out beyond it is canceled, and
counts as exposed until the venue confirms. An order at a venue is never changed in place: it is
canceled, and what is then available is sent anew at the new terms, so that an outcome that is not
known can never leave two of them.
"""

from msgspec.structs import replace

from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.examine import examine
from quarterdeck.core.desk.plan import cancel_child, children_of, expire, plan
from quarterdeck.core.desk.refusals import finished, no_such_order
from quarterdeck.core.desk.submit import feasible
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.decimals import canonical, is_multiple
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderTerms
from quarterdeck.core.risk.gate import judge


def steer(draft: Draft, command: cmd.OrderCommand) -> Refused | None:
    """Carry out what somebody wants of an order that lives."""
    parent = draft.state.parents.get(command.operation_id)
    if parent is None:
        return no_such_order(command.operation_id)
    if not parent.status.is_live:
        return finished(parent)
    if parent.status is ParentStatus.CANCELING:
        text = f"order {parent.id} is being canceled; it can no longer be changed"
        return Refused(code=Reason.ALREADY_CANCELING, field="operation_id", text=text)
    match command:
        case cmd.AmendOrder():
            return _amend(draft, parent, command)
        case cmd.PauseOrder():
            _pause(draft, parent, command)
        case cmd.ResumeOrder():
            return _resume(draft, parent, command)
        case cmd.ExpireOrder():
            expire(draft, parent, by=command.by, why=command.why)
            plan(draft, parent.id)
    return None


def _pause(draft: Draft, parent: ParentOrder, command: cmd.PauseOrder) -> None:
    """Pause; asking again repeats nothing."""
    if parent.status is ParentStatus.PAUSED:
        return
    draft.emit(ev.ParentPaused(operation_id=parent.id, by=command.by, why=command.why))
    for child in children_of(draft, parent):
        cancel_child(draft, child)
    plan(draft, parent.id)


def _resume(draft: Draft, parent: ParentOrder, command: cmd.ResumeOrder) -> Refused | None:
    if parent.status is not ParentStatus.PAUSED:
        text = f"order {parent.id} is {parent.status}; only a paused one can be resumed"
        return Refused(code=Reason.NOT_PAUSED, field="operation_id", text=text)
    draft.emit(ev.ParentResumed(operation_id=parent.id, by=command.by))
    plan(draft, parent.id)
    return None


def _amend(draft: Draft, parent: ParentOrder, command: cmd.AmendOrder) -> Refused | None:
    terms = _amended(parent.terms, command.changes)
    if terms == parent.terms:
        text = f"order {parent.id} has these terms already"
        return Refused(code=Reason.NOTHING_TO_AMEND, text=text)
    if terms.quantity < parent.filled:
        text = f"{canonical(parent.filled)} of {parent.id} is filled: it can be amended to that "
        text += f"at least, not to {canonical(terms.quantity)}"
        return Refused(code=Reason.QUANTITY_UNDER_FILLED, field="quantity", text=text)
    reserved_px = parent.reserved_px
    assert reserved_px is not None, "an accepted order has a worst price"
    if _only_less(parent.terms, terms):
        refused = _on_lot(draft, terms)
        if refused is not None:
            return refused
    else:
        check = examine(draft, terms, parent)
        if isinstance(check, Refused):
            return check
        verdict = feasible(draft, check) or judge(check)
        if isinstance(verdict, Refused):
            return verdict
        if terms.limit_px is not None or command.changes.max_slippage_bps is not None:
            reserved_px = verdict.working_px
    draft.emit(
        ev.ParentAmended(
            operation_id=parent.id, terms=terms, reserved_px=reserved_px, by=command.by
        )
    )
    _cancel_at_old_terms(draft, parent.terms, terms)
    plan(draft, parent.id)  # It calls back what is too much for a smaller quantity.
    return None


def _amended(terms: OrderTerms, changes: cmd.OrderChanges) -> OrderTerms:
    return replace(
        terms,
        quantity=terms.quantity if changes.quantity is None else changes.quantity,
        limit_px=terms.limit_px if changes.limit_px is None else changes.limit_px,
        expire_ns=terms.expire_ns if changes.expire_ns is None else changes.expire_ns,
        params=terms.params if changes.params is None else changes.params,
        max_slippage_bps=terms.max_slippage_bps
        if changes.max_slippage_bps is None
        else changes.max_slippage_bps,
    )


def _only_less(before: OrderTerms, after: OrderTerms) -> bool:
    """Tell whether an amend only takes away: that is allowed whatever risk thinks of the order."""
    return after.quantity < before.quantity and after == replace(before, quantity=after.quantity)


def _on_lot(draft: Draft, terms: OrderTerms) -> Refused | None:
    lot_qty = draft.state.instruments[terms.instrument].lot_qty
    if is_multiple(terms.quantity, lot_qty):
        return None
    text = f"quantity {canonical(terms.quantity)} is not a multiple of the lot "
    return Refused(code=Reason.QUANTITY_OFF_LOT, field="quantity", text=text + canonical(lot_qty))


def _cancel_at_old_terms(draft: Draft, before: OrderTerms, after: OrderTerms) -> None:
    """Cancel every child when more than the quantity changed."""
    if after == replace(before, quantity=after.quantity):
        return
    for child in children_of(draft, draft.state.parents[after.operation_id]):
        cancel_child(draft, child)
