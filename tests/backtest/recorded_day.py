"""A small recorded day that the tests write themselves, and a backtest of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

DAY: Final = "2024-03-01"
DAY_US: Final = 1_709_251_200_000_000
DAY_NS: Final = DAY_US * 1_000
SECOND_NS: Final = 1_000_000_000
SPOT: Final = "VENUE-A:SPOT_PAIR:BTC-USDT"
PERPETUAL: Final = "VENUE-B:PERPETUAL:BTC-USDT@LIN"
LEVELS: Final = 10


def ns(second: float) -> int:
    """Return a time of the day in nanoseconds."""
    return DAY_NS + round(second * 1_000) * 1_000_000


def write_day(data: Path, *, seconds: int = 60) -> None:
    """Record both instruments: a book that moves ten times a second, and trades."""
    for instrument, start_px in ((SPOT, 1_000), (PERPETUAL, 1_002)):
        _store(data, "incremental_book_L2", instrument, list(_book(seconds, start_px)))
        _store(data, "trades", instrument, list(_trades(seconds, start_px)))


def _store(data: Path, kind: str, instrument: str, rows: list[dict[str, Any]]) -> None:
    folder = data / "raw_tick_data" / "by_date" / f"day-{DAY}" / f"data_type-{kind}"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{instrument}.parquet")


def _mid_px(start_px: int, step: int) -> int:
    """Return the middle in ticks of 0.1: a slow triangle, up and down again."""
    phase = step % 200
    return start_px * 10 + (phase if phase < 100 else 200 - phase)


def _book(seconds: int, start_px: int) -> Iterator[dict[str, Any]]:
    shown: dict[tuple[str, int], float] = {}
    for step in range(seconds * 10):
        mid_px = _mid_px(start_px, step)
        wanted = {
            (side, mid_px + sign * level): 0.5 + (step * 7 + level) % 5 / 10
            for side, sign in (("bid", -1), ("ask", 1))
            for level in range(1, LEVELS + 1)
        }
        gone = dict.fromkeys(shown.keys() - wanted.keys(), 0.0)
        changed = {key: size for key, size in wanted.items() if shown.get(key) != size}
        for (side, px), size in sorted((gone | changed).items()):
            yield {
                **_stamp(step * 100_000),
                "is_snapshot": step == 0,
                "side": side,
                "price": px / 10,
                "amount": size,
            }
        shown = wanted


def _trades(seconds: int, start_px: int) -> Iterator[dict[str, Any]]:
    for number in range(seconds * 4):
        at_us = number * 250_000 + 50_000
        mid_px = _mid_px(start_px, at_us // 100_000)
        is_buy = number % 2 == 0
        yield {
            **_stamp(at_us),
            "id": str(number + 1),
            "side": "buy" if is_buy else "sell",
            "price": (mid_px + (1 if is_buy else -1)) / 10,
            "amount": 0.05,
        }


def _stamp(at_us: int) -> dict[str, Any]:
    at_us += DAY_US + 1_000
    return {"exchange": "test", "symbol": "BTC", "timestamp": at_us, "local_timestamp": at_us}


def instrument(**changes: Any) -> dict[str, Any]:
    """Return the spot instrument's terms as a configuration has them."""
    return {
        "id": SPOT,
        "symbol": "BTCUSDT",
        "settlement": "spot",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "tick_px": "0.1",
        "lot_qty": "0.001",
        "multiplier": "1",
        **changes,
    }


def venue(**changes: Any) -> dict[str, Any]:
    """Return the spot venue as a configuration has it."""
    return {
        "venue": "VENUE-A",
        "account": "a-1",
        "maker_fee_bps": "2",
        "taker_fee_bps": "10",
        "insert_latency_ms": 5,
        "cancel_latency_ms": 3,
        "balances": {"USDT": "100000", "BTC": "10"},
        "instruments": [instrument()],
        **changes,
    }


def futures_venue() -> dict[str, Any]:
    """Return the derivative's venue as a configuration has it."""
    return venue(
        venue="VENUE-B",
        account="b-1",
        balances={"USDT": "100000"},
        instruments=[instrument(id=PERPETUAL, settlement="linear")],
    )


LIMITS: Final = {
    "max_order_qty": "5",
    "max_order_notional": "10000",
    "collar_bps": "500",
    "reference_age_ms_max": 2_000,
}


def order(operation_id: str, **changes: Any) -> dict[str, Any]:
    """Return an order message for the spot instrument."""
    return {
        "operation_id": operation_id,
        "instrument_key": SPOT,
        "side": "BUY",
        "quantity": "1.5",
        "order_type": "MARKET",
        **changes,
    }


def line(second: float, **what: Any) -> dict[str, Any]:
    """Return a line of a schedule."""
    return {"at_ns": ns(second), **what}


ORDERS: Final = (
    line(2, order=order("taker")),
    line(3, order=order("short", instrument_key=PERPETUAL, side="SELL", quantity="2")),
    line(
        4,
        order=order(
            "rester", side="SELL", quantity="0.4", order_type="LIMIT", price="1006", post_only=True
        ),
    ),
    line(5, order=order("huge", quantity="500")),
    line(6, order={"operation_id": "broken", "instrument_key": "nonsense"}),
    line(7, order=order("far", quantity="1", order_type="LIMIT", price="980")),
    line(20, command={"type": "cancel_order", "operation_id": "far", "by": "test"}),
    line(21, command={"type": "cancel_order", "operation_id": "nobody", "by": "test"}),
    line(30, order=order("cover", instrument_key=PERPETUAL, quantity="2", reduce_only=True)),
    line(40, order=order("open", quantity="0.7", order_type="LIMIT", price="990")),
)


def config(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return a configuration over the data in a folder."""
    return {
        "data_folder": str(folder / "data"),
        "catalog_folder": str(folder / "catalog"),
        "results_folder": str(folder / "results"),
        "start": f"{DAY}T00:00:00Z",
        "end": f"{DAY}T00:00:50Z",
        "mode": "report",
        "view_levels": 10,
        "chunk_size": 10_000,
        "equity_interval_ms": 1_000,
        "venues": [venue(), futures_venue()],
        "limits": {SPOT: LIMITS, PERPETUAL: LIMITS},
        "orders": list(ORDERS),
        **changes,
    }


def encoded(document: dict[str, Any]) -> bytes:
    """Return a configuration as the bytes of its file."""
    return json.dumps(document).encode()
