"""The recorder takes what it is given, gives up where it has to, and says so once."""

import resource
import shutil
import signal
import threading
import time
from types import SimpleNamespace

import pytest
import structlog
from tests.gateways.capture.captured import (
    DAY,
    DAY_START_NS,
    MS,
    NAME,
    a_recorder,
    a_trade,
    a_view,
    books,
    tellable,
    trades_of,
    views_of,
)

from quarterdeck.gateways.capture import recording_thread
from quarterdeck.gateways.capture.layout import DAY_US, RawKind, raw_file
from quarterdeck.gateways.capture.settings import CaptureSettings

SECOND = 1_000 * MS
WAIT_S = 20.0


class Clock:
    def __init__(self) -> None:
        self.now_ns = DAY_START_NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def short_turns(monkeypatch):
    monkeypatch.setattr(recording_thread, "FLUSH_S", 0.01)


def book(number: int):
    return a_view([(100 + number, 1), (99, number + 1)], [(200, 2)], DAY_START_NS + number)


def eventually(condition) -> None:
    deadline_s = time.monotonic() + WAIT_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come true in time"
        pause.wait(0.005)


def test_what_was_taken_is_in_the_files_after_a_clean_end(tmp_path, clock):
    recorder = a_recorder(tmp_path, clock_ns=clock)
    recorder.start()
    views = [book(number) for number in range(50)]
    for number, view in enumerate(views):
        recorder.view(view, DAY_START_NS + number * SECOND)
        recorder.trade(a_trade(number, view.at_ns), DAY_START_NS + number * SECOND)
    recorder.close(WAIT_S)
    assert books(views_of(tmp_path)) == tellable([views])
    assert [view.published_us for view in views_of(tmp_path)][:2] == [
        DAY_START_NS // 1000,
        DAY_START_NS // 1000 + 1_000_000,
    ]
    rows = trades_of(tmp_path)
    assert [row["id"] for row in rows] == [f"T{number}" for number in range(50)]
    assert rows[0]["symbol"] == "BTC-USDT"
    assert (recorder.counts["capture_views"], recorder.counts["capture_trades"]) == (50, 50)


def test_a_gap_is_followed_by_a_whole_book(tmp_path, clock):
    recorder = a_recorder(tmp_path, clock_ns=clock)
    recorder.start()
    recorder.view(book(1), DAY_START_NS)
    recorder.cut()
    recorder.view(book(1), DAY_START_NS + SECOND)
    recorder.close(WAIT_S)
    assert [view.begins for view in views_of(tmp_path)] == [True, True]


def test_views_of_one_microsecond_stay_two(tmp_path, clock):
    recorder = a_recorder(tmp_path, clock_ns=clock)
    recorder.start()
    views = [book(number) for number in range(3)]
    for view, at_ns in zip(views, (DAY_START_NS, DAY_START_NS, DAY_START_NS - SECOND), strict=True):
        recorder.view(view, at_ns)
    recorder.close(WAIT_S)
    assert books(views_of(tmp_path)) == tellable([views])


def test_a_full_queue_drops_an_instrument_for_a_while_and_says_so_once(tmp_path, clock):
    recorder = a_recorder(tmp_path, clock_ns=clock, queue_items_max=2, pause_ns=10 * SECOND)
    with structlog.testing.capture_logs() as logs:
        for number in range(5):  # The thread does not run yet.
            recorder.view(book(number), DAY_START_NS + number * SECOND)
        recorder.start()
        eventually(lambda: recorder.counts["capture_views"] == 2)
        recorder.view(book(5), DAY_START_NS + 5 * SECOND)  # Room again, but not yet time.
        recorder.view(book(6), DAY_START_NS + 14 * SECOND)
        recorder.close(WAIT_S)
    assert [log["event"] for log in logs] == ["capture_stopped", "capture_resumed"]
    assert logs[0]["log_level"] == "error"
    counts = recorder.counts
    assert (counts["capture_stopped"], counts["capture_dropped"]) == (1, 4)
    found = views_of(tmp_path)
    assert books(found) == tellable([[book(0), book(1)], [book(6)]])
    assert [view.begins for view in found] == [True, False, True]


