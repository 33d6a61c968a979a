"""The recorded files: where they lie, and their columns in bounded pieces, checked.

The layout is `<data>/raw_tick_data/by_date/day-YYYY-MM-DD/data_type-<kind>/<canonical id>.parquet`
with the column names of Tardis and times in microseconds UTC. Of NautilusTrader only its largest
number matters here.

A file is read in batches of rows, never whole. Every value that is handed out was checked: a null,
NaN, negative or unknown value refuses the file with its row and column.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct
from numpy.typing import NDArray

from quarterdeck.nautilus.catalog.refusal import Code, Refused, RefusedError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Codes = NDArray[np.int8]
Marks = NDArray[np.bool_]

DAY_NS: Final = 86_400 * 10**9
SPILL_NS_MAX: Final = 3_600 * 10**9
"""How far from its day a row may lie: what a corrected recorder's clock may move at midnight."""

BACKWARD_NS_MAX: Final = 10**9
"""How far a row may lie behind an earlier one; it then takes that one's time. Beyond, the file is
not in order of arrival, and no repair is right."""

_READ_BYTES: Final = 1 << 20
_MICROSECOND_NS: Final = 1_000
# Above this a float no longer holds every whole number, so a scaled value would be a guess.
_EXACT_MAX: Final = 2.0**53
# And this is the largest price that NautilusTrader holds, at its 16 places in 128 bits. A catalog
# with a larger one could be written and not be read: the whole query fails. Sizes could be twice
# as large; one bound for both is enough.
_AMOUNT_MAX: Final = 17_014_118_346_046.0


class Kind(StrEnum):
    """What a file holds, spelled as in its folder's name."""

    INCREMENTAL = "incremental_book_L2"
    SNAPSHOTS = "book_snapshot_5"
    TRADES = "trades"


class RawDay(Struct, frozen=True):
    """One UTC day of a data folder."""

    data_folder: Path
    day: date

    @property
    def folder(self) -> Path:
        """Where the day's files lie."""
        return self.data_folder / "raw_tick_data" / "by_date" / f"day-{self.day.isoformat()}"

    @property
    def start_ns(self) -> int:
        """Midnight at which the day begins."""
        start = datetime.combine(self.day, time(), tzinfo=UTC)
        return int(start.timestamp()) * 10**9

    def path(self, kind: Kind, instrument_id: str) -> Path:
        """Return where the file of one kind for one instrument lies, if there is one."""
        return self.folder / f"data_type-{kind.value}" / f"{instrument_id}.parquet"


