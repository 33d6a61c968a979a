"""A small recording to derive venues from, and what must hold for any derived market."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from drydock.chance import Chance
from drydock.config import DerivedFeed, RecordedSteps
from drydock.core.book import Book
from drydock.core.inputs import BookUpdate
from drydock.core.instrument import Instrument, InstrumentSpec, Kind
from drydock.feed.contract import TimedInput
from drydock.feed.recorded import Recorded

DAY = "2024-01-02"
KEY = "X:SPOT_PAIR:BTC-USDT"
SYMBOL = "BTC-USDT"
STEPS = {SYMBOL: RecordedSteps(tick_px=Decimal("0.01"), lot_qty=Decimal("0.001"))}
_MESSAGES = 400
_LEVELS = 12


def an_instrument(tick_px: str = "0.01", lot_qty: str = "0.001") -> Instrument:
    return Instrument(
        InstrumentSpec(
            symbol=SYMBOL,
            kind=Kind.SPOT,
            base="BTC",
            quote="USDT",
            settle="USDT",
            tick_px=Decimal(tick_px),
            lot_qty=Decimal(lot_qty),
            min_qty=Decimal(lot_qty),
            max_qty=Decimal(100_000),
        )
    )


def derived(
    folder: Path, instrument: Instrument, key: str = KEY, day: str = DAY, **change: Any
) -> Recorded:
    settings: dict[str, Any] = {"seed": 7, "loop": False, "sources": STEPS, **change}
    config = DerivedFeed(
        folder=str(folder), day=day, instruments={instrument.symbol: key}, **settings
    )
    return Recorded(config, {instrument.symbol: instrument})


def record(folder: Path) -> None:
    """Write 40 s of a market of twelve levels a side that walks, with a trade at every message."""
    chance = Chance("recording")
    rows: list[tuple[int, int, bool, str, float, float]] = []
    trades: list[tuple[int, int, str, str, float, float]] = []
    shown: dict[str, dict[int, int]] = {"bid": {}, "ask": {}}
    best_bid = 10_000
    for message in range(_MESSAGES):
        at_us = 5_000_000 + message * 100_000
        best_bid += chance.between(-3, 3)
        wanted = {
            "bid": {best_bid - level: 0 for level in range(_LEVELS)},
            "ask": {best_bid + 1 + level: 0 for level in range(_LEVELS)},
        }
        for side, levels in wanted.items():
            for ticks in levels:
                kept = shown[side].get(ticks)
                levels[ticks] = chance.between(1, 5000) if kept is None else kept
            gone = dict.fromkeys(shown[side].keys() - levels.keys(), 0)
            changes = gone | {t: q for t, q in levels.items() if shown[side].get(t) != q}
            rows += [
                (at_us, at_us + 7_000, message == 0, side, ticks / 100, lots / 1000)
                for ticks, lots in sorted(changes.items())
            ]
            shown[side] = levels
        bought = chance.below(2) == 1
        price = (best_bid + bought + chance.between(-2, 2)) / 100
        side, amount = ("buy" if bought else "sell"), chance.between(1, 3000) / 1000
        trades.append((at_us + 40_000, at_us + 46_000, f"t{message}", side, price, amount))
    times = ["timestamp", "local_timestamp"]
    _write(folder, "incremental_book_L2", [*times, "is_snapshot", "side", "price", "amount"], rows)
    _write(folder, "trades", [*times, "id", "side", "price", "amount"], trades)


def _write(folder: Path, kind: str, names: list[str], rows: list[Any]) -> None:
    path = folder / "raw_tick_data" / "by_date" / f"day-{DAY}" / f"data_type-{kind}"
    path.mkdir(parents=True)
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), path / f"{KEY}.parquet")


def checked(events: Iterable[TimedInput]) -> Iterator[tuple[int, Book]]:
    """Play a derived market, assert its promises at every input, and yield each book."""
    book, last_ns = Book(), 0
    trade_ids: set[str] = set()
    for at_ns, what in events:
        assert at_ns >= last_ns
        last_ns = at_ns
        if isinstance(what, BookUpdate):
            lowest = 1 if what.snapshot else 0
            for price_ticks, lots in (*what.bids, *what.asks):
                assert type(price_ticks) is int
                assert type(lots) is int
                assert price_ticks >= 1
                assert lots >= lowest
            book.update(what)
            bid, ask = book.bids.best(), book.asks.best()
            assert bid is None or ask is None or bid < ask
            yield at_ns, book
        else:
            shown = book.side(what.aggressor.opposite).displayed
            assert 1 <= what.lots <= shown[what.price_ticks]
            assert what.trade_id not in trade_ids
            trade_ids.add(what.trade_id)


def final_book(events: Iterable[TimedInput]) -> tuple[dict[int, int], dict[int, int]]:
    book = Book()
    for _, what in events:
        if isinstance(what, BookUpdate):
            book.update(what)
    return book.bids.displayed, book.asks.displayed
