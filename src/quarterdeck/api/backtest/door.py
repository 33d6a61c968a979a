"""The way of every request to the backtest service: who is it, may it, and always an answer."""

import asyncio
from http import HTTPStatus
from typing import Final

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from quarterdeck.api.attempts import FailedAttempts
from quarterdeck.api.backtest.endpoint import BacktestCall, BacktestEndpoint, BacktestServices
from quarterdeck.api.door import BODY_WITHIN_S, UNAUTHENTICATED
from quarterdeck.api.errors import Fault, error, refusal
from quarterdeck.api.keys import ApiKey
from quarterdeck.core.model.reasons import Reason, Refused

QUERY_LENGTH_MAX: Final = 2_048

log = structlog.get_logger("quarterdeck.api")


class BacktestDoor:
    """One endpoint as an ASGI application."""

    def __init__(
        self, endpoint: BacktestEndpoint, services: BacktestServices, attempts: FailedAttempts
    ) -> None:
        """Serve one row of the route table; failed attempts are counted over all doors."""
        self._endpoint = endpoint
        self._services = services
        self._attempts = attempts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except Exception:
            log.exception("api_bug", method=self._endpoint.method, route=self._endpoint.path)
            response = internal()
        response.headers["cache-control"] = "no-store"
        response.headers["x-content-type-options"] = "nosniff"
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        key = self._admitted(request)
        if isinstance(key, Response):
            return key
        if len(request.url.query) > QUERY_LENGTH_MAX:
            text = f"the query is longer than {QUERY_LENGTH_MAX} characters"
            return refusal(Refused(code=Reason.TOO_LARGE, text=text))
        body = b"" if self._endpoint.method == "GET" else await self._body(request)
        if isinstance(body, Response):
            return body
        call = BacktestCall(
            by=key.id if key is not None else "",
            path=request.path_params,
            query=request.query_params,
            body=body,
        )
        return await self._endpoint.handler(self._services, call)

    def _admitted(self, request: Request) -> ApiKey | Response | None:
        """Return the caller's key (None where none is needed), or the answer that turns it away."""
        needed = self._endpoint.scope
        if needed is None:
            return None
        key = self._services.keys.authenticate(request.headers.get("authorization", ""))
        if key is None:
            return self._turned_away(request)
        if needed not in key.scopes:
            text = f"key {key.id} has the scopes {', '.join(key.scopes) or 'none'}; "
            text += f"{self._endpoint.method} {self._endpoint.path} needs {needed}"
            return refusal(Refused(code=Reason.FORBIDDEN, text=text))
        return key

    def _turned_away(self, request: Request) -> Response:
        peer = request.client.host if request.client is not None else ""
        wait_ns = self._attempts.fail(peer, self._services.clock.now_ns())
        if not wait_ns:
            log.warning("unauthenticated", peer=peer, route=self._endpoint.path)
            return refusal(UNAUTHENTICATED)
        wait_s = -(-wait_ns // 1_000_000_000)
        text = f"too many calls without a valid API key; try again in {wait_s} s"
        headers = {"retry-after": str(wait_s)}
        status = HTTPStatus.TOO_MANY_REQUESTS
        return error(status, Fault.TOO_MANY_ATTEMPTS, text, headers=headers)

    async def _body(self, request: Request) -> bytes | Response:
        """Read a body as far as it is allowed."""
        bytes_max = self._endpoint.body_bytes_max
        too_large = Refused(
            code=Reason.TOO_LARGE, text=f"the body is larger than {bytes_max} bytes"
        )
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                async for part in request.stream():
                    size += len(part)
                    if size > bytes_max:
                        return refusal(too_large)
                    parts.append(part)
        except TimeoutError:
            text = f"the body did not arrive within {BODY_WITHIN_S:.0f} s"
            headers = {"connection": "close"}
            return error(HTTPStatus.REQUEST_TIMEOUT, Fault.TIMED_OUT, text, headers=headers)
        return b"".join(parts)


def internal() -> Response:
    """Return the answer to a request that met a bug of ours: what it was is in the log only."""
    text = "something is wrong inside the backtest service; its log says what"
    return error(HTTPStatus.INTERNAL_SERVER_ERROR, Fault.INTERNAL, text)
