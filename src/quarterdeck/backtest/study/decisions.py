"""What a desk decided about each order, in order, taken from the events of a journal.

One form for both sides of a study: a live journal and a backtest's are read by the same code, so
that two sequences differ only where the desks did. Times are left out on purpose, and so are ids
that a venue gave.

The non-obvious: wishing again for a cancel that went unanswered is one decision, not two.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model import events as ev
from quarterdeck.core.model.decimals import canonical
from quarterdeck.core.model.instrument import venue_of


class Kind(StrEnum):
    """What was decided."""

    SEND = "send"
    """A child order was made."""
    CANCEL = "cancel"
    """A child order is to be canceled."""
    HOLD = "hold"
    """A slice was due and could not be sent."""
    DENY = "deny"
    """Risk refused the order."""
    FINISH = "finish"
    """Nothing more is done for the order."""


class Decision(Struct, frozen=True, kw_only=True):
    """One decision; what its kind does not have is None. Numbers are canonical text."""

    kind: Kind
    child_no: int | None = None
    venue: str | None = None
    instrument: str | None = None
    side: str | None = None
    quantity: str | None = None
    order_type: str | None = None
    limit_px: str | None = None
    tif: str | None = None
    reason: str | None = None


FIELDS: Final = Decision.__struct_fields__


class DecisionLog:
    """Collects the decisions about every order while a journal is folded."""

    def __init__(self) -> None:
        """Begin with none."""
        self.by_order: dict[str, list[Decision]] = {}
        self._canceled: set[str] = set()

    def note(self, event: ev.Event, state: DeskState) -> None:
        """Take an event that the state has folded already."""
        match event:
            case ev.ParentDenied():
                denied = Decision(kind=Kind.DENY, reason=event.reason)
                self._add(event.terms.operation_id, denied)
            case ev.ChildCreated():
                self._add(event.operation_id, _sent(event, state))
            case ev.ChildCancelRequested() if event.client_order_id not in self._canceled:
                self._canceled.add(event.client_order_id)
                child = state.children[event.client_order_id]
                wish = Decision(kind=Kind.CANCEL, child_no=child.child_no)
                self._add(child.operation_id, wish)
            case ev.ParentHeld():
                self._add(event.operation_id, Decision(kind=Kind.HOLD, reason=event.reason))
            case ev.ParentFinished():
                self._add(event.operation_id, Decision(kind=Kind.FINISH, reason=event.reason))
            case _:
                pass

    def _add(self, operation_id: str, decision: Decision) -> None:
        self.by_order.setdefault(operation_id, []).append(decision)


def _sent(event: ev.ChildCreated, state: DeskState) -> Decision:
    return Decision(
        kind=Kind.SEND,
        child_no=event.child_no,
        venue=venue_of(event.instrument),
        instrument=event.instrument,
        side=state.parents[event.operation_id].terms.side,
        quantity=canonical(event.quantity),
        order_type=event.order_type,
        limit_px=None if event.limit_px is None else canonical(event.limit_px),
        tif=event.tif,
    )
