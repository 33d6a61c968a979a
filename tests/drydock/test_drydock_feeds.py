"""Feeds: the same seed gives the same market, and any moment can be entered directly."""

import asyncio
import time
from decimal import Decimal
from fractions import Fraction
from itertools import islice, takewhile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drydock.chance import Chance
from drydock.config import RecordedFeed, SyntheticFeed, SyntheticMarket
from drydock.core.book import Book
from drydock.core.inputs import BookUpdate, PublicTrade
from drydock.core.instrument import Instrument, InstrumentSpec, Kind
from drydock.core.orders import Side
from drydock.feed.player import play
from drydock.feed.recorded import Recorded, RecordingError
from drydock.feed.synthetic import Synthetic

SECOND_NS = 1_000_000_000
SYMBOLS = ("BTC-USDT", "ETH-USDT")


def instrument(symbol: str) -> Instrument:
    base, quote = symbol.split("-")
    return Instrument(
        InstrumentSpec(
            symbol=symbol,
            kind=Kind.SPOT,
            base=base,
            quote=quote,
            settle=quote,
            tick_px=Decimal("0.01"),
            lot_qty=Decimal("0.001"),
            min_qty=Decimal("0.001"),
            max_qty=Decimal(1000),
        )
    )


INSTRUMENTS = {symbol: instrument(symbol) for symbol in SYMBOLS}


def synthetic(seed: int) -> Synthetic:
    market = SyntheticMarket(mid_px=Decimal(60_000), level_qty=Decimal("0.5"), gap_ticks=50)
    config = SyntheticFeed(seed=seed, markets=dict.fromkeys(SYMBOLS, market), levels=8)
    return Synthetic(config, INSTRUMENTS)


def until(feed, from_ns: int, to_ns: int) -> list:
    return list(takewhile(lambda timed: timed[0] < to_ns, feed.play(0, from_ns)))


def books_after(events) -> dict[str, tuple[dict, dict]]:
    books = {symbol: Book() for symbol in SYMBOLS}
    for _, what in events:
        if isinstance(what, BookUpdate):
            books[what.symbol].update(what)
    return {name: (book.bids.displayed, book.asks.displayed) for name, book in books.items()}


def test_chance_is_pinned():
    chance = Chance(7, "BTC-USDT", 3)
    assert [chance.next() for _ in range(2)] == [18249554971508736098, 12826912114204178625]
    chance._state = 0
    assert chance.next() == 0xE220A8397B1DCDAF  # SplitMix64's published first number of seed 0


def test_chance_stays_in_its_bounds_and_reaches_them():
    chance = Chance("bounds")
    assert {chance.between(-2, 1) for _ in range(200)} == {-2, -1, 0, 1}


def test_the_same_seed_is_the_same_market_and_another_is_not():
    assert until(synthetic(7), 0, 90 * SECOND_NS) == until(synthetic(7), 0, 90 * SECOND_NS)
    assert until(synthetic(7), 0, 9 * SECOND_NS) != until(synthetic(8), 0, 9 * SECOND_NS)


@settings(max_examples=25, deadline=None)
@given(at=st.integers(0, 200_000_000_000))
@example(at=12_500_000_000)
@example(at=60_000_000_000)
def test_a_synthetic_market_entered_anywhere_goes_on_as_if_played_from_the_start(at):
    end = at + 2 * SECOND_NS
    entered, played = until(synthetic(7), at, end), until(synthetic(7), 0, end)
    assert books_after(entered) == books_after(played)
    for symbol in SYMBOLS:
        first = next(what for _, what in entered if what.symbol == symbol)
        assert isinstance(first, BookUpdate)
        assert first.snapshot
    later = [timed for timed in entered if timed[0] > at]
    assert later == [timed for timed in played if timed[0] > at]


def test_a_synthetic_market_makes_sense_for_an_hour():
    low = high = None
    seen: set[str] = set()
    last_ns = 0
    book = Book()
    trades = 0
    for at_ns, what in until(synthetic(11), 0, 3600 * SECOND_NS):
        assert at_ns >= last_ns
        last_ns = at_ns
        if what.symbol != "BTC-USDT":
            continue
        if isinstance(what, PublicTrade):
            assert what.trade_id not in seen
            seen.add(what.trade_id)
            # A trade happens at a displayed level of the side it hits, for no more than is there.
            shown = book.side(what.aggressor.opposite).displayed
            assert what.lots <= shown[what.price_ticks]
            trades += 1
            continue
        book.update(what)
        bid, ask = book.bids.best(), book.asks.best()
        assert bid < ask
        assert (len(book.bids.displayed), len(book.asks.displayed)) == (8, 8)
        low, high = min(low or bid, bid), max(high or bid, bid)
    assert trades > 5000
    assert 5_800_000 < low < high < 6_200_000
    assert high - low > 6_000  # It moves: more than ten bps within the hour.


