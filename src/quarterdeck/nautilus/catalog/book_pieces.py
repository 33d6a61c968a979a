"""A catalog's book changes read back as columns, piece by piece, without an object per row.

Beside the file that NautilusTrader plays, a conversion leaves the same rows as plain whole numbers,
which are read ten times faster than 128-bit decimals. Where a catalog has none, because somebody
else wrote it, NautilusTrader's own file is read; what comes out is the same.

A piece ends where an update ends; what the file begins of the next one comes with the next piece.
Files that overlap in time, which days do whose rows spill over midnight, are merged by time of
arrival.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from nautilus_trader.model import FIXED_PRECISION, InstrumentId
from numpy.typing import NDArray

from quarterdeck.nautilus.catalog.deltas import (
    ACTIONS,
    BUY,
    CLEAR,
    DELETE,
    F_LAST,
    SELL,
    SIDES,
    Deltas,
)
from quarterdeck.nautilus.catalog.raw import Codes, Ints

PIECE_ROWS: Final = 1 << 16
"""Rows of each file in memory at a time, some 3 MB of them."""

COLUMNS: Final = ("action", "side", "price", "size", "flags", "ts_init")


CHANGES: Final = "changes"
"""Folder of the plain rows, by instrument, beside NautilusTrader's `data`."""

