"""How long a desk takes to come back with 100,000 finished and 1,000 live orders in its journal.

Run `python benchmarks/run.py restart`. The orders are made by the real engine over the real
writer into an embedded PostgreSQL (fsync on); then a new desk starts: import of its code in a
fresh interpreter, lease, reading, rebuilding memory, recovery begun.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import uvloop
from benchmarks.conditions import CONSOLE, print_conditions, print_table, verdict
from rich.progress import Progress
from tests.desk.paper import (
    ACCOUNT,
    LIMITS,
    PaperLinks,
    PaperVenue,
    Quiet,
    WallClock,
    a_view,
    an_order,
)

from quarterdeck.core.desk.decide import Input
from quarterdeck.core.model import facts as f
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.terms import Side
from quarterdeck.desk.desk import Desk
from quarterdeck.desk.emergency import EmergencyFile
from quarterdeck.store import schema, session
from quarterdeck.store.embedded import EmbeddedPostgres

FINISHED, LIVE = 100_000, 1_000
WAITING_MAX = 1_000
TARGET_S = 3.0


def a_desk(dsn: str, folder: Path, venue: PaperVenue) -> tuple[Desk, PaperLinks]:
    """Return a desk over the database, and its wire."""
    links = PaperLinks(venue)
    settings = session.Settings(dsn=dsn, desk_id="desk", holder="benchmark")

    async def open_session(failed):
        events = session.Events(failed=failed, fence_lost=print, waiting=lambda why: None)
        return await session.open_session(settings, WallClock(), events)

    desk = Desk(
        open_session=open_session,
        links=links,
        clock=WallClock(),
        watcher=Quiet(),
        emergency=EmergencyFile(folder / "emergency.jsonl"),
    )
    links.desk = desk
    return desk, links


async def fill_journal(desk: Desk, links: PaperLinks) -> None:
    """Make the orders: each is taken, acknowledged and, but for the last ones, filled."""
    await desk.execute(LIMITS)
    desk.on_view(ACCOUNT, a_view())
    while not (
        desk.engine.state.accounts.get(ACCOUNT) and desk.engine.state.accounts[ACCOUNT].gate_open
    ):
        links.deliver()
        await asyncio.sleep(0.01)
    tiny = Decimal("0.001")
    with Progress(console=CONSOLE, transient=True) as progress:
        task = progress.add_task("making orders", total=FINISHED + LIVE)
        for number in range(FINISHED + LIVE):
            operation_id = f"op-{number}"
            _take(desk, an_order(operation_id, quantity=tiny))
            name = client_order_id(operation_id, 1)
            links.sent.clear()
            links.facts.clear()
            _take(
                desk,
                f.OrderAccepted(
                    account=ACCOUNT, client_order_id=name, venue_order_id=f"V-{name}", at_ns=1
                ),
            )
            if number < FINISHED:
                _take(desk, _fill(name, number, tiny))
            if number % 200 == 0:
                desk.engine.run_due()
                progress.update(task, completed=number)
                while desk.engine.pending > WAITING_MAX:
                    await asyncio.sleep(0)
    while desk.engine.pending:
        await asyncio.sleep(0.01)


def _take(desk: Desk, given: Input) -> None:
    desk.engine.handle(given)


def _fill(name: str, number: int, quantity: Decimal) -> f.Trade:
    return f.Trade(
        account=ACCOUNT,
        instrument="BINANCE-SPOT:SPOT_PAIR:BTC-USDT",
        trade_id=f"T{number}",
        client_order_id=name,
        venue_order_id=f"V-{name}",
        side=Side.BUY,
        quantity=quantity,
        px=Decimal(59000),
        fee=Decimal("0.01"),
        fee_asset="USDT",
        maker=True,
        at_ns=time.time_ns(),
    )


async def measure(dsn: str, folder: Path) -> list[tuple[str, ...]]:
    """Make the journal, then time a start on it."""
    venue = PaperVenue()
    venue.balances["USDT"] = Decimal(10**12)
    desk, links = a_desk(dsn, folder, venue)
    await desk.start()
    began = time.perf_counter()
    await fill_journal(desk, links)
    made_s = time.perf_counter() - began
    rows = desk.engine.seq
    await desk.stop()

    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", "import quarterdeck.app.live"],
        check=True,
    )
    import_s = time.perf_counter() - began
    desk, links = a_desk(dsn, folder, venue)
    began = time.perf_counter()
    await desk.start()
    start_s = time.perf_counter() - began
    live = sum(parent.status.is_live for parent in desk.engine.state.parents.values())
    assert live == LIVE, live
    await desk.stop()
    total_s = import_s + start_s
    return [
        ("journal rows", f"{rows:,}", f"made at {(FINISHED + LIVE) / made_s:,.0f} orders/s"),
        ("live orders loaded", f"{live:,}", ""),
        ("fresh interpreter and import", f"{import_s:.2f} s", ""),
        ("lease, read, rebuild, recover", f"{start_s:.2f} s", ""),
        ("together", f"{total_s:.2f} s", f"≤ {TARGET_S} s: {verdict(total_s, TARGET_S)}"),
    ]


def main() -> None:
    """Print the table."""
    print_conditions(f"restart with {FINISHED:,} finished and {LIVE:,} live orders")
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-bench-"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg")
    try:
        dsn = server.start()
        asyncio.run(schema.upgrade(dsn))
        rows = uvloop.run(measure(dsn, folder))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print_table(rows, "part", "figure", "note")
