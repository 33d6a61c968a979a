"""What an account pays and how far it may borrow."""

from enum import StrEnum

from msgspec import Struct


class FeeMode(StrEnum):
    """Which asset pays the fee of a spot trade. Perpetuals always pay in the settle asset."""

    QUOTE = "quote"
    RECEIVED = "received"
    """What was bought: base on a BUY, quote on a SELL."""
    ASSET = "asset"
    """A named asset at a fixed price; `received` when the account holds too little of it."""


class AccountTerms(Struct, frozen=True, kw_only=True):
    """Fees and leverage of one account. Rates are in 1e-8 and negative for a rebate."""

    maker_e8: int = 0
    taker_e8: int = 0
    fee_mode: FeeMode = FeeMode.QUOTE
    fee_asset: str | None = None
    fee_asset_price_pico: int | None = None
    """What one unit of `fee_asset` costs in the quote asset."""
    leverage: int = 1
    """Position value over the margin it needs (perpetuals)."""

    @property
    def worst_e8(self) -> int:
        """The rate a reservation must cover; a rebate reserves nothing."""
        return max(self.maker_e8, self.taker_e8, 0)
