"""What a call of the API is: one row of the route table, and what its handler is given.

Routes, scopes and the OpenAPI document are all made from these rows, so none can be forgotten in
one of the three. A row without a scope is open to everybody; a test names the few that may be.
"""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from starlette.responses import Response

from quarterdeck.api.keys import KeyRing, Scope
from quarterdeck.api.reads import OrderReads
from quarterdeck.core.model.commands import Command
from quarterdeck.core.model.reasons import Refused
from quarterdeck.desk.desk import Desk
from quarterdeck.desk.messages import BODY_BYTES_MAX
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
    """Told of every exception out of the desk itself, after the caller was answered 500.

    The desk's memory may be at fault: whoever wires this ends the process, so that it is built
    anew. A bug of the API alone is answered and logged, and harms nobody else.
    """

    async def execute(self, command: Command) -> Refused | None:
        """Give the desk a command; see `Desk.execute`.

        Raises:
            DeskBugError: if the desk broke on it.
        """
        try:
            return await self.desk.execute(command)
        except Exception as bug:
            raise DeskBugError(bug) from bug


class DeskBugError(Exception):
    """The desk broke while it decided: a bug of ours, never the caller's."""

    def __init__(self, bug: Exception) -> None:
        """Keep what was raised."""
        super().__init__(repr(bug))
        self.bug = bug


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
    body_bytes_max: int = BODY_BYTES_MAX
    query: type[Struct] | None = None
    answer: type[Struct] | None = None
    """None for what is no JSON."""
    status: int = 200
    refusals: tuple[int, ...] = ()
    """Statuses of this route's own refusals."""
