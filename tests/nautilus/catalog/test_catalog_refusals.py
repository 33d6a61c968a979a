"""A bad row refuses its file, says where it is, and leaves nothing behind."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from msgspec.structs import replace
from nautilus_trader.persistence import ParquetDataCatalog
from tests.nautilus.catalog.recorded import DAY, DAY_US, SPOT, change, levels, store, trade

from quarterdeck.nautilus.catalog.convert import Converted, convert
from quarterdeck.nautilus.catalog.raw import Kind, RawDay
from quarterdeck.nautilus.catalog.ready import CatalogReady, ensure
from quarterdeck.nautilus.catalog.refusal import Code, Refused
from quarterdeck.nautilus.instruments import nautilus_id

DAY_LENGTH_US = 86_400_000_000
OPENING = [
    change(0, "bid", 100.0, 1.0, snapshot=True),
    change(0, "ask", 100.1, 2.0, snapshot=True),
    change(5, "ask", 100.2, 2.0),
    change(6, "ask", 100.3, 2.0),
]


def quiet(_progress):
    """Take no notice."""


def refused(data: Path, **given) -> Refused:
    made = convert(RawDay(data, DAY), given.pop("instrument", SPOT), data / "out", quiet, **given)
    assert isinstance(made, Refused), made
    return made


def left_behind(data: Path) -> list[str]:
    return [path.name for path in (data / "out").rglob("*") if path.suffix not in {"", ".lock"}]


BAD = [
    ("price", None, Code.VALUE, "null"),
    ("price", float("nan"), Code.VALUE, "nan"),
    ("price", float("inf"), Code.VALUE, "finite"),
    ("price", -1.0, Code.VALUE, "-1.0"),
    ("price", 0.0, Code.VALUE, "above zero"),
    ("price", 100.05, Code.INSTRUMENT, "1 decimal places"),
    ("price", 1e17, Code.VALUE, "too large"),
    ("amount", None, Code.VALUE, "null"),
    ("amount", float("nan"), Code.VALUE, "nan"),
    ("amount", float("inf"), Code.VALUE, "finite"),
    ("amount", -0.5, Code.VALUE, "-0.5"),
    ("amount", 1e16, Code.VALUE, "too large"),
    ("side", "buyer", Code.VALUE, "'buyer'"),
    ("side", None, Code.VALUE, "null"),
    ("timestamp", 0, Code.VALUE, "microseconds"),
    ("timestamp", None, Code.VALUE, "null"),
    ("local_timestamp", DAY_US - DAY_LENGTH_US, Code.ORDER, "2024-03-01"),
    ("local_timestamp", DAY_US + 2 * DAY_LENGTH_US, Code.ORDER, "2024-03-01"),
    ("local_timestamp", DAY_US - 2_000_000, Code.ORDER, "behind"),
]


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
@pytest.mark.parametrize(("column", "value", "code", "text"), BAD)
def test_a_bad_book_row_is_named(tmp_path, batch_rows, column, value, code, text):
    rows = [*OPENING[:3], {**OPENING[3], column: value}]
    path = store(tmp_path, Kind.INCREMENTAL, rows)
    why = refused(tmp_path, batch_rows=batch_rows)
    assert (why.code, why.path, why.row, why.column) == (code, path, 3, column)
    assert text in why.text
    assert f"{path}, row 3, column {column}: " in str(why)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(("column", "value", "code", "text"), BAD)
def test_a_bad_trade_is_named_and_the_book_made_before_it_is_dropped(
    tmp_path, column, value, code, text
):
    store(tmp_path, Kind.INCREMENTAL, OPENING)
    rows = [trade(1, 100.0, 1.0), trade(2, 100.0, 1.0), {**trade(3, 100.0, 1.0), column: value}]
    path = store(tmp_path, Kind.TRADES, rows)
    why = refused(tmp_path, batch_rows=2)
    assert (why.code, why.path, why.row, why.column) == (code, path, 2, column)
    assert text in why.text
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("bids[1].price", -1.0, "-1.0"),
        ("bids[1].price", None, "or neither"),
        ("asks[0].amount", None, "or neither"),
        ("asks[0].price", 100.05, "1 decimal places"),
    ],
)
def test_a_bad_level_is_named(tmp_path, name, value, text):
    good = levels(0, [(100.0, 1.0), (99.0, 1.0)], [(101.0, 1.0)])
    store(tmp_path, Kind.SNAPSHOTS, [good, {**good, name: value}])
    why = refused(tmp_path)
    assert why.row == 1
    assert (why.column or "").startswith(name[:7])
    assert text in why.text


def test_snapshots_without_a_level_are_no_book(tmp_path):
    schema = pa.schema(
        [(n, pa.int64() if "time" in n else pa.float64()) for n in levels(0, [], [])]
    )
    store(tmp_path, Kind.SNAPSHOTS, [levels(0, [], [])], schema=schema)
    assert refused(tmp_path).code is Code.NO_SNAPSHOT


def test_a_file_that_is_none_or_lacks_a_column_is_refused(tmp_path):
    path = store(tmp_path, Kind.INCREMENTAL, OPENING)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert refused(tmp_path).code is Code.UNREADABLE
    path.write_bytes(whole[:4] + b"\xff" * 200 + whole[204:])
    why = refused(tmp_path)
    assert (why.code, why.path) == (Code.UNREADABLE, path)
    store(tmp_path, Kind.INCREMENTAL, [{k: v for k, v in OPENING[0].items() if k != "side"}])
    why = refused(tmp_path)
    assert (why.code, why.column) == (Code.UNREADABLE, "side")
    assert "is_snapshot, local_timestamp" in why.text
    store(tmp_path, Kind.INCREMENTAL, [{**row, "price": "dear"} for row in OPENING])
    why = refused(tmp_path)
    assert (why.code, why.column) == (Code.UNREADABLE, "price")
    assert left_behind(tmp_path) == []


def test_a_day_without_a_book_is_refused_by_name(tmp_path):
    store(tmp_path, Kind.TRADES, [trade(1, 100.0, 1.0)])
    why = refused(tmp_path)
    assert why.code is Code.MISSING
    assert SPOT.id in why.text
    assert "2024-03-01" in why.text


def test_a_number_that_nautilus_cannot_hold_is_refused(tmp_path):
    whole_lots = replace(SPOT, lot_qty=Decimal(1))
    store(tmp_path, Kind.INCREMENTAL, [*OPENING, change(9, "ask", 101.0, 17_014_118_346_046.0)])
    made = convert(RawDay(tmp_path, DAY), whole_lots, tmp_path / "largest", quiet)
    assert isinstance(made, Converted)
    name = nautilus_id(SPOT.id).value
    read = ParquetDataCatalog(str(made.folder)).query_order_book_deltas([name])
    assert f"{read[-1].order.size}" == "17014118346046"
    store(tmp_path, Kind.INCREMENTAL, [*OPENING, change(9, "ask", 101.0, 17_014_118_346_047.0)])
    why = refused(tmp_path, instrument=whole_lots)
    assert (why.code, why.row, why.column) == (Code.VALUE, 4, "amount")


def test_an_instrument_that_cannot_be_simulated_is_refused(tmp_path):
    store(tmp_path, Kind.INCREMENTAL, OPENING)
    why = refused(tmp_path, instrument=replace(SPOT, lot_qty=Decimal("1E-17")))
    assert why.code is Code.INSTRUMENT


def test_the_first_refusal_ends_a_request_and_what_was_done_stays(tmp_path):
    store(tmp_path, Kind.INCREMENTAL, OPENING)
    days = [DAY, date(2024, 3, 2)]
    why = ensure(tmp_path, tmp_path / "out", days, [SPOT], quiet)
    assert isinstance(why, Refused)
    assert why.code is Code.MISSING
    made = convert(RawDay(tmp_path, DAY), SPOT, tmp_path / "out", quiet)
    assert isinstance(made, Converted)
    assert made.reused
    one = ensure(tmp_path, tmp_path / "out", [DAY, DAY], [SPOT, SPOT], quiet)
    assert isinstance(one, CatalogReady)
    assert len(one.parts) == 1
    for bad in (
        ensure(tmp_path, tmp_path / "out", [], [SPOT], quiet),
        ensure(tmp_path, tmp_path / "out", [DAY], [], quiet),
        ensure(tmp_path, tmp_path / "out", [DAY], [SPOT, replace(SPOT, symbol="X")], quiet),
    ):
        assert isinstance(bad, Refused)


def test_ids_that_nautilus_cannot_hold_are_replaced_by_their_row(tmp_path):
    import pyarrow.parquet as pq

    store(tmp_path, Kind.INCREMENTAL, OPENING)
    ids = ["7", None, "", "x" * 36, "x" * 37, "Ω", "8"]
    rows = [trade(n, 100.0, 1.0, id=text) for n, text in enumerate(ids)]
    store(tmp_path, Kind.TRADES, rows)
    for batch_rows in (1, 3, 100):
        made = convert(
            RawDay(tmp_path, DAY), SPOT, tmp_path / str(batch_rows), quiet, batch_rows=batch_rows
        )
        assert isinstance(made, Converted)
        assert made.manifest.trades is not None
        found = pq.read_table(made.folder / made.manifest.trades.file)["trade_id"].to_pylist()
        assert found == ["7", "R1", "R2", "x" * 36, "R4", "R5", "8"]
        assert made.manifest.renamed_trades == 4
