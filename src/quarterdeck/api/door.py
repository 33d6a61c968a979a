"""The way of every request: who is it, may it, what does it say, and an answer whatever happens.

Plain ASGI, without the framework's request handling: on the path of an order the door itself has
to be cheap. A client that goes away does not stop a handler that has begun: an order that was
journaled is not forgotten because nobody waits for the answer.
"""

import asyncio
import time
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from quarterdeck.api.attempts import FailedAttempts
from quarterdeck.api.endpoint import Call, DeskBugError, Endpoint, Services
from quarterdeck.api.errors import Fault, error, refusal
from quarterdeck.api.keys import ApiKey
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.desk.messages import too_large

BODY_WITHIN_S: Final = 10.0
QUERY_FIELDS_MAX: Final = 32

UNAUTHENTICATED: Final = Refused(
    code=Reason.UNAUTHENTICATED,
    text="no valid API key: send `Authorization: Bearer qd_…`; keys are made with "
    "`quarterdeck keys create`",
)
_CLOSE: Final = {"connection": "close"}

log = structlog.get_logger("quarterdeck.api")


class Door:
    """One endpoint as an ASGI application."""

    def __init__(self, endpoint: Endpoint, services: Services, attempts: FailedAttempts) -> None:
        """Serve one row of the route table; failed attempts are counted over all doors."""
        self._endpoint = endpoint
        self._services = services
        self._attempts = attempts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began_ns = time.perf_counter_ns()
        endpoint, metrics = self._endpoint, self._services.metrics
        bug: Exception | None = None
        try:
            response = await self._answer(scope, receive)
        except DeskBugError as raised:
            log.exception("desk_bug", method=endpoint.method, route=endpoint.path)
            response, bug = internal(), raised.bug
        except Exception:
            log.exception("api_bug", method=endpoint.method, route=endpoint.path)
            response = internal()
        if response is None:
            return
        response.headers["cache-control"] = "no-store"
        response.headers["x-content-type-options"] = "nosniff"
        metrics.count(
            "http_requests", endpoint.method, endpoint.path, str(int(response.status_code))
        )
        metrics.observe_ns("http_seconds", time.perf_counter_ns() - began_ns, endpoint.path)
        try:
            await response(scope, receive, send)
        finally:
            if bug is not None:
                self._services.on_bug(bug)

    async def _answer(self, scope: Scope, receive: Receive) -> Response | None:
        """Return the answer; None when the caller has gone."""
        headers = _headers(scope)
        key = self._admitted(scope, headers)
        if isinstance(key, Response):
            return key
        body = b""
        if self._endpoint.method != "GET":
            length = headers.get(b"content-length", b"")
            received = await _body(receive, length, self._endpoint.body_bytes_max)
            if not isinstance(received, bytes):
                return received
            body = received
        call = Call(
            by=key.id if key is not None else "",
            path=scope.get("path_params", {}),
            query=_query(scope),
            body=body,
        )
        return await self._endpoint.handler(self._services, call)

    def _admitted(self, scope: Scope, headers: dict[bytes, bytes]) -> ApiKey | Response | None:
        """Return the caller's key (None where none is needed), or the answer that turns it away."""
        needed = self._endpoint.scope
        if needed is None:
            return None
        header = headers.get(b"authorization", b"").decode("latin-1")
        key = self._services.keys.authenticate(header)
        if key is None:
            return self._turned_away(scope)
        if needed not in key.scopes:
            text = f"key {key.id} has the scopes {', '.join(key.scopes) or 'none'}; "
            text += f"{self._endpoint.method} {self._endpoint.path} needs {needed}"
            return refusal(Refused(code=Reason.FORBIDDEN, text=text))
        return key

    def _turned_away(self, scope: Scope) -> Response:
        self._services.metrics.count("auth_failures")
        client = scope.get("client")
        peer = str(client[0]) if client else ""
        wait_ns = self._attempts.fail(peer, self._services.clock.now_ns())
        if not wait_ns:
            log.warning("unauthenticated", peer=peer, route=self._endpoint.path)
            return refusal(UNAUTHENTICATED)
        wait_s = -(-wait_ns // 1_000_000_000)
        return error(
            HTTPStatus.TOO_MANY_REQUESTS,
            Fault.TOO_MANY_ATTEMPTS,
            f"too many calls without a valid API key; try again in {wait_s} s",
            headers={"retry-after": str(wait_s)},
        )


def internal() -> Response:
    """Return the answer to a request that met a bug of ours: what it was is in the log only."""
    return error(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        Fault.INTERNAL,
        "something is wrong inside the desk; the log says what. Whether the request had an effect "
        "is not known: ask for the order",
    )


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])


def _query(scope: Scope) -> dict[str, str]:
    text = scope.get("query_string", b"").decode("latin-1")
    if not text:
        return {}
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX))
    except ValueError:
        return {"": "too many fields"}


async def _body(receive: Receive, length: bytes, bytes_max: int) -> bytes | Response | None:
    """Read a body as far as it is allowed; None when the caller went away in between."""
    if length.isdigit() and (len(length) > 12 or int(length) > bytes_max):
        return refusal(too_large(bytes_max))
    parts: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while more:
                message: Any = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > bytes_max:
                    return refusal(too_large(bytes_max))
                more = message.get("more_body", False)
    except TimeoutError:
        text = f"the body did not arrive within {BODY_WITHIN_S:.0f} s"
        return error(HTTPStatus.REQUEST_TIMEOUT, Fault.TIMED_OUT, text, headers=_CLOSE)
    return parts[0] if len(parts) == 1 else b"".join(parts)
