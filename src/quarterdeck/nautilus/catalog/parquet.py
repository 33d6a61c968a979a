"""The catalog's Parquet files, written from columns without an object per row.

Owns the Arrow schemas that NautilusTrader 2.0.0rc7 reads (16 decimal places in 128 bits,
nanosecond times, texts by dictionary, the instrument's id and places in the metadata), and the
names of the files, which are their first and last time of arrival.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from nautilus_trader.model import FIXED_PRECISION, InstrumentId

from quarterdeck.nautilus.catalog.deltas import ACTIONS, SIDES, Deltas
from quarterdeck.nautilus.catalog.raw import Codes, Ints
from quarterdeck.nautilus.catalog.trades import AGGRESSORS, Trades

ROW_GROUP_ROWS: Final = 1 << 16
"""What a reader holds at least; also the step in which it can skip to a time."""

type Column = pa.Array[Any]

_DECIMAL: Final = pa.decimal128(38, FIXED_PRECISION)
_TIME: Final = pa.timestamp("ns", tz="UTC")
_TEXT: Final = pa.dictionary(pa.int8(), pa.string())

DELTAS: Final = pa.schema(
    [
        pa.field("action", _TEXT, nullable=False),
        pa.field("side", _TEXT, nullable=False),
        pa.field("price", _DECIMAL),
        pa.field("size", _DECIMAL),
        pa.field("order_id", pa.uint64(), nullable=False),
        pa.field("flags", pa.uint8(), nullable=False),
        pa.field("sequence", pa.uint64(), nullable=False),
        pa.field("ts_event", _TIME, nullable=False),
        pa.field("ts_init", _TIME, nullable=False),
    ]
)
TRADES: Final = pa.schema(
    [
        pa.field("price", _DECIMAL, nullable=False),
        pa.field("size", _DECIMAL, nullable=False),
        pa.field("aggressor_side", _TEXT, nullable=False),
        pa.field("trade_id", pa.string(), nullable=False),
        pa.field("ts_event", _TIME, nullable=False),
        pa.field("ts_init", _TIME, nullable=False),
    ]
)


class Layout:
    """Turns columns of one instrument into the catalog's tables."""

    def __init__(self, name: InstrumentId, px_places: int, size_places: int) -> None:
        self._px_places = px_places
        self._size_places = size_places
        self._metadata = {
            "instrument_id": name.value,
            "price_precision": str(px_places),
            "size_precision": str(size_places),
        }

    def schema(self, schema: pa.Schema, type_name: str) -> pa.Schema:
        """Return a schema that also says whose rows they are."""
        return schema.with_metadata({**self._metadata, "type_name": type_name})

    def deltas(self, made: Deltas) -> list[Column]:
        """Return the columns of `DELTAS`."""
        zeros = pa.array(np.zeros(made.rows, dtype=np.uint64))
        return [
            _texts(made.action, ACTIONS),
            _texts(made.side, SIDES),
            _decimals(made.px, self._px_places),
            _decimals(made.size, self._size_places),
            zeros,
            pa.array(made.flags),
            zeros,
            _times(made.ts_event),
            _times(made.ts_init),
        ]

    def trades(self, made: Trades) -> list[Column]:
        """Return the columns of `TRADES`."""
        return [
            _decimals(made.px, self._px_places),
            _decimals(made.size, self._size_places),
            _texts(made.aggressor, AGGRESSORS),
            made.trade_id,
            _times(made.ts_event),
            _times(made.ts_init),
        ]


class CatalogFile:
    """One Parquet file being written; knows how many rows it has and what time they span."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=1)
        self.rows = 0
        self.first_ns = 0
        self.last_ns = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, columns: list[Column], ts_init: Ints) -> None:
        """Append rows whose times of arrival never fall."""
        if not len(ts_init):
            return
        table = pa.Table.from_arrays(columns, schema=self._schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        if not self.rows:
            self.first_ns = int(ts_init[0])
        self.last_ns = int(ts_init[-1])
        self.rows += len(ts_init)


def file_name(first_ns: int, last_ns: int) -> str:
    """Return what a catalog calls a file whose rows arrived in this time."""
    return f"{_stamp(first_ns)}_{_stamp(last_ns)}.parquet"


def _stamp(time_ns: int) -> str:
    seconds, rest_ns = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H-%M-%S}-{rest_ns:09d}Z"


def _texts(codes: Codes, texts: tuple[str, ...]) -> Column:
    return pa.DictionaryArray.from_arrays(codes, pa.array(texts, pa.string()))


def _times(times_ns: Ints) -> Column:
    return pa.array(times_ns).view(_TIME)


def _decimals(values: Ints, places: int) -> Column:
    # A 128-bit integer in two halves; none is negative, so the upper half is empty.
    halves = np.zeros((len(values), 2), dtype="<i8")
    halves[:, 0] = values
    whole = pa.Array.from_buffers(
        pa.decimal128(38, places), len(values), [None, pa.py_buffer(halves)]
    )
    return whole.cast(_DECIMAL)
