"""The fees of an order, as far as its own fills say what they are worth in quote currency."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from quarterdeck.core.model.decimals import ZERO, add, mul
from quarterdeck.core.model.instrument import Instrument


class Fees(Struct, frozen=True, kw_only=True, gc=False):
    """Fees in quote currency, and those that no price of the order's own converts."""

    quote: Decimal
    """Positive was paid, negative is a rebate."""
    unconverted: dict[str, Decimal]
    """By asset. Not guessed at, and in no sum: with any here, the costs are too low by them."""


def in_quote(fees: Mapping[str, Decimal], instrument: Instrument, avg_px: Decimal | None) -> Fees:
    """Return the fees in quote currency: quote as it is, base at the order's own average price."""
    quote, unconverted = ZERO, {}
    for asset, paid in sorted(fees.items()):
        if asset == instrument.quote:
            quote = add(quote, paid)
        elif asset == instrument.base and avg_px is not None:
            quote = add(quote, mul(paid, avg_px))
        else:
            unconverted[asset] = paid
    return Fees(quote=quote, unconverted=unconverted)
