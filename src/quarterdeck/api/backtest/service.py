"""The backtest service as an application: its routes, and answers to what no route takes."""

from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quarterdeck.api.attempts import FailedAttempts
from quarterdeck.api.backtest import calls
from quarterdeck.api.backtest.door import BacktestDoor, internal
from quarterdeck.api.backtest.endpoint import BacktestEndpoint, BacktestServices
from quarterdeck.api.errors import Fault, error
from quarterdeck.api.keys import Scope
from quarterdeck.backtest.config_file import CONFIG_BYTES_MAX

RUN: Final = "/api/backtests/{run_id}"

ENDPOINTS: Final[tuple[BacktestEndpoint, ...]] = (
    BacktestEndpoint(method="GET", path="/api/health", scope=None, handler=calls.health),
    BacktestEndpoint(
        method="POST",
        path="/api/backtests",
        # A key that starts runs opens nothing of the live desk, least of all its orders.
        scope=Scope.ADMIN,
        handler=calls.start,
        body_bytes_max=CONFIG_BYTES_MAX,
    ),
    BacktestEndpoint(
        method="GET", path="/api/backtests", scope=Scope.READ, handler=calls.list_runs
    ),
    BacktestEndpoint(method="GET", path=RUN, scope=Scope.READ, handler=calls.show_run),
    BacktestEndpoint(method="DELETE", path=RUN, scope=Scope.ADMIN, handler=calls.cancel),
    BacktestEndpoint(
        method="GET", path=f"{RUN}/summary", scope=Scope.READ, handler=calls.show_summary
    ),
    *(
        BacktestEndpoint(
            method="GET", path=f"{RUN}/{path}", scope=Scope.READ, handler=calls.table(table)
        )
        for path, table in (
            ("orders", "orders"),
            ("children", "children"),
            ("fills", "fills"),
            ("positions", "positions"),
            ("holdings", "holdings"),
            ("equity", "equity_curve"),
        )
    ),
)


def create_backtest_app(services: BacktestServices) -> Starlette:
    """Return the application."""
    attempts = FailedAttempts()
    return Starlette(
        routes=[
            Route(row.path, BacktestDoor(row, services, attempts), methods=[row.method])
            for row in ENDPOINTS
        ],
        exception_handlers={HTTPException: _http_error},
    )


async def _http_error(request: Request, raised: Exception) -> Response:
    """Answer what no route took."""
    assert isinstance(raised, HTTPException)
    path = request.url.path[:200]
    if raised.status_code == HTTPStatus.NOT_FOUND:
        return error(HTTPStatus.NOT_FOUND, Fault.NOT_FOUND, f"there is nothing at {path}")
    if raised.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        text = f"{request.method} is not allowed at {path}"
        return error(HTTPStatus.METHOD_NOT_ALLOWED, Fault.METHOD_NOT_ALLOWED, text)
    return internal()
