"""What one venue offers a slice: its book on the side we take, and what may be sent there.

All of it is plain values, gathered once per decision, so that the router is a function of them.
"""

from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.model.market import Level


class Offer(Struct, frozen=True, kw_only=True, gc=False):
    """One venue that may take part of a slice."""

    account: str
    instrument: str
    levels: tuple[Level, ...]
    """The opposite side of the book, best first: offers for a buy, bids for a sell."""
    fee_bps: Decimal
    """Taker fee; negative is a rebate."""
    lot_qty: Decimal
    min_qty: Decimal | None
    max_qty: Decimal | None
    """Bounds of one child at this venue; None is none."""
    min_notional: Decimal | None
    """Least quantity × price of one child, in quote currency."""
    check_px: Decimal
    """Price at which the venue would judge the least notional: the lowest it may trade at."""
    funds_qty: Decimal | None
    """Most that the account can pay for, fee included; None is not limited by funds."""
