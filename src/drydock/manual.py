"""A market set by hand: one book or one trade of a symbol, in decimals."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import count
from typing import Final

import msgspec
from msgspec import Struct

from drydock.core.inputs import BookUpdate, Level, PublicTrade
from drydock.core.instrument import Instrument
from drydock.core.orders import Side
from drydock.feed.contract import MarketInput
from drydock.protocol import DecimalText

_numbers: Final = count(1)


class MarketProblem(Struct, frozen=True):
    """Why a market was not taken."""

    text: str


class _Trade(Struct, forbid_unknown_fields=True):
    price: DecimalText
    quantity: DecimalText
    aggressor: Side
    trade_id: str | None = None
    """Given to repeat a trade on purpose."""


class _Market(Struct, forbid_unknown_fields=True):
    symbol: str
    bids: list[tuple[DecimalText, DecimalText]] | None = None
    asks: list[tuple[DecimalText, DecimalText]] | None = None
    trade: _Trade | None = None


def read_market(
    body: bytes, instruments: Mapping[str, Instrument], now_ns: int
) -> MarketInput | MarketProblem:
    """Read `{"symbol", "bids", "asks"}` (a whole book) or `{"symbol", "trade": {...}}`."""
    try:
        market = msgspec.json.decode(body, type=_Market)
    except msgspec.DecodeError as error:
        return MarketProblem(str(error))
    instrument = instruments.get(market.symbol)
    if instrument is None:
        return MarketProblem(f"symbol {market.symbol!r}; known are: {', '.join(instruments)}")
    try:
        if market.trade is not None and market.bids is None and market.asks is None:
            return _trade(instrument, market.trade, now_ns)
        if market.trade is None and market.bids is not None and market.asks is not None:
            return _book(instrument, market.bids, market.asks, now_ns)
    except ValueError as error:
        return MarketProblem(str(error))
    return MarketProblem("give bids and asks, or a trade")


def _trade(instrument: Instrument, trade: _Trade, now_ns: int) -> PublicTrade:
    price_ticks, lots = _level(instrument, trade.price, trade.quantity)
    return PublicTrade(
        symbol=instrument.symbol,
        ts_ns=now_ns,
        trade_id=trade.trade_id or f"manual-{next(_numbers)}",
        aggressor=trade.aggressor,
        price_ticks=price_ticks,
        lots=lots,
    )


def _book(
    instrument: Instrument,
    bids: list[tuple[str, str]],
    asks: list[tuple[str, str]],
    now_ns: int,
) -> BookUpdate:
    bid_levels = [_level(instrument, *level) for level in bids]
    ask_levels = [_level(instrument, *level) for level in asks]
    if bids and asks and max(bid_levels)[0] >= min(ask_levels)[0]:
        raise ValueError("the best bid must be below the best ask")
    return BookUpdate(
        symbol=instrument.symbol, ts_ns=now_ns, bids=bid_levels, asks=ask_levels, snapshot=True
    )


def _level(instrument: Instrument, price: str, quantity: str) -> Level:
    ticks = instrument.ticks_of(Decimal(price))
    lots = instrument.lots_of(Decimal(quantity))
    if ticks is None or lots is None or ticks <= 0 or lots <= 0:
        raise ValueError(
            f"{price} x {quantity}: positive multiples of {instrument.spec.tick_px} and"
            f" {instrument.spec.lot_qty} are allowed"
        )
    return ticks, lots
