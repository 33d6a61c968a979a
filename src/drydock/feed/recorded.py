"""Recorded market data, replayed from Parquet files batch by batch.

Layout: `raw_tick_data/by_date/day-YYYY-MM-DD/data_type-<type>/<key>.parquet`, columns as Tardis
names them, times in microseconds. Books come from `incremental_book_L2` (whole depth) when it is
there, else from `book_snapshot_5` (best five, so the rest is unknown); trades from `trades`.

Rows are ordered by `local_timestamp`, when the recorder saw them; that is the order a client lived
through, and the replay runs along it. `ts_ns` of an input is the exchange's own `timestamp`.

A derived feed is played from here too: each tape is wrapped by one that distorts it.
"""

import heapq
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from drydock.config import DerivedFeed, RecordedFeed, RecordedSteps
from drydock.core.inputs import BookUpdate, Level, PublicTrade
from drydock.core.instrument import Instrument
from drydock.core.orders import Side
from drydock.feed.contract import Tape, TimedInput
from drydock.feed.derived import DerivedTape
from drydock.feed.enter import enter_at

_BATCH_ROWS: Final = 8192
_SNAPSHOT_LEVELS: Final = 5
_TIMES: Final = ["timestamp", "local_timestamp"]
_LOT_SLACK: Final = 1e-6
"""Part of a lot by which a recorded size may miss a whole number in binary."""
_TICK_SLACK: Final = 1e-3
"""Part of a tick by which a recorded price may miss a whole number in binary."""


class RecordingError(Exception):
    """The recording is not there or not readable."""


class Recorded:
    """The recorded feed over all instruments of a venue.

    Raises:
        RecordingError: on construction, naming the file that is missing.
    """

    def __init__(self, config: RecordedFeed, instruments: dict[str, Instrument]) -> None:
        self.name = f"recorded {config.day} {sorted(config.instruments.items())} {config.speed}"
        self._lag_ns = 0
        if isinstance(config, DerivedFeed):
            self.name = f"synthetic, derived from {self.name}, seed {config.seed}"
            self._lag_ns = config.latency_ms * 1_000_000
        self._loop = config.loop
        self._tapes = [_tape(config, instrument) for instrument in instruments.values()]
        self._start_us = min(tape.first_us for tape in self._tapes)
        self.span_ns = (max(tape.last_us for tape in self._tapes) - self._start_us + 1) * 1000
        """How long one pass over the recording takes, in data time."""

    def play(self, epoch_ns: int, from_ns: int) -> Iterator[TimedInput]:
        """Yield the recording, over and over when looping. Its own times replace `epoch_ns`."""
        del epoch_ns
        lag_ns = self._lag_ns
        for at_ns, what in self._passes(max(from_ns - lag_ns, 0)):
            yield at_ns + lag_ns, what

    def _passes(self, from_ns: int) -> Iterator[TimedInput]:
        number, within_ns = divmod(from_ns, self.span_ns)
        if number and not self._loop:
            number, within_ns = 0, from_ns
        offset_ns = number * self.span_ns
        streams = [enter_at(tape.play(self._start_us, number), within_ns) for tape in self._tapes]
        while True:
            for at_ns, what in heapq.merge(*streams, key=lambda timed: timed[0]):
                yield offset_ns + at_ns, what
            if not self._loop:
                return
            number += 1
            offset_ns += self.span_ns
            streams = [tape.play(self._start_us, number) for tape in self._tapes]


