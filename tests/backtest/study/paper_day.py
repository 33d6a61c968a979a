"""A small paper day: a captured market of three venues, and the journal of a desk that traded it.

The desk is a backtest's own, in its worker. Studied over the same data it must decide and fill the
same; studied over other data it must not, and the study has to say so.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.backtest import recorded_day
from tests.backtest.recorded_day import LIMITS, PERPETUAL, SPOT, line, order

from quarterdeck.backtest.config_file import understand_config
from quarterdeck.backtest.launch import run_to_end
from quarterdeck.backtest.run_folder import JOURNAL, RunState, create

OTHER: Final = "VENUE-C:SPOT_PAIR:BTC-USDT"
START_PX: Final = {SPOT: 1_000, PERPETUAL: 1_002, OTHER: 1_000}
SECONDS: Final = 60
TWAP: Final = {
    "exec_algorithm": "TWAP",
    "exec_algorithm_params": {"horizon_secs": 12, "interval_secs": 3},
}
ICEBERG: Final = {
    "order_type": "LIMIT",
    "exec_algorithm": "ICEBERG",
    "exec_algorithm_params": {"display_quantity": "0.2"},
}


def _command(second: float, kind: str, **fields: Any) -> dict[str, Any]:
    return line(second, command={"type": kind, "by": "test", **fields})


ASKED: Final = (
    line(2, order=order("taker")),
    line(3, order=order("short", instrument_key=PERPETUAL, side="SELL", quantity="2")),
    line(4, order=order("smart", route="SMART", quantity="3")),
    line(5, order=order("slices", route="SMART", side="SELL", quantity="1.2", **TWAP)),
    line(6, order=order("berg", quantity="0.9", price="1001", **ICEBERG)),
    line(7, order=order("huge", quantity="500")),
    line(8, order=order("far", quantity="1", order_type="LIMIT", price="980")),
    _command(10, "amend_order", operation_id="far", changes={"quantity": "0.5", "limit_px": "981"}),
    _command(11, "pause_order", operation_id="far", why="lunch"),
    _command(14, "resume_order", operation_id="far"),
    _command(20, "cancel_order", operation_id="far", why="enough"),
    _command(22, "set_trading_state", state="halted", why="a pause"),
    line(23, order=order("halted")),
    _command(24, "set_trading_state", state="active", why="go on"),
    line(30, order=order("cover", instrument_key=PERPETUAL, quantity="2", reduce_only=True)),
    line(35, order=order("late", quantity="0.6", order_type="LIMIT", price="995")),
    _command(38, "expire_order", operation_id="late", why="too late"),
    line(40, order=order("open", quantity="0.7", order_type="LIMIT", price="990")),
)
NAMES: Final = [each["order"]["operation_id"] for each in ASKED if "order" in each]


def write_market(data: Path, *, size: float = 1.0, dear: int = 0) -> None:
    """Record all three books and their trades.

    Args:
        data: the folder.
        size: times the quantity at every level.
        dear: ticks that every ask is further from the middle.
    """
    for instrument, start_px in START_PX.items():
        book = [_changed(row, size, dear) for row in recorded_day._book(SECONDS, start_px)]
        recorded_day._store(data, "incremental_book_L2", instrument, book)
        trades = list(recorded_day._trades(SECONDS, start_px))
        recorded_day._store(data, "trades", instrument, trades)


def _changed(row: dict[str, Any], size: float, dear: int) -> dict[str, Any]:
    further = dear if row["side"] == "ask" else 0
    px = round(row["price"] * 10) + further
    return row | {"price": px / 10, "amount": round(row["amount"] * size, 3)}


def venues() -> Iterator[dict[str, Any]]:
    yield recorded_day.venue()
    yield recorded_day.futures_venue()
    terms = recorded_day.instrument(id=OTHER)
    yield recorded_day.venue(
        venue="VENUE-C", account="c-1", taker_fee_bps="8", insert_latency_ms=9, instruments=[terms]
    )


async def trade(folder: Path, asked: tuple[dict[str, Any], ...] = ASKED) -> Path:
    """Run the day's desk over `folder/data`; return its journal."""
    document = recorded_day.config(
        folder,
        venues=list(venues()),
        limits=dict.fromkeys(START_PX, LIMITS),
        orders=list(asked),
        results_folder=str(folder / "live"),
    )
    config = understand_config(recorded_day.encoded(document), source="test", folder=folder)
    run = create(config, time.time_ns())
    status = await run_to_end(run, lambda _: None)
    assert status.state is RunState.FINISHED, (run.path / "execution.log").read_text()
    return run.path / JOURNAL
