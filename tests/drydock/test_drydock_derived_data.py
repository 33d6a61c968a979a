"""Derived venues over real recordings, where they are there.

Set QUARTERDECK_SAMPLE_DATA to the folder that contains `raw_tick_data`.
"""

import os
from bisect import bisect_right
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from statistics import correlation, fmean

import pytest
from tests.drydock.derived_market import SYMBOL, an_instrument, checked, derived

from drydock.config import RecordedFeed, RecordedSteps
from drydock.core.book import Book
from drydock.core.inputs import BookUpdate
from drydock.core.instrument import Instrument
from drydock.feed.recorded import Recorded

FOLDER = os.environ.get("QUARTERDECK_SAMPLE_DATA")
DAY = "2024-08-08"
SPOT = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
LINEAR = "BINANCE-FUTURES:PERPETUAL:BTC-USDT@LIN"
LATENCY_MS = 40
SKEW_PX = Decimal(2)

pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="QUARTERDECK_SAMPLE_DATA does not name a folder with raw_tick_data"
)


def mids(instrument: Instrument, books) -> list[tuple[int, Fraction]]:
    tick = Fraction(instrument.spec.tick_px)
    return [
        (at_ns, (book.bids.best() + book.asks.best()) * tick / 2)
        for at_ns, book in books
        if book.bids.ranks and book.asks.ranks
    ]


def recorded_books(feed: Recorded):
    book = Book()
    for at_ns, what in feed.play(0, 0):
        if isinstance(what, BookUpdate):
            book.update(what)
            yield at_ns, book


@pytest.mark.parametrize(
    ("key", "recorded", "own"),
    [
        (SPOT, ("0.01", "0.00001"), ("0.01", "0.00001")),
        (SPOT, ("0.01", "0.00001"), ("0.1", "0.0001")),
        (LINEAR, ("0.1", "0.001"), ("0.1", "0.001")),
    ],
)
def test_a_derived_venue_is_never_crossed_and_follows_its_source(key, recorded, own):
    tick_px, lot_qty = recorded
    source = an_instrument(tick_px, lot_qty)
    plain = RecordedFeed(folder=FOLDER or "", day=DAY, instruments={SYMBOL: key}, loop=False)
    theirs = mids(source, recorded_books(Recorded(plain, {SYMBOL: source})))
    instrument = an_instrument(*own)
    feed = derived(
        Path(FOLDER or ""),
        instrument,
        key,
        DAY,
        latency_ms=LATENCY_MS,
        skew_ticks_max=int(SKEW_PX / instrument.spec.tick_px),
        size_factor=Decimal("0.6"),
        sources={SYMBOL: RecordedSteps(tick_px=Decimal(tick_px), lot_qty=Decimal(lot_qty))},
    )
    ours = mids(instrument, checked(feed.play(0, 0)))
    assert len(ours) > 3000

    times = [at_ns for at_ns, _ in theirs]
    behind = [
        theirs[bisect_right(times, at_ns - LATENCY_MS * 1_000_000) - 1][1] for at_ns, _ in ours
    ]
    skews = [mid - recorded_mid for (_, mid), recorded_mid in zip(ours, behind, strict=True)]
    # Thinned levels move the mid too, by what the book is apart at the top.
    assert 0.1 < fmean(map(abs, skews)) < SKEW_PX
    assert correlation([float(mid) for _, mid in ours], [float(mid) for mid in behind]) > 0.99