# Recorded files, made here: two messages of depth, a late snapshot stamp, trades, and a gap.
KEY = "X:SPOT_PAIR:BTC-USDT"


def write(folder, kind: str, columns: dict) -> None:
    path = folder / "raw_tick_data" / "by_date" / "day-2024-01-02" / f"data_type-{kind}"
    path.mkdir(parents=True)
    pq.write_table(pa.table(columns), path / f"{KEY}.parquet")


def recording(folder, *, depth: bool, loop: bool = False) -> Recorded:
    write(
        folder,
        "trades",
        {
            "timestamp": [1_000_190, 1_000_400],
            "local_timestamp": [1_000_200, 1_000_410],
            "id": ["t1", "t2"],
            "side": ["sell", "buy"],
            "price": [100.01, 100.03],
            "amount": [0.0125, 0.3],
        },
    )
    if depth:
        write(
            folder,
            "incremental_book_L2",
            {
                "timestamp": [1_000_000] * 4 + [1_000_100] * 2 + [1_000_300],
                "local_timestamp": [1_000_150] * 4 + [1_000_120] * 2 + [1_000_310],
                "is_snapshot": [True] * 4 + [False] * 3,
                "side": ["bid", "bid", "ask", "ask", "bid", "ask", "bid"],
                "price": [100.01, 100.0, 100.02, 100.03, 100.01, 100.02, 100.0],
                "amount": [1.0, 2.0, 3.0, 4.0, 0.0, 3.5, 2.2],
            },
        )
    else:
        columns: dict[str, list] = {
            "timestamp": [1_000_100, 1_000_300],
            "local_timestamp": [1_000_150, 1_000_310],
        }
        for level in range(5):
            columns[f"bids[{level}].price"] = [100.01 - level / 100, 100.0 - level / 100]
            columns[f"bids[{level}].amount"] = [1.0, 2.0]
            columns[f"asks[{level}].price"] = [100.02 + level / 100] * 2
            columns[f"asks[{level}].amount"] = [3.0, None if level == 4 else 3.0]
        write(folder, "book_snapshot_5", columns)
    config = RecordedFeed(
        folder=str(folder), day="2024-01-02", instruments={"BTC-USDT": KEY}, loop=loop
    )
    return Recorded(config, {"BTC-USDT": INSTRUMENTS["BTC-USDT"]})


def test_recorded_depth_is_read_in_file_order(tmp_path):
    events = list(recording(tmp_path, depth=True).play(0, 0))
    assert [at_ns for at_ns, _ in events] == [30_000, 30_000, 80_000, 190_000, 290_000]
    first, second, trade, third, last = (what for _, what in events)
    assert (first.snapshot, first.ts_ns) == (True, 1_000_000_000)
    assert first.bids == [(10001, 1000), (10000, 2000)]
    assert (second.snapshot, second.bids, second.asks) == (False, [(10001, 0)], [(10002, 3500)])
    assert third.bids == [(10000, 2200)]
    assert (trade.trade_id, trade.aggressor) == ("t1", Side.SELL)
    assert (trade.price_ticks, trade.lots) == (10001, 12)  # half a lot cannot be traded
    assert last.ts_ns == 1_000_400_000


def test_a_snapshot_in_several_messages_wipes_the_book_once(tmp_path):
    write(
        tmp_path,
        "incremental_book_L2",
        {
            "timestamp": [1, 2, 3, 4],
            "local_timestamp": [1, 2, 3, 4],
            "is_snapshot": [True, True, False, True],
            "side": ["bid", "ask", "bid", "bid"],
            "price": [100.0, 101.0, 99.0, 98.0],
            "amount": [1.0] * 4,
        },
    )
    names = ("timestamp", "local_timestamp", "id", "side", "price", "amount")
    write(
        tmp_path,
        "trades",
        dict(zip(names, ([5], [5], ["t"], ["buy"], [101.0], [1.0]), strict=True)),
    )
    config = RecordedFeed(folder=str(tmp_path), day="2024-01-02", instruments={"BTC-USDT": KEY})
    feed = Recorded(config, {"BTC-USDT": INSTRUMENTS["BTC-USDT"]})
    books = [what for _, what in islice(feed.play(0, 0), 4)]
    assert [book.snapshot for book in books] == [True, False, False, True]


