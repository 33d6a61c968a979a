"""What the tests of capture share: views, ways to record them, and the recorded files read back."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import strategies as st

from quarterdeck.core.model.market import Level, MarketView
from quarterdeck.core.model.terms import Side
from quarterdeck.gateways.capture.book_rows import CapturedView, fold
from quarterdeck.gateways.capture.layout import RawKind, raw_file
from quarterdeck.gateways.capture.recorder import Recorder
from quarterdeck.gateways.capture.recording_thread import Run
from quarterdeck.gateways.capture.settings import CaptureSettings
from quarterdeck.gateways.capture.tape import Tape, open_tape
from quarterdeck.gateways.contract import PublicTrade

D = Decimal
NAME = "DRY:SPOT_PAIR:BTC-USDT"
DAY = "2026-03-01"
DAY_START_NS = 1_772_323_200_000_000_000
"""2026-03-01 00:00 UTC."""
MS = 1_000_000
DEPTH = 5

Book = tuple[tuple[Level, ...], tuple[Level, ...]]


def a_view(bids, asks, at_ns: int = DAY_START_NS, instrument: str = NAME) -> MarketView:
    """Return a view of levels given as texts, numbers or decimals."""
    sides = (tuple((D(str(px)), D(str(qty))) for px, qty in side) for side in (bids, asks))
    best_first, asks_first = sides
    return MarketView(
        instrument=instrument,
        bids=tuple(sorted(best_first, reverse=True)),
        asks=tuple(sorted(asks_first)),
        seq=1,
        at_ns=at_ns,
    )


def a_trade(number: int, at_ns: int, instrument: str = NAME) -> PublicTrade:
    return PublicTrade(
        instrument=instrument,
        trade_id=f"T{number}",
        px=D("100.25"),
        quantity=D("0.5"),
        aggressor=(Side.BUY, Side.SELL, None)[number % 3],
        at_ns=at_ns,
    )


def a_tape(folder: Path, run: str = "acc-1") -> Tape:
    tape = open_tape(folder, NAME, exchange="dry", symbol="BTC-USDT", run=run, depth=DEPTH)
    assert tape is not None
    return tape


def a_recorder(folder: Path, *, clock_ns, epoch: int = 1, **changes) -> Recorder:
    terms = {"folder": str(folder), "free_bytes_min": 0}
    pause_ns = changes.pop("pause_ns", 0)
    run = Run(account="acc", venue="DRY", gateway_epoch=epoch, book_depth=DEPTH)
    settings = CaptureSettings(**(terms | changes))
    recorder = Recorder(settings, run, clock_ns=clock_ns, pause_ns=pause_ns)
    recorder.symbols = {NAME: "BTC-USDT"}
    return recorder


def book_rows_of(folder: Path, day: str = DAY, instrument: str = NAME) -> list[tuple]:
    table = pq.read_table(raw_file(folder, day, RawKind.BOOK, instrument))
    names = ["timestamp", "local_timestamp", "is_snapshot", "side", "price", "amount"]
    return list(zip(*(table.column(name).to_pylist() for name in names), strict=True))


def views_of(folder: Path, day: str = DAY, instrument: str = NAME) -> list[CapturedView]:
    return list(fold(book_rows_of(folder, day, instrument)))


def trades_of(folder: Path, day: str = DAY, instrument: str = NAME) -> list[dict]:
    return pq.read_table(raw_file(folder, day, RawKind.TRADES, instrument)).to_pylist()


def books(views: Sequence[CapturedView | MarketView]) -> list[Book]:
    return [(view.bids, view.asks) for view in views]


def tellable(stretches: Sequence[Sequence[MarketView]]) -> list[Book]:
    """Return what rows can tell of stretches of views: see the module of the rows."""
    told: list[Book] = []
    for stretch in stretches:
        last: Book = ((), ())
        for view in stretch:
            shown = view.cut(DEPTH)
            book = (shown.bids, shown.asks)
            if book != last:
                told.append(book)
                last = book
    return told


prices = st.integers(1, 40).map(lambda n: D(n) * D("0.01") + D(50_000))
amounts = st.one_of(
    st.integers(1, 3).map(D),
    st.decimals("0.000000000001", "999", places=12).filter(lambda d: len(str(d.normalize())) < 15),
)
sides = st.dictionaries(prices, amounts, max_size=8)
view_lists = st.lists(
    st.builds(lambda bids, asks: a_view(bids.items(), asks.items()), sides, sides), max_size=8
)
