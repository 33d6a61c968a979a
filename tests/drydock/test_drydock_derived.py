"""A market derived from a recording: repeatable, never crossed, and near its source."""

from decimal import Decimal
from hashlib import sha256
from itertools import pairwise, takewhile
from statistics import fmean

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.drydock.derived_market import (
    DAY,
    KEY,
    STEPS,
    SYMBOL,
    an_instrument,
    checked,
    derived,
    final_book,
    record,
)

from drydock.config import DerivedFeed, RecordedFeed
from drydock.core.inputs import BookUpdate, PublicTrade
from drydock.core.orders import Side
from drydock.feed.derived import DerivedTape
from drydock.feed.recorded import Recorded
from drydock.feed.skew import Skew

SECOND_NS = 1_000_000_000
OWN_STEPS = [("0.01", "0.001"), ("0.05", "0.002"), ("0.004", "0.0001"), ("0.1", "10")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording")
    record(path)
    return path


def whole(feed) -> list:
    return list(feed.play(0, 0))


def until(feed, from_ns: int, to_ns: int) -> list:
    return list(takewhile(lambda timed: timed[0] < to_ns, feed.play(0, from_ns)))


# Repeatable


def test_a_seed_is_pinned_to_its_market(folder):
    tapes = [whole(derived(folder, an_instrument(), latency_ms=30)) for _ in range(2)]
    digests = {sha256(msgspec.json.encode(tape)).hexdigest() for tape in tapes}
    assert digests == {"a2fdae240cc1ba2971e994e2980101c5a839762d8f44037cff1e79a79cdc2618"}


def test_another_seed_is_another_market(folder):
    tapes = [whole(derived(folder, an_instrument(), seed=seed)) for seed in (7, 8)]
    books = [[what for _, what in tape if isinstance(what, BookUpdate)] for tape in tapes]
    ids = [{what.trade_id for _, what in tape if isinstance(what, PublicTrade)} for tape in tapes]
    assert books[0] != books[1]
    assert not ids[0] & ids[1]


@settings(max_examples=15, deadline=None)
@given(within_ms=st.integers(0, 39_000), number=st.integers(0, 2))
def test_entered_anywhere_it_goes_on_as_if_played_from_the_start(folder, within_ms, number):
    feed = derived(folder, an_instrument("0.05"), latency_ms=250, loop=True)
    at = number * feed.span_ns + within_ms * 1_000_000
    end = at + 3 * SECOND_NS
    entered, played = until(feed, at, end), until(feed, 0, end)
    assert final_book(entered) == final_book(played)
    assert isinstance(entered[0][1], BookUpdate)
    assert entered[0][1].snapshot
    assert [t for t in entered if t[0] > at] == [t for t in played if t[0] > at]


def test_a_looped_market_does_not_repeat_its_trades(folder):
    feed = derived(folder, an_instrument(), loop=True, latency_ms=30)
    ids = [
        what.trade_id
        for _, what in until(feed, 0, 3 * feed.span_ns)
        if isinstance(what, PublicTrade)
    ]
    assert len(ids) > 300
    assert len(set(ids)) == len(ids)


# Consistent


@pytest.mark.parametrize(("tick_px", "lot_qty"), OWN_STEPS)
def test_its_promises_hold_in_any_tick_and_lot(folder, tick_px, lot_qty):
    feed = derived(folder, an_instrument(tick_px, lot_qty), skew_ticks_max=5)
    books = [
        (book.bids.best(), book.asks.best())
        for _, book in checked(feed.play(0, 0))
        if book.bids.ranks and book.asks.ranks
    ]
    assert len(books) > 200


def test_coarser_steps_add_levels_up_away_from_the_other_side(folder):
    plain = {"skew_ticks_max": 0, "size_noise_percent": 0, "thin_levels_percent": 0}
    fine = final_book(whole(derived(folder, an_instrument(), **plain)))
    coarse = final_book(whole(derived(folder, an_instrument("0.05"), **plain)))
    for side, up in zip((0, 1), (0, 4), strict=True):
        summed: dict[int, int] = {}
        for ticks, lots in fine[side].items():
            summed[(ticks + up) // 5] = summed.get((ticks + up) // 5, 0) + lots
        assert coarse[side] == summed


LEVELS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9)), max_size=6)
BOOKS = st.builds(
    lambda bids, asks, kind: BookUpdate(
        symbol=SYMBOL,
        ts_ns=0,
        bids=bids,
        asks=asks,
        snapshot=kind != "change",
        windowed=kind == "window",
    ),
    LEVELS,
    LEVELS,
    st.sampled_from(["change", "whole", "window"]),
)
TRADES = st.builds(
    lambda number, side, price, lots: PublicTrade(
        symbol=SYMBOL,
        ts_ns=0,
        trade_id=str(number),
        aggressor=side,
        price_ticks=price,
        lots=lots,
    ),
    st.integers(),
    st.sampled_from(Side),
    st.integers(1, 30),
    st.integers(1, 20),
)


