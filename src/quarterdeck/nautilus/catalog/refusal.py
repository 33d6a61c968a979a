"""Why recorded data was not converted: a code, a sentence, and the exact place.

Bad data is worse than no data: a backtest on it would look right. So one bad row refuses its whole
file, and the refusal names file, row and column, for whoever has to look at it.
"""

from enum import StrEnum
from pathlib import Path

from msgspec import Struct


class Code(StrEnum):
    """What kind of thing was wrong."""

    INSTRUMENT = "instrument"
    """The instrument cannot be simulated, or its terms do not fit the data."""
    MISSING = "missing"
    """There is no file that a book could be made from."""
    UNREADABLE = "unreadable"
    """The file is no Parquet file, or a column is absent or of another type."""
    VALUE = "value"
    """A row has a value that cannot be true."""
    ORDER = "order"
    """A row goes back in time, or is not of the day whose folder it lies in."""
    NO_SNAPSHOT = "no_snapshot"
    """The book's changes have nothing that they change: no snapshot of the whole book."""


class Refused(Struct, frozen=True, kw_only=True):
    """A conversion that was not done."""

    code: Code
    text: str
    """What was wrong and what is allowed."""
    path: Path | None = None
    row: int | None = None
    """Counted from 0, over the whole file."""
    column: str | None = None

    def __str__(self) -> str:
        row = None if self.row is None else f"row {self.row}"
        column = None if self.column is None else f"column {self.column}"
        place = [str(part) for part in (self.path, row, column) if part is not None]
        return ": ".join([*(", ".join(place),) * bool(place), self.text])


class RefusedError(Exception):
    """A way out of the readers; `convert` turns it into the value that it carries."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(str(refused))
        self.refused = refused
