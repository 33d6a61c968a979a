"""What happened: the only things that change the desk's state, and all that the journal holds.

Tags are explicit, so that renaming a class cannot break an old journal. Events that are decisions
of ours must be legal where they are applied; events that retell a venue's fact always apply.
"""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.model.account import Capabilities, ExternalOrder
from quarterdeck.core.model.commands import Resolution
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.limits import InstrumentLimits, TradingState
from quarterdeck.core.model.parent_events import (
    CancelRequested,
    ParentAccepted,
    ParentAmended,
    ParentDenied,
    ParentEvent,
    ParentExpiring,
    ParentFinished,
    ParentHeld,
    ParentPaused,
    ParentReopened,
    ParentResumed,
    SliceRouted,
)
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus
from quarterdeck.core.model.terms import OrderType, TimeInForce

__all__ = [
    "CancelRequested",
    "ParentAccepted",
    "ParentAmended",
    "ParentDenied",
    "ParentEvent",
    "ParentExpiring",
    "ParentFinished",
    "ParentHeld",
    "ParentPaused",
    "ParentReopened",
    "ParentResumed",
    "SliceRouted",
]
"""Told apart in a file of their own; they belong to this module all the same."""


class ChildCreated(Struct, frozen=True, kw_only=True, gc=False, tag="child_created"):
    """The intent to send one order to one venue. Once this is durable it may be sent, once."""

    operation_id: str
    child_no: int
    client_order_id: str
    account: str
    instrument: str
    quantity: Decimal
    order_type: OrderType
    limit_px: Decimal | None
    tif: TimeInForce
    expire_ns: int | None
    send_by_ns: int
    gateway_epoch: int


class ChildAcknowledged(Struct, frozen=True, kw_only=True, gc=False, tag="child_acknowledged"):
    """The venue has the order."""

    client_order_id: str
    venue_order_id: str
    at_ns: int


class ChildRejected(Struct, frozen=True, kw_only=True, gc=False, tag="child_rejected"):
    """The venue refused the order for good."""

    client_order_id: str
    code: str
    text: str


class ChildNotSent(Struct, frozen=True, kw_only=True, gc=False, tag="child_not_sent"):
    """The order never left our side and never will."""

    client_order_id: str
    why: Reason


class ChildUnknown(Struct, frozen=True, kw_only=True, gc=False, tag="child_unknown"):
    """Whether the venue has the order is not known."""

    client_order_id: str
    why: Reason
    detail: str | None = None


class ChildReleased(Struct, frozen=True, kw_only=True, gc=False, tag="child_released"):
    """From this time on nobody on our side can send the order any more."""

    client_order_id: str
    held_until_ns: int


class ChildFilled(Struct, frozen=True, kw_only=True, gc=False, tag="child_filled"):
    """One execution of a child."""

    client_order_id: str
    trade: Trade


class ChildClosed(Struct, frozen=True, kw_only=True, gc=False, tag="child_closed"):
    """The venue ended the order; `filled` is its total, None when it did not say."""

    client_order_id: str
    status: ChildStatus
    filled: Decimal | None
    reason: Reason


class ChildNotFound(Struct, frozen=True, kw_only=True, gc=False, tag="child_not_found"):
    """A query that counts towards the proof of absence found nothing."""

    client_order_id: str
    asked_ns: int


class ChildAbsent(Struct, frozen=True, kw_only=True, gc=False, tag="child_absent"):
    """The proof of absence is complete: the order never arrived and cannot arrive any more."""

    client_order_id: str


class ChildResolved(Struct, frozen=True, kw_only=True, gc=False, tag="child_resolved"):
    """A person settled the unknown outcome."""

    client_order_id: str
    outcome: Resolution
    evidence: str
    by: str


class ChildCancelRequested(
    Struct, frozen=True, kw_only=True, gc=False, tag="child_cancel_requested"
):
    """We want the venue to cancel the order."""

    client_order_id: str


class ChildCancelRejected(Struct, frozen=True, kw_only=True, gc=False, tag="child_cancel_rejected"):
    """The venue refused the cancel; the order's own state is asked for."""

    client_order_id: str
    code: str
    text: str


class ExternalFill(Struct, frozen=True, kw_only=True, gc=False, tag="external_fill"):
    """An execution in our account of an order that this desk did not send."""

    trade: Trade


class AccountConnected(Struct, frozen=True, kw_only=True, gc=False, tag="account_connected"):
    """The account's gateway is there; its gate stays shut until it is reconciled."""

    account: str
    venue: str
    gateway_epoch: int
    capabilities: Capabilities
    trades_from_ns: int


