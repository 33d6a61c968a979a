"""A journal told once more, with what a study wants to know of it noted on the way.

Everything is kept until the end, finished orders too: what is compared is how orders ended.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from quarterdeck.backtest.study.decisions import DecisionLog
from quarterdeck.backtest.study.latency import LatencyMeter
from quarterdeck.backtest.study.refusal import StudyError
from quarterdeck.core.desk.fold import apply
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.commands import SubmitOrder
from quarterdeck.core.model.market import MarketView
from quarterdeck.desk.record import Body, decode_body
from quarterdeck.desk.replay.journal_file import JournalFileError, JournalFileReader
from quarterdeck.desk.replay.recorded import RecordedEntry

type Books = dict[str, int]
"""By canonical id, the hash of a book's prices and quantities."""

_view: Final = msgspec.json.Decoder(MarketView)


class Story:
    """The desk of a journal, as far as it was told."""

    def __init__(self) -> None:
        """Begin with an empty desk."""
        self.state = DeskState()
        self.decisions = DecisionLog()
        self.latency = LatencyMeter()
        self.levels = 0
        """Levels a side of the deepest book that a decision looked at."""
        self.books: dict[str, Books | None] = {}
        """What was seen when each order was sent; None where it is no longer kept."""

    def take(self, entry: RecordedEntry) -> Body:
        """Fold the next entry and return its content.

        Raises:
            StudyError: if it is not understood, or cannot follow those before it.
        """
        body = understood(entry)
        for event in body.events:
            try:
                apply(self.state, event, entry.at_ns)
            except Exception as error:
                kind = type(event).__struct_config__.tag
                raise StudyError(
                    f"the journal cannot be told: entry {entry.seq}, {kind}, does not follow what "
                    f"came before it: {error!r}"
                ) from error
            self.decisions.note(event, self.state)
            self.latency.note(event, self.state, entry.at_ns)
        self._look(entry, body)
        return body

    def _look(self, entry: RecordedEntry, body: Body) -> None:
        seen = [_view.decode(view) for _, view in entry.views if view is not None]
        for view in seen:
            self.levels = max(self.levels, len(view.bids), len(view.asks))
        if isinstance(body.input, SubmitOrder) and body.events:
            whole = len(seen) == len(entry.views)
            # Decimals and tuples hash by value in every process: 1.50 and 1.5 are the same price.
            books = {view.instrument: hash((view.bids, view.asks)) for view in seen}
            self.books[body.input.terms.operation_id] = books if whole else None


def told(path: Path, until_ns: int) -> Story:
    """Return the story of a journal file up to a time, that instant included.

    Raises:
        StudyError: if it cannot be read or told.
    """
    story = Story()
    with opened(path) as entries:
        for entry in entries:
            if entry.at_ns > until_ns:
                break
            story.take(entry)
    return story


@contextmanager
def opened(path: Path) -> Iterator[JournalFileReader]:
    """Open a journal file; what is wrong with it is told as a study's error.

    Raises:
        StudyError: if it cannot be read, here and while it is iterated.
    """
    try:
        with path.open("rb") as file:
            yield JournalFileReader(file, str(path))
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror or error}") from error
    except JournalFileError as error:
        raise StudyError(str(error)) from error


def understood(entry: RecordedEntry) -> Body:
    """Return an entry's content.

    Raises:
        StudyError: if another version wrote it in a form that this one cannot read.
    """
    try:
        return decode_body(entry.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StudyError(f"entry {entry.seq} is not understood: {error}") from error
