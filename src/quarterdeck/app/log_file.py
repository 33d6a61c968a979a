"""A program's output on disk, rotated by size, with its last lines at hand for an error message."""

import os
from collections import deque
from pathlib import Path
from typing import Final

BYTES_MAX: Final = 16 * 1024 * 1024
KEPT: Final = 3
TAIL_LINES: Final = 12


class LogFile:
    """Appends to `path`; what was there moves to `path.1`, `path.2`, … when it grows too large.

    A disk that takes no more must not stop the program whose output this is: what cannot be
    written is dropped and counted.
    """

    def __init__(self, path: Path, *, bytes_max: int = BYTES_MAX, kept: int = KEPT) -> None:
        self.path = path
        self.dropped_bytes = 0
        self._bytes_max = bytes_max
        self._kept = kept
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._partial = b""
        self._descriptor: int | None = None
        self._size = 0

    def write(self, chunk: bytes) -> None:
        """Append bytes as they came."""
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        self._tail.extend(line.decode(errors="replace") for line in lines)
        try:
            if self._descriptor is None:
                self._open()
            elif self._size + len(chunk) > self._bytes_max:
                self._rotate()
            assert self._descriptor is not None
            self._size += os.write(self._descriptor, chunk)
        except OSError:
            self.dropped_bytes += len(chunk)

    def tail(self) -> str:
        """Return the last lines that were written since this object was made."""
        return "\n".join(
            [*self._tail, *([self._partial.decode(errors="replace")] * bool(self._partial))]
        )

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._descriptor = os.open(self.path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(self._kept - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self.path.replace(self._numbered(1))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
