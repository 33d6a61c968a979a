"""The recording of one instrument: two strands of rows, and what the last recorded view was.

Rows are kept in memory until `flush`. Whatever goes wrong with the disk is raised as `OSError`;
the tape is dropped then, and a new one begins with a snapshot.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.capture import book_rows
from quarterdeck.gateways.capture.claim import Claim, take
from quarterdeck.gateways.capture.layout import (
    SEGMENT_COLUMNS,
    RawKind,
    SegmentName,
    day_of,
    segments_folder,
)
from quarterdeck.gateways.capture.segment import SegmentWriter, clear_unopened
from quarterdeck.gateways.contract import PublicTrade


class Strand:
    """The rows of one kind, and the segment that they go to."""

    def __init__(
        self, folder: Path, kind: RawKind, *, exchange: str, symbol: str, run: str
    ) -> None:
        self.last_us = 0
        self._folder = folder
        self._kind = kind
        self._exchange = exchange
        self._symbol = symbol
        self._run = run
        self._names = [name for name, _ in SEGMENT_COLUMNS[kind]]
        self._waiting: list[Sequence[Any]] = []
        self._writer: SegmentWriter | None = None

    def append(self, rows: Sequence[Sequence[Any]], local_us: int) -> None:
        """Take rows of one view, or a trade; they stay together."""
        self._waiting += rows
        self.last_us = local_us

    def flush(self) -> int:
        """Hand over what waits, and return how many rows that were.

        Raises:
            OSError: if the disk does not take it.
        """
        rows, self._waiting = self._waiting, []
        if not rows:
            return 0
        columns = dict(zip(self._names, map(list, zip(*rows, strict=True)), strict=True))
        if self._writer is None:
            first_us = int(columns["local_timestamp"][0])
            name = SegmentName(
                kind=self._kind, day=day_of(first_us), first_us=first_us, run=self._run
            )
            self._writer = SegmentWriter(
                self._folder / str(name), self._kind, exchange=self._exchange, symbol=self._symbol
            )
        self._writer.append(columns)
        return len(rows)

    def end(self, *, sync: bool) -> None:
        """End the segment; rows that were not flushed are dropped.

        Raises:
            OSError: if what was written cannot be brought to the disk.
        """
        self._waiting = []
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close(sync=sync)


class Tape:
    """Records one instrument while it holds the claim on it; see `open_tape`."""

    def __init__(
        self, folder: Path, claim: Claim, *, exchange: str, symbol: str, run: str, depth: int
    ) -> None:
        self._claim = claim
        self._depth = depth
        self._day = ""
        self._last: book_rows.Sides | None = None
        self._books, self._trades = (
            Strand(folder, kind, exchange=exchange, symbol=symbol, run=run)
            for kind in (RawKind.BOOK, RawKind.TRADES)
        )

    def cut(self) -> None:
        """Begin a new stretch: the next view is written whole."""
        self._last = None

    def view(self, view: MarketView, published_ns: int) -> int:
        """Record a published view; return the rows of an ended day that were flushed."""
        # Two views in one microsecond, or a clock that was set back, must stay two views in order.
        local_us = max(published_ns // 1000, self._books.last_us + 1)
        flushed = self.roll(local_us)
        new = book_rows.sides_of(view, self._depth)
        changes = (
            book_rows.beginning(new)
            if self._last is None
            else book_rows.difference(self._last, new)
        )
        if changes:
            at_us = view.at_ns // 1000
            rows = [
                (at_us, local_us, snapshot, side, float(price), float(amount))
                for snapshot, side, price, amount in changes
            ]
            self._books.append(rows, local_us)
            self._last = new
        return flushed

    def trade(self, trade: PublicTrade, received_ns: int) -> int:
        """Record a public trade; return the rows of an ended day that were flushed."""
        local_us = max(received_ns // 1000, self._trades.last_us)
        flushed = self.roll(local_us)
        side = trade.aggressor.lower() if trade.aggressor is not None else "unknown"
        price, amount = float(trade.px), float(trade.quantity)
        row = (trade.at_ns // 1000, local_us, trade.trade_id, side, price, amount)
        self._trades.append([row], local_us)
        return flushed

    def roll(self, now_us: int) -> int:
        """End the segments of a day that is over; return the rows that were flushed for it."""
        day = day_of(now_us)
        if day <= self._day:
            return 0
        flushed = self.flush() if self._day else 0
        for strand in (self._books, self._trades):
            strand.end(sync=True)
        self._day = day
        self._last = None
        return flushed

    def flush(self) -> int:
        """Hand everything over to the operating system, and return how many rows that were."""
        return self._books.flush() + self._trades.flush()

    def close(self, *, sync: bool = True) -> None:
        """End the segments and give the claim back; rows that were not flushed are dropped."""
        with ExitStack() as stack:
            stack.callback(self._claim.release)
            for strand in (self._books, self._trades):
                stack.callback(strand.end, sync=sync)


def open_tape(
    folder: Path, instrument: str, *, exchange: str, symbol: str, run: str, depth: int
) -> Tape | None:
    """Return a new tape for an instrument, or None when another gateway records it.

    Raises:
        OSError: if the disk does not take it.
    """
    own = segments_folder(folder) / instrument
    own.mkdir(parents=True, exist_ok=True)
    claim = take(own / "writer.lock")
    if claim is None:
        return None
    try:
        clear_unopened(own)
    except OSError:
        claim.release()
        raise
    return Tape(own, claim, exchange=exchange, symbol=symbol, run=run, depth=depth)
