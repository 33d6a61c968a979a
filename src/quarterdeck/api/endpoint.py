"""What a call of the API is: one row of the route table, and what its handler is given.

Routes, scopes and the OpenAPI document are all made from these rows, so none can be forgotten in
one of the three. A row without a scope is open to everybody; a test names the few that may be.
"""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from starlette.responses import Response

from quarterdeck.api.keys import KeyRing, Scope
from quarterdeck.api.reads import OrderReads
from quarterdeck.desk.desk import Desk
from quarterdeck.gateways.link import LinkStatus
from quarterdeck.ports import Clock
from quarterdeck.telemetry.metrics import Metrics


class Services(Struct, frozen=True, kw_only=True):
    """What the API is served from."""

    desk: Desk
    reads: OrderReads
    keys: KeyRing
    metrics: Metrics
    clock: Clock
    links: Callable[[], Mapping[str, LinkStatus]]
    """What is known of each account's gateway, by account."""
    version: str
    on_bug: Callable[[Exception], None]
    """Told of every exception that is no refusal, after the caller was answered 500.

    The desk's own state may be at fault: whoever wires this decides whether to end the process.
    """


class Call(Struct, frozen=True, kw_only=True):
    """One request, authenticated and read."""

    by: str
    """Id of the key; empty on an open route."""
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


type Handler = Callable[[Services, Call], Awaitable[Response]]


class Endpoint(Struct, frozen=True, kw_only=True):
    """One row of the route table."""

    method: str
    path: str
    scope: Scope | None
    """What the key must list; None is open to everybody."""
    handler: Handler
    summary: str
    body: type[Struct] | None = None
    query: type[Struct] | None = None
    answer: type[Struct] | None = None
    """None for what is no JSON."""
    status: int = 200
    refusals: tuple[int, ...] = ()
    """Statuses of this route's own refusals."""
