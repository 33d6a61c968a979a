"""Every reason the venue has for saying no, as values a client can match on.

A refusal changes nothing: no order is made, and the client order id stays unused. What happens to
an order after it was accepted is told by events, never by a refusal.
"""

from enum import StrEnum

from msgspec import Struct


class RefusalCode(StrEnum):
    """The code of a refusal, as it goes over the wire."""

    STALE_REQUEST = "STALE_REQUEST"
    FUTURE_REQUEST = "FUTURE_REQUEST"
    DUPLICATE_ID = "DUPLICATE_ID"
    INVALID_ID = "INVALID_ID"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    ORDER_CLOSED = "ORDER_CLOSED"
    INVALID_ORDER = "INVALID_ORDER"
    PRICE_TICK = "PRICE_TICK"
    QUANTITY_LOT = "QUANTITY_LOT"
    MIN_QUANTITY = "MIN_QUANTITY"
    MAX_QUANTITY = "MAX_QUANTITY"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    NO_MARKET = "NO_MARKET"
    POST_ONLY_WOULD_TAKE = "POST_ONLY_WOULD_TAKE"
    REDUCE_ONLY_SPOT = "REDUCE_ONLY_SPOT"
    REDUCE_ONLY_WOULD_INCREASE = "REDUCE_ONLY_WOULD_INCREASE"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    QUANTITY_BELOW_FILLED = "QUANTITY_BELOW_FILLED"


class Refusal(Struct, frozen=True):
    """A no, with what was wrong and what would be allowed."""

    code: RefusalCode
    text: str
