"""A gateway records what it publishes: in one loop exactly, and through a kill of its process."""

import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.gateways.capture.captured import Book, a_trade, a_view, books, tellable
from tests.gateways.desk_end import DeskEnd, eventually
from tests.gateways.drydock_process import TOKEN, VENUE, DrydockProcess
from tests.gateways.gateway_process import GatewayProcess
from tests.gateways.hosted import ACCOUNT, Moody, hosted

from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.capture.book_rows import CapturedView, fold
from quarterdeck.gateways.capture.compaction import compact
from quarterdeck.gateways.capture.inventory import inventory
from quarterdeck.gateways.capture.layout import RawKind, parse_segment_name, segments_folder
from quarterdeck.gateways.capture.segment import SegmentReader, segments_in
from quarterdeck.gateways.capture.settings import CaptureSettings
from quarterdeck.gateways.contract import QueryError
from quarterdeck.gateways.endpoint import local_endpoint

NAME = "NULL:SPOT_PAIR:BTC-USDT"
FLUSHED_S_MAX = 3.0
"""Half a second, and what a busy machine adds."""
REAL = f"{VENUE}:SPOT_PAIR:BTC-USDT"


class Silent(Moody):
    """Publishes nothing by itself."""

    async def subscribe_book(self, instrument: str, *, depth: int, interval_ms: int) -> None:
        await self._mood("subscribe_book")

    async def subscribe_trades(self, instrument: str) -> None:
        await self._mood("subscribe_trades")


