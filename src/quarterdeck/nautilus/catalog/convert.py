"""One instrument's day, from recorded files to catalog files: once, or found as already done.

Results lie under `<catalog>/converted/day-…/<canonical id>/<key>/`, by a key of everything they
depend on (see `manifest`). They are never changed, so whoever reads one is never disturbed, and two
processes that want the same one wait for each other at most.

The rows are the same whatever the size of the batches: readers carry over what the next batch must
know.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.instrument import Instrument
from quarterdeck.nautilus.catalog import incremental, manifest, snapshots, trades
from quarterdeck.nautilus.catalog.book_pieces import CHANGES, ChangesFile
from quarterdeck.nautilus.catalog.deltas import Deltas, with_ends
from quarterdeck.nautilus.catalog.durable import alone, appearing
from quarterdeck.nautilus.catalog.incremental import IncrementalBook
from quarterdeck.nautilus.catalog.manifest import CONVERTER_VERSION, Manifest, RawSource, Written
from quarterdeck.nautilus.catalog.parquet import DELTAS, TRADES, CatalogFile, Layout, file_name
from quarterdeck.nautilus.catalog.raw import Kind, RawDay, RawFile, digest
from quarterdeck.nautilus.catalog.refusal import Code, Refused, RefusedError
from quarterdeck.nautilus.catalog.snapshots import SnapshotBook
from quarterdeck.nautilus.catalog.trades import TradeTape
from quarterdeck.nautilus.instruments import nautilus_id, price_places, size_places, unsupported

BATCH_ROWS: Final = 1 << 18
"""Raw rows in memory at a time: some 40 MB."""

_BOOKS: Final = (Kind.INCREMENTAL, Kind.SNAPSHOTS)


class Progress(Struct, frozen=True, kw_only=True):
    """How far a conversion is."""

    day: RawDay
    instrument_id: str
    done_rows: int
    total_rows: int
    """Raw rows of all files of this instrument and day."""


OnProgress = Callable[[Progress], None]


class Converted(Struct, frozen=True, kw_only=True):
    """One instrument's day in catalog form."""

    folder: Path
    manifest: Manifest
    reused: bool
    """Whether it had been there before."""
    seconds: float  # Wall clock, for people.


class _Job:
    def __init__(
        self, day: RawDay, instrument: Instrument, on_progress: OnProgress, batch_rows: int
    ) -> None:
        self.day = day
        self.instrument = instrument
        self.name = nautilus_id(instrument.id)
        self.px_places = price_places(instrument)
        self.size_places = size_places(instrument)
        self.layout = Layout(self.name, self.px_places, self.size_places)
        self.batch_rows = batch_rows
        self.total_rows = 0
        self._done_rows = 0
        self._on_progress = on_progress

    def opened(self, kind: Kind, columns: tuple[str, ...]) -> RawFile:
        opened = RawFile(self.day.path(kind, self.instrument.id), columns)
        self.total_rows += opened.rows
        return opened

    def advance(self, rows: int) -> None:
        self._done_rows += rows
        self._on_progress(
            Progress(
                day=self.day,
                instrument_id=self.instrument.id,
                done_rows=self._done_rows,
                total_rows=self.total_rows,
            )
        )


def convert(
    day: RawDay,
    instrument: Instrument,
    catalog: Path,
    on_progress: OnProgress,
    *,
    batch_rows: int = BATCH_ROWS,
) -> Converted | Refused:
    """Return the instrument's day in catalog form, converting it unless that was done before."""
    start = time.perf_counter()
    if problem := unsupported(instrument):
        return Refused(code=Code.INSTRUMENT, text=problem)
    kinds = _kinds(day, instrument.id)
    if isinstance(kinds, Refused):
        return kinds
    digests = {kind: digest(day.path(kind, instrument.id)) for kind in kinds}
    key = manifest.key_of(instrument, digests)
    place = catalog / "converted" / day.folder.name / instrument.id
    folder = place / key
    with alone(place / f"{key}.lock"):
        found = manifest.read(folder)
        reused = found is not None
        if found is None:
            job = _Job(day, instrument, on_progress, batch_rows)
            try:
                with appearing(folder, place / f"{key}.partial") as partial:
                    found = _write(job, kinds, digests, key, partial)
            except RefusedError as error:
                return error.refused
    seconds = time.perf_counter() - start
    return Converted(folder=folder, manifest=found, reused=reused, seconds=seconds)


