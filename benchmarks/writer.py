"""How many orders per second the store makes durable, and how long one waits for its commit.

Run `python benchmarks/run.py writer`. It starts an embedded PostgreSQL
of its own with fsync on, measures the disk first, since every commit waits for it, and then the
writer alone: each order is five rows (journal, parent, child, fill, market view) of realistic
size. In the open loop orders arrive by chance at the offered rate, whatever the writer does, and
latency runs from the moment an order was due to its commit. Both ends share this machine's cores.
"""

import asyncio
import itertools
import random
import shutil
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import uvloop
from benchmarks.conditions import CONSOLE, percentile, print_conditions
from rich.console import Console
from rich.table import Table

from quarterdeck.store import lease, schema
from quarterdeck.store.chain import GENESIS, row_hash
from quarterdeck.store.connection import Connection, connect
from quarterdeck.store.embedded import EmbeddedPostgres
from quarterdeck.store.rows import (
    ChildRow,
    Entry,
    FillRow,
    JournalRow,
    ParentRow,
    ViewRow,
    merge,
)
from quarterdeck.store.writer import CAPACITY, Writer, write_batch

DESK = "benchmark"
INSTRUMENT = "BINANCE-SPOT:SPOT_PAIR:BTC-USDT"
ACCOUNT = "BINANCE-SPOT:main"
DOC = '{"operation_id":"OP-12345","instrument_key":"%s","text":"%s"}' % (INSTRUMENT, "a" * 400)  # noqa: UP031 - braces
VIEW = '{"bids":[%s]}' % ",".join('["65123.45","0.12345"]' for _ in range(40))  # noqa: UP031 - braces
SECONDS = 8
OFFERED_PER_S = (100, 1_000, 3_000, 5_000)
BATCHES = (1, 20, 100, 500)
SATURATING = 1_000
BURST_MAX = 32


def orders(epoch: int) -> Iterator[Entry]:
    """Yield entries that chain, for ever."""
    head = GENESIS
    for seq in itertools.count(1):
        now_ns = time.time_ns()
        digest = row_hash(head, seq=seq, epoch=epoch, at_ns=now_ns, kind="submit", body=DOC)
        journal = JournalRow(
            seq=seq,
            epoch=epoch,
            at_ns=now_ns,
            kind="submit",
            body=DOC,
            prev_hash=head,
            hash=digest,
            refs=(f"OP-{seq}",),
        )
        yield an_order(journal)
        head = digest


def an_order(journal: JournalRow) -> Entry:
    """Return the five rows of an order that was sent and filled in part."""
    seq, now_ns = journal.seq, journal.at_ns
    operation_id, client_order_id = f"OP-{seq}", f"QD{seq:022d}"
    deal = {"operation_id": operation_id, "instrument": INSTRUMENT, "side": "BUY"}
    state = {"state": "working", "live": True, "created_ns": now_ns, "updated_ns": now_ns}
    written = {"seq": seq, "doc": DOC}
    sizes = {"quantity": Decimal("1.25"), "filled": Decimal("0.5")}
    parent = ParentRow(
        body_hash="v1:" + journal.hash.hex(),
        account=None,
        strategy_id=f"strategy-{seq % 17}",
        order_type="MARKET",
        avg_px=Decimal("65123.45"),
        **deal,
        **state,
        **sizes,
        **written,
    )
    child = ChildRow(
        client_order_id=client_order_id,
        child_no=1,
        account=ACCOUNT,
        limit_px=Decimal("65123.45"),
        venue_order_id=str(seq),
        **deal,
        **state,
        **sizes,
        **written,
    )
    fill = FillRow(
        account=ACCOUNT,
        trade_id=str(seq),
        client_order_id=client_order_id,
        quantity=Decimal("0.5"),
        px=Decimal("65123.45"),
        fee=Decimal("0.00012"),
        fee_asset="BTC",
        liquidity="taker",
        at_ns=now_ns,
        **deal,
        **written,
    )
    return Entry(
        journal=journal,
        views=(ViewRow(hash=journal.hash, body=VIEW, stored_ns=now_ns),),
        parents=(parent,),
        children=(child,),
        fills=(fill,),
    )


