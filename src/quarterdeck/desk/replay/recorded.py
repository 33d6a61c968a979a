"""One journal entry as it was recorded, wherever it was kept: a file, a database, memory.

The body stays the bytes that were stored. What a replay compares are those bytes, so nothing may
decode and write them anew on the way.
"""

from typing import Literal

from msgspec import Struct

from quarterdeck.ports import JournalEntry

type Source = Literal["live", "paper", "backtest"]
"""Where a journal was written: with real money, on simulated venues, or in a backtest."""


class RecordedEntry(Struct, frozen=True, kw_only=True, gc=False):
    """One input that was decided, with what came of it and what was seen of the market."""

    seq: int
    at_ns: int
    """The time that the decision was given."""
    body: bytes
    """The canonical JSON of a `desk.record.Body`."""
    views: tuple[tuple[str, bytes | None], ...] = ()
    """Hash in hexadecimal and canonical bytes of each market view, in the body's order.

    The bytes are None when they are no longer kept: views have a shorter life than entries.
    """


def recorded(entry: JournalEntry) -> RecordedEntry:
    """Return what remains of a journal entry once it is stored."""
    return RecordedEntry(
        seq=entry.seq,
        at_ns=entry.at_ns,
        body=entry.body,
        views=tuple((name.hex(), view) for name, view in entry.views),
    )