class _Tape:
    """One instrument's files."""

    def __init__(self, day: Path, key: str, symbol: str, steps: RecordedSteps) -> None:
        self._symbol = symbol
        self._tick, self._lot = float(steps.tick_px), float(steps.lot_qty)
        self._trades = _open(day, "trades", key)
        self._incremental = (day / "data_type-incremental_book_L2" / f"{key}.parquet").exists()
        kind = "incremental_book_L2" if self._incremental else "book_snapshot_5"
        self._books = _open(day, kind, key)
        spans = [_span_us(file) for file in (self._trades, self._books)]
        self.first_us = min(first for first, _ in spans)
        self.last_us = max(last for _, last in spans)

    def play(self, start_us: int, number: int) -> Iterator[TimedInput]:
        """Yield books and trades of one pass, in nanoseconds since `start_us`."""
        books = self._changes(start_us) if self._incremental else self._snapshots(start_us)
        streams = [_in_file_order(each) for each in (books, self._prints(start_us, number))]
        return heapq.merge(*streams, key=lambda timed: timed[0])

    def require_tick(self, where: str) -> None:
        """Check the first prices against the tick they are said to be recorded in.

        Raises:
            RecordingError: a price lies between two ticks.
        """
        batch = next(self._trades.iter_batches(batch_size=_BATCH_ROWS, columns=["price"]), None)
        listed: list[Any] = [] if batch is None else batch.column("price").to_pylist()
        for price in listed:
            ticks = price / self._tick
            if abs(ticks - round(ticks)) > _TICK_SLACK:
                raise RecordingError(
                    f"{where}: recorded price {price} is not a multiple of tick_px {self._tick};"
                    " name the tick of the recording there"
                )

    def _changes(self, start_us: int) -> Iterator[TimedInput]:
        """Yield one update per recorded message: rows that share time and snapshot flag."""
        columns = [*_TIMES, "is_snapshot", "side", "price", "amount"]
        key: tuple[int, int, bool] | None = None
        bids: list[Level] = []
        asks: list[Level] = []
        was_snapshot = False
        for exchange_us, local_us, snapshot, side, price, amount in self._rows(
            self._books, columns
        ):
            if key != (local_us, exchange_us, snapshot):
                if key is not None:
                    yield self._update(start_us, key, bids, asks, began=not was_snapshot)
                    was_snapshot = key[2]
                key, bids, asks = (local_us, exchange_us, snapshot), [], []
            (bids if side == "bid" else asks).append((price, amount))
        if key is not None:
            yield self._update(start_us, key, bids, asks, began=not was_snapshot)

    def _update(
        self,
        start_us: int,
        key: tuple[int, int, bool],
        bids: list[Level],
        asks: list[Level],
        *,
        began: bool,
    ) -> TimedInput:
        local_us, exchange_us, snapshot = key
        # A snapshot may be recorded as several messages; only its first wipes the book.
        return (local_us - start_us) * 1000, BookUpdate(
            symbol=self._symbol,
            ts_ns=exchange_us * 1000,
            bids=bids,
            asks=asks,
            snapshot=snapshot and began,
        )

    def _snapshots(self, start_us: int) -> Iterator[TimedInput]:
        fields = [
            f"{side}[{level}].{field}"
            for side in ("bids", "asks")
            for level in range(_SNAPSHOT_LEVELS)
            for field in ("price", "amount")
        ]
        for exchange_us, local_us, *flat in self._rows(self._books, [*_TIMES, *fields]):
            levels = [
                (price, lots)
                for price, lots in zip(flat[::2], flat[1::2], strict=True)
                if price is not None and lots is not None
            ]
            half = sum(price is not None for price in flat[: 2 * _SNAPSHOT_LEVELS : 2])
            yield (
                (local_us - start_us) * 1000,
                BookUpdate(
                    symbol=self._symbol,
                    ts_ns=exchange_us * 1000,
                    bids=levels[:half],
                    asks=levels[half:],
                    snapshot=True,
                    windowed=True,
                ),
            )

    def _prints(self, start_us: int, number: int) -> Iterator[TimedInput]:
        columns = [*_TIMES, "id", "side", "price", "amount"]
        for exchange_us, local_us, trade_id, side, price, lots in self._rows(self._trades, columns):
            if lots <= 0 or side not in {"buy", "sell"}:
                continue
            yield (
                (local_us - start_us) * 1000,
                PublicTrade(
                    symbol=self._symbol,
                    ts_ns=exchange_us * 1000,
                    # A looped recording must not look like a repeated trade.
                    trade_id=f"{trade_id}-{number}" if number else trade_id,
                    aggressor=Side.BUY if side == "buy" else Side.SELL,
                    price_ticks=price,
                    lots=lots,
                ),
            )

    def _rows(self, file: pq.ParquetFile, columns: list[str]) -> Iterator[tuple[Any, ...]]:
        """Yield rows with prices in ticks and sizes in lots, never more than a batch in memory."""
        batches = file.iter_batches(batch_size=_BATCH_ROWS, columns=columns)
        return chain.from_iterable(
            zip(*(self._column(batch, name) for name in columns), strict=True) for batch in batches
        )

    def _column(self, batch: pa.RecordBatch, name: str) -> list[Any]:
        values: Any = batch.column(name)
        if name.endswith("price"):
            values = pc.cast(pc.round(pc.divide(values, self._tick)), pa.int64())
        elif name.endswith("amount"):
            # Half a lot cannot be traded here, so sizes are rounded down.
            lots = pc.floor(pc.add(pc.divide(values, self._lot), _LOT_SLACK))
            values = pc.cast(lots, pa.int64())
        listed: list[Any] = values.to_pylist()
        return listed


def _tape(config: RecordedFeed, instrument: Instrument) -> Tape:
    symbol, spec = instrument.symbol, instrument.spec
    day = Path(config.folder) / "raw_tick_data" / "by_date" / f"day-{config.day}"
    own = RecordedSteps(tick_px=spec.tick_px, lot_qty=spec.lot_qty)
    if not isinstance(config, DerivedFeed):
        return _Tape(day, config.instruments[symbol], symbol, own)
    steps = config.sources.get(symbol, own)
    source = _Tape(day, config.instruments[symbol], symbol, steps)
    source.require_tick(f"feed: sources {symbol}")
    return DerivedTape(source, config, steps, instrument)


def _in_file_order(events: Iterator[TimedInput]) -> Iterator[TimedInput]:
    """Trust the order of a file where its times step back.

    A recorder that starts asks for a snapshot while changes already arrive, and writes it in front
    of them with the later time at which it came.
    """
    latest_ns = 0
    for at_ns, what in events:
        latest_ns = max(latest_ns, at_ns)
        yield latest_ns, what


def _open(day: Path, kind: str, key: str) -> pq.ParquetFile:
    path = day / f"data_type-{kind}" / f"{key}.parquet"
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise RecordingError(f"{path}: {error}") from error


def _span_us(file: pq.ParquetFile) -> tuple[int, int]:
    """Return the first and last local time, from the file's statistics where they exist."""
    column = file.schema_arrow.get_field_index("local_timestamp")
    bounds: list[int] = []
    for group in range(file.metadata.num_row_groups):
        statistics = file.metadata.row_group(group).column(column).statistics
        if statistics is None or not statistics.has_min_max:
            times = file.read_row_group(group, columns=["local_timestamp"]).column(0)
            listed: list[Any] = times.to_pylist()
            bounds += [min(listed), max(listed)]
        else:
            bounds += [int(str(statistics.min)), int(str(statistics.max))]
    if not bounds:
        raise RecordingError("a recorded file has no rows")
    return min(bounds), max(bounds)
