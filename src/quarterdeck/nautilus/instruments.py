"""Instruments in NautilusTrader's terms: one codec for names, one translation of terms.

Owns the spelling of canonical ids, venues and instruments inside NautilusTrader, both ways, so
that a catalog that one part writes is found by every other.

A canonical id maps to `SYMBOL.VENUE`, where the symbol is the id with its venue taken out:

    BINANCE-SPOT:SPOT_PAIR:BTC-USDT            SPOT_PAIR:BTC-USDT.BINANCE_SPOT
    BINANCE-FUTURES:PERPETUAL:BTC-USDT@LIN     PERPETUAL:BTC-USDT@LIN.BINANCE_FUTURES

The venue's hyphens become underscores, which no canonical venue has. NautilusTrader 2.0.0rc7 takes
an account id apart at its first hyphen: `BINANCE-SPOT-001` would belong to a venue `BINANCE`, the
account of `BINANCE-SPOT` would not be found, and two such venues would share one name.

Fees and margins are not terms of an instrument in this version: a venue's fee model has them.
"""

from decimal import Decimal
from typing import Final

from nautilus_trader.model import (
    FIXED_PRECISION,
    CryptoPerpetual,
    Currency,
    CurrencyPair,
    InstrumentId,
    Money,
    Price,
    Quantity,
    Symbol,
    Venue,
)

from quarterdeck.core.model import instrument_id as canonical_id
from quarterdeck.core.model.decimals import canonical
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.instrument_id import InstrumentType, Malformed

PLACES_MAX: Final[int] = FIXED_PRECISION
"""Decimal places that a price or a quantity may have in NautilusTrader."""

_HOSTED: Final = frozenset({InstrumentType.SPOT_PAIR, InstrumentType.PERPETUAL})


def nautilus_venue(venue: str) -> Venue:
    """Return the name that a canonical venue has in NautilusTrader."""
    return Venue(venue.replace("-", "_"))


def canonical_venue(venue: Venue) -> str:
    """Return the canonical venue; the inverse of `nautilus_venue`."""
    return venue.value.replace("_", "-")


def nautilus_id(instrument_id: str) -> InstrumentId:
    """Return the name that a canonical id has in NautilusTrader.

    Raises:
        ValueError: if it is no canonical id.
    """
    parsed = canonical_id.parse(instrument_id)
    if isinstance(parsed, Malformed):
        raise ValueError(f"{instrument_id}: {parsed}")  # noqa: TRY004 - a wrong value, not a type
    head = f"{parsed.asset_class}:" if parsed.asset_class else ""
    tail = f"@{parsed.suffix}" if parsed.suffix else ""
    symbol = Symbol(f"{head}{parsed.type.value}:{parsed.payload}{tail}")
    return InstrumentId(symbol, nautilus_venue(parsed.venue))


def instrument_id_of(name: InstrumentId) -> str:
    """Return the canonical id; the inverse of `nautilus_id`.

    Raises:
        ValueError: if the name was not made by `nautilus_id`.
    """
    venue, symbol = canonical_venue(name.venue), name.symbol.value
    head, _, rest = symbol.partition(":")
    # Whether the symbol begins with an asset class cannot be seen: an asset may be called like a
    # type (`SPOT_ASSET:LST`), and a venue like a class. Only the right reading leads back.
    for text in (f"{venue}:{symbol}", f"{head}:{venue}:{rest}"):
        parsed = canonical_id.parse(text)
        if not isinstance(parsed, Malformed) and nautilus_id(text) == name:
            return str(parsed)
    raise ValueError(f"{name} stands for no canonical id")


def price_places(instrument: Instrument) -> int:
    """Return how many decimal places the instrument's prices have."""
    return _places(instrument.tick_px)


def size_places(instrument: Instrument) -> int:
    """Return how many decimal places the instrument's quantities have."""
    return _places(instrument.lot_qty)


def unsupported(instrument: Instrument) -> str | None:
    """Return why the instrument cannot be simulated, as a sentence; None if it can."""
    parsed = canonical_id.parse(instrument.id)
    if isinstance(parsed, Malformed):
        return str(parsed)
    if parsed.type not in _HOSTED:
        return f"{instrument.id}: {parsed.type} is not simulated; SPOT_PAIR and PERPETUAL are"
    spot = parsed.type is InstrumentType.SPOT_PAIR
    if spot is not (instrument.settlement is Settlement.SPOT):
        return f"{instrument.id}: a {parsed.type} is not settled as {instrument.settlement}"
    for name, step in (("tick_px", instrument.tick_px), ("lot_qty", instrument.lot_qty)):
        if _places(step) > PLACES_MAX:
            return f"{instrument.id}: {name} {step} has more than {PLACES_MAX} decimal places"
    return None


def to_nautilus(instrument: Instrument) -> CurrencyPair | CryptoPerpetual:
    """Return the instrument as NautilusTrader knows it.

    Raises:
        ValueError: if it cannot be simulated, see `unsupported`.
    """
    if problem := unsupported(instrument):
        raise ValueError(problem)
    quote = Currency.from_str(instrument.quote)
    if instrument.settlement is Settlement.SPOT:
        return CurrencyPair(
            instrument_id=nautilus_id(instrument.id),
            raw_symbol=Symbol(instrument.symbol),
            base_currency=Currency.from_str(instrument.base),
            quote_currency=quote,
            price_precision=price_places(instrument),
            size_precision=size_places(instrument),
            price_increment=Price.from_str(canonical(instrument.tick_px)),
            size_increment=Quantity.from_str(canonical(instrument.lot_qty)),
            max_quantity=_quantity(instrument.max_qty),
            min_quantity=_quantity(instrument.min_qty),
            max_notional=_money(instrument.max_notional, quote),
            min_notional=_money(instrument.min_notional, quote),
            ts_event=0,
            ts_init=0,
        )
    return CryptoPerpetual(
        instrument_id=nautilus_id(instrument.id),
        raw_symbol=Symbol(instrument.symbol),
        base_currency=Currency.from_str(instrument.base),
        quote_currency=quote,
        settlement_currency=Currency.from_str(instrument.settle),
        is_inverse=instrument.settlement is Settlement.INVERSE,
        price_precision=price_places(instrument),
        size_precision=size_places(instrument),
        price_increment=Price.from_str(canonical(instrument.tick_px)),
        size_increment=Quantity.from_str(canonical(instrument.lot_qty)),
        multiplier=Quantity.from_str(canonical(instrument.multiplier)),
        max_quantity=_quantity(instrument.max_qty),
        min_quantity=_quantity(instrument.min_qty),
        max_notional=_money(instrument.max_notional, quote),
        min_notional=_money(instrument.min_notional, quote),
        ts_event=0,
        ts_init=0,
    )


def _places(step: Decimal) -> int:
    return len(canonical(step).partition(".")[2])


def _quantity(value: Decimal | None) -> Quantity | None:
    return None if value is None else Quantity.from_str(canonical(value))


def _money(value: Decimal | None, currency: Currency) -> Money | None:
    return None if value is None else Money.from_decimal(value, currency)