PLAIN: Final = pa.schema(
    [
        pa.field("action", pa.int8(), nullable=False),
        pa.field("side", pa.int8(), nullable=False),
        pa.field("px", pa.int64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("flags", pa.uint8(), nullable=False),
        pa.field("ts_init", pa.int64(), nullable=False),
    ]
)

type Marked = NDArray[np.intp]


class ChangesFile:
    """The plain rows of one instrument's day being written."""

    def __init__(self, path: Path) -> None:
        """Begin a file."""
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._writer = pa.ipc.new_file(str(path), PLAIN, options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, made: Deltas) -> None:
        """Append changes whose ends of updates are marked."""
        for start in range(0, made.rows, PIECE_ROWS):
            part = slice(start, start + PIECE_ROWS)
            columns = [pa.array(getattr(made, name)[part]) for name in PLAIN.names]
            self._writer.write_batch(pa.record_batch(columns, schema=PLAIN))


class SideChanges(NamedTuple):
    """What happens on one side of the book within a piece."""

    row: Marked
    """Place within the piece, rising."""
    px: Ints
    """In units of the instrument's decimal places."""
    size: Ints
    """What is there from now on; 0 when the level is gone."""


class Piece(NamedTuple):
    """Whole updates, consecutive."""

    bids: SideChanges
    asks: SideChanges
    clears: Marked
    """Rows that empty both sides."""
    ends: Marked
    """The row after each update."""
    end_ns: Ints
    """When each update arrived; never falls."""


class _Rows(NamedTuple):
    action: Codes
    side: Codes
    px: Ints
    size: Ints
    flags: NDArray[np.uint8]
    ts_init: Ints

    def cut(self, start: int, stop: int | None = None) -> "_Rows":
        return _Rows._make(column[start:stop] for column in self)


def book_pieces(
    catalog: Path, name: InstrumentId, places: tuple[int, int], start_ns: int
) -> Iterator[Piece]:
    """Yield one instrument's book changes that arrive from a time on.

    `places` are the instrument's decimal places of price and size.
    """
    paths = sorted((catalog / CHANGES / name.value).glob("*.arrow"))
    if not paths:
        paths = sorted((catalog / "data" / "order_book_deltas" / name.value).glob("*.parquet"))
    held: _Rows | None = None
    for read in _in_order(paths, places):
        rows = read.cut(int(np.searchsorted(read.ts_init, start_ns)))
        if held is not None:
            rows = _joined([held, rows])
        ends = np.flatnonzero(rows.flags & F_LAST) + 1
        whole = int(ends[-1]) if len(ends) else 0
        held = rows.cut(whole) if whole < len(rows.flags) else None
        if whole:
            yield _piece(rows.cut(0, whole), ends)


def _piece(rows: _Rows, ends: Marked) -> Piece:
    clears = rows.action == CLEAR
    size = np.where(rows.action == DELETE, 0, rows.size)
    return Piece(
        bids=_side(rows.px, size, (rows.side == BUY) & ~clears),
        asks=_side(rows.px, size, (rows.side == SELL) & ~clears),
        clears=np.flatnonzero(clears),
        ends=ends,
        end_ns=rows.ts_init[ends - 1],
    )


def _side(px: Ints, size: Ints, mine: NDArray[np.bool_]) -> SideChanges:
    row = np.flatnonzero(mine)
    return SideChanges(row=row, px=px[row], size=size[row])


def _in_order(paths: list[Path], places: tuple[int, int]) -> Iterator[_Rows]:
    """Yield the rows of all files by time of arrival; at one instant those of the earlier file."""
    together: list[Path] = []
    last = ""
    for path in paths:  # Their names are their first and last times, and sort as these do.
        first, _, end = path.stem.partition("_")
        if together and first > last:
            yield from _merged(together, places)
            together = []
        together.append(path)
        last = max(last, end)
    yield from _merged(together, places)


def _merged(paths: list[Path], places: tuple[int, int]) -> Iterator[_Rows]:
    files = [_plain(path) if path.suffix == ".arrow" else _played(path, places) for path in paths]
    heads: list[_Rows | None] = [next(file, None) for file in files]
    while alive := [number for number, head in enumerate(heads) if head is not None]:
        reached_ns = min(int(head.ts_init[-1]) for head in heads if head is not None)
        taken = []
        for number in alive:
            head = heads[number]
            assert head is not None
            until = int(np.searchsorted(head.ts_init, reached_ns, side="right"))
            taken.append(head.cut(0, until))
            more = until < len(head.flags)
            heads[number] = head.cut(until) if more else next(files[number], None)
        if len(taken) == 1:
            yield taken[0]
            continue
        yield _sorted(_joined(taken))


def _sorted(rows: _Rows) -> _Rows:
    order = np.argsort(rows.ts_init, kind="stable")
    return _Rows._make(column[order] for column in rows)


def _joined(parts: list[_Rows]) -> _Rows:
    return _Rows._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _plain(path: Path) -> Iterator[_Rows]:
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as opened:
        for number in range(opened.num_record_batches):
            batch = opened.get_batch(number)
            yield _Rows._make(batch.column(name).to_numpy() for name in _Rows._fields)


def _played(path: Path, places: tuple[int, int]) -> Iterator[_Rows]:
    with pq.ParquetFile(path) as opened:
        for batch in opened.iter_batches(PIECE_ROWS, columns=list(COLUMNS), use_threads=False):
            if batch.num_rows:
                yield _Rows(
                    action=_codes(batch.column("action"), ACTIONS),
                    side=_codes(batch.column("side"), SIDES),
                    px=_units(batch.column("price"), places[0]),
                    size=_units(batch.column("size"), places[1]),
                    flags=batch.column("flags").to_numpy(),
                    ts_init=batch.column("ts_init").cast(pa.int64()).to_numpy(),
                )


def _codes(column: Any, texts: tuple[str, ...]) -> Codes:
    table = np.array([texts.index(text) for text in column.dictionary.to_pylist()], dtype=np.int8)
    codes: Codes = table[column.indices.to_numpy()]
    return codes


def _units(column: Any, places: int) -> Ints:
    """Return 128-bit decimals, which are whole numbers of 10**-places, as these numbers.

    Such a decimal is n * 5**k * 2**k. Shifting drops the power of two; what is left is divided by
    the power of five exactly, which modulo 2**64 is to multiply by its inverse.
    """
    halves = np.frombuffer(column.buffers()[1], dtype="<u8")
    start, stop = 2 * column.offset, 2 * (column.offset + len(column))
    low, high = halves[start:stop:2], halves[start + 1 : stop : 2]
    k = FIXED_PRECISION - places
    if k:
        low = low >> np.uint64(k) | high << np.uint64(64 - k)
    units: Ints = (low * np.uint64(pow(5, -k, 1 << 64))).view(np.int64)
    return units