def test_a_disk_error_stops_the_instrument_once_and_it_comes_back_whole(tmp_path, clock):
    """A limit on file size makes the kernel refuse what goes beyond, like a full disk."""
    recorder = a_recorder(tmp_path, clock_ns=clock, pause_ns=10 * SECOND)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with structlog.testing.capture_logs() as logs:
            recorder.start()
            recorder.view(book(0), DAY_START_NS)
            eventually(lambda: recorder.counts["capture_rows"] > 0)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_200, hard))
            for number in range(1, 9):
                recorder.view(book(number), DAY_START_NS + number * SECOND)
            eventually(lambda: recorder.counts["capture_stopped"] == 1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            recorder.view(book(9), DAY_START_NS + 9 * SECOND)
            eventually(lambda: recorder.counts["capture_dropped"] == 1)
            clock.now_ns += 10 * SECOND
            recorder.view(book(10), DAY_START_NS + 10 * SECOND)
            eventually(lambda: any(log["event"] == "capture_resumed" for log in logs))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    recorder.close(WAIT_S)
    assert [log["event"] for log in logs] == ["capture_stopped", "capture_resumed"]
    assert logs[0]["instrument"] == NAME
    found = views_of(tmp_path)
    assert books(found)[0] == tellable([[book(0)]])[0]
    assert books(found)[-1] == tellable([[book(10)]])[0]
    assert found[-1].begins


def test_recording_stops_before_the_disk_is_full(tmp_path, clock, monkeypatch):
    free = SimpleNamespace(free=5_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    recorder = a_recorder(tmp_path, clock_ns=clock, free_bytes_min=4_000, pause_ns=10 * SECOND)
    with structlog.testing.capture_logs() as logs:
        recorder.start()
        recorder.view(book(0), DAY_START_NS)
        eventually(lambda: recorder.counts["capture_rows"] > 0)
        free.free = 3_999
        eventually(lambda: recorder.counts["capture_stopped"] == 1)
        recorder.view(book(1), DAY_START_NS + SECOND)
        eventually(lambda: recorder.counts["capture_dropped"] == 1)
        free.free = 5_000
        clock.now_ns += 10 * SECOND
        eventually(lambda: len(logs) == 2)
        recorder.view(book(2), DAY_START_NS + 10 * SECOND)
        recorder.close(WAIT_S)
    assert [log["event"] for log in logs] == ["capture_stopped", "capture_resumed"]
    assert books(views_of(tmp_path)) == tellable([[book(0)], [book(2)]])


@pytest.mark.processes
def test_a_day_that_is_over_is_finished_while_the_next_is_recorded(tmp_path, clock):
    recorder = a_recorder(tmp_path, clock_ns=clock)
    recorder.start()
    recorder.view(book(0), DAY_START_NS)
    eventually(lambda: recorder.counts["capture_rows"] > 0)
    clock.now_ns += DAY_US * 1000
    recorder.view(book(0), clock.now_ns)
    eventually(raw_file(tmp_path, DAY, RawKind.BOOK, NAME).exists)
    assert not raw_file(tmp_path, "2026-03-02", RawKind.BOOK, NAME).exists()
    recorder.close(WAIT_S)
    assert recorder.counts["capture_not_compacted"] == 0
    assert books(views_of(tmp_path)) == books(views_of(tmp_path, "2026-03-02"))


def test_another_gateway_takes_over_when_the_first_is_gone(tmp_path, clock):
    first, second = (a_recorder(tmp_path, clock_ns=clock, epoch=epoch) for epoch in (1, 2))
    first.start()
    first.view(book(0), DAY_START_NS)
    eventually(lambda: first.counts["capture_rows"] > 0)
    second.start()
    second.view(book(0), DAY_START_NS)
    eventually(lambda: second.counts["capture_elsewhere"] > 0)
    first.close(WAIT_S)
    clock.now_ns += SECOND
    second.view(book(1), clock.now_ns)
    second.close(WAIT_S)
    found = views_of(tmp_path)
    assert books(found) == tellable([[book(0)], [book(1)]])
    assert second.counts["capture_dropped"] == 1


@pytest.mark.parametrize("name", ["../evil", ".hidden"])
def test_an_id_that_is_no_file_name_is_not_recorded(tmp_path, clock, name):
    recorder = a_recorder(tmp_path / "in", clock_ns=clock)
    recorder.start()
    recorder.view(a_view([(1, 1)], [], instrument=name), DAY_START_NS)
    eventually(lambda: recorder.counts["capture_stopped"] == 1)
    recorder.close(WAIT_S)
    assert [path.name for path in tmp_path.rglob("*")] == ["in"]


def test_a_price_that_is_no_number_stops_only_its_instrument(tmp_path, clock):
    recorder = a_recorder(tmp_path, clock_ns=clock)
    recorder.start()
    recorder.view(a_view([("1", "sNaN")], [], instrument="DRY:SPOT_PAIR:ODD-USDT"), DAY_START_NS)
    recorder.view(book(0), DAY_START_NS)
    recorder.close(WAIT_S)
    assert recorder.counts["capture_stopped"] == 1
    assert books(views_of(tmp_path)) == tellable([[book(0)]])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"folder": "relative"}, "folder"),
        ({"free_bytes_min": -1}, "free_bytes_min"),
        ({"queue_items_max": 0}, "queue_items_max"),
    ],
)
def test_settings_that_cannot_be_are_named(change, field):
    with pytest.raises(ValueError, match=rf"capture\.{field}"):
        CaptureSettings(**({"folder": "/data"} | change))
