"""Recorded books become deltas that rebuild the same book, however the file is cut."""

import tempfile
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nautilus_trader.model import BookAction, OrderBookDelta, OrderSide
from nautilus_trader.persistence import ParquetDataCatalog
from tests.nautilus.catalog.recorded import DAY, SPOT, change, levels, store, trade, watch

from quarterdeck.nautilus.catalog.convert import Converted, convert
from quarterdeck.nautilus.catalog.deltas import F_LAST, F_SNAPSHOT
from quarterdeck.nautilus.catalog.raw import Kind, RawDay
from quarterdeck.nautilus.catalog.ready import CatalogReady, ensure
from quarterdeck.nautilus.catalog.refusal import Code, Refused
from quarterdeck.nautilus.instruments import nautilus_id

NAME = nautilus_id(SPOT.id)
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where to put what is brought to the disk a hundred times."""
OPENING = [
    change(0, "bid", 100.0, 1.0, snapshot=True),
    change(0, "ask", 100.1, 2.0, snapshot=True),
]


def quiet(_progress):
    """Take no notice."""


def converted(data: Path, catalog: Path, **given) -> Converted:
    made = convert(RawDay(data, DAY), SPOT, catalog, quiet, **given)
    assert isinstance(made, Converted), made
    return made


def rows_of(made: Converted) -> list[tuple]:
    table = pq.read_table(made.folder / made.manifest.book.file)
    return [tuple(str(value) for value in row) for row in zip(*table.columns, strict=True)]


def deltas_of(made: Converted) -> list[tuple]:
    """What NautilusTrader reads: action, side, price, size, flags and microsecond of the day."""
    read = ParquetDataCatalog(str(made.folder)).query_order_book_deltas([NAME.value])
    return [
        (
            delta.action.name,
            None if delta.is_clear else delta.order.side.name,
            None if delta.is_clear else f"{delta.order.price}",
            None if delta.is_clear else f"{delta.order.size}",
            delta.flags,
            delta.ts_init // 1000 - RawDay(Path(), DAY).start_ns // 1000,
        )
        for delta in read
    ]


def test_snapshots_changes_and_removals(tmp_path):
    rows = [
        *OPENING,
        change(7, "bid", 99.9, 3.0),
        change(7, "bid", 100.0, 0.0),
        change(9, "ask", 100.2, 4.0),
        change(20, "bid", 98.0, 5.0, snapshot=True),
        change(20, "ask", 98.1, 6.0, snapshot=True),
    ]
    store(tmp_path, Kind.INCREMENTAL, rows)
    made = converted(tmp_path, tmp_path / "catalog")
    last = F_SNAPSHOT | F_LAST
    assert deltas_of(made) == [
        ("CLEAR", None, None, None, F_SNAPSHOT, 0),
        ("ADD", "BUY", "100.0", "1.000", F_SNAPSHOT, 0),
        ("ADD", "SELL", "100.1", "2.000", last, 0),
        ("UPDATE", "BUY", "99.9", "3.000", 0, 7),
        ("DELETE", "BUY", "100.0", "0.000", F_LAST, 7),
        ("UPDATE", "SELL", "100.2", "4.000", F_LAST, 9),
        ("CLEAR", None, None, None, F_SNAPSHOT, 20),
        ("ADD", "BUY", "98.0", "5.000", F_SNAPSHOT, 20),
        ("ADD", "SELL", "98.1", "6.000", last, 20),
    ]
    read = ParquetDataCatalog(str(made.folder)).query_order_book_deltas([NAME.value])
    first = OrderBookDelta.clear(NAME, 0, read[0].ts_event, read[0].ts_init)
    assert read[0] == first
    assert read[1].ts_init - read[1].ts_event == 5_000
    assert (read[1].action, read[1].order.side) == (BookAction.ADD, OrderSide.BUY)


def test_sizes_that_round_to_nothing_are_no_levels(tmp_path):
    rows = [
        change(0, "bid", 99.0, 0.0004, snapshot=True),
        *OPENING,
        change(1, "bid", 100.0, 0.0004),
        change(2, "bid", 100.0, 0.0006),
    ]
    store(tmp_path, Kind.INCREMENTAL, rows)
    made = converted(tmp_path, tmp_path / "catalog")
    assert made.manifest.dust_rows == 2
    assert [row[:4] for row in deltas_of(made)] == [
        ("CLEAR", None, None, None),
        ("ADD", "BUY", "100.0", "1.000"),
        ("ADD", "SELL", "100.1", "2.000"),
        ("DELETE", "BUY", "100.0", "0.000"),
        ("UPDATE", "BUY", "100.0", "0.001"),
    ]


def test_changes_before_the_first_snapshot_are_left_out(tmp_path):
    store(tmp_path, Kind.INCREMENTAL, [change(0, "bid", 1.0, 1.0), change(0, "ask", 9.0, 1.0)])
    refused = convert(RawDay(tmp_path, DAY), SPOT, tmp_path / "catalog", quiet)
    assert isinstance(refused, Refused)
    assert refused.code is Code.NO_SNAPSHOT
    store(tmp_path, Kind.INCREMENTAL, [change(0, "bid", 1.0, 1.0), *OPENING])
    for batch_rows in (1, 2, 100):
        made = converted(tmp_path, tmp_path / str(batch_rows), batch_rows=batch_rows)
        assert made.manifest.unanchored_rows == 1
        assert [row[0] for row in deltas_of(made)] == ["CLEAR", "ADD", "ADD"]


def test_a_row_slightly_behind_takes_the_time_of_the_one_before(tmp_path):
    rows = [*OPENING, change(2_000, "bid", 99.0, 1.0), change(1_500, "bid", 98.0, 1.0)]
    store(tmp_path, Kind.INCREMENTAL, rows)
    for batch_rows in (1, 100):
        made = converted(tmp_path, tmp_path / str(batch_rows), batch_rows=batch_rows)
        assert [row[4:] for row in deltas_of(made)[-2:]] == [(0, 2_000), (F_LAST, 2_000)]


SIDES = st.sampled_from(["bid", "ask"])
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 3),
        SIDES,
        st.integers(1, 6),
        st.sampled_from([0, 0.0004, 1, 2]),
        st.booleans(),
    ),
    max_size=25,
)


@given(CHANGES, st.integers(1, 7), st.integers(1, 7))
@settings(max_examples=60)
def test_the_size_of_batches_changes_nothing(changes, batch_rows, row_group_rows):
    rows, at_us = list(OPENING), 0
    for step_us, side, price, amount, snapshot in changes:
        at_us += step_us
        rows.append(change(at_us, side, float(price), float(amount), snapshot=snapshot))
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        data = Path(folder)
        store(data, Kind.INCREMENTAL, rows, row_group_rows=row_group_rows)
        whole = converted(data, data / "whole")
        cut = converted(data, data / "cut", batch_rows=batch_rows)
        assert rows_of(whole) == rows_of(cut)
        assert whole.manifest.key == cut.manifest.key
        assert whole.manifest.dust_rows == cut.manifest.dust_rows
        last = [bool(int(row[5]) & F_LAST) for row in rows_of(whole)]
        arrived = [row[-1] for row in rows_of(whole)]
        ends = [now != after for now, after in zip(arrived, [*arrived[1:], None], strict=True)]
        assert last == ends


TICKS = st.lists(st.integers(1, 9), unique=True, max_size=5)
BOOKS = st.lists(st.tuples(TICKS, TICKS, st.integers(1, 3)), min_size=1, max_size=8).filter(
    lambda books: any(bids or asks for bids, asks, _ in books)
)


@given(BOOKS, st.integers(1, 4))
@settings(max_examples=60)
def test_five_level_snapshots_rebuild_each_book_without_emptying_it(books, batch_rows):
    rows, wanted = [], []
    for number, (bids, asks, amount) in enumerate(books):
        bid_levels = [(float(tick), float(amount)) for tick in sorted(bids, reverse=True)]
        ask_levels = [(float(10 + tick), float(amount)) for tick in sorted(asks)]
        rows.append(levels(number * 10, bid_levels, ask_levels))
        wanted.append(
            {("BUY", *level) for level in bid_levels} | {("SELL", *a) for a in ask_levels}
        )
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        data = Path(folder)
        store(data, Kind.SNAPSHOTS, rows, schema=levels_schema())
        whole = converted(data, data / "whole")
        assert rows_of(whole) == rows_of(converted(data, data / "cut", batch_rows=batch_rows))
        made = deltas_of(whole)
    assert [row[0] for row in made].count("CLEAR") == 1
    for number, want in enumerate(wanted):
        book: dict[tuple, float] = {}
        for action, side, price, size, _, at_us in made:
            if at_us > number * 10 or action == "CLEAR":
                continue
            if action == "DELETE":
                del book[side, price]
            else:
                assert book.get((side, price)) != float(size), "a change that changes nothing"
                book[side, price] = float(size)
        assert {(side, float(price), size) for (side, price), size in book.items()} == want


def levels_schema():
    """Columns that are null throughout would otherwise have no type."""
    import pyarrow as pa

    return pa.schema(
        [(name, pa.int64() if "timestamp" in name else pa.float64()) for name in levels(0, [], [])]
    )


def test_snapshots_serve_only_where_there_is_no_incremental_book(tmp_path):
    store(tmp_path, Kind.SNAPSHOTS, [levels(0, [(50.0, 1.0)], [(51.0, 1.0)])])
    made = converted(tmp_path, tmp_path / "catalog")
    assert [source.kind for source in made.manifest.sources] == [Kind.SNAPSHOTS]
    store(tmp_path, Kind.INCREMENTAL, OPENING)
    made = converted(tmp_path, tmp_path / "catalog")
    assert [source.kind for source in made.manifest.sources] == [Kind.INCREMENTAL]
    assert {row[2] for row in deltas_of(made)} == {None, "100.0", "100.1"}


def top_of(book: dict[tuple[str, float], float], side: str) -> tuple | None:
    prices = [price for which, price in book if which == side]
    if not prices:
        return None
    best = max(prices) if side == "bid" else min(prices)
    return (f"{best:.1f}", book[side, best])


@pytest.mark.parametrize("chunk_size", [3, 7, None])
def test_a_backtest_sees_the_recorded_book(tmp_path, chunk_size):
    rows = list(OPENING)
    for step in range(1, 60):
        price = 100.0 - (step % 7) / 10
        rows.append(change(step * 10, "bid", price, float(step % 5)))
        rows.append(change(step * 10, "ask", price + 2, float((step + 2) % 5)))
    store(tmp_path, Kind.INCREMENTAL, rows)
    store(tmp_path, Kind.TRADES, [trade(15, 100.0, 1.0), trade(25, 100.0, 0.0004)])
    ready = ensure(tmp_path, tmp_path / "catalog", [DAY], [SPOT], quiet)
    assert isinstance(ready, CatalogReady)
    wanted, book = {}, {}
    for row in rows:
        key = (row["side"], row["price"])
        book[key] = row["amount"]
        book = {place: amount for place, amount in book.items() if amount}
        wanted[row["local_timestamp"] * 1000] = top_of(book, "bid"), top_of(book, "ask")
    seen = watch(ready.path, [NAME], chunk_size=chunk_size)
    found = {
        ts_ns: tuple(top and (f"{top[0]}", top[1]) for top in tops) for _, ts_ns, *tops in seen.tops
    }
    assert len(seen.tops) == len(wanted)
    assert found == wanted
    assert [tick[2] for tick in seen.ticks] == ["100.0"]
    assert ready.with_trades == {SPOT.id}


def test_days_that_overlap_at_midnight_are_read_in_order(tmp_path):
    midnight_us = 24 * 3_600_000_000
    for day, from_us in ((DAY, midnight_us - 20), (date(2024, 3, 2), midnight_us - 5)):
        rows = [{**row, "local_timestamp": row["local_timestamp"] + from_us} for row in OPENING]
        rows += [change(from_us + step, "bid", 100.0, 1.0 + step) for step in range(1, 30, 2)]
        store(tmp_path, Kind.INCREMENTAL, rows, day=day)
    days = [date(2024, 3, 2), DAY]
    ready = ensure(tmp_path, tmp_path / "catalog", days, [SPOT], quiet)
    assert isinstance(ready, CatalogReady)
    seen = watch(ready.path, [NAME])
    times = [ts_ns for _, ts_ns, *_ in seen.tops]
    assert times == sorted(times)
    assert len(times) == 32
    assert (ready.first_ns, ready.last_ns) == (times[0], times[-1])
    assert ready.with_trades == frozenset()
