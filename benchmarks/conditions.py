"""What every figure here is printed with: the machine, its versions, and its disk's fdatasync."""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

CONSOLE = Console(width=100)


def fdatasync_ms(folder: Path, times: int = 200) -> float:
    """Return the median time of an 8 kB write and its fdatasync into a file of fixed size."""
    block, path, taken_ns = os.urandom(8192), folder / "fdatasync", []
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, bytes(len(block) * times), 0)
        os.fsync(descriptor)
        for number in range(times):
            start_ns = time.perf_counter_ns()
            os.pwrite(descriptor, block, number * len(block))
            os.fdatasync(descriptor)
            taken_ns.append(time.perf_counter_ns() - start_ns)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(taken_ns) / 1e6


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def print_conditions(title: str) -> None:
    """Say what is measured and where."""
    with tempfile.TemporaryDirectory() as folder:
        sync_ms = fdatasync_ms(Path(folder))
    load = os.getloadavg()[0]
    CONSOLE.print(
        f"[bold]{title}[/bold]\n{os.cpu_count()} cores, load {load:.1f}, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, fdatasync {sync_ms:.3f} ms"
    )


def print_table(rows: Sequence[Sequence[str]], *header: str) -> None:
    """Print figures."""
    table = Table(*header)
    for row in rows:
        table.add_row(*row)
    CONSOLE.print(table)


def verdict(value: float, target: float) -> str:
    """Say whether a figure is within its target."""
    return "yes" if value <= target else "NO"
