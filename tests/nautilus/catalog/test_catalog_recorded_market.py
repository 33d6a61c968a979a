"""On minutes of a real market the rebuilt book and the trades are the recorded ones."""

import os
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.nautilus.catalog.recorded import watch

from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.nautilus.catalog.raw import Kind, RawDay
from quarterdeck.nautilus.catalog.ready import CatalogReady, ensure
from quarterdeck.nautilus.instruments import nautilus_id

SAMPLE = os.environ.get("QUARTERDECK_SAMPLE_DATA")
pytestmark = pytest.mark.skipif(
    not SAMPLE, reason="QUARTERDECK_SAMPLE_DATA does not name a folder of recorded market data"
)
DAY = date(2024, 8, 8)
STEP = 37
"""Every how many updates the books are compared."""


def terms(instrument_id: str, settlement: Settlement, tick: str, lot: str) -> Instrument:
    return Instrument(
        id=instrument_id,
        symbol="BTCUSDT",
        settlement=settlement,
        base="BTC",
        quote="USDT" if "USDT" in instrument_id else "USD",
        settle="BTC" if settlement is Settlement.INVERSE else "USDT",
        tick_px=Decimal(tick),
        lot_qty=Decimal(lot),
    )


INSTRUMENTS = [
    terms("BINANCE-SPOT:SPOT_PAIR:BTC-USDT", Settlement.SPOT, "0.01", "0.00001"),
    terms("BINANCE-FUTURES:PERPETUAL:BTC-USDT@LIN", Settlement.LINEAR, "0.1", "0.001"),
    terms("BINANCE-FUTURES:PERPETUAL:BTC-USD@INV", Settlement.INVERSE, "0.1", "1"),
]


def ready(folder: Path, instruments: list[Instrument]) -> CatalogReady:
    made = ensure(Path(SAMPLE or ""), folder, [DAY], instruments, lambda _progress: None)
    assert isinstance(made, CatalogReady), made
    return made


def recorded_tops(path: Path) -> dict[int, list]:
    """Best bid and ask after some of the updates, rebuilt from the file row by row."""
    columns = ["local_timestamp", "is_snapshot", "side", "price", "amount"]
    rows = list(zip(*pq.read_table(path, columns=columns).to_pydict().values(), strict=True))
    book: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}
    tops: dict[int, list] = {}
    updates, was_snapshot = 0, False
    for number, (at_us, snapshot, side, price, amount) in enumerate(rows):
        if snapshot and not was_snapshot:
            book = {"bid": {}, "ask": {}}
        was_snapshot = snapshot
        if amount:
            book[side][price] = amount
        else:
            book[side].pop(price, None)
        if number + 1 < len(rows) and rows[number + 1][0] == at_us:
            continue
        updates += 1
        if updates % STEP == 0:
            best = max(book["bid"]), min(book["ask"])
            sizes = book["bid"][best[0]], book["ask"][best[1]]
            tops[at_us * 1000] = [list(pair) for pair in zip(best, sizes, strict=True)]
    return tops


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda each: each.id)
def test_the_rebuilt_book_is_the_recorded_one(tmp_path, instrument):
    made = ready(tmp_path, [instrument])
    name = nautilus_id(instrument.id)
    seen = watch(made.path, [name], chunk_size=10_000)
    day = RawDay(Path(SAMPLE or ""), DAY)
    wanted = recorded_tops(day.path(Kind.INCREMENTAL, instrument.id))
    found = {
        ts_ns: [[float(px), size] for px, size in tops]
        for _, ts_ns, *tops in seen.tops
        if ts_ns in wanted
    }
    assert len(wanted) > 50
    assert found == wanted
    trades = pq.read_table(day.path(Kind.TRADES, instrument.id), columns=["price"])
    assert [float(price) for _, _, price in seen.ticks] == trades["price"].to_pylist()


def test_one_catalog_holds_all_three(tmp_path):
    made = ready(tmp_path, INSTRUMENTS)
    assert [part.manifest.unanchored_rows for part in made.parts] == [0, 0, 0]
    assert made.with_trades == {instrument.id for instrument in INSTRUMENTS}
    names = [nautilus_id(instrument.id) for instrument in INSTRUMENTS]
    seen = watch(made.path, names, chunk_size=10_000)
    assert {name for name, *_ in seen.tops} == {name.value for name in names}
    times = [ts_ns for _, ts_ns, *_ in seen.tops]
    assert times == sorted(times)
    assert len(seen.ticks) == 9_738 + 21_313 + 2_285
