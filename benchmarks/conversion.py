"""How fast, and in how much memory, a recorded book of five million rows becomes a catalog.

Run `python benchmarks/run.py conversion`. The rows are made from a seed: updates of ten levels
around a wandering price. Each conversion runs in a process of its own, so that the memory measured
is its own. The time includes hashing the file and bringing the result to the disk, not the imports.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.conditions import CONSOLE, print_conditions, print_table

from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.nautilus.catalog.convert import Converted, convert
from quarterdeck.nautilus.catalog.raw import Kind, RawDay

ROWS = 5_000_000
RUNS = 3
SLICE_ROWS = 500_000
UPDATE_ROWS = 10
ROWS_PER_SECOND_MIN = 1_000_000
MAXRSS_MB_MAX = 600
DAY = date(2024, 3, 1)
INSTRUMENT = Instrument(
    id="VENUE-A:SPOT_PAIR:BTC-USDT",
    symbol="BTCUSDT",
    settlement=Settlement.SPOT,
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick_px=Decimal("0.01"),
    lot_qty=Decimal("0.00001"),
)


def write_day(data: Path) -> None:
    """Write the recorded file, slice by slice."""
    path = RawDay(data, DAY).path(Kind.INCREMENTAL, INSTRUMENT.id)
    path.parent.mkdir(parents=True)
    random = np.random.default_rng(20240301)
    start_us = RawDay(data, DAY).start_ns // 1000
    step_us = 86_000_000_000 // (ROWS // UPDATE_ROWS)
    middle = 6_000_000.0
    with pq.ParquetWriter(path, schema(), compression="zstd") as writer:
        for first in range(0, ROWS, SLICE_ROWS):
            number = np.arange(first, first + SLICE_ROWS)
            arrived = start_us + number // UPDATE_ROWS * step_us
            walk = middle + np.cumsum(random.integers(-2, 3, SLICE_ROWS))
            middle = float(walk[-1])
            away = random.geometric(0.02, SLICE_ROWS)
            is_bid = random.random(SLICE_ROWS) < 0.5
            amounts = random.integers(1, 500_000, SLICE_ROWS) / 100_000
            amounts[random.random(SLICE_ROWS) < 0.3] = 0.0
            columns = [
                pa.array(["venue"] * SLICE_ROWS).dictionary_encode(),
                pa.array(["BTCUSDT"] * SLICE_ROWS).dictionary_encode(),
                pa.array(arrived - 20_000),
                pa.array(arrived),
                pa.array(number < UPDATE_ROWS),
                pa.array(np.where(is_bid, "bid", "ask")),
                pa.array(np.where(is_bid, walk - away, walk + away) / 100),
                pa.array(amounts),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema()))


def schema() -> pa.Schema:
    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("exchange", text),
            ("symbol", text),
            ("timestamp", pa.int64()),
            ("local_timestamp", pa.int64()),
            ("is_snapshot", pa.bool_()),
            ("side", pa.string()),
            ("price", pa.float64()),
            ("amount", pa.float64()),
        ]
    )


def measure(data: Path, catalog: Path) -> None:
    """Convert, in a process of its own, and print what it took."""
    start_ns = time.perf_counter_ns()
    made = convert(RawDay(data, DAY), INSTRUMENT, catalog, lambda _progress: None)
    seconds = (time.perf_counter_ns() - start_ns) / 1e9
    assert isinstance(made, Converted), made
    assert not made.reused
    maxrss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size_mb = made.manifest.book.size_bytes / 1e6
    print(json.dumps([made.manifest.rows, seconds, maxrss_mb, size_mb]))


def main() -> None:
    print_conditions("raw book rows into a catalog")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        write_day(data)
        raw_mb = RawDay(data, DAY).path(Kind.INCREMENTAL, INSTRUMENT.id).stat().st_size / 1e6
        results = []
        for run in range(RUNS):
            command = [sys.executable, "-m", "benchmarks.conversion", folder, f"{folder}/{run}"]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            results.append(json.loads(said))
        rows, seconds, maxrss_mb, size_mb = sorted(results, key=lambda each: each[1])[RUNS // 2]
        fast, small = rows / seconds >= ROWS_PER_SECOND_MIN, maxrss_mb <= MAXRSS_MB_MAX
        print_table(
            [
                [f"{ROWS:,} raw, {rows:,} deltas", f"{raw_mb:.0f} MB to {size_mb:.0f} MB", ""],
                ["rows/s", f"{rows / seconds:,.0f}", f"{'yes' if fast else 'NO'}"],
                ["maxrss", f"{maxrss_mb:.0f} MB", f"{'yes' if small else 'NO'}"],
            ],
            f"median of {RUNS}",
            "measured",
            f">= {ROWS_PER_SECOND_MIN:,} rows/s, <= {MAXRSS_MB_MAX} MB",
        )
    if not (fast and small):
        CONSOLE.print("[red]outside its target[/red]")


if __name__ == "__main__":
    measure(Path(sys.argv[1]), Path(sys.argv[2]))
