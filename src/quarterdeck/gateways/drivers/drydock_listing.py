"""What drydock lists: the rules of each instrument and what our account pays, in our words."""

from decimal import Decimal
from typing import Final

from msgspec import Struct

from quarterdeck.core.model import instrument_id
from quarterdeck.core.model.decimals import mul
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.gateways.contract import QueryError

BPS: Final = Decimal(10_000)
_KINDS: Final = {
    "spot": (Settlement.SPOT, "SPOT_PAIR", ""),
    "linear": (Settlement.LINEAR, "PERPETUAL", "@LIN"),
    "inverse": (Settlement.INVERSE, "PERPETUAL", "@INV"),
}


class UntranslatableError(QueryError):
    """The venue said something that has no meaning here; the text says what."""


class InstrumentView(Struct):
    """The rules of one instrument."""

    symbol: str
    kind: str
    base: str
    quote: str
    settle: str
    tick_px: Decimal
    lot_qty: Decimal
    min_qty: Decimal
    max_qty: Decimal
    min_notional: Decimal
    multiplier: Decimal
    maker_rate: Decimal
    taker_rate: Decimal
    """What this account pays, as a part of the value; negative is a rebate."""


class InstrumentsResult(Struct):
    """The reply to `instruments`."""

    instruments: list[InstrumentView]


def instrument_of(view: InstrumentView, venue: str, named: str | None) -> Instrument:
    """Return an instrument in our words.

    `named` is its canonical id when it is not a `BASE-QUOTE` pair or perpetual.

    Raises:
    UntranslatableError: if it has no canonical id.
    """
    kind = _KINDS.get(view.kind)
    if kind is None:
        raise UntranslatableError(
            f"kind {view.kind!r} of {view.symbol}; known: {', '.join(_KINDS)}"
        )
    settlement, type_, suffix = kind
    name = named or f"{venue}:{type_}:{view.symbol}{suffix}"
    parsed = instrument_id.parse(name)
    if isinstance(parsed, instrument_id.Malformed):
        raise UntranslatableError(f"symbol {view.symbol}: {parsed}; name it in `instruments`")
    return Instrument(
        id=str(parsed),
        symbol=view.symbol,
        settlement=settlement,
        base=view.base,
        quote=view.quote,
        settle=view.settle,
        tick_px=view.tick_px,
        lot_qty=view.lot_qty,
        multiplier=view.multiplier,
        min_qty=view.min_qty or None,
        max_qty=view.max_qty or None,
        min_notional=view.min_notional or None,
        maker_fee_bps=mul(view.maker_rate, BPS),
        taker_fee_bps=mul(view.taker_rate, BPS),
    )