class AccountLost(Struct, frozen=True, kw_only=True, gc=False, tag="account_lost"):
    """The account's gateway is not there; the gate is shut."""

    account: str
    why: Reason


class AccountReconciled(Struct, frozen=True, kw_only=True, gc=False, tag="account_reconciled"):
    """The account was compared and nothing is missing: the gate is open."""

    account: str
    trades_from_ns: int
    """Where the next comparison's trades begin."""


class InstrumentLoaded(Struct, frozen=True, kw_only=True, gc=False, tag="instrument_loaded"):
    """A gateway told the terms of an instrument, for the first time or changed."""

    instrument: Instrument


class HoldingOpened(Struct, frozen=True, kw_only=True, gc=False, tag="holding_opened"):
    """What the account held when the desk first saw it."""

    account: str
    asset: str
    quantity: Decimal


class HoldingUnexplained(Struct, frozen=True, kw_only=True, gc=False, tag="holding_unexplained"):
    """The venue holds more (or less, negative) of an asset than our fills explain."""

    account: str
    asset: str
    reference: str
    """The name under which exactly this difference can be taken back."""
    quantity: Decimal


class HoldingExplained(Struct, frozen=True, kw_only=True, gc=False, tag="holding_explained"):
    """A booked difference is taken back because its cause arrived."""

    account: str
    asset: str
    reference: str


class PositionOpened(Struct, frozen=True, kw_only=True, gc=False, tag="position_opened"):
    """What position the account had when the desk first saw it."""

    account: str
    instrument: str
    quantity: Decimal
    avg_px: Decimal


class AccountOpened(Struct, frozen=True, kw_only=True, gc=False, tag="account_opened"):
    """The opening balances and positions are taken; trades count from this venue time."""

    account: str
    trades_from_ns: int


class DifferenceSeen(Struct, frozen=True, kw_only=True, gc=False, tag="difference_seen"):
    """Ours and the venue's figure differ; the second sighting in a row confirms it."""

    account: str
    key: str
    ours: Decimal
    venue: Decimal
    confirmed: bool


class DifferenceGone(Struct, frozen=True, kw_only=True, gc=False, tag="difference_gone"):
    """A figure that differed agrees again."""

    account: str
    key: str


class InstrumentHalted(Struct, frozen=True, kw_only=True, gc=False, tag="instrument_halted"):
    """No new orders in this instrument until its difference is gone."""

    account: str
    instrument: str
    reason: Reason


class InstrumentReleased(Struct, frozen=True, kw_only=True, gc=False, tag="instrument_released"):
    """The instrument may be traded again."""

    account: str
    instrument: str


class ExternalOrderSeen(Struct, frozen=True, kw_only=True, gc=False, tag="external_order_seen"):
    """The account has an open order that this desk did not send, new or changed."""

    account: str
    order: ExternalOrder


class ExternalOrderGone(Struct, frozen=True, kw_only=True, gc=False, tag="external_order_gone"):
    """Such an order is no longer open."""

    account: str
    venue_order_id: str


class TradingStateSet(Struct, frozen=True, kw_only=True, gc=False, tag="trading_state_set"):
    """The desk-wide switch was turned."""

    state: TradingState
    by: str
    why: str


class LimitsSet(Struct, frozen=True, kw_only=True, gc=False, tag="limits_set"):
    """The limits of all instruments were replaced."""

    limits: dict[str, InstrumentLimits]
    by: str


type ChildEvent = (
    ChildAcknowledged
    | ChildRejected
    | ChildNotSent
    | ChildUnknown
    | ChildReleased
    | ChildFilled
    | ChildClosed
    | ChildNotFound
    | ChildAbsent
    | ChildResolved
    | ChildCancelRequested
    | ChildCancelRejected
)
type AccountEvent = (
    AccountConnected
    | AccountLost
    | AccountOpened
    | AccountReconciled
    | DifferenceSeen
    | DifferenceGone
    | ExternalOrderSeen
    | ExternalOrderGone
)
type BookEvent = (
    ExternalFill | HoldingOpened | HoldingUnexplained | HoldingExplained | PositionOpened
)
type DeskEvent = (
    InstrumentLoaded | InstrumentHalted | InstrumentReleased | TradingStateSet | LimitsSet
)
type Event = (
    ParentAccepted
    | ParentDenied
    | ChildCreated
    | ParentEvent
    | ChildEvent
    | AccountEvent
    | BookEvent
    | DeskEvent
)
