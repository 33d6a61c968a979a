"""Turns segments into the finished Parquet files, as often as one likes and while they grow.

A finished file remembers how many rows of which segment it holds, so a later run adds only what is
new, and a run that was killed anywhere changes nothing or all. Segments whose writer is gone are
removed once all their rows are in a finished file that is on the disk.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from quarterdeck.gateways.capture.claim import Claim, take
from quarterdeck.gateways.capture.layout import (
    RAW_SCHEMAS,
    RawKind,
    SegmentName,
    parse_segment_name,
    raw_file,
    segments_folder,
)
from quarterdeck.gateways.capture.segment import SegmentReader, segments_in

ROW_GROUP_ROWS: Final = 131_072
TAKEN: Final = b"quarterdeck.capture"
"""Key of a finished file's metadata: rows that it holds of each segment, by name."""


class Compacted(Struct, frozen=True, kw_only=True):
    """What was done for one instrument's day."""

    day: str
    kind: RawKind
    instrument: str
    rows_added: int = 0
    segments_removed: int = 0
    torn: int = 0
    """Segments that end in a batch which is not whole: their writer died while it wrote."""
    fault: str = ""
    """Why nothing was done; empty when all went well."""


class _StoppedError(Exception):
    """Compaction was told to stop before this file was finished."""


def _for_ever() -> bool:
    return True


def compact(
    folder: Path,
    *,
    instruments: Collection[str] | None = None,
    before_day: str | None = None,
    go_on: Callable[[], bool] = _for_ever,
) -> list[Compacted]:
    """Bring the finished files up to date with what is flushed.

    Args:
        folder: what was given as the folder to record in.
        instruments: only these; None is all.
        before_day: only days before this one.
        go_on: asked every now and then; a file that is not finished by then stays as it was.

    Raises:
        OSError: if the disk fails.
    """
    done: list[Compacted] = []
    root = segments_folder(folder)
    for own in sorted(root.iterdir()) if root.is_dir() else ():
        if not own.is_dir() or (instruments is not None and own.name not in instruments):
            continue
        claim = take(own / "compact.lock")
        if claim is None:
            continue  # Somebody else does it right now.
        try:
            for (kind, day), segments in _by_file(own).items():
                if before_day is None or day < before_day:
                    done.append(_one_file(folder, own.name, kind, day, segments, go_on))
        except _StoppedError:
            break
        finally:
            claim.release()
    return done


def rows_taken(file: pq.ParquetFile) -> dict[str, int] | None:
    """Return how many rows of which segment a finished file holds; None when it is not ours."""
    taken = (file.metadata.metadata or {}).get(TAKEN)
    return None if taken is None else msgspec.json.decode(taken, type=dict[str, int])


def _by_file(own: Path) -> dict[tuple[RawKind, str], list[Path]]:
    files: dict[tuple[RawKind, str], list[Path]] = {}
    for path in segments_in(own):
        name = parse_segment_name(path.name)
        if isinstance(name, SegmentName):
            files.setdefault((name.kind, name.day), []).append(path)
    return files


def _one_file(
    folder: Path,
    instrument: str,
    kind: RawKind,
    day: str,
    segments: list[Path],
    go_on: Callable[[], bool],
) -> Compacted:
    target = raw_file(folder, day, kind, instrument)
    with ExitStack() as stack:
        # Locked before it is read: what can be locked has no writer, so it will not grow.
        ended = {path: claim for path in segments if (claim := take(path, create=False))}
        for claim in ended.values():
            stack.callback(claim.release)
        taken: dict[str, int] | None = {}
        if target.exists():
            with pq.ParquetFile(target) as file:
                taken = rows_taken(file)
        if taken is None:
            fault = f"{target} was not made by capture and is left as it is"
            return Compacted(day=day, kind=kind, instrument=instrument, fault=fault)
        # One name for all: who holds the instrument's lock replaces what a killed one left.
        scratch = target.with_name(f".{target.name}.new")
        try:
            merge = _Merge(kind, target, scratch, taken, go_on)
            merge.add(segments)
            added = merge.finish()
        finally:
            scratch.unlink(missing_ok=True)
        removed = _remove(ended)
    return Compacted(
        day=day,
        kind=kind,
        instrument=instrument,
        rows_added=added,
        segments_removed=removed,
        torn=merge.torn,
    )


def _remove(ended: Mapping[Path, Claim]) -> int:
    for path in ended:
        path.unlink()
    return len(ended)


class _Merge:
    """A finished file and new rows of segments, on their way into the next finished file."""

    def __init__(
        self,
        kind: RawKind,
        target: Path,
        scratch: Path,
        taken: Mapping[str, int],
        go_on: Callable[[], bool],
    ) -> None:
        self.torn = 0
        self._schema = RAW_SCHEMAS[kind]
        self._target = target
        self._scratch = scratch
        self._taken = taken
        self._go_on = go_on
        self._now_taken: dict[str, int] = {}
        self._writer: pq.ParquetWriter | None = None
        self._fresh: list[pa.RecordBatch] = []
        self._waiting = 0
        self._added = 0

    def add(self, segments: Iterable[Path]) -> None:
        """Read segments in time order; the finished file is only touched when one has news."""
        for path in segments:
            taken = self._taken.get(path.name, 0)
            rows = 0
            reader = SegmentReader(path)
            for batch in reader.batches():
                rows += batch.num_rows
                news = rows - max(taken, rows - batch.num_rows)
                if news > 0:
                    self._begin()
                    self._fresh.append(batch.slice(batch.num_rows - news))
                    self._waiting += news
                    self._added += news
                if self._waiting >= ROW_GROUP_ROWS:
                    self._write_fresh(reader)
            self._write_fresh(reader)
            self.torn += reader.torn
            self._now_taken[path.name] = max(rows, taken)

    def finish(self) -> int:
        """Put the new file in place, when there is one, and return the rows that are new in it."""
        writer = self._writer
        if writer is None:
            return 0
        taken = msgspec.json.encode(self._now_taken).decode()
        writer.add_key_value_metadata({TAKEN.decode(): taken})
        writer.close()
        _sync(self._scratch)
        self._scratch.rename(self._target)
        _sync(self._target.parent)
        return self._added

    def _begin(self) -> None:
        if self._writer is not None:
            return
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._scratch, self._schema, compression="zstd")
        for batch in _batches_of(self._target):
            self._write(pa.Table.from_batches([batch], self._schema))

    def _write_fresh(self, reader: SegmentReader) -> None:
        """Write what was read of a segment, with the columns that it leaves out."""
        if self._fresh:
            rows = pa.Table.from_batches(self._fresh).combine_chunks()
            constant = [
                pa.DictionaryArray.from_arrays(np.zeros(rows.num_rows, np.int32), [name])
                for name in (reader.exchange, reader.symbol)
            ]
            self._write(pa.Table.from_arrays([*constant, *rows.columns], schema=self._schema))
        self._fresh, self._waiting = [], 0

    def _write(self, table: pa.Table) -> None:
        assert self._writer is not None
        if not self._go_on():
            self._writer.close()
            raise _StoppedError
        self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)


def _batches_of(target: Path) -> Iterator[pa.RecordBatch]:
    with suppress(FileNotFoundError), pq.ParquetFile(target) as file:
        yield from file.iter_batches(batch_size=ROW_GROUP_ROWS)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
