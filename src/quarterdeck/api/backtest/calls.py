"""The calls of the backtest service: start, list, show, read results, cancel.

Files are read in threads: a table of a million rows must not keep others from canceling.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from msgspec import Struct
from starlette.responses import Response

from quarterdeck.api.answers import answer
from quarterdeck.api.backtest.endpoint import BacktestCall, BacktestServices, Roots
from quarterdeck.api.errors import Fault, error, refusal
from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.config_file import understand_config
from quarterdeck.backtest.fault import FaultsError
from quarterdeck.backtest.preflight import check_runnable
from quarterdeck.backtest.progress import Progress
from quarterdeck.backtest.run_folder import RunStatus, runs_in
from quarterdeck.backtest.stored_run import (
    NoSuchRunError,
    Page,
    status_of,
    summary_of,
    table_of,
)
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.desk.messages import read_query

ROWS_MAX: Final = 10_000
RUNS_MAX: Final = 1_000
FAULTS_SHOWN: Final = 20


class RunView(Struct, frozen=True, kw_only=True):
    """How a run is."""

    run_id: str
    state: str
    mode: str
    config_hash: str
    created_ns: int
    started_ns: int | None
    finished_ns: int | None
    error: str | None
    """Why it failed."""
    progress: Progress | None
    """While it is under way."""


class RunList(Struct, frozen=True, kw_only=True):
    """Runs, newest first."""

    runs: list[RunView]
    total: int


class TablePage(Struct, frozen=True, kw_only=True):
    """Rows of one of a run's tables."""

    rows: list[dict[str, Any]]
    first_row: int
    total_rows: int


class Health(Struct, frozen=True, kw_only=True):
    """How the service is."""

    status: str
    version: str
    running: int
    waiting: int


class RowsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rows of a table."""

    first_row: int = 0
    limit: int = 1_000


class RunsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many runs."""

    limit: int = 100


async def health(services: BacktestServices, call: BacktestCall) -> Response:
    """Say that the service works."""
    del call
    queue = services.queue
    return answer(
        Health(status="ok", version=services.version, running=queue.running, waiting=queue.waiting)
    )


async def start(services: BacktestServices, call: BacktestCall) -> Response:
    """Take a configuration: 202 with the run's id once it is queued."""
    try:
        config = await asyncio.to_thread(_checked, call.body, services.roots)
        taken = config if isinstance(config, Refused) else services.queue.submit(config)
    except FaultsError as found:
        return refusal(_refused(found))
    except OSError as why:
        text = f"the results folder cannot be written ({why.strerror}); try again"
        return refusal(Refused(code=Reason.FROZEN, text=text))
    if isinstance(taken, Refused):
        return refusal(taken)
    return answer(_view(services, taken), HTTPStatus.ACCEPTED)


async def list_runs(services: BacktestServices, call: BacktestCall) -> Response:
    """List the runs, newest first."""
    query = read_query(call.query, RunsQuery)
    if isinstance(query, Refused):
        return refusal(query)
    if not 1 <= query.limit <= RUNS_MAX:
        return refusal(_range("limit", 1, RUNS_MAX))
    found = await asyncio.to_thread(runs_in, services.roots.results)
    runs = [_view(services, status) for status in found[: query.limit]]
    return answer(RunList(runs=runs, total=len(found)))


async def show_run(services: BacktestServices, call: BacktestCall) -> Response:
    """Show how a run is and how far."""
    try:
        status = await asyncio.to_thread(status_of, services.roots.results, call.path["run_id"])
    except NoSuchRunError as why:
        return _absent(why)
    return answer(_view(services, status))


async def show_summary(services: BacktestServices, call: BacktestCall) -> Response:
    """Show the summary of a finished run."""
    try:
        summary = await asyncio.to_thread(summary_of, services.roots.results, call.path["run_id"])
    except NoSuchRunError as why:
        return _absent(why)
    return answer(summary)


def table(name: str) -> Callable[[BacktestServices, BacktestCall], Any]:
    """Return the call that shows rows of one table."""

    async def show_table(services: BacktestServices, call: BacktestCall) -> Response:
        query = read_query(call.query, RowsQuery)
        if isinstance(query, Refused):
            return refusal(query)
        if not 1 <= query.limit <= ROWS_MAX:
            return refusal(_range("limit", 1, ROWS_MAX))
        if query.first_row < 0:
            return refusal(_range("first_row", 0, None))
        read: Callable[[], Page] = partial(
            table_of,
            services.roots.results,
            call.path["run_id"],
            name,
            first_row=query.first_row,
            rows_max=query.limit,
        )
        try:
            page = await asyncio.to_thread(read)
        except NoSuchRunError as why:
            return _absent(why)
        return answer(
            TablePage(rows=page.rows, first_row=query.first_row, total_rows=page.total_rows)
        )

    return show_table


async def cancel(services: BacktestServices, call: BacktestCall) -> Response:
    """End a run that waits or is under way: 202; its state says when it has ended."""
    run_id = call.path["run_id"]
    try:
        status = await asyncio.to_thread(status_of, services.roots.results, run_id)
    except NoSuchRunError as why:
        return _absent(why)
    if not services.queue.cancel(run_id):
        text = f"run {run_id} is not one that waits or is under way here: it is {status.state}"
        return refusal(Refused(code=Reason.ALREADY_FINISHED, field="run_id", text=text))
    return answer(_view(services, status), HTTPStatus.ACCEPTED)


def _checked(body: bytes, roots: Roots) -> BacktestConfig | Refused:
    """Return the configuration of a body, if a run of it may and can be started.

    Raises:
        FaultsError: naming what is wrong with it.
    """
    config = understand_config(body, source="body", folder=roots.inputs)
    outside = roots.outside(config)
    if outside is not None:
        return outside
    check_runnable(config, "body")
    return config


def _view(services: BacktestServices, status: RunStatus) -> RunView:
    under = services.queue.under_way(status.run_id)
    status = services.queue.lost(status.run_id) or status
    return RunView(
        run_id=status.run_id,
        state=status.state,
        mode=status.mode,
        config_hash=status.config_hash,
        created_ns=status.created_ns,
        started_ns=status.started_ns,
        finished_ns=status.finished_ns,
        error=status.error,
        progress=under.progress if under is not None else None,
    )


def _refused(found: FaultsError) -> Refused:
    first, *_ = found.faults
    text = "; ".join(str(fault) for fault in found.faults[:FAULTS_SHOWN])
    return Refused(code=Reason.INVALID_VALUE, field=first.path or None, text=text)


def _range(name: str, least: int, most: int | None) -> Refused:
    text = f"{least} or more" if most is None else f"{least} to {most} are allowed"
    return Refused(code=Reason.INVALID_VALUE, field=name, text=text)


def _absent(why: NoSuchRunError) -> Response:
    return error(HTTPStatus.NOT_FOUND, Fault.NOT_FOUND, str(why), field="run_id")