def plain_config(**change) -> DerivedFeed:
    """Return a feed that changes nothing but what is said."""
    config = DerivedFeed(
        folder="",
        day=DAY,
        instruments={SYMBOL: KEY},
        seed=1,
        skew_ticks_max=0,
        size_noise_percent=0,
        thin_levels_percent=0,
    )
    return msgspec.structs.replace(config, **change)


class Script:
    """A recording of given inputs, one every 300 ms; trades get ids of their own."""

    first_us, last_us = 0, 60_000_000

    def __init__(self, inputs) -> None:
        self.inputs = inputs

    def play(self, start_us, number):
        del start_us, number
        for place, what in enumerate(self.inputs):
            at_ns = place * 300_000_000
            if isinstance(what, PublicTrade):
                trade_id = f"{what.trade_id}-{place}"
                yield at_ns, msgspec.structs.replace(what, trade_id=trade_id)
            else:
                yield at_ns, what


@settings(max_examples=150, deadline=None)
@given(
    inputs=st.lists(BOOKS | BOOKS | TRADES, max_size=40),
    seed=st.integers(),
    steps=st.sampled_from(OWN_STEPS),
    factor=st.sampled_from(["0.001", "0.37", "1", "50"]),
    thin=st.integers(0, 90),
)
def test_its_promises_hold_for_any_recording_crossed_ones_too(inputs, seed, steps, factor, thin):
    config = DerivedFeed(
        folder="",
        day=DAY,
        instruments={SYMBOL: KEY},
        seed=seed,
        skew_ticks_max=8,
        skew_reversion_ms=2000,
        size_factor=Decimal(factor),
        thin_levels_percent=thin,
        thin_trades_percent=thin,
    )
    tape = DerivedTape(Script(inputs), config, STEPS[SYMBOL], an_instrument(*steps))
    for _ in checked(tape.play(0, 0)):
        pass


def test_a_crossed_recording_is_sat_out_and_ends_in_a_whole_book():
    def update(bids, asks, *, snapshot=False):
        return BookUpdate(symbol=SYMBOL, ts_ns=5, bids=bids, asks=asks, snapshot=snapshot)

    config = plain_config(latency_ms=2)
    script = Script(
        [
            update([(10, 1)], [(12, 1)], snapshot=True),
            update([(13, 4)], []),
            update([(9, 2)], []),
            update([], [(12, 0), (14, 3)]),
        ]
    )
    tape = DerivedTape(script, config, STEPS[SYMBOL], an_instrument())
    (_, first), (at_ns, second) = tape.play(0, 0)
    assert (first.bids, first.asks, first.ts_ns) == ([(10, 1)], [(12, 1)], 2_000_005)
    assert (at_ns, second.snapshot) == (900_000_000, True)
    assert (sorted(second.bids), second.asks) == ([(9, 2), (10, 1), (13, 4)], [(14, 3)])


def test_behind_a_window_nothing_is_known_here_either():
    window = BookUpdate(
        symbol=SYMBOL, ts_ns=0, bids=[(10, 5)], asks=[(12, 5)], snapshot=True, windowed=True
    )
    config = plain_config(skew_ticks_max=3)
    script = Script([window] * 12)
    books = [
        what for _, what in DerivedTape(script, config, STEPS[SYMBOL], an_instrument()).play(0, 0)
    ]
    assert len(books) > 12  # Skew moves in between.
    assert all(book.snapshot and book.windowed for book in books)


def test_trades_share_what_is_displayed_until_the_level_changes():
    def update(asks, *, snapshot=False):
        bids = [(10, 9)] if snapshot else []
        return BookUpdate(symbol=SYMBOL, ts_ns=0, bids=bids, asks=asks, snapshot=snapshot)

    def buy(price_ticks):
        return PublicTrade(
            symbol=SYMBOL,
            ts_ns=0,
            trade_id="t",
            aggressor=Side.BUY,
            price_ticks=price_ticks,
            lots=4,
        )

    script = Script(
        [
            update([(12, 5), (15, 3)], snapshot=True),
            *[buy(12)] * 3,  # 4, then the 1 that is left, then nothing
            buy(16),  # reaches the last level before its price, for what is there
            update([(12, 6)]),
            buy(11),  # no ask there: the best one
            update([(12, 6)], snapshot=True),
            buy(12),
        ]
    )
    config = plain_config(thin_trades_percent=0)
    tape = DerivedTape(script, config, STEPS[SYMBOL], an_instrument())
    trades = [what for _, what in tape.play(0, 0) if isinstance(what, PublicTrade)]
    taken = [(trade.price_ticks, trade.lots) for trade in trades]
    assert taken == [(12, 4), (12, 1), (15, 3), (12, 4), (12, 4)]


