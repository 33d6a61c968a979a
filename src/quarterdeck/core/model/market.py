"""What the desk saw of a market when it decided: a cut of the book with its age.

A view is a value: it is hashed, stored once by that hash and named in the journal row of every
decision that used it, so that the decision can be made again later from the same sight.
"""

import hashlib
from decimal import Decimal

import msgspec
from msgspec import Struct

from quarterdeck.core.model.decimals import add, mul

HALF = Decimal("0.5")

type Level = tuple[Decimal, Decimal]
"""Price and quantity shown at it."""


class MarketView(Struct, frozen=True, kw_only=True, gc=False):
    """The best levels of one instrument's book at one venue, best first on both sides."""

    instrument: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    seq: int
    """Counts the book's changes within one run of its gateway."""
    at_ns: int
    """When the gateway received what it shows, on the gateway's clock."""

    @property
    def bid_px(self) -> Decimal | None:
        """Best bid, or None when nobody bids."""
        return self.bids[0][0] if self.bids else None

    @property
    def ask_px(self) -> Decimal | None:
        """Best offer, or None when nobody offers."""
        return self.asks[0][0] if self.asks else None

    @property
    def mid_px(self) -> Decimal | None:
        """Midpoint of a two-sided, uncrossed book of finite prices; None otherwise."""
        bid_px, ask_px = self.bid_px, self.ask_px
        if bid_px is None or ask_px is None:
            return None
        if not (bid_px.is_finite() and ask_px.is_finite()) or bid_px > ask_px:
            return None
        return mul(add(bid_px, ask_px), HALF)

    def cut(self, levels: int) -> "MarketView":
        """Return the view reduced to its best levels."""
        if len(self.bids) <= levels and len(self.asks) <= levels:
            return self
        return MarketView(
            instrument=self.instrument,
            bids=self.bids[:levels],
            asks=self.asks[:levels],
            seq=self.seq,
            at_ns=self.at_ns,
        )


_encoder = msgspec.json.Encoder(order="deterministic")


def encode_view(view: MarketView) -> bytes:
    """Return the canonical bytes of a view: what is stored and what is hashed."""
    return _encoder.encode(view)


def view_hash(body: bytes) -> bytes:
    """Return the 16-byte name of a view's canonical bytes."""
    return hashlib.blake2b(body, digest_size=16).digest()