class RawBatch:
    """Some consecutive rows of one file."""

    def __init__(self, path: Path, first_row: int, batch: pa.RecordBatch) -> None:
        self.path = path
        self.first_row = first_row
        self._batch = batch

    def __len__(self) -> int:
        return self._batch.num_rows

    def floats(self, name: str, *, holes: bool = False) -> Floats:
        """Return a column of finite numbers >= 0; with `holes` a null is NaN and allowed."""
        column = self._column(name, pa.float64(), holes=holes)
        values: Floats = column.to_numpy(zero_copy_only=False)
        good = (values >= 0) & (values < np.inf)
        if holes:
            good |= np.isnan(values)
        self._all(name, good, values, "must be a finite number, not below zero")
        return values

    def scaled(self, name: str, places: int, values: Floats) -> Ints:
        """Return values, rounded half to even, in units of 10**-places; NaN becomes -1."""
        scaled = np.rint(values * 10.0**places)
        fits = ~((scaled >= _EXACT_MAX) | (values > _AMOUNT_MAX))
        self._all(name, fits, values, f"is too large at {places} decimal places")
        scaled[np.isnan(scaled)] = -1
        result: Ints = scaled.astype(np.int64)
        return result

    def prices(self, name: str, places: int, *, holes: bool = False) -> Ints:
        """Return a column of prices in units of 10**-places, exactly, -1 for a hole.

        A price between two units refuses the file: rounding would melt two levels into one.
        """
        values = self.floats(name, holes=holes)
        self._all(name, ~(values == 0), values, "a price must be above zero")
        scaled = self.scaled(name, places, values)
        # What a double cannot hold of a decimal is far below a thousandth of a unit, unless the
        # number is huge; then two units in the last place are allowed.
        exact = values * 10.0**places
        close = np.abs(exact - scaled) <= 1e-3 + exact * 2.0**-51
        rule = f"the instrument's prices have {places} decimal places; are its terms of this day?"
        self._all(name, close | (scaled < 0), values, rule, Code.INSTRUMENT)
        return scaled

    def codes(self, name: str, codes: Mapping[str, int]) -> Codes:
        """Return a text column as small numbers; a text that is not a key refuses the file."""
        column = self._column(name, pa.dictionary(pa.int32(), pa.string()))
        texts: list[Any] = column.dictionary.to_pylist()
        table = np.array([codes.get(text, -1) for text in texts] or [-1], dtype=np.int8)
        numbers: Codes = table[column.indices.to_numpy(zero_copy_only=False)]
        if len(numbers) and numbers.min() < 0:
            row = int(np.argmax(numbers < 0))
            allowed = ", ".join(codes)
            self.refuse(name, row, f"{column[row].as_py()!r}; must be one of {allowed}")
        return numbers

    def marks(self, name: str) -> Marks:
        """Return a column of true and false."""
        result: Marks = self._column(name, pa.bool_()).to_numpy(zero_copy_only=False)
        return result

    def texts(self, name: str) -> pa.StringArray:
        """Return a text column; a null is an empty text."""
        column: pa.StringArray = self._column(name, pa.string(), holes=True).fill_null("")
        return column

    def times_ns(self, name: str) -> Ints:
        """Return a column of times after 1970, in nanoseconds."""
        column = self._column(name, pa.int64())
        micros: Ints = column.to_numpy(zero_copy_only=False)
        good = (micros > 0) & (micros < np.iinfo(np.int64).max // _MICROSECOND_NS)
        self._all(name, good, micros, "must be microseconds since 1970")
        return micros * _MICROSECOND_NS

    def arrivals_ns(self, day: RawDay, after_ns: int) -> Ints:
        """Return the times of arrival, never falling, none before `after_ns`."""
        name = "local_timestamp"
        given = self.times_ns(name)
        early, late = day.start_ns - SPILL_NS_MAX, day.start_ns + DAY_NS + SPILL_NS_MAX
        of_day = (given >= early) & (given < late)
        self._all(name, of_day, given, f"ns is not of the day {day.day}", Code.ORDER)
        risen: Ints = np.maximum.accumulate(np.maximum(given, after_ns))
        rule = f"ns is more than {BACKWARD_NS_MAX} ns behind an earlier row"
        self._all(name, risen - given <= BACKWARD_NS_MAX, given, rule, Code.ORDER)
        return risen

    def refuse(self, name: str, row: int, text: str, code: Code = Code.VALUE) -> NoReturn:
        """Refuse the file because of one row of this batch.

        Raises:
            RefusedError: always.
        """
        place = self.first_row + row
        raise RefusedError(Refused(code=code, text=text, path=self.path, row=place, column=name))

    def _column(self, name: str, type_: pa.DataType, *, holes: bool = False) -> Any:
        column = self._batch.column(name)
        if column.null_count and not holes:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            self.refuse(name, row, "is null; every row must have a value")
        if column.type == type_:
            return column
        try:
            if pa.types.is_dictionary(type_):
                return pc.dictionary_encode(column.cast(pa.string()))
            return column.cast(type_)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            text = f"is {column.type} and cannot be read as {type_}: {error}"
            refused = Refused(code=Code.UNREADABLE, text=text, path=self.path, column=name)
            raise RefusedError(refused) from error

    def _all(self, name: str, good: Marks, values: Any, rule: str, code: Code = Code.VALUE) -> None:
        if not good.all():
            row = int(np.argmin(good))
            self.refuse(name, row, f"{values[row]} {rule}", code)


class RawFile:
    """One recorded file, opened and known to have the columns that are asked for."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        """Open it.

        Raises:
            RefusedError: if it is no Parquet file or lacks a column.
        """
        self.path = path
        self._columns = columns
        try:
            self._metadata = pq.read_metadata(path)
        except (pa.ArrowInvalid, OSError) as error:
            text = f"is no readable Parquet file: {error}"
            refused = Refused(code=Code.UNREADABLE, text=text, path=path)
            raise RefusedError(refused) from error
        names = set(self._metadata.schema.to_arrow_schema().names)
        for name in columns:
            if name not in names:
                text = f"is absent; there are {', '.join(sorted(names))}"
                raise RefusedError(Refused(code=Code.UNREADABLE, text=text, path=path, column=name))

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self._metadata.num_rows

    def batches(self, rows_max: int) -> Iterator[RawBatch]:
        """Yield the rows in order, at most so many at a time.

        Raises:
            RefusedError: if a page cannot be read.
        """
        texts = ["side"] if "side" in self._columns else []
        first_row = 0
        with pq.ParquetFile(
            self.path, metadata=self._metadata, read_dictionary=texts, buffer_size=_READ_BYTES
        ) as opened:
            try:
                for batch in opened.iter_batches(rows_max, columns=list(self._columns)):
                    if batch.num_rows:
                        yield RawBatch(self.path, first_row, batch)
                    first_row += batch.num_rows
            except (pa.ArrowInvalid, OSError) as error:
                text = f"cannot be read: {error}"
                refused = Refused(code=Code.UNREADABLE, text=text, path=self.path, row=first_row)
                raise RefusedError(refused) from error


def digest(path: Path) -> str:
    """Return the hash of a file's bytes."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=20)).hexdigest()