def table_of(folder: Path, kind: RawKind) -> list[dict[str, Any]]:
    """Return all rows of a kind, whichever day it was while the test ran."""
    paths = sorted(folder.glob(f"raw_tick_data/by_date/*/data_type-{kind}/*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def captured(folder: Path) -> list[CapturedView]:
    names = ["timestamp", "local_timestamp", "is_snapshot", "side", "price", "amount"]
    rows = [tuple(row[name] for name in names) for row in table_of(folder, RawKind.BOOK)]
    return list(fold(rows))


def newest_is(desk: DeskEnd, quantity: int) -> bool:
    return desk.views[-1][1].bids[0][1] == quantity


def a_book(number: int) -> MarketView:
    bids = [(100 + number % 7, 1 + number), (50, 1)]
    return a_view(bids, [(200 + number % 3, 2)], time.time_ns(), NAME)


async def test_the_files_tell_what_the_desk_was_shown(tmp_path, endpoints):
    driver = Silent()
    capture = {"folder": str(tmp_path / "data"), "free_bytes_min": 0}
    options = {"capture": CaptureSettings(**capture), "view_interval_ms": 1}
    async with DeskEnd(endpoints) as desk, hosted(tmp_path, driver, **options) as host:
        await desk.connected()
        listener = driver.listener
        assert listener is not None
        first = a_book(0)

        def is_seen() -> bool:
            listener.view(first)
            return bool(desk.views)

        await eventually(is_seen)  # The socket of views connects when it likes.
        for number in range(1, 60):
            if number == 30:
                listener.connection(connected=False, reason="messages were missed")
                listener.connection(connected=True, reason="")
            listener.view(a_book(number))
            listener.public_trade(a_trade(number, time.time_ns(), NAME))
            await desk.until(partial(newest_is, desk, number + 1))
    shown = [view for _, view in desk.views]
    later = next(n for n, view in enumerate(shown) if 31 in {qty for _, qty in view.bids})
    found = captured(tmp_path / "data")
    assert books(found) == tellable([shown[:later], shown[later:]])
    assert [n for n, view in enumerate(found) if view.begins] == [0, 30]
    assert [view.at_us for view in found[1:]] == [view.at_ns // 1000 for view in shown[-59:]]
    trades = table_of(tmp_path / "data", RawKind.TRADES)
    assert [row["id"] for row in trades] == [f"T{number}" for number in range(1, 60)]
    assert {row["exchange"] for row in trades} == {"null"}
    assert {row["symbol"] for row in trades} == {"BTC-USDT"}
    assert host.counts["capture_stopped"] == 0
    assert not inventory(tmp_path / "data")[0].recording


async def test_trades_that_cannot_be_had_are_asked_for_again(tmp_path):
    driver = Silent()
    driver.moods["subscribe_trades"] = [QueryError("not now")]
    capture = {"folder": str(tmp_path / "data"), "free_bytes_min": 0}
    options = {"capture": CaptureSettings(**capture), "reconnect_ms_max": 20}
    async with hosted(tmp_path, driver, **options) as host:
        await eventually(lambda: host.counts["trades_not_watched"] == 1)
        await eventually(lambda: not driver.moods["subscribe_trades"])
        assert host.counts["books_not_watched"] == 0


async def test_without_capture_nobody_asks_for_trades(tmp_path):
    driver = Silent()
    driver.moods["subscribe_trades"] = [QueryError("nobody should ask")]
    async with DeskEnd({ACCOUNT: local_endpoint(tmp_path, ACCOUNT)}) as desk:
        async with hosted(tmp_path, driver) as host:
            await desk.connected()
            await eventually(lambda: host.session.venue_connected)
        assert driver.moods["subscribe_trades"]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


@pytest.mark.processes
async def test_a_killed_gateway_loses_a_second_at_most_and_the_next_goes_on(tmp_path):
    venue = DrydockProcess(tmp_path)
    data = tmp_path / "data"
    settings = {
        "venue": VENUE,
        "driver": "drydock",
        "driver_settings": {"url": venue.url, "token": TOKEN},
        "instruments": [REAL],
        "view_interval_ms": 1,
        "capture": {"folder": str(data), "free_bytes_min": 0},
    }
    gateways = []
    try:
        async with DeskEnd({"acc": local_endpoint(tmp_path / "run", "acc")}) as desk:
            gateways.append(GatewayProcess(tmp_path, **settings))
            await desk.connected()
            for number in range(15):
                await show(venue, desk, number)
            killed = [view for _, view in desk.views]
            shown_s = time.monotonic()
            await eventually(lambda: flushed(data)[-1:] == tellable([killed])[-1:])
            assert time.monotonic() - shown_s < FLUSHED_S_MAX
            for number in range(15, 25):
                await show(venue, desk, number)
            assert gateways[0].end(signal.SIGKILL) == -signal.SIGKILL
            during = compact(data)
            desk.views.clear()
            gateways.append(GatewayProcess(tmp_path, **settings))
            await desk.connected()
            for number in range(25, 35):
                await show(venue, desk, number)
            assert gateways[1].end(signal.SIGTERM) == 0
            after = [view for _, view in desk.views]
    finally:
        for gateway in gateways:
            gateway.end()
        venue.kill()
    assert {each.kind for each in during} == {RawKind.BOOK, RawKind.TRADES}
    found = captured(data)
    (second,) = [n for n, view in enumerate(found) if view.begins and n]
    before_kill, after_kill = books(found[:second]), books(found[second:])
    assert is_within(tellable([killed]), before_kill)
    assert is_within(tellable([after]), after_kill)
    assert after_kill[-1] == tellable([after])[-1]
    ids = [row["id"] for row in table_of(data, RawKind.TRADES)]
    assert len(ids) == len(set(ids))
    assert len(ids) >= 25
    (book, trades) = inventory(data)
    assert (book.gaps, book.recording, trades.rows) == (1, False, len(ids))


async def show(venue: DrydockProcess, desk: DeskEnd, number: int) -> None:
    """Show a trade and a book, and wait until the desk has seen the book."""
    venue.print_trade("BTC-USDT", "50000.00", "0.001", "SELL")
    ask_px = 50_001 + number
    venue.set_book("BTC-USDT", "50000.00", f"{ask_px}.00", f"{number + 1}.5")
    await desk.until(lambda: desk.views and desk.views[-1][1].ask_px == ask_px)


def flushed(folder: Path) -> list[Book]:
    """Return the books that a gateway which is killed now would leave."""
    rows = []
    for path in segments_in(segments_folder(folder) / REAL):
        name = parse_segment_name(path.name)
        if name is not None and name.kind is RawKind.BOOK:
            for batch in SegmentReader(path).batches():
                rows += [tuple(row.values()) for row in batch.to_pylist()]
    return books(list(fold(rows)))


def is_within(some: list[Book], whole: list[Book]) -> bool:
    """Tell whether the first list's books are in the second, in this order."""
    rest = iter(whole)
    return all(book in rest for book in some)
