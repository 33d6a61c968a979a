"""What callers and operators ask of orders that exist, and of the desk itself."""

from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.desk.plan import ask_cancel, cancel_child, children_of, plan
from quarterdeck.core.desk.refusals import finished, no_such_order
from quarterdeck.core.model import commands as cmd
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.status import ChildStatus, ParentStatus


def cancel(draft: Draft, command: cmd.CancelOrder | cmd.ImportEmergency) -> Refused | None:
    """Stop a parent and ask for the end of its children; asking again repeats the asking."""
    parent = draft.state.parents.get(command.operation_id)
    if parent is None:
        return no_such_order(command.operation_id)
    if not parent.status.is_live:
        return finished(parent)
    if parent.status is ParentStatus.CANCELING:
        for child in children_of(draft, parent):
            ask_cancel(draft, child)
        return None
    why = command.why if isinstance(command, cmd.CancelOrder) else "while frozen"
    draft.emit(ev.CancelRequested(operation_id=parent.id, by=command.by, why=why))
    for child in children_of(draft, parent):
        cancel_child(draft, child)
    plan(draft, parent.id)
    return None


def resolve(draft: Draft, command: cmd.ResolveChild) -> Refused | None:
    """Settle a child's unknown outcome by a person's evidence."""
    if command.operation_id not in draft.state.parents:
        return no_such_order(command.operation_id)
    name = client_order_id(command.operation_id, command.child_no)
    child = draft.state.children.get(name)
    if child is None:
        return Refused(
            code=Reason.UNKNOWN_ORDER,
            field="child_no",
            text=f"order {command.operation_id} has no child {command.child_no}",
        )
    if child.status is not ChildStatus.UNKNOWN:
        return Refused(
            code=Reason.NOT_UNKNOWN,
            field="child_no",
            text=f"child {command.child_no} of {command.operation_id} is {child.status}: "
            "only an unknown outcome can be resolved",
        )
    if command.outcome is cmd.Resolution.ABSENT and (child.filled or child.acknowledged_ns):
        return Refused(
            code=Reason.INVALID_VALUE,
            field="outcome",
            text=f"{name} was acknowledged or filled at its venue: it cannot be absent, "
            f"only {cmd.Resolution.CANCELED}",
        )
    draft.emit(
        ev.ChildResolved(
            client_order_id=name,
            outcome=command.outcome,
            evidence=command.evidence,
            by=command.by,
        )
    )
    plan(draft, command.operation_id)
    return None


def set_trading_state(draft: Draft, command: cmd.SetTradingState) -> None:
    """Turn the desk-wide switch."""
    if command.state is not draft.state.trading_state:
        draft.emit(ev.TradingStateSet(state=command.state, by=command.by, why=command.why))


def kill(draft: Draft, command: cmd.Kill) -> None:
    """Halt, and cancel all that lives. Asking again repeats the cancels."""
    halted = cmd.SetTradingState(state=TradingState.HALTED, by=command.by, why=command.why)
    set_trading_state(draft, halted)
    live = [parent for parent in draft.state.parents.values() if parent.status.is_live]
    # By age: memory holds orders in another order after a start, and decisions must not follow it.
    for parent in sorted(live, key=lambda parent: (parent.created_ns, parent.id)):
        cancel(draft, cmd.CancelOrder(operation_id=parent.id, by=command.by, why=command.why))


def set_limits(draft: Draft, command: cmd.SetLimits) -> None:
    """Replace the limits of all instruments."""
    if command.limits != draft.state.limits:
        draft.emit(ev.LimitsSet(limits=command.limits, by=command.by))
