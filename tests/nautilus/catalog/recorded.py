"""Small recorded days that the tests write themselves, and the runs that read them back."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq
from nautilus_trader.backtest import (
    BacktestDataConfig,
    BacktestEngineConfig,
    BacktestNode,
    BacktestRunConfig,
    BacktestVenueConfig,
)
from nautilus_trader.common import LoggerConfig, LogLevel
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.model import (
    BookType,
    InstrumentId,
    NautilusDataType,
    OrderBook,
    OrderBookDeltas,
    StrategyId,
)
from nautilus_trader.trading import Strategy, StrategyConfig

from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.nautilus.catalog.raw import Kind, RawDay

DAY: Final = date(2024, 3, 1)
DAY_US: Final = 1_709_251_200_000_000
SPOT: Final = Instrument(
    id="VENUE-A:SPOT_PAIR:BTC-USDT",
    symbol="BTCUSDT",
    settlement=Settlement.SPOT,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_px=Decimal("0.10"),
    lot_qty=Decimal("0.001"),
)
PERPETUAL: Final = Instrument(
    id="VENUE-B:PERPETUAL:BTC-USD@INV",
    symbol="BTCUSD_PERP",
    settlement=Settlement.INVERSE,
    base="BTC",
    quote="USD",
    settle="BTC",
    tick_px=Decimal("0.5"),
    lot_qty=Decimal(1),
    multiplier=Decimal(100),
)


def store(data: Path, kind: Kind, rows: list[dict[str, Any]], **given: Any) -> Path:
    """Write rows as a recorded file; `given` may name another day, instrument or row group."""
    day, instrument = given.get("day", DAY), given.get("instrument", SPOT)
    path = RawDay(data, day).path(kind, instrument.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, schema=given.get("schema"))
    pq.write_table(table, path, row_group_size=given.get("row_group_rows", 1 << 20))
    return path


def change(at_us: int, side: str, price: float, amount: float, *, snapshot: bool = False) -> dict:
    """One row of an incremental book, so many microseconds into the day."""
    return {
        "exchange": "venue",
        "symbol": "BTCUSDT",
        "timestamp": DAY_US + at_us - 5,
        "local_timestamp": DAY_US + at_us,
        "is_snapshot": snapshot,
        "side": side,
        "price": price,
        "amount": amount,
    }


def trade(at_us: int, price: float, amount: float, **given: Any) -> dict:
    """One trade, so many microseconds into the day."""
    return {
        "exchange": "venue",
        "symbol": "BTCUSDT",
        "timestamp": DAY_US + at_us - 5,
        "local_timestamp": DAY_US + at_us,
        "id": str(at_us),
        "side": "buy",
        "price": price,
        "amount": amount,
        **given,
    }


def levels(at_us: int, bids: list[tuple], asks: list[tuple]) -> dict:
    """One five-level snapshot; missing levels are null."""
    row: dict[str, Any] = {"timestamp": DAY_US + at_us - 5, "local_timestamp": DAY_US + at_us}
    for name, given in (("bids", bids), ("asks", asks)):
        for level in range(5):
            price, amount = given[level] if level < len(given) else (None, None)
            row[f"{name}[{level}].price"] = price
            row[f"{name}[{level}].amount"] = amount
    return row


class Watcher(Strategy):
    """Rebuilds the books and keeps what came by: the top after each update, and the trades."""

    def __init__(self, config: StrategyConfig, names: list[InstrumentId]) -> None:
        self.names = names
        self.books = {name: OrderBook(name, BookType.L2_MBP) for name in names}
        self.tops: list[tuple] = []
        self.ticks: list[tuple] = []

    def __new__(cls, config: StrategyConfig, names: list[InstrumentId]) -> Self:
        return super().__new__(cls, config)

    def on_start(self) -> None:
        for name in self.names:
            self.subscribe_book_deltas(name, BookType.L2_MBP)
            self.subscribe_trades(name)

    def on_book_deltas(self, deltas: OrderBookDeltas) -> None:
        book = self.books[deltas.instrument_id]
        book.apply_deltas(deltas)
        bids, asks = book.bids(1), book.asks(1)
        top = [
            (each[0].price.as_decimal(), each[0].size()) if each else None for each in (bids, asks)
        ]
        self.tops.append((deltas.instrument_id.value, deltas.ts_init, *top))

    def on_trade(self, tick: Any) -> None:
        self.ticks.append((tick.instrument_id.value, tick.ts_init, str(tick.price)))


def watch(catalog: Path, names: list[InstrumentId], *, chunk_size: int | None = 7) -> Watcher:
    """Run a backtest that only watches, over everything in a catalog."""
    venues = sorted({name.venue.value for name in names})
    rate = Decimal("0.001")
    config = BacktestRunConfig(
        venues=[
            BacktestVenueConfig(
                name=venue,
                oms_type="NETTING",
                account_type="MARGIN",
                starting_balances=["1000000 USDT", "100 BTC"],
                book_type="L2_MBP",
                fee_model=MakerTakerFeeModel(maker_rate=rate, taker_rate=rate),
            )
            for venue in venues
        ],
        data=[
            BacktestDataConfig(
                NautilusDataType.OrderBookDelta,
                str(catalog),
                instrument_ids=names,
                batch_deltas=True,
            ),
            BacktestDataConfig(NautilusDataType.TradeTick, str(catalog), instrument_ids=names),
        ],
        engine=BacktestEngineConfig(
            run_analysis=False,
            logging=LoggerConfig(stdout_level=LogLevel.ERROR, print_config=False),
        ),
        chunk_size=chunk_size,
        dispose_on_completion=False,
        raise_exception=True,
    )
    node = BacktestNode([config])
    node.build()
    watcher = Watcher(StrategyConfig(strategy_id=StrategyId("WATCH-001")), names)
    node.add_strategy(config.id, watcher)
    node.run()
    node.dispose()
    return watcher