def _kinds(day: RawDay, instrument_id: str) -> tuple[Kind, ...] | Refused:
    # One source for the book: a venue that has both would see the one overwrite the other.
    for book in _BOOKS:
        if day.path(book, instrument_id).is_file():
            has_trades = day.path(Kind.TRADES, instrument_id).is_file()
            return (book, Kind.TRADES) if has_trades else (book,)
    text = f"there is no {' and no '.join(_BOOKS)} of {instrument_id} on {day.day}"
    return Refused(code=Code.MISSING, text=text, path=day.path(_BOOKS[0], instrument_id))


def _write(
    job: _Job, kinds: tuple[Kind, ...], digests: dict[Kind, str], key: str, partial: Path
) -> Manifest:
    book_kind = kinds[0]
    is_incremental = book_kind is Kind.INCREMENTAL
    book_file = job.opened(book_kind, incremental.COLUMNS if is_incremental else snapshots.COLUMNS)
    trade_file = job.opened(Kind.TRADES, trades.COLUMNS) if Kind.TRADES in kinds else None
    terms = job.day, job.px_places, job.size_places
    book = IncrementalBook(*terms) if is_incremental else SnapshotBook(*terms)
    book_written, changes_written = _write_book(job, book_file, book, partial)
    tape = TradeTape(*terms)
    trades_written = None if trade_file is None else _write_trades(job, trade_file, tape, partial)
    rows = {book_kind: book_file.rows}
    if trade_file is not None:
        rows[Kind.TRADES] = trade_file.rows
    made = Manifest(
        key=key,
        converter_version=CONVERTER_VERSION,
        day=job.day.day,
        instrument_id=job.instrument.id,
        nautilus_id=job.name.value,
        px_places=job.px_places,
        size_places=job.size_places,
        sources=tuple(
            RawSource(kind=kind, blake2b=digests[kind], rows=rows[kind]) for kind in kinds
        ),
        book=book_written,
        changes=changes_written,
        trades=trades_written,
        unanchored_rows=book.unanchored,
        dust_rows=book.dust + tape.dust,
        renamed_trades=tape.renamed,
    )
    manifest.write(partial, made)
    return made


def _write_book(
    job: _Job, raw: RawFile, book: IncrementalBook | SnapshotBook, partial: Path
) -> tuple[Written, Written]:
    def pieces() -> Iterator[Deltas]:
        for batch in raw.batches(job.batch_rows):
            yield book.deltas(batch)
            job.advance(len(batch))
        book.finish(raw.path)

    path, plain = partial / "book", partial / "plain"
    schema = job.layout.schema(DELTAS, "OrderBookDelta")
    with CatalogFile(path, schema) as file, ChangesFile(plain) as changes:
        for piece in with_ends(pieces()):
            file.write(job.layout.deltas(piece), piece.ts_init)
            changes.write(piece)
    return (
        _named(job, file, path, "data/order_book_deltas"),
        _named(job, file, plain, CHANGES, ".arrow"),
    )


def _write_trades(job: _Job, raw: RawFile, tape: TradeTape, partial: Path) -> Written | None:
    path = partial / "trades"
    with CatalogFile(path, job.layout.schema(TRADES, "TradeTick")) as file:
        for batch in raw.batches(job.batch_rows):
            made = tape.trades(batch)
            file.write(job.layout.trades(made), made.ts_init)
            job.advance(len(batch))
    if file.rows:
        return _named(job, file, path, "data/trades")
    path.unlink()
    return None


def _named(
    job: _Job, file: CatalogFile, path: Path, folder: str, suffix: str = ".parquet"
) -> Written:
    root = path.parent
    name = Path(file_name(file.first_ns, file.last_ns)).with_suffix(suffix)
    target = root / folder / job.name.value / name
    target.parent.mkdir(parents=True)
    path.rename(target)
    return Written(
        file=str(target.relative_to(root)),
        rows=file.rows,
        size_bytes=target.stat().st_size,
        first_ns=file.first_ns,
        last_ns=file.last_ns,
    )
