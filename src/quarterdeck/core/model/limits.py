"""What the desk is allowed to do: the trading state and the limits of one order."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct


class TradingState(StrEnum):
    """The desk-wide switch."""

    ACTIVE = "active"
    REDUCING = "reducing"
    """Only orders that bring a position closer to zero."""
    HALTED = "halted"
    """No new orders; cancels go on."""


class InstrumentLimits(Struct, frozen=True, kw_only=True, gc=False):
    """The limits of one order in one instrument. All are set or the instrument is not tradable."""

    max_order_qty: Decimal
    """In base units or contracts."""
    max_order_notional: Decimal
    """In quote currency."""
    collar_bps: Decimal
    """Furthest a price may be on the worse side of the reference, in basis points of it."""
    reference_age_ms_max: int
    """Oldest market view that may serve as the reference."""
