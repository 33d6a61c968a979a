"""The terms of one instrument at one venue: what may be sent and what a fill is worth.

Gateways load these from their venue; the desk never guesses them. Prices are in quote currency
per unit of base, quantities in base units (spot, linear) or contracts (inverse).
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from quarterdeck.core.model import instrument_id
from quarterdeck.core.model.decimals import mul


class Settlement(StrEnum):
    """How a fill turns into money."""

    SPOT = "spot"
    """Assets change hands: base against quote."""
    LINEAR = "linear"
    """A contract on base, margined and settled in quote."""
    INVERSE = "inverse"
    """A contract of a fixed amount of quote, margined and settled in base."""


def venue_of(instrument: str) -> str:
    """Return the venue that a canonical id names.

    Raises:
        ValueError: if it is no canonical id; gateways may only load ids that are.
    """
    parsed = instrument_id.parse(instrument)
    if isinstance(parsed, instrument_id.Malformed):
        raise ValueError(f"{instrument}: {parsed}")  # noqa: TRY004 - a wrong value, not a type
    return parsed.venue


class Instrument(Struct, frozen=True, kw_only=True, gc=False):
    """One tradable instrument at one venue.

    Bounds that a venue does not set are None; every one that it sets is checked before sending.
    """

    id: str
    """Canonical id, for example `BINANCE-SPOT:SPOT_PAIR:BTC-USDT`."""
    symbol: str
    """The venue's own name, as its gateway needs it."""
    settlement: Settlement
    base: str
    quote: str
    settle: str
    """The asset in which P&L and margin are paid; the quote asset for spot."""
    tick_px: Decimal
    lot_qty: Decimal
    multiplier: Decimal = Decimal(1)
    """Base units per contract (linear) or quote units per contract (inverse)."""
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    min_notional: Decimal | None = None
    max_notional: Decimal | None = None
    maker_fee_bps: Decimal | None = None
    """What this account pays for resting; negative is a rebate. None when it is not known."""
    taker_fee_bps: Decimal | None = None
    """What this account pays for taking. None when it is not known: SMART then leaves it out."""

    @property
    def venue(self) -> str:
        """The venue part of the canonical id."""
        return venue_of(self.id)

    def notional(self, quantity: Decimal, px: Decimal) -> Decimal:
        """Return the value of a quantity at a price, in quote currency, unsigned."""
        if self.settlement is Settlement.INVERSE:
            return mul(quantity.copy_abs(), self.multiplier)
        return mul(mul(quantity.copy_abs(), self.multiplier), px)