async def closed_loop(
    connection: Connection, made: Iterator[Entry], epoch: int, size: int
) -> tuple[float, float]:
    """Return the median milliseconds of one batch, and our own CPU milliseconds for it."""
    wall_ms, cpu_ms = [], []
    for _ in range(max(20, 3_000 // size)):
        batch = merge(itertools.islice(made, size))
        start, cpu = time.perf_counter(), time.process_time()
        await write_batch(connection, DESK, epoch, batch)
        wall_ms.append((time.perf_counter() - start) * 1e3)
        cpu_ms.append((time.process_time() - cpu) * 1e3)
    return statistics.median(wall_ms), statistics.median(cpu_ms)


class OpenLoop:
    """A writer, and the latency of everything it committed."""

    def __init__(self, connection: Connection, epoch: int) -> None:
        self.latencies_ms: list[float] = []
        self.batches = 0
        self.failures: list[BaseException] = []
        self.refused = 0
        self.last_s = 0.0
        self._due_s: deque[float] = deque()
        self.writer = Writer(
            connection,
            desk_id=DESK,
            epoch=epoch,
            on_committed=self._committed,
            on_failed=self.failures.append,
        )

    def _committed(self, entries: Sequence[Entry]) -> None:
        self.last_s = time.perf_counter()
        self.batches += 1
        for _ in entries:
            self.latencies_ms.append((self.last_s - self._due_s.popleft()) * 1e3)

    async def run(self, made: Iterator[Entry], per_s: float | None, seconds: float) -> float:
        """Offer orders (None: as many as it takes) and return the orders per second committed."""
        running = asyncio.create_task(self.writer.run())
        chance, start = random.Random(7), time.perf_counter()
        next_s = start
        while (now := time.perf_counter()) < start + seconds and not self.failures:
            if per_s is None:
                next_s = now if self.writer.depth < SATURATING else now + 0.0002
            for _ in range(BURST_MAX):
                if next_s > now:
                    break
                self._offer(made, next_s)
                next_s = next_s + chance.expovariate(per_s) if per_s else next_s
            await asyncio.sleep(max(0, min(next_s - time.perf_counter(), 0.005)))
        self.writer.close()
        await running
        if self.failures:
            raise self.failures[0]
        return len(self.latencies_ms) / (self.last_s - start)

    def _offer(self, made: Iterator[Entry], due_s: float) -> None:
        if self.writer.depth >= CAPACITY:
            self.refused += 1
            return
        self._due_s.append(due_s)
        assert self.writer.submit(next(made))


async def measure(dsn: str, seconds: float, console: Console) -> None:
    await schema.upgrade(dsn)
    connection = await connect(dsn, application="benchmark")
    epoch = await lease.take(connection, DESK, "benchmark", time.time_ns())
    assert isinstance(epoch, int)
    version = await connection.fetchval("SHOW server_version")
    console.print(f"PostgreSQL {version}, fsync {await connection.fetchval('SHOW fsync')}")
    made = orders(epoch)
    await closed_loop(connection, made, epoch, 20)

    table = Table(
        "orders in a batch", "p50 ms", "our CPU ms", "orders/s", title="one batch at a time"
    )
    for size in BATCHES:
        wall_ms, cpu_ms = await closed_loop(connection, made, epoch, size)
        table.add_row(str(size), f"{wall_ms:.2f}", f"{cpu_ms:.2f}", f"{size / wall_ms * 1e3:,.0f}")
    console.print(table)

    table = Table(
        "offered/s", "committed/s", "refused", "p50 ms", "p99 ms", "max ms", "orders per batch",
        "CPU", title="the writer, orders arriving by chance",
    )  # fmt: skip
    for per_s in (*OFFERED_PER_S, None):
        loop = OpenLoop(connection, epoch)
        cpu = time.process_time()
        rate = await loop.run(made, per_s, seconds)
        cpu_share = (time.process_time() - cpu) / seconds
        latencies = sorted(loop.latencies_ms)
        table.add_row(
            f"{per_s:,}" if per_s else "all it takes",
            f"{rate:,.0f}",
            str(loop.refused),
            f"{percentile(latencies, 0.5):.2f}",
            f"{percentile(latencies, 0.99):.2f}",
            f"{latencies[-1]:.1f}",
            f"{len(latencies) / loop.batches:.1f}",
            f"{cpu_share:.0%}",
        )
    console.print(table)
    await connection.close()


def main() -> None:
    """Print the tables."""
    print_conditions("the writer alone, 5 rows an order")
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-benchmark-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg")
    dsn = server.start()
    try:
        uvloop.run(measure(dsn, SECONDS, CONSOLE))
    finally:
        server.stop()
        shutil.rmtree(folder)
