"""What callers and operators ask of the desk.

A command is an input to `decide`: it carries who asked, and it is stored as it was understood, so
that a journal can be decided again.
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from quarterdeck.core.model.algorithm import AlgorithmParams
from quarterdeck.core.model.limits import InstrumentLimits, TradingState
from quarterdeck.core.model.terms import OrderTerms


class SubmitOrder(Struct, frozen=True, kw_only=True, gc=False, tag="submit_order"):
    """Trade this. The message was understood; risk has not looked at it yet."""

    terms: OrderTerms
    body_hash: str
    by: str


class CancelOrder(Struct, frozen=True, kw_only=True, gc=False, tag="cancel_order"):
    """Stop this order and cancel what is out."""

    operation_id: str
    by: str
    why: str = "requested"


class OrderChanges(Struct, frozen=True, kw_only=True, gc=False):
    """New terms for a live order; None leaves a term as it is."""

    quantity: Decimal | None = None
    """The new total, what is filled included."""
    limit_px: Decimal | None = None
    expire_ns: int | None = None
    params: AlgorithmParams | None = None
    max_slippage_bps: Decimal | None = None


class AmendOrder(Struct, frozen=True, kw_only=True, gc=False, tag="amend_order"):
    """Change the terms of a live order."""

    operation_id: str
    changes: OrderChanges
    by: str


class PauseOrder(Struct, frozen=True, kw_only=True, gc=False, tag="pause_order"):
    """Send nothing more for this order and cancel what is out, until it is resumed."""

    operation_id: str
    by: str
    why: str = "requested"


class ResumeOrder(Struct, frozen=True, kw_only=True, gc=False, tag="resume_order"):
    """Go on with a paused order."""

    operation_id: str
    by: str


class ExpireOrder(Struct, frozen=True, kw_only=True, gc=False, tag="expire_order"):
    """End this order's time now: as a cancel, but it ends as expired."""

    operation_id: str
    by: str
    why: str = "requested"


class Resolution(StrEnum):
    """What an operator found out about a child of unknown outcome."""

    ABSENT = "absent"
    """It never reached the venue."""
    CANCELED = "canceled"
    """It was there and is gone; the fills that we have are all there were."""


class ResolveChild(Struct, frozen=True, kw_only=True, gc=False, tag="resolve_child"):
    """Settle a child's unknown outcome by hand, with evidence."""

    operation_id: str
    child_no: int
    outcome: Resolution
    evidence: str
    by: str


class SetTradingState(Struct, frozen=True, kw_only=True, gc=False, tag="set_trading_state"):
    """Switch the whole desk between active, reducing and halted."""

    state: TradingState
    by: str
    why: str


class Kill(Struct, frozen=True, kw_only=True, gc=False, tag="kill"):
    """Halt the whole desk and cancel every live order. Only a person makes it active again."""

    by: str
    why: str


class SetLimits(Struct, frozen=True, kw_only=True, gc=False, tag="set_limits"):
    """Replace the limits of all instruments by these, by canonical id."""

    limits: dict[str, InstrumentLimits]
    by: str


class ImportEmergency(Struct, frozen=True, kw_only=True, gc=False, tag="import_emergency"):
    """A cancel that was sent while the database could not be written, told afterwards."""

    operation_id: str
    by: str
    at_ns: int


type OrderCommand = AmendOrder | PauseOrder | ResumeOrder | ExpireOrder
"""What steers an order that lives."""

type Command = (
    SubmitOrder
    | CancelOrder
    | OrderCommand
    | ResolveChild
    | SetTradingState
    | Kill
    | SetLimits
    | ImportEmergency
)
