"""What has been recorded: days, instruments, rows, time spans, gaps.

Finished files and segments are looked at together, so that what is recorded right now counts too.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from quarterdeck.gateways.capture.claim import take
from quarterdeck.gateways.capture.compaction import rows_taken
from quarterdeck.gateways.capture.layout import (
    RawKind,
    parse_segment_name,
    raw_file,
    segments_folder,
)
from quarterdeck.gateways.capture.segment import SegmentReader, segments_in

BATCH_ROWS: Final = 131_072
_DAY: Final = re.compile(r"day-(\d{4}-\d{2}-\d{2})")


class Recording(Struct, frozen=True, kw_only=True):
    """One instrument's day of one kind."""

    day: str
    kind: RawKind
    instrument: str
    rows: int
    first_us: int | None
    """None while there is no row."""
    last_us: int | None
    gaps: int | None
    """Times a book began anew after its first; None for trades, whose gaps leave no trace."""
    gaps_us: int | None
    """How long the gaps were together."""
    waiting_rows: int
    """Rows that are in segments only."""
    recording: bool
    """Whether a gateway is writing it now."""


def inventory(folder: Path) -> list[Recording]:
    """Return everything that is recorded in a folder, by day, instrument and kind.

    Raises:
        OSError: if the disk cannot be read.
        pyarrow.ArrowInvalid: if a finished file is damaged.
    """
    found = sorted({*_finished(folder), *_segmented(folder)})
    return [
        _look(folder, day=day, instrument=instrument, kind=RawKind(kind))
        for day, instrument, kind in found
    ]


def _finished(folder: Path) -> Iterator[tuple[str, str, str]]:
    for kind in RawKind:
        pattern = f"raw_tick_data/by_date/day-*/data_type-{kind}/*.parquet"
        for path in folder.glob(pattern):
            day = _DAY.fullmatch(path.parent.parent.name)
            if day is not None and not path.name.startswith("."):
                yield day[1], path.name.removesuffix(".parquet"), kind


def _segmented(folder: Path) -> Iterator[tuple[str, str, str]]:
    for path in segments_folder(folder).glob("*/*"):
        name = parse_segment_name(path.name)
        if name is not None:
            yield name.day, path.parent.name, name.kind


class _Tally:
    """Counts rows as they come."""

    def __init__(self) -> None:
        self.rows = 0
        self.first_us: int | None = None
        self.last_us: int | None = None
        self.gaps = 0
        self.gaps_us = 0
        self._was_snapshot = False

    def add(self, batch: pa.RecordBatch, kind: RawKind) -> None:
        """Count rows that follow those before."""
        times: list[Any] = batch.column("local_timestamp").to_pylist()
        if not times:
            return
        if kind is RawKind.BOOK:
            self._count_gaps(times, batch.column("is_snapshot").to_pylist())
        self.rows += len(times)
        self.first_us = times[0] if self.first_us is None else self.first_us
        self.last_us = times[-1]

    def _count_gaps(self, times: list[Any], snapshots: list[Any]) -> None:
        last_us = self.last_us
        for local_us, snapshot in zip(times, snapshots, strict=True):
            if snapshot and not self._was_snapshot and last_us is not None:
                self.gaps += 1
                self.gaps_us += local_us - last_us
            last_us, self._was_snapshot = local_us, snapshot


def _look(folder: Path, *, day: str, instrument: str, kind: RawKind) -> Recording:
    tally = _Tally()
    columns = ["local_timestamp", *(["is_snapshot"] if kind is RawKind.BOOK else [])]
    taken: dict[str, int] = {}
    target = raw_file(folder, day, kind, instrument)
    if target.exists():
        with pq.ParquetFile(target) as file:
            taken = rows_taken(file) or {}
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=columns):
                tally.add(batch, kind)
    finished_rows = tally.rows
    recording = False
    for path in segments_in(segments_folder(folder) / instrument):
        name = parse_segment_name(path.name)
        if name is None or (name.day, name.kind) != (day, kind):
            continue
        recording = recording or _is_written(path)
        skip = taken.get(path.name, 0)
        for batch in SegmentReader(path).batches():
            tally.add(batch.slice(min(skip, batch.num_rows)), kind)
            skip = max(skip - batch.num_rows, 0)
    return Recording(
        day=day,
        kind=kind,
        instrument=instrument,
        rows=tally.rows,
        first_us=tally.first_us,
        last_us=tally.last_us,
        gaps=tally.gaps if kind is RawKind.BOOK else None,
        gaps_us=tally.gaps_us if kind is RawKind.BOOK else None,
        waiting_rows=tally.rows - finished_rows,
        recording=recording,
    )


def _is_written(path: Path) -> bool:
    claim = take(path, create=False)
    if claim is not None:
        claim.release()
    return claim is None
