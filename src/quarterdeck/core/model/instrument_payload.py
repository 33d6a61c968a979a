"""The payload of a canonical instrument id, typed: one struct per form of payload.

Each prints the canonical spelling of its form. They are made by the reader of whole ids, which has
checked every part, and are equal exactly when their spellings are.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from quarterdeck.core.model.decimals import canonical


class Right(StrEnum):
    """What an option's holder may do at the strike: buy (call) or sell (put)."""

    CALL = "CALL"
    PUT = "PUT"


class Asset(Struct, frozen=True, tag="asset"):
    """One asset, or an equity or index quoted in nothing in particular."""

    base: str

    def __str__(self) -> str:
        return self.base


class Pair(Struct, frozen=True, tag="pair"):
    """A base priced in a quote."""

    base: str
    quote: str

    def __str__(self) -> str:
        return f"{self.base}-{self.quote}"


class Dated(Struct, frozen=True, tag="dated"):
    """A future on a base priced in a quote; the expiry is the venue's calendar day."""

    base: str
    quote: str
    expiry: date

    def __str__(self) -> str:
        return f"{self.base}-{self.quote}-{self.expiry:%y%m%d}"


class OptionTerms(Struct, frozen=True, tag="option"):
    """An option on a base; the strike is a price in quote per base."""

    base: str
    quote: str
    expiry: date
    strike_px: Decimal
    right: Right

    def __str__(self) -> str:
        strike = canonical(self.strike_px)
        return f"{self.base}-{self.quote}-{self.expiry:%y%m%d}-{strike}-{self.right.value}"


class PoolTerms(Struct, frozen=True, tag="pool"):
    """An automated market maker's pool; the fee tier is in millionths (3000 is 0.3 %)."""

    base: str
    quote: str
    fee_ppm: int

    def __str__(self) -> str:
        return f"{self.base}-{self.quote}:{self.fee_ppm}"


class Match(Struct, frozen=True, tag="match"):
    """A sports event; the kick-off is in UTC, to the minute."""

    competition: str
    kickoff: datetime
    home: str
    away: str

    def __str__(self) -> str:
        return f"{self.competition}:{self.kickoff:%Y%m%dT%H%M}:{self.home}-{self.away}"


type Payload = Asset | Pair | Dated | OptionTerms | PoolTerms | Match
