"""Every code that says why an order was refused, ended or stopped, with its one-line text.

Codes come in bands, one per stage, so that a reader knows who said no before reading which:
intake (not understood), risk (denied by us), sending (our side of the wire), venue (rejected by
them), life (how an order ended) and reconciliation. The table in `docs/live` is generated here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct


class Reason(StrEnum):
    """A stable code; callers may branch on it, so a code is never renamed or reused."""

    # Intake: the message was not understood, its id stays unused.
    MALFORMED = "malformed"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_VALUE = "invalid_value"
    MISSING_VALUE = "missing_value"
    UNSUPPORTED = "unsupported"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    UNKNOWN_VENUE = "unknown_venue"
    UNKNOWN_ACCOUNT = "unknown_account"
    TOO_LARGE = "too_large"
    ID_REUSED = "id_reused"
    UNKNOWN_ORDER = "unknown_order"
    ALREADY_FINISHED = "already_finished"
    NOT_UNKNOWN = "not_unknown"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    FROZEN = "frozen"
    OVERLOADED = "overloaded"
    NOT_PAUSED = "not_paused"
    ALREADY_CANCELING = "already_canceling"
    NOTHING_TO_AMEND = "nothing_to_amend"
    QUANTITY_UNDER_FILLED = "quantity_under_filled"
    SLICE_UNDER_MINIMUM = "slice_under_minimum"

    # Risk: understood, durable, denied by us.
    TRADING_HALTED = "trading_halted"
    TRADING_REDUCING = "trading_reducing"
    ACCOUNT_NOT_READY = "account_not_ready"
    INSTRUMENT_HALTED = "instrument_halted"
    PRICE_OFF_TICK = "price_off_tick"
    QUANTITY_OFF_LOT = "quantity_off_lot"
    QUANTITY_UNDER_MINIMUM = "quantity_under_minimum"
    QUANTITY_OVER_MAXIMUM = "quantity_over_maximum"
    NOTIONAL_UNDER_MINIMUM = "notional_under_minimum"
    NOTIONAL_OVER_MAXIMUM = "notional_over_maximum"
    LIMIT_MISSING = "limit_missing"
    QUANTITY_OVER_LIMIT = "quantity_over_limit"
    NOTIONAL_OVER_LIMIT = "notional_over_limit"
    REFERENCE_MISSING = "reference_missing"
    REFERENCE_STALE = "reference_stale"
    PRICE_OUTSIDE_COLLAR = "price_outside_collar"
    REDUCE_ONLY_WOULD_OPEN = "reduce_only_would_open"
    INSUFFICIENT_HOLDING = "insufficient_holding"
    NO_VENUE = "no_venue"
    FEE_UNKNOWN = "fee_unknown"
    VENUE_FAILING = "venue_failing"
    EXPIRE_TIME_PASSED = "expire_time_passed"

    # Sending: our side of the wire.
    SEND_DEADLINE_PASSED = "send_deadline_passed"
    GATEWAY_DOWN = "gateway_down"
    STALE_DESK = "stale_desk"
    OTHER_GATEWAY_INCARNATION = "other_gateway_incarnation"
    DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
    NEVER_RECEIVED = "never_received"
    VENUE_DISCONNECTED = "venue_disconnected"
    NO_ANSWER = "no_answer"
    REPLY_LOST = "reply_lost"
    LOST_AT_VENUE = "lost_at_venue"
    PROVEN_ABSENT = "proven_absent"
    RESOLVED_BY_OPERATOR = "resolved_by_operator"

    # Venue: they said no.
    VENUE_REJECTED = "venue_rejected"

    # Life: how an order ended.
    COMPLETED = "completed"
    CANCELED_ON_REQUEST = "canceled_on_request"
    CANCELED_BY_VENUE = "canceled_by_venue"
    REMAINDER_CANCELED = "remainder_canceled"
    EXPIRED_AT_VENUE = "expired_at_venue"
    TIME_OVER = "time_over"
    REMAINDER_UNSENDABLE = "remainder_unsendable"
    TOO_MANY_FAILURES = "too_many_failures"

    # Reconciliation and account gates.
    NOT_RECONCILED = "not_reconciled"
    STREAM_STALE = "stream_stale"
    STREAM_GAP = "stream_gap"
    HOLDING_DIFFERS = "holding_differs"
    POSITION_DIFFERS = "position_differs"
    ORDER_DIFFERS = "order_differs"
    EXTERNAL_ORDER = "external_order"
    OVERFILLED = "overfilled"
    LATE_FILL = "late_fill"
    REOPENED = "reopened"


R = Reason

TEXTS: Final[Mapping[Reason, str]] = {
    R.MALFORMED: "The body is not valid JSON, or not an object.",
    R.UNKNOWN_FIELD: "The message names a field that does not exist.",
    R.INVALID_VALUE: "A field holds a value outside what it allows.",
    R.MISSING_VALUE: "A field that this order needs is absent.",
    R.UNSUPPORTED: "The value is understood but not supported by this release.",
    R.UNKNOWN_INSTRUMENT: "No connected gateway has loaded this instrument.",
    R.UNKNOWN_VENUE: "No account is configured for this venue.",
    R.UNKNOWN_ACCOUNT: "The account is not configured, or trades at another venue.",
    R.TOO_LARGE: "The body is larger than this call takes.",
    R.ID_REUSED: "The operation_id is taken by an order with another body.",
    R.UNKNOWN_ORDER: "No order has this operation_id.",
    R.ALREADY_FINISHED: "The order is finished; there is nothing to change or cancel.",
    R.NOT_UNKNOWN: "Only a child whose outcome is unknown can be resolved by hand.",
    R.UNAUTHENTICATED: "No valid API key was given.",
    R.FORBIDDEN: "The API key lacks the scope that this call needs.",
    R.FROZEN: "The database cannot be written: only cancel works until it is back.",
    R.OVERLOADED: "The write queue is full; try again.",
    R.NOT_PAUSED: "Only a paused order can be resumed.",
    R.ALREADY_CANCELING: "The order is being canceled; it cannot be changed any more.",
    R.NOTHING_TO_AMEND: "The amend names nothing that differs from the order's terms.",
    R.QUANTITY_UNDER_FILLED: "An order cannot be amended below what is filled of it.",
    R.SLICE_UNDER_MINIMUM: "The algorithm would cut slices that no allowed venue takes.",
    R.TRADING_HALTED: "The trading state is halted.",
    R.TRADING_REDUCING: "The trading state is reducing and the order would not reduce.",
    R.ACCOUNT_NOT_READY: "The account's gate is closed: not connected, stale or not reconciled.",
    R.INSTRUMENT_HALTED: "The instrument is halted after a difference with the venue.",
    R.PRICE_OFF_TICK: "The price is not a multiple of the instrument's tick.",
    R.QUANTITY_OFF_LOT: "The quantity is not a multiple of the instrument's lot.",
    R.QUANTITY_UNDER_MINIMUM: "The quantity is under the venue's minimum.",
    R.QUANTITY_OVER_MAXIMUM: "The quantity is over the venue's maximum.",
    R.NOTIONAL_UNDER_MINIMUM: "Quantity times price is under the venue's minimum.",
    R.NOTIONAL_OVER_MAXIMUM: "Quantity times price is over the venue's maximum.",
    R.LIMIT_MISSING: "No risk limits are set for the instrument.",
    R.QUANTITY_OVER_LIMIT: "The quantity is over the risk limit for one order.",
    R.NOTIONAL_OVER_LIMIT: "The notional is over the risk limit for one order.",
    R.REFERENCE_MISSING: "There is no market price to judge the order by.",
    R.REFERENCE_STALE: "The market price is older than the limit allows.",
    R.PRICE_OUTSIDE_COLLAR: "The price is further from the market than the collar allows.",
    R.REDUCE_ONLY_WOULD_OPEN: "A reduce-only order would open or flip the position.",
    R.INSUFFICIENT_HOLDING: "The account holds less than the order and those before it need.",
    R.NO_VENUE: "No allowed venue can take any of the slice now.",
    R.FEE_UNKNOWN: "The account's taker fee is not known, so its price cannot be compared.",
    R.VENUE_FAILING: "The venue has just refused children of this order; it is tried again later.",
    R.EXPIRE_TIME_PASSED: "The order's expire time is already past.",
    R.SEND_DEADLINE_PASSED: "The send deadline passed before the gateway could send.",
    R.GATEWAY_DOWN: "The gateway was not connected; nothing was sent.",
    R.STALE_DESK: "The command came from a desk that no longer holds the lease.",
    R.OTHER_GATEWAY_INCARNATION: "The command was meant for an earlier run of the gateway.",
    R.DUPLICATE_CLIENT_ORDER_ID: "The gateway had already seen this client order id.",
    R.NEVER_RECEIVED: "The gateway never received the command and will refuse it.",
    R.VENUE_DISCONNECTED: "The gateway is not connected to the venue; nothing was sent.",
    R.NO_ANSWER: "No answer came in time; the outcome is unknown.",
    R.REPLY_LOST: "The request went out and its reply was lost; the outcome is unknown.",
    R.LOST_AT_VENUE: "The venue acknowledged the order and no longer knows it.",
    R.PROVEN_ABSENT: "The venue proved that the order never arrived.",
    R.RESOLVED_BY_OPERATOR: "A person settled the unknown outcome with evidence.",
    R.VENUE_REJECTED: "The venue rejected the order.",
    R.COMPLETED: "The whole quantity is filled.",
    R.CANCELED_ON_REQUEST: "Canceled as asked.",
    R.CANCELED_BY_VENUE: "The venue canceled the order unasked.",
    R.REMAINDER_CANCELED: "What could not be filled at once was canceled.",
    R.EXPIRED_AT_VENUE: "The order's time ran out at the venue.",
    R.TIME_OVER: "The order's time is over.",
    R.REMAINDER_UNSENDABLE: "What is left is under the least that any allowed venue takes.",
    R.TOO_MANY_FAILURES: "Venues refused too many children in a row.",
    R.NOT_RECONCILED: "The account has not been compared with the venue yet.",
    R.STREAM_STALE: "The gateway has been silent for too long.",
    R.STREAM_GAP: "Messages from the gateway are missing.",
    R.HOLDING_DIFFERS: "Our holding and the venue's balance differ.",
    R.POSITION_DIFFERS: "Our position and the venue's differ.",
    R.ORDER_DIFFERS: "Our open orders and the venue's differ.",
    R.EXTERNAL_ORDER: "The account has an open order that the desk did not send.",
    R.OVERFILLED: "The venue filled more than was asked for.",
    R.LATE_FILL: "A fill arrived after its order was finished.",
    R.REOPENED: "The venue reports life in an order held for dead.",
}


BANDS: Final[Mapping[str, tuple[Reason, Reason]]] = {
    "intake": (R.MALFORMED, R.SLICE_UNDER_MINIMUM),
    "risk": (R.TRADING_HALTED, R.EXPIRE_TIME_PASSED),
    "sending": (R.SEND_DEADLINE_PASSED, R.RESOLVED_BY_OPERATOR),
    "venue": (R.VENUE_REJECTED, R.VENUE_REJECTED),
    "life": (R.COMPLETED, R.TOO_MANY_FAILURES),
    "reconciliation": (R.NOT_RECONCILED, R.REOPENED),
}
"""First and last code of each band, in the order of the enumeration."""


class Refused(Struct, frozen=True, kw_only=True):
    """An expected no: which rule, which field, what was wrong and what is allowed."""

    code: Reason
    text: str
    field: str | None = None


def band(code: Reason) -> str:
    """Return the band that a code belongs to."""
    order = list(Reason)
    place = order.index(code)
    return next(
        name
        for name, (first, last) in BANDS.items()
        if order.index(first) <= place <= order.index(last)
    )