class Script:
    """A feed of empty updates at given moments, that notes where it was entered."""

    name = "script"

    def __init__(self, *at_ms: int) -> None:
        self.at_ms = at_ms
        self.entered_ns: int | None = None

    def play(self, epoch_ns, from_ns):
        self.entered_ns = from_ns
        for at_ms in self.at_ms:
            yield at_ms * 1_000_000, BookUpdate(symbol="X", ts_ns=at_ms, bids=[], asks=[])


@pytest.mark.parametrize("pace", [Fraction(1), Fraction(2), Fraction(1, 2)])
async def test_a_feed_is_played_along_the_clock_and_never_early(pace):
    feed, came = Script(0, 10, 30), []
    epoch_ns = time.time_ns()
    await play(feed, pace, epoch_ns, time.time_ns, lambda _: came.append(time.time_ns()))
    for at_ms, came_ns in zip(feed.at_ms, came, strict=True):
        assert came_ns >= epoch_ns + at_ms * 1_000_000 / pace


async def test_a_feed_goes_on_where_wall_time_puts_it():
    feed = Script(0)
    started_ns = time.time_ns() - 5 * SECOND_NS
    await play(feed, Fraction(10), started_ns, time.time_ns, lambda _: None)
    assert 50 * SECOND_NS <= feed.entered_ns < 60 * SECOND_NS


async def test_a_feed_without_a_pace_leaves_room_for_other_work():
    feed, count = Script(*range(200_000)), 0
    turns = 0

    def take(_):
        nonlocal count
        count += 1

    async def others():
        nonlocal turns
        while count < 200_000:
            turns += 1
            await asyncio.sleep(0)

    await asyncio.gather(play(feed, None, 0, time.time_ns, take), others())
    assert feed.entered_ns == 0
    assert turns > 3


def test_without_depth_the_five_best_levels_are_a_window(tmp_path):
    events = [what for _, what in recording(tmp_path, depth=False).play(0, 0)]
    books = [what for what in events if isinstance(what, BookUpdate)]
    assert all(book.snapshot and book.windowed for book in books)
    assert [len(book.bids) for book in books] == [5, 5]
    assert [len(book.asks) for book in books] == [5, 4]
    assert books[0].asks[0] == (10002, 3000)


def test_a_looped_recording_goes_on_with_trades_that_are_new(tmp_path):
    feed = recording(tmp_path, depth=True, loop=True)
    events = list(islice(feed.play(0, 0), 15))
    assert [at for at, _ in events] == sorted(at for at, _ in events)
    assert events[5][0] == events[0][0] + feed.span_ns
    assert events[5][1].snapshot
    ids = [what.trade_id for _, what in events if isinstance(what, PublicTrade)]
    assert ids == ["t1", "t2", "t1-1", "t2-1", "t1-2", "t2-2"]


@pytest.mark.parametrize("number", [0, 3])
def test_a_recording_is_entered_with_the_book_of_that_moment(tmp_path, number):
    feed = recording(tmp_path, depth=True, loop=True)
    start = number * feed.span_ns
    (at, book), (_, following) = islice(feed.play(0, start + 100_000), 2)
    assert (at, book.snapshot) == (start + 100_000, True)
    assert (dict(book.bids), dict(book.asks)) == ({10000: 2000}, {10002: 3500, 10003: 4000})
    assert following.bids == [(10000, 2200)]


def test_a_recording_that_has_ended_leaves_its_last_book(tmp_path):
    feed = recording(tmp_path, depth=True)
    ((_, book),) = feed.play(0, 10 * feed.span_ns)
    assert dict(book.bids) == {10000: 2200}


def test_a_missing_recording_is_named(tmp_path):
    config = RecordedFeed(folder=str(tmp_path), day="2024-01-02", instruments={"BTC-USDT": KEY})
    with pytest.raises(RecordingError, match=r"data_type-trades.*BTC-USDT\.parquet"):
        Recorded(config, {"BTC-USDT": INSTRUMENTS["BTC-USDT"]})
