"""The append-only file that outlives the process: what was acknowledged is in it.

One line is one input's durable events: the CRC-32 of the rest in eight hex digits, a space, and
JSON (whose integers have no size limit, which money in picos needs). `append` only buffers;
`sync` writes and returns after fdatasync. A reply may leave only after that.

A process killed while writing leaves a torn last line. `open` cuts it and says so: nothing that was
acknowledged is in it. A damaged line with good lines behind it is something else (a bad disk, an
edit by hand), so opening refuses.
"""

import fcntl
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from drydock.core.events import DurableEvent

_HEADER: Final = b'{"journal":"drydock","version":1}'
_PREFIX_BYTES: Final = 9


class JournalError(Exception):
    """The journal cannot be used: taken by another process, damaged, or of another format."""


class Entry(msgspec.Struct, frozen=True):
    """The durable events of one input."""

    now_ns: int
    events: list[DurableEvent]


class Journal:
    """An open journal. Exactly one process may have it open.

    Raises:
        JournalError: on construction, if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cut_bytes = 0
        """What was cut from a torn end when opening."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            os.close(self._fd)
            raise JournalError(f"{path}: another process has this journal open") from busy
        self._buffer = bytearray()
        self._encoder = msgspec.json.Encoder()
        self._entries = 0
        try:
            self._check_end()
        except JournalError:
            self.close()
            raise

    @property
    def entries(self) -> int:
        """How many entries were found on opening plus those appended since."""
        return self._entries

    @property
    def is_clean(self) -> bool:
        """Whether everything appended is on disk."""
        return not self._buffer

    def append(self, now_ns: int, events: list[DurableEvent]) -> None:
        """Add one entry, not yet durable."""
        self._buffer += _line(self._encoder.encode(Entry(now_ns, events)))
        self._entries += 1

    def sync(self) -> None:
        """Make everything appended durable.

        Raises:
            OSError: if the disk refuses; what is in memory is then ahead of the journal and the
                process must end.
        """
        if not self._buffer:
            return
        pending = memoryview(bytes(self._buffer))
        while pending:
            pending = pending[os.write(self._fd, pending) :]
        os.fdatasync(self._fd)
        self._buffer.clear()

    def read(self) -> Iterator[Entry]:
        """Yield every entry from the beginning."""
        decoder = msgspec.json.Decoder(Entry)
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                yield decoder.decode(line[_PREFIX_BYTES:])

    def close(self) -> None:
        """Release the file. Nothing is synced here: what was not synced was not acknowledged."""
        os.close(self._fd)

    def _check_end(self) -> None:
        good_bytes, torn = 0, False
        with self.path.open("rb") as file:
            for number, line in enumerate(file):
                if not _is_good(line):
                    torn = True
                elif torn:
                    raise JournalError(
                        f"{self.path}: damaged at byte {good_bytes}, with good entries behind it;"
                        " restore the file from a copy"
                    )
                elif number == 0 and line[_PREFIX_BYTES:-1] != _HEADER:
                    raise JournalError(
                        f"{self.path}: starts with {line[_PREFIX_BYTES:-1]!r}, expected {_HEADER!r}"
                    )
                else:
                    good_bytes += len(line)
                    self._entries += number > 0
        size = os.fstat(self._fd).st_size
        if size > good_bytes:
            self.cut_bytes = size - good_bytes
            os.ftruncate(self._fd, good_bytes)
            os.fsync(self._fd)
        os.lseek(self._fd, 0, os.SEEK_END)
        if good_bytes == 0:
            self._buffer += _line(_HEADER)
            self.sync()
            _sync_folder(self.path.parent)


def _line(body: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _is_good(line: bytes) -> bool:
    body = line[_PREFIX_BYTES:-1]
    return line == _line(body)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
