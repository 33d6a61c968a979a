"""What a routing decision saw and chose, as it is kept: the answer to "why this venue"."""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.model.reasons import Reason


class Leg(Struct, frozen=True, kw_only=True, gc=False):
    """One child that a routing decision sends."""

    account: str
    instrument: str
    quantity: Decimal
    expected_px: Decimal | None
    """Average price over the levels it was planned on, before fees; None for one that rests."""
    rests: bool
    """Whether it waits in the book for what the visible levels do not give."""


class Alternative(Struct, frozen=True, kw_only=True, gc=False):
    """One allowed venue as the decision saw it."""

    account: str
    instrument: str
    left_out: Reason | None
    """Why it was not considered; None when it was."""
    takes_qty: Decimal
    """What this venue alone could take of the slice within limit, lots, minimums and funds."""
    avg_px: Decimal | None
    """Average price of that, before fees."""
    fee_bps: Decimal | None
    """Taker fee of the account."""
    cost_bps: Decimal | None
    """Price and fee of that against the decision's midpoint; positive is a cost."""
    view: str | None
    """Hash of the book it showed, hexadecimal."""
