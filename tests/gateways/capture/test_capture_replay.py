"""drydock plays what a gateway captured: the market it shows is the one that was published."""

from decimal import Decimal

from hypothesis import example, given, settings
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
    views_of,
)

from drydock.config import RecordedFeed
from drydock.core.book import Book
from drydock.core.inputs import BookUpdate, PublicTrade
from drydock.core.instrument import Instrument, InstrumentSpec, Kind
from drydock.feed.recorded import Recorded
from quarterdeck.gateways.capture.compaction import compact

SPEC = InstrumentSpec(
    symbol="BTC-USDT",
    kind=Kind.SPOT,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_px=Decimal("0.01"),
    lot_qty=Decimal("0.001"),
    min_qty=Decimal("0.001"),
    max_qty=Decimal(1000),
)
ONE = a_view([("1.5", 2), (1, 3)], [(2, 4)])

levels = st.dictionaries(
    st.integers(1, 30).map(lambda ticks: Decimal(ticks) / 100 + 50_000),
    st.integers(1, 4).map(lambda lots: Decimal(lots) / 1000),
    max_size=7,
)
# Bids below asks: a venue's own book is never crossed.
uncrossed = st.builds(
    lambda bids, asks: a_view(bids.items(), [(px + 1, qty) for px, qty in asks.items()]),
    levels,
    levels,
)
stretch_lists = st.lists(st.lists(uncrossed, max_size=6), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(stretch_lists.filter(tellable))
@example([[ONE], [a_view([(1, 1)], [])], [ONE]])
def test_what_is_played_is_what_was_published(tmp_path_factory, stretches):
    folder = tmp_path_factory.mktemp("capture")
    tape = a_tape(folder)
    at_ns = DAY_START_NS
    for stretch in stretches:
        tape.cut()
        for view in stretch:
            at_ns += 100 * MS
            tape.view(view, at_ns)
            tape.trade(a_trade(at_ns // MS, at_ns), at_ns)
    tape.flush()
    tape.close()
    compact(folder)
    config = RecordedFeed(
        folder=str(folder), day=DAY, instruments={"BTC-USDT": NAME}, loop=False, speed="max"
    )
    feed = Recorded(config, {"BTC-USDT": Instrument(SPEC)})
    book = Book()
    shown, trades = {}, []
    for played_ns, what in feed.play(0, 0):
        match what:
            case BookUpdate():
                book.update(what)
                # The last word of one instant: the row that ends a snapshot repeats a level.
                shown[played_ns] = as_decimals(book)
            case PublicTrade():
                trades.append(what)
    assert list(shown.values()) == books(views_of(folder)) == tellable(stretches)
    # Of unknown side they are not played.
    known = [each for stretch in stretches for each in stretch]
    assert len(trades) == sum(
        (DAY_START_NS // MS + 100 * n) % 3 < 2 for n in range(1, len(known) + 1)
    )


def as_decimals(book: Book):
    bids, asks = (
        [(px * SPEC.tick_px, lots * SPEC.lot_qty) for px, lots in side.displayed.items()]
        for side in (book.bids, book.asks)
    )
    return tuple(sorted(bids, reverse=True)), tuple(sorted(asks))