def test_a_size_below_a_lot_is_shown_as_one():
    book = BookUpdate(symbol=SYMBOL, ts_ns=0, bids=[(10, 5)], asks=[(12, 0)], snapshot=True)
    config = plain_config(size_factor=Decimal("0.001"))
    ((_, shown),) = DerivedTape(Script([book]), config, STEPS[SYMBOL], an_instrument()).play(0, 0)
    assert (shown.bids, shown.asks) == ([(10, 1)], [])


# Near its source, but its own


def test_skew_is_bounded_reverts_and_moves():
    skew = Skew(10, 0, 7, "BTC-USDT", "skew", 0)
    path = [skew.ticks]
    for _ in range(20_000):
        skew.advance()
        path.append(skew.ticks)
    assert max(path) == 10
    assert min(path) == -10
    assert abs(fmean(path)) < 0.5
    assert 3 < fmean(map(abs, path)) < 5
    following = fmean(now * after for now, after in pairwise(path))
    later = fmean(now * after for now, after in zip(path, path[60:], strict=False))
    square = fmean(ticks * ticks for ticks in path)
    assert following > 0.8 * square
    assert abs(later) < 0.1 * square


@given(step=st.integers(0, 10**12), ahead=st.integers(1, 80))
def test_a_skew_can_be_entered_at_any_step(step, ahead):
    walked = Skew(50, step, "x")
    for _ in range(ahead):
        walked.advance()
    assert walked.ticks == Skew(50, step + ahead, "x").ticks


def test_a_moved_skew_moves_every_price_by_a_whole_book(folder):
    quiet = {"size_noise_percent": 0, "thin_levels_percent": 0}
    straight = whole(derived(folder, an_instrument(), skew_ticks_max=0, **quiet))
    skewed = whole(derived(folder, an_instrument(), skew_ticks_max=6, **quiet))
    snapshots = [what for _, what in skewed if isinstance(what, BookUpdate) and what.snapshot]
    assert len(snapshots) > 15
    asks, own_asks = final_book(straight)[1], final_book(skewed)[1]
    (offset,) = {own - plain for own, plain in zip(sorted(own_asks), sorted(asks), strict=True)}
    assert 0 <= abs(offset) <= 6
    assert list(asks.values()) == [own_asks[ticks + offset] for ticks in asks]


def test_latency_is_all_that_is_left_when_nothing_else_is_changed(folder):
    feed = derived(
        folder,
        an_instrument(),
        latency_ms=30,
        skew_ticks_max=0,
        size_noise_percent=0,
        thin_levels_percent=0,
    )
    plain = RecordedFeed(folder=str(folder), day=DAY, instruments={SYMBOL: KEY}, loop=False)
    source = [
        (at_ns + 30_000_000, what.ts_ns + 30_000_000, sorted(what.bids), sorted(what.asks))
        for at_ns, what in Recorded(plain, {SYMBOL: an_instrument()}).play(0, 0)
        if isinstance(what, BookUpdate)
    ]
    own = [
        (at_ns, what.ts_ns, sorted(what.bids), sorted(what.asks))
        for at_ns, what in feed.play(0, 0)
        if isinstance(what, BookUpdate)
    ]
    assert own == source


def test_depth_and_trades_are_thinned_and_resized(folder):
    quiet = {"skew_ticks_max": 0, "size_noise_percent": 0}
    fully = whole(derived(folder, an_instrument(), thin_levels_percent=0, **quiet))
    thinly = whole(
        derived(
            folder,
            an_instrument(),
            thin_levels_percent=40,
            thin_trades_percent=80,
            size_factor=Decimal("0.5"),
            **quiet,
        )
    )
    counts = [
        fmean(len(book.bids.displayed) for _, book in checked(tape)) for tape in (fully, thinly)
    ]
    assert 0.4 < counts[1] / counts[0] < 0.8
    for own, plain in zip(final_book(thinly), final_book(fully), strict=True):
        assert own
        assert all(lots == max(plain[ticks] // 2, 1) for ticks, lots in own.items())
    trades = [sum(isinstance(what, PublicTrade) for _, what in tape) for tape in (fully, thinly)]
    assert 0 < trades[1] < 0.7 * trades[0]
