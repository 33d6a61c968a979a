"""The small file of what was done while the database could not be written.

Only cancels are: each is one JSON line, flushed to the disk before the cancel leaves. When the
database is back the lines are told to the new memory as inputs, and the file is emptied.
"""

import os
from pathlib import Path

import msgspec
from msgspec import Struct


class Note(Struct, frozen=True, kw_only=True):
    """One cancel, or the cancel of everything, that was sent from memory."""

    operation_id: str | None
    """None when everything was canceled and the desk is to be halted."""
    by: str
    at_ns: int


class EmergencyFile:
    """An append-only file of notes."""

    def __init__(self, path: Path) -> None:
        """Use a file; it appears with the first note."""
        self._path = path

    def note(self, operation_id: str | None, by: str, at_ns: int) -> None:
        """Write down a cancel, or with None a kill, durably."""
        line = msgspec.json.encode(Note(operation_id=operation_id, by=by, at_ns=at_ns)) + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def notes(self) -> list[Note]:
        """Return what was written; a torn last line, cut by a crash, is left out."""
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().split(b"\n")[:-1]
        return [msgspec.json.decode(line, type=Note) for line in lines if line]

    def clear(self) -> None:
        """Forget the notes: the journal has them."""
        self._path.unlink(missing_ok=True)
