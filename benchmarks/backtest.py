"""What a hosted desk with a thousand orders costs a run, against a strategy that does nothing.

Run `python benchmarks/run.py backtest`. Five and twenty million rows of one instrument, made from a
seed and as dense as the recorded spot book of 2024-08-08: an update of 36 changes each tenth of a
second, in a book of a thousand levels a side that is never crossed, and trades at its best prices.
What the orders cost does not grow with the rows, so the ratio does: the first is a sixth of a day,
the second two thirds of one. Of the orders 70 % are MARKET, 20 % are a TWAP of five slices, and
10 % are a LIMIT two ticks outside the market that lives for ten minutes; they are spread evenly.
The equity curve has a point a minute.

Both read the same catalog with the same simulated venue, each in a process of its own, in turns.
The time is that of the played market; conversion before it and result files after it are left out.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.conditions import CONSOLE, print_conditions, print_table
from nautilus_trader.backtest import BacktestNode
from nautilus_trader.trading import Strategy
from numpy.typing import NDArray

from quarterdeck.backtest.config_file import understand_config
from quarterdeck.backtest.execution import execute
from quarterdeck.backtest.simulator import NautilusSimulator
from quarterdeck.nautilus.catalog.raw import Kind, RawDay
from quarterdeck.nautilus.host.node import run_config
from quarterdeck.nautilus.host.plan import HostedDesk, HostOutcome, HostPlan, HostPorts

UPDATE_ROWS = 36
UPDATES = (135_000, 540_000)
UPDATES_PER_TRADE = 0.965
SLICE_UPDATES = 15_000
OPENING_LEVELS = 1_000
PARENTS = 1_000
RUNS = 3
RATIO_MIN = 0.6
MAXRSS_MB_MAX = 600
DAY = date(2024, 3, 1)
DAY_US = 1_709_251_200_000_000
STEP_US = 100_000
MID_TICKS = 600_000
SPOT = "VENUE-A:SPOT_PAIR:BTC-USDT"
CONFIG = "config.json"
TEXT = pa.dictionary(pa.int32(), pa.string())

type Ints = NDArray[np.int64]


def middles(updates: int) -> Ints:
    """Return the middle of the market in ticks at each update; it moves by one tick at most."""
    random = np.random.default_rng(20240301)
    return MID_TICKS + np.cumsum(random.integers(-1, 2, updates))


def write_day(data: Path, mids: Ints) -> None:
    """Write the recorded files, slice by slice."""
    book = RawDay(data, DAY).path(Kind.INCREMENTAL, SPOT)
    trades = RawDay(data, DAY).path(Kind.TRADES, SPOT)
    for path in (book, trades):
        path.parent.mkdir(parents=True)
    write_slices(book, book_slices(mids))
    write_slices(trades, trade_slices(mids))


def write_slices(path: Path, slices: Iterator[dict[str, Any]]) -> None:
    writer: pq.ParquetWriter | None = None
    for columns in slices:
        rows = len(columns["price"])
        named = {name: pa.array(["X"] * rows).cast(TEXT) for name in ("exchange", "symbol")}
        table = pa.table(named | {name: pa.array(values) for name, values in columns.items()})
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()


def book_slices(mids: Ints) -> Iterator[dict[str, Any]]:
    """Yield an opening snapshot, then updates that clear the middle and change what is around."""
    random = np.random.default_rng(1)
    away = np.tile(np.arange(1, OPENING_LEVELS + 1), 2)
    bids = np.arange(len(away)) < OPENING_LEVELS
    amounts = random.integers(1, 500_000, len(away)) / 100_000
    yield book_rows(np.full(len(away), DAY_US), mids[0], away, bids, amounts, opening=True)
    for first in range(0, len(mids), SLICE_UPDATES):
        rows = len(mids[first : first + SLICE_UPDATES]) * UPDATE_ROWS
        number = np.arange(rows) % UPDATE_ROWS
        bids = np.where(number < 4, number % 2 == 0, random.random(rows) < 0.5)
        # Nobody stands in the middle itself, somebody always stands next to it.
        away = np.select([number < 2, number < 4], [0, 1], random.geometric(0.02, rows))
        amounts = random.integers(1, 500_000, rows) / 100_000
        amounts[(number < 2) | ((number > 3) & (away > 1) & (random.random(rows) < 0.3))] = 0.0
        update = first + 1 + np.arange(rows) // UPDATE_ROWS
        yield book_rows(DAY_US + update * STEP_US, mids[update - 1], away, bids, amounts)


def book_rows(
    at_us: Ints, mids: Any, away: Ints, bids: Any, amounts: Any, *, opening: bool = False
) -> dict[str, Any]:
    return {
        "timestamp": at_us - 5_000,
        "local_timestamp": at_us,
        "is_snapshot": np.full(len(at_us), opening),
        "side": np.where(bids, "bid", "ask"),
        "price": np.where(bids, mids - away, mids + away) / 10,
        "amount": amounts,
    }


def trades_of(mids: Ints) -> int:
    return round(len(mids) / UPDATES_PER_TRADE)


def trade_slices(mids: Ints) -> Iterator[dict[str, Any]]:
    random = np.random.default_rng(2)
    trades = trades_of(mids)
    updates = np.sort(random.integers(0, len(mids), trades))
    buys = random.random(trades) < 0.5
    at_us = DAY_US + (updates + 1) * STEP_US + 1_000
    yield {
        "timestamp": at_us - 5_000,
        "local_timestamp": at_us,
        "id": np.arange(trades).astype(str),
        "side": np.where(buys, "buy", "sell"),
        "price": (mids[updates] + np.where(buys, 1, -1)) / 10,
        "amount": random.integers(1, 50_000, trades) / 100_000,
    }


def orders(mids: Ints) -> list[dict[str, Any]]:
    """Return the schedule's lines."""
    lines = []
    for number in range(PARENTS):
        update = (number + 1) * len(mids) // (PARENTS + 2)
        at_us = DAY_US + update * STEP_US
        side = ("BUY", "SELL")[number % 2]
        terms: dict[str, Any] = {"order_type": "MARKET"}
        if number % 10 in {3, 7}:
            slices = {"horizon_secs": 60, "interval_secs": 12}
            terms |= {"exec_algorithm": "TWAP", "exec_algorithm_params": slices}
        elif number % 10 == 5:
            outside = -2 if side == "BUY" else 2
            ends = datetime.fromtimestamp(at_us // 1_000_000 + 600, UTC)
            terms = {
                "order_type": "LIMIT",
                "price": str((int(mids[update]) + outside) / 10),
                "time_in_force": "GTD",
                "expire_time": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            }
        order = {
            "operation_id": f"OP-{number}",
            "instrument_key": SPOT,
            "side": side,
            "quantity": "0.5",
            **terms,
        }
        lines.append({"at_ns": at_us * 1_000, "order": order})
    return lines


def config(lines: list[dict[str, Any]], mids: Ints) -> dict[str, Any]:
    ends = datetime.fromtimestamp((DAY_US + (len(mids) + 600) * STEP_US) // 1_000_000, UTC)
    instrument = {
        "id": SPOT,
        "symbol": "BTCUSDT",
        "settlement": "spot",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "tick_px": "0.1",
        "lot_qty": "0.00001",
        "multiplier": "1",
    }
    venue = {
        "venue": "VENUE-A",
        "account": "a-1",
        "maker_fee_bps": "2",
        "taker_fee_bps": "10",
        "insert_latency_ms": 5,
        "cancel_latency_ms": 5,
        "balances": {"USDT": "100000000", "BTC": "10000"},
        "instruments": [instrument],
    }
    limit = {
        "max_order_qty": "5",
        "max_order_notional": "1000000",
        "collar_bps": "500",
        "reference_age_ms_max": 2_000,
    }
    return {
        "data_folder": "data",
        "catalog_folder": "catalog",
        "results_folder": "results",
        "start": f"{DAY}T00:00:00Z",
        "end": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
        "mode": "fast",
        "view_levels": 20,
        "chunk_size": 10_000,
        "equity_interval_ms": 60_000,
        "venues": [venue],
        "limits": {SPOT: limit},
        "orders": lines,
    }


class Nothing(Strategy):
    """What the desk is compared with."""


class Played(Exception):  # noqa: N818 - no error: the market was played, and no desk was made
    """The way out of a run that has no desk and so no results."""


class Timed(NautilusSimulator):
    """Takes the time of the played market."""

    seconds = 0.0
    cpu_s = 0.0

    def play(
        self,
        plan: HostPlan,
        make_desk: Callable[[HostPorts], HostedDesk],
        on_progress: Callable[[int], None],
    ) -> HostOutcome:
        start_ns, used_s = time.perf_counter_ns(), time.process_time()
        try:
            return self.played(plan, make_desk, on_progress)
        finally:
            self.seconds = (time.perf_counter_ns() - start_ns) / 1e9
            self.cpu_s = time.process_time() - used_s

    def played(
        self,
        plan: HostPlan,
        make_desk: Callable[[HostPorts], HostedDesk],
        on_progress: Callable[[int], None],
    ) -> HostOutcome:
        """Play it to the desk."""
        return super().play(plan, make_desk, on_progress)


class ToNobody(Timed):
    """Plays the same market to a strategy that does nothing."""

    def played(
        self,
        plan: HostPlan,
        make_desk: Callable[[HostPorts], HostedDesk],
        on_progress: Callable[[int], None],
    ) -> HostOutcome:
        """Play it to nobody."""
        del make_desk, on_progress
        settings = run_config(plan)
        node = BacktestNode([settings])
        node.build()
        node.add_strategy(settings.id, Nothing())
        node.run()
        raise Played


def measure(folder: Path, who: str) -> None:
    """Play once, in a process of its own, and print what it took."""
    body = (folder / CONFIG).read_bytes()
    settings = understand_config(body, source=CONFIG, folder=folder)
    simulator = Timed() if who == "desk" else ToNobody()
    results = folder / who
    results.mkdir(exist_ok=True)
    told: dict[str, Any] = {}
    try:
        summary = execute(
            settings, run_id=who, folder=results, simulator=simulator, tell=lambda _progress: None
        )
        assert not summary.refused, summary.refused[:3]
        told["entries"] = summary.conditions.entries
        told["orders"] = summary.totals.orders
        told["journal"] = summary.journal_hash
    except Played:
        assert who == "nobody"
    told["maxrss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(told | {"seconds": simulator.seconds, "cpu_s": simulator.cpu_s}))


def main() -> None:
    print_conditions(f"recorded rows played to a desk with {PARENTS:,} orders")
    for updates in UPDATES:
        compare(updates)


def compare(updates: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, mids = Path(name), middles(updates)
        write_day(folder / "data", mids)
        (folder / CONFIG).write_text(json.dumps(config(orders(mids), mids)))
        taken: dict[str, list[dict[str, Any]]] = {"nobody": [], "desk": []}
        for turn in range(RUNS + 1):
            for who, results in taken.items():
                command = [sys.executable, "-m", "benchmarks.backtest", name, who]
                said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                if turn:  # The first turn converts and warms the disk's cache.
                    results.append(json.loads(said.splitlines()[-1]))
        report(taken, updates * UPDATE_ROWS + trades_of(mids))


def report(taken: dict[str, list[dict[str, Any]]], played_rows: int) -> None:
    def median(who: str, what: str) -> float:
        return statistics.median(result[what] for result in taken[who])

    ratio = median("nobody", "seconds") / median("desk", "seconds")
    used = median("nobody", "cpu_s") / median("desk", "cpu_s")
    maxrss_mb = max(result["maxrss_mb"] for result in taken["desk"])
    fast, small = ratio >= RATIO_MIN, maxrss_mb <= MAXRSS_MB_MAX
    rows = [
        [
            f"{who}: rows/s",
            f"{played_rows / median(who, 'seconds'):,.0f}",
            (
                f"{median(who, 'seconds'):.2f} s, {median(who, 'cpu_s'):.2f} s of CPU, "
                f"{median(who, 'maxrss_mb'):.0f} MB"
            ),
        ]
        for who in taken
    ]
    rows += [
        ["desk / nobody", f"{ratio:.2f}", f">= {RATIO_MIN}: {'yes' if fast else 'NO'}"],
        ["the same by CPU time", f"{used:.2f}", ""],
        ["desk: maxrss", f"{maxrss_mb:.0f} MB", f"<= {MAXRSS_MB_MAX}: {'yes' if small else 'NO'}"],
    ]
    print_table(rows, f"{played_rows:,} rows, median of {RUNS}", "measured", "")
    desk = taken["desk"][0]
    CONSOLE.print(f"{desk['entries']:,} journal entries; orders {desk['orders']}")
    if not (fast and small):
        CONSOLE.print("[red]outside its target[/red]")


if __name__ == "__main__":
    measure(Path(sys.argv[1]), sys.argv[2])
