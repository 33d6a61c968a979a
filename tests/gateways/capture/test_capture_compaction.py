"""Segments become files of the common layout: same columns, nothing lost, nothing twice."""

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateways.capture.captured import (
    DAY,
    DAY_START_NS,
    MS,
    NAME,
    a_tape,
    a_trade,
    a_view,
    books,
    tellable,
    trades_of,
    view_lists,
    views_of,
)

from quarterdeck.gateways.capture.compaction import compact
from quarterdeck.gateways.capture.inventory import inventory
from quarterdeck.gateways.capture.layout import DAY_US, RawKind, raw_file, segments_folder
from quarterdeck.gateways.capture.segment import segments_in

ONE = a_view([("1.5", 2), (1, 3)], [(2, 4)])
TWO = a_view([("1.5", 1)], [(2, 4), (3, 1)])
SECOND = 1_000 * MS


def segments(folder: Path) -> list[Path]:
    return segments_in(segments_folder(folder) / NAME)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(view_lists, max_size=2), max_size=3), st.sets(st.integers(0, 20)))
def test_files_give_the_views_back_whenever_they_are_compacted(tmp_path_factory, runs, at):
    """Several runs, each of several stretches, compacted after any of the views."""
    folder = tmp_path_factory.mktemp("capture")
    number = 0
    for epoch, stretches in enumerate(runs):
        tape = a_tape(folder, f"acc-{epoch}")
        for stretch in stretches:
            tape.cut()
            for view in stretch:
                number += 1
                tape.view(view, DAY_START_NS + number * MS)
                if number in at:
                    tape.flush()
                    compact(folder)
        tape.flush()
        tape.close()
    compact(folder)
    stretches = [stretch for run in runs for stretch in run]
    expected = tellable(stretches)
    found = views_of(folder) if raw_file(folder, DAY, RawKind.BOOK, NAME).exists() else []
    assert books(found) == expected
    assert segments(folder) == []
    shutil.rmtree(folder)


def recorded_twice(folder: Path) -> None:
    for epoch, start_ns in ((1, DAY_START_NS), (2, DAY_START_NS + 60 * SECOND)):
        tape = a_tape(folder, f"acc-{epoch}")
        for number, view in enumerate((ONE, TWO, ONE)):
            tape.view(view, start_ns + number * SECOND)
            tape.trade(a_trade(number, start_ns), start_ns + number * SECOND)
        tape.flush()
        tape.close()


def test_a_second_time_changes_nothing(tmp_path):
    recorded_twice(tmp_path)
    done = compact(tmp_path)
    assert [(each.kind, each.rows_added, each.segments_removed) for each in done] == [
        (RawKind.BOOK, 20, 2),
        (RawKind.TRADES, 6, 2),
    ]
    path = raw_file(tmp_path, DAY, RawKind.BOOK, NAME)
    before = path.stat()
    assert compact(tmp_path) == []
    assert path.stat() == before


def test_a_kill_before_the_segments_were_removed_doubles_nothing(tmp_path):
    recorded_twice(tmp_path)
    kept = {path: path.read_bytes() for path in segments(tmp_path)}
    compact(tmp_path)
    before = views_of(tmp_path), trades_of(tmp_path)
    for path, content in kept.items():
        path.write_bytes(content)
    assert [(each.rows_added, each.segments_removed) for each in compact(tmp_path)] == [(0, 2)] * 2
    assert (views_of(tmp_path), trades_of(tmp_path)) == before


def test_a_kill_while_a_file_was_written_leaves_nothing_behind(tmp_path):
    recorded_twice(tmp_path)
    path = raw_file(tmp_path, DAY, RawKind.BOOK, NAME)
    path.parent.mkdir(parents=True)
    path.with_name(f".{path.name}.new").write_bytes(b"half a file")
    assert [each.rows_added for each in compact(tmp_path)] == [20, 6]
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_columns_are_those_of_recorded_data(tmp_path):
    recorded_twice(tmp_path)
    compact(tmp_path)
    name = pa.dictionary(pa.int32(), pa.string())
    front = [("exchange", name), ("symbol", name)]
    front += [("timestamp", pa.int64()), ("local_timestamp", pa.int64())]
    back = [("side", pa.string()), ("price", pa.float64()), ("amount", pa.float64())]
    for kind, own in (
        (RawKind.BOOK, ("is_snapshot", pa.bool_())),
        (RawKind.TRADES, ("id", pa.string())),
    ):
        found = pq.read_schema(raw_file(tmp_path, DAY, kind, NAME)).remove_metadata()
        assert found == pa.schema([*front, own, *back])


def test_the_columns_are_those_of_the_sample_files(tmp_path):
    sample = os.environ.get("QUARTERDECK_SAMPLE_DATA")
    if not sample:
        pytest.skip("QUARTERDECK_SAMPLE_DATA is not set: there is no sample to compare with")
    recorded_twice(tmp_path)
    compact(tmp_path)
    for kind in RawKind:
        theirs = raw_file(Path(sample), "2024-08-08", kind, "BINANCE-SPOT:SPOT_PAIR:BTC-USDT")
        ours = raw_file(tmp_path, DAY, kind, NAME)
        assert pq.read_schema(ours).remove_metadata() == pq.read_schema(theirs).remove_metadata()


