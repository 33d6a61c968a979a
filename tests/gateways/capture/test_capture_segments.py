"""Segments are readable up to the last whole batch, wherever they end."""

import os

import pytest
from tests.gateways.capture.captured import DAY_START_NS, MS, a_tape, a_trade, a_view

from quarterdeck.gateways.capture.claim import take
from quarterdeck.gateways.capture.layout import (
    RawKind,
    SegmentName,
    day_of,
    parse_segment_name,
    segments_folder,
)
from quarterdeck.gateways.capture.segment import SegmentReader, SegmentWriter, segments_in


def trades_in(path) -> tuple[list[str], bool]:
    reader = SegmentReader(path)
    ids = [name for batch in reader.batches() for name in batch.column("id").to_pylist()]
    return ids, reader.torn


def test_a_segment_cut_anywhere_gives_its_whole_batches(tmp_path):
    path = tmp_path / "x.arrows"
    writer = SegmentWriter(path, RawKind.TRADES, exchange="dry", symbol="BTC")
    ends = [path.stat().st_size]
    ids = []
    for number in range(2):
        ids += [f"T{number}", f"U{number}"]
        same = {"timestamp": [1, 1], "local_timestamp": [2, 2], "side": ["buy", "sell"]}
        writer.append({**same, "id": ids[-2:], "price": [1.5, 2.5], "amount": [1.0, 2.0]})
        ends.append(path.stat().st_size)
    writer.close()
    assert path.stat().st_size == ends[-1]
    for length in range(ends[-1], -1, -1):
        os.truncate(path, length)
        whole = sum(length >= end for end in ends[1:])
        found, torn = trades_in(path)
        assert found == ids[: 2 * whole]
        # Before the first batch only the head is there, which may be whole as well.
        assert torn == (length not in ends) or not whole


def test_a_segment_can_be_locked_once_its_writer_is_gone(tmp_path):
    tape = a_tape(tmp_path)
    tape.view(a_view([(1, 1)], []), DAY_START_NS)
    assert tape.flush() == 2
    (path,) = segments_in(segments_folder(tmp_path) / "DRY:SPOT_PAIR:BTC-USDT")
    assert take(path, create=False) is None
    tape.close()
    claim = take(path, create=False)
    assert claim is not None
    claim.release()


def test_one_gateway_at_a_time_records_an_instrument(tmp_path):
    first = a_tape(tmp_path)
    with pytest.raises(AssertionError):
        a_tape(tmp_path, run="other-2")
    first.close()
    a_tape(tmp_path, run="other-2").close()


def test_what_a_writer_left_while_opening_is_cleared(tmp_path):
    tape = a_tape(tmp_path)
    own = segments_folder(tmp_path) / "DRY:SPOT_PAIR:BTC-USDT"
    tape.close()
    (own / "x.opening").write_bytes(b"half")
    a_tape(tmp_path).close()
    assert [path.name for path in own.iterdir()] == ["writer.lock"]


def test_nothing_is_opened_before_there_is_a_row(tmp_path):
    tape = a_tape(tmp_path)
    tape.view(a_view([], []), DAY_START_NS)
    assert tape.flush() == 0
    tape.trade(a_trade(1, DAY_START_NS), DAY_START_NS + MS)
    assert tape.flush() == 1
    tape.close()
    paths = segments_in(segments_folder(tmp_path) / "DRY:SPOT_PAIR:BTC-USDT")
    assert [path.name.partition(".")[0] for path in paths] == ["trades"]


@pytest.mark.parametrize("run", ["acc-1", "a.b.c-99"])
def test_a_name_says_what_is_in_it(run):
    name = SegmentName(kind=RawKind.BOOK, day="2026-03-01", first_us=17, run=run)
    assert parse_segment_name(str(name)) == name


@pytest.mark.parametrize("name", ["writer.lock", "trades.arrows", "x.2026-03-01.1.r.arrows", ""])
def test_other_files_are_no_segments(name):
    assert parse_segment_name(name) is None


def test_a_day_is_the_utc_day():
    assert day_of(DAY_START_NS // 1000) == "2026-03-01"
    assert day_of(DAY_START_NS // 1000 - 1) == "2026-02-28"
