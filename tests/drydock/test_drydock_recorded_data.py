"""The recorded feed on real recordings, where they are there.

Set QUARTERDECK_SAMPLE_DATA to the folder that contains `raw_tick_data`.
"""

import os
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from drydock.config import RecordedFeed
from drydock.core import events as ev
from drydock.core.apply import apply
from drydock.core.book import Book
from drydock.core.inputs import BookUpdate, Submit
from drydock.core.instrument import Instrument, InstrumentSpec, Kind
from drydock.core.money import PICO
from drydock.core.orders import OrderType, Side
from drydock.core.state import VenueState
from drydock.core.venue import step
from drydock.feed.recorded import Recorded

FOLDER = os.environ.get("QUARTERDECK_SAMPLE_DATA")
DAY = "2024-08-08"
SPOT = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
INVERSE = "BINANCE-FUTURES:PERPETUAL:BTC-USD@INV"

pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="QUARTERDECK_SAMPLE_DATA does not name a folder with raw_tick_data"
)


def an_instrument(key: str) -> Instrument:
    inverse = key == INVERSE
    lot = Decimal(1) if inverse else Decimal("0.00001")
    return Instrument(
        InstrumentSpec(
            symbol=key.split(":")[2],
            kind=Kind.INVERSE if inverse else Kind.SPOT,
            base="BTC",
            quote="USD" if inverse else "USDT",
            settle="BTC" if inverse else "USDT",
            tick_px=Decimal("0.1") if inverse else Decimal("0.01"),
            lot_qty=lot,
            min_qty=lot,
            max_qty=Decimal(1_000_000),
            multiplier=Decimal(100) if inverse else Decimal(1),
        )
    )


def open_feed(key: str) -> tuple[Recorded, Instrument]:
    instrument = an_instrument(key)
    config = RecordedFeed(
        folder=FOLDER or "", day=DAY, instruments={instrument.symbol: key}, loop=False
    )
    return Recorded(config, {instrument.symbol: instrument}), instrument


@pytest.mark.parametrize("key", [SPOT, INVERSE])
def test_the_rebuilt_top_of_book_is_one_the_venue_quoted(key):
    feed, instrument = open_feed(key)
    path = Path(FOLDER or "") / "raw_tick_data" / "by_date" / f"day-{DAY}"
    quotes = pq.read_table(path / "data_type-quotes" / f"{key}.parquet").to_pylist()
    lot = float(instrument.spec.lot_qty)
    quoted = {
        tuple(
            value
            for side in ("bid", "ask")
            for value in (
                instrument.ticks_of(Decimal(str(quote[f"{side}_price"]))),
                round(quote[f"{side}_amount"] / lot),
            )
        )
        for quote in quotes
    }
    book, compared, agreed = Book(), 0, 0
    for _, what in feed.play(0, 0):
        if not isinstance(what, BookUpdate):
            continue
        book.update(what)
        bid, ask = book.bids.best(), book.asks.best()
        assert bid < ask
        compared += 1
        agreed += (bid, book.bids.available(bid), ask, book.asks.available(ask)) in quoted
    assert compared > 3000
    # The first messages were recorded before the first quote.
    assert agreed >= compared - 5


def test_a_market_order_walks_the_real_levels():
    feed, instrument = open_feed(SPOT)
    state = VenueState()
    apply(state, ev.InstrumentListed(instrument.spec))
    apply(state, ev.AccountOpened("a", {"USDT": 10**9 * PICO}))
    for _, what in islice(feed.play(0, 0), 2000):
        step(state, what, 1)
    levels = sorted(state.books["BTC-USDT"].asks.displayed.items())[:6]
    lots = sum(size for _, size in levels) - 1
    outcome = step(
        state,
        Submit(
            account="a",
            client_order_id="x",
            symbol="BTC-USDT",
            side=Side.BUY,
            type=OrderType.MARKET,
            quantity=Decimal(instrument.quantity_text(lots)),
            timestamp_ns=1,
            recv_window_ms=1,
        ),
        1,
    )
    assert outcome.refusal is None
    taken = [(trade.price_ticks, trade.lots) for trade in state.trades]
    assert taken == [*levels[:-1], (levels[-1][0], levels[-1][1] - 1)]
    # The next messages show the levels again; what was taken is still gone.
    before = dict(state.books["BTC-USDT"].asks.used)
    for _, what in islice(feed.play(0, 0), 2000, 2010):
        step(state, what, 2)
    asks = state.books["BTC-USDT"].asks
    for price, used in asks.used.items():
        assert used <= min(before.get(price, 0), asks.displayed.get(price, 0))


def test_a_middle_entry_equals_playing_from_the_start():
    feed, _ = open_feed(SPOT)
    middle = feed.span_ns // 2
    played = Book()
    for at, what in feed.play(0, 0):
        if at >= middle:
            break
        if isinstance(what, BookUpdate):
            played.update(what)
    _, entered = next(feed.play(0, middle))
    assert dict(entered.bids) == played.bids.displayed
    assert dict(entered.asks) == played.asks.displayed
