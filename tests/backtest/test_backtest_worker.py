"""A run from its configuration to its files, in a process of its own, over the real simulator."""

import asyncio
import json
import os
import signal
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.backtest import recorded_day
from tests.backtest.recorded_day import ns

from quarterdeck.backtest.comparison import compare_runs
from quarterdeck.backtest.config_file import understand_config
from quarterdeck.backtest.launch import run_to_end
from quarterdeck.backtest.preflight import check_runnable
from quarterdeck.backtest.progress import Progress, Stage
from quarterdeck.backtest.results import TABLES
from quarterdeck.backtest.run_folder import RunFolder, RunState, RunStatus, create
from quarterdeck.backtest.stored_run import StoredRun, summary_of
from quarterdeck.backtest.summary import Summary
from quarterdeck.desk.replay.journal_file import read_journal
from quarterdeck.desk.replay.redecide import replay

pytestmark = pytest.mark.processes


def folder_of(document: dict[str, Any]) -> RunFolder:
    config = understand_config(recorded_day.encoded(document), source="test", folder=Path("/"))
    return create(config, time.time_ns())


async def ran(
    document: dict[str, Any], progress: list[Progress] | None = None
) -> tuple[RunStatus, Path]:
    folder = folder_of(document)
    said: list[Progress] = [] if progress is None else progress
    status = await run_to_end(folder, said.append)
    return status, folder.path


async def summary(document: dict[str, Any]) -> tuple[Summary, Path]:
    status, path = await ran(document)
    assert status.state is RunState.FINISHED, (status, (path / "execution.log").read_text())
    return summary_of(path.parent, path.name), path


def rows(path: Path, table: str) -> list[dict[str, Any]]:
    return pq.read_table(path / f"{table}.parquet").to_pylist()


async def test_a_run_leaves_everything_it_did(recorded: Path):
    progress: list[Progress] = []
    document = recorded_day.config(recorded)
    status, path = await ran(document, progress)
    assert status.state is RunState.FINISHED, (path / "execution.log").read_text()
    found = summary_of(path.parent, path.name)

    lines = {line.operation_id: line for line in found.orders}
    assert {name: line.state for name, line in lines.items()} == {
        "taker": "filled",
        "short": "filled",
        "rester": "filled",
        "huge": "denied",
        "far": "canceled",
        "cover": "filled",
        "open": "working",
    }
    assert lines["huge"].reason == "quantity_over_limit"
    assert lines["open"].finished_ns is None
    assert lines["taker"].created_ns == ns(2)
    assert lines["taker"].finished_ns == ns(2.005), "the order lands after its latency"
    assert (
        Decimal(lines["taker"].slippage_bps or 0) > 0 > Decimal(lines["rester"].slippage_bps or 0)
    ), "taking costs, resting earns"
    assert [(line.line, line.operation_id, line.code) for line in found.refused] == [
        (5, None, "missing_value"),
        (8, "nobody", "unknown_order"),
    ]
    assert found.totals.differences == {}, "the venues' balances are what our fills lead to"
    assert found.totals.orders["refused"] == 2
    assert found.totals.unreached == 0
    assert {stage.stage for stage in progress} == set(Stage)

    for table in TABLES:
        assert rows(path, table), table
    fills = rows(path, "fills")
    for name, line in lines.items():
        mine = [fill for fill in fills if fill["operation_id"] == name]
        assert sum(fill["quantity"] for fill in mine) == Decimal(line.filled)
        assert sum(fill["fee"] for fill in mine) == Decimal(line.fees.get("USDT", "0"))
    states = {row["operation_id"]: row["state"] for row in rows(path, "orders")}
    assert states == {name: line.state for name, line in lines.items()} | {
        None: "refused",
        "nobody": "refused",
    }
    assert json.loads((path / "config.json").read_bytes())["venues"][0]["account"] == "a-1"


