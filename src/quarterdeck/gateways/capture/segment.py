"""Segments: append-only files that are whole up to their last batch, whenever their writer dies.

A segment is an Arrow IPC stream. Each batch reaches the operating system in one piece before the
writer goes on, so a killed process loses at most what it had not flushed, and a reader that meets
a torn batch stops in front of it. The writer holds a lock on the file for as long as it lives:
a segment that can be locked will not grow any more.
"""

import fcntl
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from quarterdeck.gateways.capture.layout import SEGMENT_COLUMNS, SEGMENT_SUFFIX, RawKind

OPENING: Final = ".opening"
"""Ending of a segment that is not locked yet, and that nobody else looks at."""


class SegmentWriter:
    """Writes a new segment.

    Raises:
        OSError: on construction and from `append`; the segment is to be closed then.
    """

    def __init__(self, path: Path, kind: RawKind, *, exchange: str, symbol: str) -> None:
        self.rows = 0
        self._schema = pa.schema(
            SEGMENT_COLUMNS[kind], metadata={"exchange": exchange, "symbol": symbol}
        )
        opening = path.with_suffix(OPENING)
        # Unbuffered: what could not be written must not be tried again when it is closed.
        self._file = opening.open("xb", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._sink = io.BytesIO()
            self._stream = pa.ipc.new_stream(self._sink, self._schema)
            opening.rename(path)
        except BaseException:
            self._file.close()
            opening.unlink(missing_ok=True)
            raise

    def append(self, columns: Mapping[str, list[Any]]) -> None:
        """Write one batch, whole: afterwards it outlives this process."""
        batch = pa.record_batch(
            [pa.array(columns[field.name], field.type) for field in self._schema],
            schema=self._schema,
        )
        self._stream.write_batch(batch)
        self._write_out()
        self.rows += batch.num_rows

    def close(self, *, sync: bool = True) -> None:
        """End the segment; harmless when repeated.

        Raises:
            OSError: if what was written cannot be brought to the disk.
        """
        if self._file.closed:
            return
        try:
            if sync:
                os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def _write_out(self) -> None:
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        written = self._file.write(data)
        if written != len(data):
            raise OSError(f"{self._file.name}: only {written} of {len(data)} bytes were written")


class SegmentReader:
    """Reads a segment as far as it is whole, also while it is written.

    Raises:
        OSError: if the disk cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.torn = False
        """Whether reading ended in front of a batch that is not whole."""
        self.exchange = self.symbol = ""
        self._path = path

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches that are whole."""
        with pa.OSFile(str(self._path), "rb") as file:
            if file.size() == 0:
                return  # Its writer died before the first batch.
            try:
                stream = pa.ipc.open_stream(file)
                metadata = stream.schema.metadata or {}
                self.exchange = metadata.get(b"exchange", b"").decode()
                self.symbol = metadata.get(b"symbol", b"").decode()
            except (pa.ArrowInvalid, OSError) as error:
                self._tear(error)
                return
            while True:
                try:
                    batch = stream.read_next_batch()
                except StopIteration:
                    return
                except (pa.ArrowInvalid, OSError) as error:
                    self._tear(error)
                    return
                yield batch

    def _tear(self, error: Exception) -> None:
        # A disk's own error has a number; "fewer bytes than expected" has none.
        if isinstance(error, OSError) and error.errno is not None:
            raise error
        self.torn = True


def clear_unopened(folder: Path) -> None:
    """Remove what writers that died while opening left; for who holds the instrument's claim."""
    for left in folder.glob(f"*{OPENING}"):
        left.unlink(missing_ok=True)


def segments_in(folder: Path) -> list[Path]:
    """Return the segments of one instrument's folder, by name."""
    return sorted(folder.glob(f"*{SEGMENT_SUFFIX}"))