def test_trades_are_told_as_they_came(tmp_path):
    recorded_twice(tmp_path)
    compact(tmp_path)
    rows = trades_of(tmp_path)
    assert [row["id"] for row in rows] == ["T0", "T1", "T2"] * 2
    assert [row["side"] for row in rows[:3]] == ["buy", "sell", "unknown"]
    assert rows[4] == {
        "exchange": "dry",
        "symbol": "BTC-USDT",
        "timestamp": DAY_START_NS // 1000 + 60_000_000,
        "local_timestamp": DAY_START_NS // 1000 + 61_000_000,
        "id": "T1",
        "side": "sell",
        "price": 100.25,
        "amount": 0.5,
    }


def test_growing_segments_stay_and_give_only_their_news(tmp_path):
    tape = a_tape(tmp_path)
    tape.view(ONE, DAY_START_NS)
    assert tape.flush() == 4
    assert [each.rows_added for each in compact(tmp_path)] == [4]
    assert len(segments(tmp_path)) == 1
    assert [each.rows_added for each in compact(tmp_path)] == [0]
    tape.view(TWO, DAY_START_NS + SECOND)
    assert tape.flush() == 3
    assert [each.rows_added for each in compact(tmp_path)] == [3]
    tape.close()
    assert [each.segments_removed for each in compact(tmp_path)] == [1]
    assert books(views_of(tmp_path)) == tellable([[ONE, TWO]])


def test_a_torn_tail_is_left_out_and_told(tmp_path):
    tape = a_tape(tmp_path)
    for number, view in enumerate((ONE, TWO)):
        tape.view(view, DAY_START_NS + number * SECOND)
        tape.flush()
    tape.close()
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    (done,) = compact(tmp_path)
    assert (done.rows_added, done.torn, done.segments_removed) == (4, 1, 1)
    assert books(views_of(tmp_path)) == tellable([[ONE]])


def test_a_file_that_is_not_ours_is_left_alone(tmp_path):
    path = raw_file(tmp_path, DAY, RawKind.BOOK, NAME)
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"price": [1.5]}), path)
    before = path.read_bytes()
    recorded_twice(tmp_path)
    done = {each.kind: each for each in compact(tmp_path)}
    assert "not made by capture" in done[RawKind.BOOK].fault
    assert done[RawKind.TRADES].rows_added == 6
    assert path.read_bytes() == before
    assert len(segments(tmp_path)) == 2


def test_what_was_stopped_is_done_the_next_time(tmp_path):
    recorded_twice(tmp_path)
    assert compact(tmp_path, go_on=lambda: False) == []
    assert not list(tmp_path.glob("raw_tick_data/**/*.parquet"))
    assert [each.rows_added for each in compact(tmp_path)] == [20, 6]
    assert [path.name for path in tmp_path.rglob(".*")] == []


def test_days_and_instruments_can_be_chosen(tmp_path):
    tape = a_tape(tmp_path)
    tape.view(ONE, DAY_START_NS)
    tape.view(ONE, DAY_START_NS + DAY_US * 1000)
    tape.flush()
    tape.close()
    assert compact(tmp_path, instruments={"OTHER"}) == []
    assert [each.day for each in compact(tmp_path, before_day="2026-03-02")] == [DAY]
    assert [each.day for each in compact(tmp_path)] == ["2026-03-02"]
    # Each day stands for itself: it begins with a whole book.
    assert books(views_of(tmp_path)) == books(views_of(tmp_path, "2026-03-02")) == tellable([[ONE]])


def test_the_list_tells_rows_spans_and_gaps(tmp_path):
    recorded_twice(tmp_path)
    compact(tmp_path)
    tape = a_tape(tmp_path, "acc-3")
    tape.view(ONE, DAY_START_NS + 100 * SECOND)
    tape.flush()
    book, trades = inventory(tmp_path)
    tape.close()
    start_us = DAY_START_NS // 1000
    assert (book.day, book.instrument, book.kind) == (DAY, NAME, RawKind.BOOK)
    assert (book.rows, book.waiting_rows, book.recording) == (24, 4, True)
    assert (book.first_us, book.last_us) == (start_us, start_us + 100_000_000)
    assert (book.gaps, book.gaps_us) == (2, (58 + 38) * 1_000_000)
    assert (trades.rows, trades.waiting_rows, trades.recording) == (6, 0, False)
    assert trades.gaps is None
    compact(tmp_path)
    (book, _) = inventory(tmp_path)
    assert (book.rows, book.waiting_rows, book.recording, book.gaps) == (24, 0, False, 2)


def test_an_empty_folder_lists_nothing(tmp_path):
    assert inventory(tmp_path / "absent") == []
    assert compact(tmp_path / "absent") == []