async def test_the_equity_curve_is_marked_at_every_interval_and_adds_up(recorded: Path):
    _, path = await summary(recorded_day.config(recorded))
    points = [row for row in rows(path, "equity_curve") if row["currency"] == "USDT"]
    seconds = [(point["at_ns"] - ns(0)) // recorded_day.SECOND_NS for point in points]
    assert seconds == list(range(51))
    for point in points[1:]:
        assert point["equity"] == point["cash"] + point["held"] + point["unrealised"]
    last = points[-1]
    totals = {(row["account"], row["asset"]): row["total"] for row in rows(path, "holdings")}
    assert last["cash"] == totals["a-1", "USDT"] + totals["b-1", "USDT"]
    [spot] = [row for row in rows(path, "positions") if row["instrument"].endswith("ASSET:BTC")]
    assert spot["quantity"] == Decimal("1.1"), "bought 1.5, sold 0.4"
    opening = {(r["account"], r["asset"]): r["opening"] for r in rows(path, "holdings")}
    assert totals["a-1", "BTC"] == opening["a-1", "BTC"] + spot["quantity"]


async def test_a_run_is_the_same_in_every_process_and_chunk_size(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = set()
    for seed, chunk_size in (("1", 10_000), ("2", 97), ("3", None)):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        found, path = await summary(recorded_day.config(recorded, chunk_size=chunk_size))
        seen.add((found.journal_hash, repr(found.orders), (path / "journal.jsonl").read_bytes()))
    assert len(seen) == 1


async def test_the_journal_is_decided_again_by_the_live_core(recorded: Path):
    found, path = await summary(recorded_day.config(recorded))
    result = replay(read_journal(path / "journal.jsonl"), decide_again=True)
    assert result.problems() == []
    assert result.decided == result.entries == found.conditions.entries
    assert (result.fills, result.children) == (found.totals.fills, found.totals.children)


async def test_fast_keeps_the_same_summary_and_nothing_else(recorded: Path):
    fast, path = await summary(recorded_day.config(recorded, mode="fast"))
    report, _ = await summary(recorded_day.config(recorded, mode="report"))
    assert (fast.journal_hash, fast.orders) == (report.journal_hash, report.orders)
    kept = {entry.name for entry in path.iterdir()}
    assert kept == {"config.json", "status.json", "summary.json", "execution.log"}


async def test_two_runs_that_part_are_told_apart(recorded: Path):
    changed = [
        recorded_day.line(3, order={**line["order"], "quantity": "1.25"})
        if line.get("order", {}).get("operation_id") == "short"
        else line
        for line in recorded_day.ORDERS
        if line.get("order", {}).get("operation_id") != "open"
    ]
    _, one = await summary(recorded_day.config(recorded))
    _, other = await summary(recorded_day.config(recorded, orders=changed))
    found = compare_runs(StoredRun(one.parent, one.name), StoredRun(other.parent, other.name))
    assert not found.same_journal
    assert not found.same_config
    assert found.parting is not None
    assert found.parting.a is not None
    assert (found.parting.a.at_ns, found.parting.a.input) == (ns(3), "submit_order")
    differing = {order.operation_id: order for order in found.orders}
    assert {"short", "open"} <= differing.keys()
    assert "taker" not in differing
    assert "quantity" in differing["short"].fields
    assert differing["open"].b is None
    totals = {change.name: change for change in found.totals}
    assert totals["orders working"].a == "1"
    assert totals["orders working"].b is None

    same = compare_runs(StoredRun(one.parent, one.name), StoredRun(one.parent, one.name))
    assert same.same_journal
    assert same.parting is None
    assert same.orders == ()


async def test_broken_data_fails_the_run_with_its_place(tmp_path: Path):
    recorded_day.write_day(tmp_path / "data", seconds=5)
    [book] = (tmp_path / "data").rglob("data_type-incremental_book_L2/VENUE-A*")
    table = pq.read_table(book)
    prices = table["price"].to_pylist()
    prices[7] = -1.0
    index = table.schema.get_field_index("price")
    pq.write_table(table.set_column(index, "price", [prices]), book)
    status, path = await ran(recorded_day.config(tmp_path))
    assert status.state is RunState.FAILED
    assert status.error is not None
    assert str(book) in status.error
    assert "row 7" in status.error
    kept = {entry.name for entry in path.iterdir()}
    assert kept == {"config.json", "status.json", "execution.log"}


def held_open(recorded: Path, folder: Path) -> dict[str, Any]:
    """Return a run that cannot get on: its orders come out of a pipe that nobody writes to."""
    pipe = folder / "orders.jsonl"
    os.mkfifo(pipe)
    document = recorded_day.config(recorded, orders_file=str(pipe))
    del document["orders"]
    return document | {"results_folder": str(folder / "results")}


async def running(document: dict[str, Any]) -> tuple[RunFolder, asyncio.Task[RunStatus], int]:
    """Return a run that has come to play its market, and its worker's process id."""
    folder = folder_of(document)
    is_playing = asyncio.Event()
    pids: list[int] = []

    def advance(progress: Progress) -> None:
        if progress.stage is Stage.RUNNING:
            is_playing.set()

    task = asyncio.create_task(run_to_end(folder, advance, pids.append))
    await asyncio.wait_for(is_playing.wait(), 60)
    return folder, task, pids[0]


async def test_a_worker_that_is_killed_leaves_a_failed_run(recorded: Path, tmp_path: Path):
    folder, task, pid = await running(held_open(recorded, tmp_path))
    os.kill(pid, signal.SIGKILL)
    status = await asyncio.wait_for(task, 20)
    assert status.state is RunState.FAILED
    assert "SIGKILL" in str(status.error)
    assert folder.path.name == status.run_id
    assert not (folder.path / "summary.json").exists()
    assert not (folder.path / "journal.jsonl").exists(), "half of a result looks like a result"


async def test_a_cancel_ends_the_worker(recorded: Path, tmp_path: Path):
    folder, task, pid = await running(held_open(recorded, tmp_path))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)
    assert folder.status.state is RunState.CANCELED
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


SAMPLE = os.environ.get("QUARTERDECK_SAMPLE_DATA")
EXAMPLE = Path(__file__).parents[2] / "examples" / "backtest" / "config.json"


@pytest.mark.skipif(not SAMPLE, reason="QUARTERDECK_SAMPLE_DATA names no recorded data")
async def test_the_example_runs_on_recorded_data(tmp_path: Path):
    document = json.loads(EXAMPLE.read_bytes()) | {
        "data_folder": SAMPLE,
        "catalog_folder": str(tmp_path / "catalog"),
        "results_folder": str(tmp_path / "results"),
        "orders_file": str(EXAMPLE.with_name("orders.jsonl")),
    }
    config = understand_config(recorded_day.encoded(document), source="x", folder=tmp_path)
    check_runnable(config, "example")
    found, path = await summary(document)
    states = {line.operation_id: line.state for line in found.orders}
    assert states["buy-spot-1"] == states["flatten-perp-1"] == "filled"
    assert states["too-large"] == "denied"
    assert found.totals.differences == {}
    assert found.totals.alerts == {}
    result = replay(read_journal(path / "journal.jsonl"), decide_again=True)
    assert result.problems() == []
