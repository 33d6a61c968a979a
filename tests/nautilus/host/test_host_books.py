"""Books brought up to date in bulk, against NautilusTrader's own, update by update."""

import os
import random
from bisect import bisect_right
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from nautilus_trader.model import BookType, OrderBook, OrderBookDelta
from nautilus_trader.persistence import ParquetDataCatalog
from tests.nautilus.host.small_market import BTC, Tape, at

from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.market import MarketView, encode_view
from quarterdeck.core.model.terms import Side
from quarterdeck.nautilus.catalog.book_pieces import book_pieces
from quarterdeck.nautilus.catalog.deltas import F_LAST
from quarterdeck.nautilus.catalog.ready import CatalogReady, ensure
from quarterdeck.nautilus.host.books import BookFeed, Places
from quarterdeck.nautilus.instruments import nautilus_id, price_places, size_places

SAMPLE = os.environ.get("QUARTERDECK_SAMPLE_DATA")
LEVELS = 7
LOOKS = 400


class PlayedBook:
    """The views of a book that NautilusTrader folds, after each of its updates."""

    def __init__(self, catalog: Path, instrument: Instrument) -> None:
        self.instrument = instrument
        name = nautilus_id(instrument.id)
        self._deltas = ParquetDataCatalog(str(catalog)).query_order_book_deltas([name.value])
        self._book = OrderBook(name, BookType.L2_MBP)
        self._next = self._updates = self._at_ns = 0

    @property
    def times_ns(self) -> list[int]:
        return [delta.ts_init for delta in self._deltas if delta.flags & F_LAST]

    def view(self, now_ns: int) -> MarketView | None:
        """Return what was known at a time, which must not be before an earlier one."""
        until = bisect_right(self._deltas, now_ns, key=lambda delta: delta.ts_init)
        for delta in self._deltas[self._next : until]:
            self._take(delta)
        self._next = until
        if not self._updates:
            return None
        return MarketView(
            instrument=self.instrument.id,
            bids=tuple(self._book.bids_to_dict(LEVELS).items()),
            asks=tuple(self._book.asks_to_dict(LEVELS).items()),
            seq=self._updates,
            at_ns=self._at_ns,
        )

    def deepest_px(self, side: Side) -> Decimal | None:
        levels = self._book.asks_to_dict() if side is Side.BUY else self._book.bids_to_dict()
        return next(reversed(levels), None)

    def _take(self, delta: OrderBookDelta) -> None:
        self._book.apply_delta(delta)
        self._updates += bool(delta.flags & F_LAST)
        self._at_ns = delta.ts_init


def compare(catalog: Path, instrument: Instrument, draw: random.Random) -> set[int]:
    """Look at both at updates' own times and between them; return the updates that were seen."""
    played = PlayedBook(catalog, instrument)
    places = Places(price_places(instrument), size_places(instrument))
    pieces = book_pieces(catalog, nautilus_id(instrument.id), places, 0)
    feed = BookFeed(instrument.id, pieces, places, LEVELS)
    times_ns = played.times_ns
    looks_ns = [draw.choice(times_ns) + draw.choice((-1, 0, 0, 1, 999)) for _ in range(LOOKS)]
    seen = set()
    for now_ns in sorted([times_ns[0] - 1, *looks_ns, times_ns[-1] + 1]):
        expected, view = played.view(now_ns), feed.view(now_ns)
        assert view == expected
        if view is None or expected is None:
            continue
        assert encode_view(view) == encode_view(expected), "the same places, so the same hash"
        top = feed.top(now_ns)
        assert top is not None
        assert top == expected.cut(1)
        for side in Side:
            assert feed.deepest_px(side, now_ns) == played.deepest_px(side)
        seen.add(view.seq)
    assert feed.updates == len(times_ns)
    return seen


@pytest.mark.parametrize("seed", range(6))
def test_views_are_those_of_the_played_book(tmp_path: Path, seed: int):
    draw = random.Random(seed)
    tape = Tape(BTC)
    middle = 10_000
    for ms in sorted(draw.choices(range(1000, 4000), k=1500)):
        middle += draw.choice((-3, -1, 0, 1, 3)) * (1 if draw.random() < 0.99 else 30_000)
        middle = max(middle, 5_000)
        if draw.random() < 0.01:
            bids = [(str(Decimal(middle - n) / 100), "0.5") for n in range(1, 9)]
            asks = [(str(Decimal(middle + n) / 100), "1.5") for n in range(1, 9)]
            tape.book(ms, bids, asks)
        side = draw.choice(list(Side))
        away = draw.choice((draw.randint(-2, 30), draw.randint(0, 300_000)))
        px = max(middle + away * side.sign * -1, 1)
        tape.level(ms, side, str(Decimal(px) / 100), str(Decimal(draw.randint(0, 3)) / 8))
    tape.write(tmp_path)
    assert len(compare(tmp_path, BTC, draw)) > LOOKS // 4


@pytest.mark.skipif(
    SAMPLE is None, reason="QUARTERDECK_SAMPLE_DATA does not name the recorded sample data"
)
def test_views_of_a_real_market_are_those_of_the_played_book(tmp_path: Path):
    assert SAMPLE is not None
    spot = replace(BTC, lot_qty=Decimal("0.00001"))
    ready = ensure(Path(SAMPLE), tmp_path, [date(2024, 8, 8)], [spot], lambda _progress: None)
    assert isinstance(ready, CatalogReady), ready
    assert len(compare(ready.path, spot, random.Random(8))) > LOOKS // 2


def test_a_view_stays_the_same_while_the_book_does(tmp_path: Path):
    tape = Tape(BTC).book(1000, [("99", "1")], [("101", "2")]).level(2000, Side.BUY, "98", "1")
    tape.write(tmp_path)
    feed = BookFeed(BTC.id, book_pieces(tmp_path, tape.id, (2, 3), 0), Places(2, 3), LEVELS)
    first = feed.view(at(1000))
    assert feed.view(at(1999)) is first
    assert feed.view(at(2000)) is not first
