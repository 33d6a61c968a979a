"""A journal in a file: JSON lines that any tool can read and `quarterdeck replay` decides again.

The first line says what the file is; then come the entries in order, gapless from 1, and before an
entry the market views that it names::

    {"format":"quarterdeck-journal","version":1,"desk_id":"main","source":"paper"}
    {"view":"<hash>","body":{...}}
    {"seq":1,"at_ns":1700000000000000000,"body":{...}}

An entry's body is byte for byte what the journal holds; a view whose body is null was no longer
kept when the file was written.

The non-obvious: neither side remembers all views. Both keep the newest `VIEWS_KEPT`, in the order
of their lines, and the writer repeats a view that the reader has let go of. So files of any length
are written and read in the same memory.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, NoReturn, Self

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from quarterdeck.core.model.market import view_hash
from quarterdeck.desk.record import decode_body
from quarterdeck.desk.replay.recorded import RecordedEntry, Source, recorded
from quarterdeck.ports import JournalEntry

FORMAT: Final = "quarterdeck-journal"
VERSION: Final = 1

VIEWS_KEPT: Final = 4_096
"""How many views, counted in lines, an entry may look back; part of the format."""

PURGED: Final = b"null"


class Header(Struct, frozen=True, kw_only=True):
    """What the file is, and whose journal it holds."""

    format: str
    version: int
    desk_id: str
    source: Source


class JournalFileError(Exception):
    """The file is not a journal that this version can read; the text names file and line."""


class JournalFileWriter:
    """Writes entries as they come. The file is whole once it is closed."""

    def __init__(self, target: Path | BinaryIO, *, source: Source, desk_id: str) -> None:
        """Begin the file; an open one stays open when this is closed.

        Raises:
            OSError: if it cannot be written, here and in every method.
        """
        self._owned = isinstance(target, Path)
        self._file: BinaryIO = target.open("wb") if isinstance(target, Path) else target
        self._kept = _Views()
        self.entries = 0
        """How many entries were written."""
        header = Header(format=FORMAT, version=VERSION, desk_id=desk_id, source=source)
        self._file.write(msgspec.json.encode(header) + b"\n")

    def append(self, entry: JournalEntry | RecordedEntry) -> None:
        """Write the next entry, and before it the views that a reader does not hold any more."""
        if isinstance(entry, JournalEntry):
            entry = recorded(entry)
        for name, view in entry.views:
            if name not in self._kept:
                self._kept.put(name, b"")
                body = PURGED if view is None else view
                self._file.write(b'{"view":"%b","body":%b}\n' % (name.encode(), body))
        line = b'{"seq":%d,"at_ns":%d,"body":%b}\n' % (entry.seq, entry.at_ns, entry.body)
        self._file.write(line)
        self.entries += 1

    def close(self) -> None:
        """End the file."""
        if self._owned:
            self._file.close()
        else:
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class JournalFileReader:
    """Reads a file once, from its first line to its last.

    Iterating raises `JournalFileError` at the first line that is not as it must be, and `OSError`
    if the file cannot be read on.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Read the header.

        Args:
            file: open at its beginning.
            name: what errors call it.

        Raises:
            JournalFileError: if it is not a journal, or one of another version.
        """
        self._file = file
        self._name = name
        self._line = 0
        self._views = _Views()
        self._seq = 0
        self.bytes_read = 0
        """How far the file was read."""
        self.header = self._read_header()

    def __iter__(self) -> Iterator[RecordedEntry]:
        for line in self._file:
            self._line += 1
            self.bytes_read += len(line)
            given = self._decode(line)
            if isinstance(given.view, str):
                self._take_view(given.view, given)
            else:
                yield self._entry(given)

    def _read_header(self) -> Header:
        self._line = 1
        line = self._file.readline()
        self.bytes_read = len(line)
        try:
            begins = msgspec.json.decode(line, type=_Beginning)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            begins = _Beginning()
        if begins.format != FORMAT:
            self._object(
                f"is no journal: its first line must be "
                f'{{"format":"{FORMAT}","version":{VERSION},"desk_id":…,"source":…}}'
            )
        if begins.version != VERSION:
            self._object(f"has version {begins.version}; this program reads version {VERSION}")
        try:
            return msgspec.json.decode(line, type=Header)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._object(f"has a header that is not understood: {error}", error)

    def _decode(self, line: bytes) -> "_Line":
        try:
            given = _line.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            cut = "" if line.endswith(b"\n") else "; the file seems to be cut short here"
            self._object(f"is not understood: {error}{cut}", error)
        is_view = given.view is not UNSET
        is_entry = given.seq is not UNSET and given.at_ns is not UNSET
        is_part = given.seq is not UNSET or given.at_ns is not UNSET
        if given.body is UNSET or is_view is is_part or is_part is not is_entry:
            self._object("has neither the fields of a view (view, body) nor of an entry "
                         "(seq, at_ns, body)")  # fmt: skip
        return given

    def _take_view(self, name: str, given: "_Line") -> None:
        body = bytes(given.body) if isinstance(given.body, Raw) else PURGED
        if body == PURGED:
            self._views.put(name, None)
        elif view_hash(body).hex() != name:
            self._object(f"was changed: the content of view {name} has another hash")
        else:
            self._views.put(name, body)

    def _entry(self, given: "_Line") -> RecordedEntry:
        seq, at_ns = given.seq, given.at_ns
        assert isinstance(seq, int)
        assert isinstance(at_ns, int)
        assert isinstance(given.body, Raw)
        if seq != self._seq + 1:
            self._object(f"holds entry {seq} where entry {self._seq + 1} must come")
        self._seq = seq
        body = bytes(given.body)
        try:
            names = decode_body(body).views
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._object(f"holds entry {seq}, which this version cannot read: {error}", error)
        for name in names:
            if name not in self._views:
                self._object(f"holds entry {seq}, whose view {name} does not stand before it")
        views = tuple((name, self._views.get(name)) for name in names)
        return RecordedEntry(seq=seq, at_ns=at_ns, body=body, views=views)

    def _object(self, what: str, cause: Exception | None = None) -> NoReturn:
        raise JournalFileError(f"{self._name}: line {self._line} {what}") from cause


def read_journal(path: Path) -> Iterator[RecordedEntry]:
    """Yield the entries of a file in order.

    Raises:
        JournalFileError: at the first line that is not as it must be.
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        yield from JournalFileReader(file, str(path))


class _Beginning(Struct):
    format: str = ""
    version: int = 0


class _Line(Struct, forbid_unknown_fields=True):
    """Either a view or an entry."""

    view: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET
    at_ns: int | UnsetType = UNSET
    body: Raw | UnsetType = UNSET


_line: Final = msgspec.json.Decoder(_Line)


class _Views:
    """The newest views by name; writer and reader let go of the oldest at the same line."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes | None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._bodies

    def get(self, name: str) -> bytes | None:
        return self._bodies[name]

    def put(self, name: str, body: bytes | None) -> None:
        self._bodies.pop(name, None)
        self._bodies[name] = body
        if len(self._bodies) > VIEWS_KEPT:
            del self._bodies[next(iter(self._bodies))]
