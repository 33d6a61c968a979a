"""What a call of the backtest service is: one row of its route table, and what handlers are given.

The service is a process of its own and has no desk, so its rows are of another type than the live
service's; keys, scopes, refusals and the shape of errors are the same.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct
from starlette.responses import Response

from quarterdeck.api.keys import KeyRing, Scope
from quarterdeck.backtest.config import BacktestConfig
from quarterdeck.backtest.queue import RunQueue
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.desk.messages import BODY_BYTES_MAX
from quarterdeck.ports import Clock

SMALL_BYTES_MAX: Final = BODY_BYTES_MAX


class Roots(Struct, frozen=True, kw_only=True):
    """Where on this machine runs may read and write; all absolute and without links."""

    data: Path
    """Recorded data; a run's data folder is this or inside it."""
    catalog: Path
    results: Path
    inputs: Path
    """Order files lie in it, and relative paths of a sent configuration count from it."""

    def outside(self, config: BacktestConfig) -> Refused | None:
        """Return why a configuration's paths may not be used, or None.

        Whoever may start a run must not thereby read or write any file of the machine.
        """
        rules = (
            ("data_folder", config.data_folder, self.data),
            ("orders_file", config.orders_file, self.inputs),
        )
        for name, path, root in rules:
            if path is not None and not Path(path).is_relative_to(root):
                return _outside(name, f"must lie in {root}")
        for name, path, root in (
            ("catalog_folder", config.catalog_folder, self.catalog),
            ("results_folder", config.results_folder, self.results),
        ):
            if Path(path) != root:
                return _outside(name, f"must be {root}")
        return None


def _outside(name: str, rule: str) -> Refused:
    return Refused(code=Reason.INVALID_VALUE, field=name, text=f"of this service {rule}")


class BacktestServices(Struct, frozen=True, kw_only=True):
    """What the service is served from."""

    queue: RunQueue
    roots: Roots
    keys: KeyRing
    clock: Clock
    version: str


class BacktestCall(Struct, frozen=True, kw_only=True):
    """One request, authenticated and read."""

    by: str
    """Id of the key; empty on an open route."""
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


type BacktestHandler = Callable[[BacktestServices, BacktestCall], Awaitable[Response]]


class BacktestEndpoint(Struct, frozen=True, kw_only=True):
    """One row of the route table."""

    method: str
    path: str
    scope: Scope | None
    """What the key must list; None is open to everybody."""
    handler: BacktestHandler
    body_bytes_max: int = SMALL_BYTES_MAX
