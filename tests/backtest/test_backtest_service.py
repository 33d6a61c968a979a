"""The backtest service: what it takes and refuses, and that no run can take it down."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.backtest import recorded_day

from quarterdeck.api.backtest.endpoint import BacktestServices, Roots
from quarterdeck.api.backtest.service import ENDPOINTS, create_backtest_app
from quarterdeck.api.keys import KeyRing, Scope, create_key
from quarterdeck.backtest.config_file import CONFIG_BYTES_MAX, understand_config
from quarterdeck.backtest.queue import RunQueue
from quarterdeck.backtest.run_folder import RunStatus

pytestmark = pytest.mark.processes

WITHIN_S = 60.0


class WallClock:
    def now_ns(self) -> int:
        return time.time_ns()


class Service:
    """The service over one folder, asked as a caller does."""

    def __init__(self, folder: Path, data: Path, keys: Path) -> None:
        self.folder = folder
        self.queue = RunQueue(at_once=1, waiting_max=2)
        self.roots = Roots(
            data=data,
            catalog=folder / "catalog",
            results=folder / "results",
            inputs=folder / "inputs",
        )
        self.roots.inputs.mkdir()
        self.tokens = {
            scope: create_key(keys, key_id=scope.value, scopes=[scope], now_ns=1).text
            for scope in (Scope.ADMIN, Scope.READ)
        }
        services = BacktestServices(
            queue=self.queue,
            roots=self.roots,
            keys=KeyRing(keys, WallClock(), lambda _: None),
            clock=WallClock(),
            version="test",
        )
        transport = httpx.ASGITransport(create_backtest_app(services), client=("127.0.0.1", 1))
        self._http = httpx.AsyncClient(transport=transport, base_url="http://test")

    async def ask(
        self, method: str, path: str, *, scope: Scope | None = Scope.READ, **given: Any
    ) -> httpx.Response:
        headers = {} if scope is None else {"authorization": f"Bearer {self.tokens[scope]}"}
        return await self._http.request(method, path, headers=headers, **given)

    async def start(self, document: dict[str, Any] | bytes) -> httpx.Response:
        body = document if isinstance(document, bytes) else recorded_day.encoded(document)
        return await self.ask("POST", "/api/backtests", scope=Scope.ADMIN, content=body)

    async def get(self, path: str) -> Any:
        response = await self.ask("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    async def until(self, run_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end_s = time.monotonic() + WITHIN_S
        while True:
            run: dict[str, Any] = await self.get(f"/api/backtests/{run_id}")
            if wanted(run):
                return run
            assert time.monotonic() < end_s, run
            await asyncio.sleep(0.02)

    async def ended(self, run_id: str) -> dict[str, Any]:
        return await self.until(run_id, lambda run: run["finished_ns"] is not None)

    def config(self, **changes: Any) -> dict[str, Any]:
        return recorded_day.config(self.folder, **{"data_folder": str(self.roots.data), **changes})

    def submit_held_open(self) -> str:
        """Queue a run that cannot get on: its orders come out of a pipe nobody writes to."""
        pipe = self.roots.inputs / f"{time.time_ns()}.jsonl"
        os.mkfifo(pipe)
        document = self.config(orders_file=str(pipe))
        del document["orders"]
        body = recorded_day.encoded(document)
        taken = self.queue.submit(understand_config(body, source="test", folder=self.folder))
        assert isinstance(taken, RunStatus)
        return taken.run_id

    async def playing(self) -> str:
        """Return a held run that has come to play its market."""
        run_id = self.submit_held_open()
        await self.until(
            run_id, lambda run: (run["progress"] or {"stage": ""})["stage"] == "running"
        )
        return run_id


@pytest.fixture
async def service(recorded: Path, tmp_path: Path) -> AsyncIterator[Service]:
    made = Service(tmp_path, recorded / "data", tmp_path / "keys.json")
    working = asyncio.create_task(made.queue.work())
    yield made
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait_for(working, 30)


async def test_a_run_from_its_start_to_its_results(service: Service):
    taken = await service.start(service.config())
    assert taken.status_code == 202, taken.text
    run_id = taken.json()["run_id"]
    assert taken.json()["state"] == "queued"
    early = await service.ask("GET", f"/api/backtests/{run_id}/summary")
    assert early.status_code == 404
    assert (await service.ended(run_id))["state"] == "finished"

    summary = await service.get(f"/api/backtests/{run_id}/summary")
    assert summary["totals"]["differences"] == {}
    path = f"/api/backtests/{run_id}"
    orders = await service.get(f"{path}/orders")
    assert orders["total_rows"] == len(summary["orders"]) + len(summary["refused"])
    taker = next(row for row in orders["rows"] if row["operation_id"] == "taker")
    assert (taker["quantity"], taker["state"]) == ("1.5", "filled")
    assert isinstance(taker["fees"], dict)
    fills = await service.get(f"{path}/fills")
    assert fills["total_rows"] == summary["totals"]["fills"]
    for table in ("children", "positions", "holdings", "equity"):
        assert (await service.get(f"{path}/{table}"))["rows"], table
    paged = []
    while len(paged) < fills["total_rows"]:
        page = await service.get(f"{path}/fills?first_row={len(paged)}&limit=3")
        paged += page["rows"]
    assert paged == fills["rows"]
    assert [run["run_id"] for run in (await service.get("/api/backtests"))["runs"]] == [run_id]


async def test_a_run_that_is_killed_fails_and_the_next_one_runs(service: Service):
    run_id = await service.playing()
    under = service.queue.under_way(run_id)
    assert under is not None
    assert under.pid is not None
    next_id = (await service.start(service.config(mode="fast"))).json()["run_id"]
    os.kill(under.pid, signal.SIGKILL)
    failed = await service.ended(run_id)
    assert failed["state"] == "failed"
    assert "SIGKILL" in failed["error"]
    assert (await service.get("/api/health"))["status"] == "ok"
    assert (await service.ended(next_id))["state"] == "finished"
    tables = await service.ask("GET", f"/api/backtests/{next_id}/orders")
    assert tables.status_code == 404
    assert "mode fast" in tables.json()["error"]["text"]


async def test_a_run_that_raises_fails_with_its_reason(service: Service, tmp_path: Path):
    orders = service.roots.inputs / "orders.jsonl"
    orders.write_text(json.dumps(recorded_day.line(1, order=recorded_day.order("a"))))
    document = service.config(orders_file=str(orders))
    del document["orders"]
    held = await service.playing()
    run_id = (await service.start(document)).json()["run_id"]
    orders.write_text("{")  # Changed between the check and the run.
    await service.ask("DELETE", f"/api/backtests/{held}", scope=Scope.ADMIN)
    failed = await service.ended(run_id)
    assert failed["state"] == "failed"
    assert "line 1" in failed["error"]


async def test_runs_are_canceled_waiting_or_under_way(service: Service):
    playing = await service.playing()
    waiting = service.submit_held_open()
    for run_id in (waiting, playing):
        answer = await service.ask("DELETE", f"/api/backtests/{run_id}", scope=Scope.ADMIN)
        assert answer.status_code == 202, answer.text
    for run_id in (waiting, playing):
        assert (await service.ended(run_id))["state"] == "canceled"
        again = await service.ask("DELETE", f"/api/backtests/{run_id}", scope=Scope.ADMIN)
        assert again.status_code == 409


async def test_a_full_queue_refuses_and_says_when_to_try_again(service: Service):
    await service.playing()
    for _ in range(2):
        assert (await service.start(service.config())).status_code == 202
    full = await service.start(service.config())
    assert full.status_code == 503
    assert full.json()["error"]["code"] == "overloaded"
    assert "retry-after" in full.headers


CONFIG_FAULTS = [
    ({"view_levels": 0}, "view_levels"),
    ({"start": "2024-03-02T00:00:00Z", "end": "2024-03-02T00:00:01Z"}, None),
    ({"data_folder": "/etc"}, "data_folder"),
    ({"data_folder": "../../.."}, "data_folder"),
    ({"results_folder": "/tmp"}, "results_folder"),
    ({"catalog_folder": "elsewhere"}, "catalog_folder"),
    ({"orders": None, "orders_file": "/etc/passwd"}, "orders_file"),
    ({"orders": None, "orders_file": "../keys.json"}, "orders_file"),
]


@pytest.mark.parametrize(("changes", "field"), CONFIG_FAULTS)
async def test_a_configuration_that_cannot_be_run_is_refused(
    service: Service, changes: dict[str, Any], field: str | None
):
    refused = await service.start(service.config(**changes))
    assert refused.status_code == 422, refused.text
    assert refused.json()["error"]["code"] == "invalid_value"
    if field is not None:
        assert refused.json()["error"]["field"] == field
    assert (await service.get("/api/backtests"))["total"] == 0


async def test_a_body_that_is_too_large_or_no_document_is_refused(service: Service):
    assert (await service.start(b" " * (CONFIG_BYTES_MAX + 1))).status_code == 413
    assert (await service.start(b"{")).status_code == 422


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
async def test_every_call_but_health_needs_a_key_with_its_scope(service: Service, endpoint: Any):
    path = endpoint.path.replace("{run_id}", "20261122T160228916898Z-d31f1e03")
    open_to_all = endpoint.path == "/api/health"
    assert (endpoint.scope is None) is open_to_all
    nobody = await service.ask(endpoint.method, path, scope=None)
    assert (nobody.status_code == 401) is not open_to_all
    if endpoint.scope is Scope.ADMIN:
        reader = await service.ask(endpoint.method, path, scope=Scope.READ)
        assert reader.status_code == 403


@pytest.mark.parametrize(
    "run_id", ["..", "%2e%2e", "..%2f..%2fetc", "x", "20261122T160228916898Z-d31f1e03", "%00"]
)
async def test_a_name_that_is_no_run_is_not_found(service: Service, run_id: str):
    for tail in ("", "/summary", "/orders"):
        response = await service.ask("GET", f"/api/backtests/{run_id}{tail}")
        assert response.status_code in {404, 405}, response.text
        assert response.json()["error"]["code"] in {"not_found", "method_not_allowed"}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=1000000", "first_row=-1", "surprise=1"]
)
async def test_a_query_that_is_not_understood_is_refused(service: Service, query: str):
    path = f"/api/backtests/20261122T160228916898Z-d31f1e03/orders?{query}"
    assert (await service.ask("GET", path)).status_code == 422
