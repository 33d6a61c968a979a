"""Where recordings are and which columns they have.

    FOLDER/raw_tick_data/by_date/day-YYYY-MM-DD/data_type-KIND/INSTRUMENT.parquet   finished form
    FOLDER/capture_segments/INSTRUMENT/KIND.DAY.FIRST.RUN.arrows                    as it is written

The finished form is the one that recorded market data of any origin has here: names as Tardis
gives them, times in microseconds UTC, prices and amounts as doubles. A decimal of up to 15
significant digits comes back from a double exactly; one of more is rounded.

Segments leave out `exchange` and `symbol`, which are the same in every row: they are in the
schema's metadata.
"""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import pyarrow as pa
from msgspec import Struct

DAY_US: Final = 86_400_000_000
SEGMENT_SUFFIX: Final = ".arrows"

_NAME: Final = pa.dictionary(pa.int32(), pa.string())
_TIMES: Final[list[tuple[str, pa.DataType]]] = [
    ("timestamp", pa.int64()),
    ("local_timestamp", pa.int64()),
]


class RawKind(StrEnum):
    """The data types that are recorded, by their names in the layout."""

    BOOK = "incremental_book_L2"
    TRADES = "trades"


SEGMENT_COLUMNS: Final[dict[RawKind, list[tuple[str, pa.DataType]]]] = {
    RawKind.BOOK: [
        *_TIMES,
        ("is_snapshot", pa.bool_()),
        ("side", pa.string()),
        ("price", pa.float64()),
        ("amount", pa.float64()),
    ],
    RawKind.TRADES: [
        *_TIMES,
        ("id", pa.string()),
        ("side", pa.string()),
        ("price", pa.float64()),
        ("amount", pa.float64()),
    ],
}
RAW_SCHEMAS: Final[dict[RawKind, pa.Schema]] = {
    kind: pa.schema([("exchange", _NAME), ("symbol", _NAME), *columns])
    for kind, columns in SEGMENT_COLUMNS.items()
}


class SegmentName(Struct, frozen=True, kw_only=True):
    """What a segment's file name says."""

    kind: RawKind
    day: str
    first_us: int
    """Local time of the first row; segments of a kind and day are read in its order."""
    run: str
    """Account and epoch of the gateway that wrote it."""

    def __str__(self) -> str:
        return f"{self.kind}.{self.day}.{self.first_us:020d}.{self.run}{SEGMENT_SUFFIX}"


def parse_segment_name(name: str) -> SegmentName | None:
    """Return what a file name says, or None when it is not the name of a segment."""
    parts = name.removesuffix(SEGMENT_SUFFIX).split(".", 3)
    if not name.endswith(SEGMENT_SUFFIX) or len(parts) != 4:
        return None
    kind, day, first_us, run = parts
    if kind not in set(RawKind) or not first_us.isdigit():
        return None
    return SegmentName(kind=RawKind(kind), day=day, first_us=int(first_us), run=run)


def day_of(at_us: int) -> str:
    """Return the UTC day of a time, as `YYYY-MM-DD`."""
    return f"{datetime.fromtimestamp(at_us // 1_000_000, tz=UTC):%Y-%m-%d}"


def raw_file(folder: Path, day: str, kind: RawKind, instrument: str) -> Path:
    """Return where the finished recording of an instrument's day is."""
    days = folder / "raw_tick_data" / "by_date"
    return days / f"day-{day}" / f"data_type-{kind}" / f"{instrument}.parquet"


def segments_folder(folder: Path) -> Path:
    """Return the folder under which every instrument has its segments."""
    return folder / "capture_segments"


def names_a_file(instrument: str) -> bool:
    """Tell whether an instrument's id can be a file name; every canonical id can."""
    return 0 < len(instrument) <= 200 and "/" not in instrument and instrument[0] != "."
