"""The live service (port 8001): a FastAPI application around the desk.

Every call of the table is served by its own door, as plain ASGI routes beside the framework's
request handling, which would cost more than all of ours on the path of an order. The framework
gives routing, the error handlers and a home for calls that are not hot.
"""

from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as ASGIScope

from quarterdeck.api.attempts import FailedAttempts
from quarterdeck.api.door import Door, internal
from quarterdeck.api.endpoint import Call, Endpoint, Services
from quarterdeck.api.errors import Fault, error
from quarterdeck.api.keys import Scope
from quarterdeck.api.openapi import document
from quarterdeck.api.routes import ENDPOINTS

log = structlog.get_logger("quarterdeck.api")


class LiveApp(FastAPI):
    """The application, with a short cut: a call at a fixed path goes straight to its door.

    The framework's own layers around a route take a third of the time that an order spends in the
    desk, and a door leaves them nothing to do: it answers its own errors.
    """

    def __init__(self, **settings: Any) -> None:
        """Begin without doors."""
        super().__init__(**settings)
        self._straight: dict[tuple[str, str], Door] = {}

    def add_door(self, method: str, path: str, door: Door) -> None:
        """Serve an endpoint."""
        self.router.routes.append(Route(path, door, methods=[method]))
        if "{" not in path:
            self._straight[method, path] = door

    async def __call__(self, scope: ASGIScope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        door = None
        if scope["type"] == "http":
            door = self._straight.get((scope["method"], scope["path"]))
        await (door or super().__call__)(scope, receive, send)


def create_app(services: Services) -> FastAPI:
    """Return the application. The desk must have started."""
    app = LiveApp(
        title="Quarterdeck live desk",
        version=services.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _http_error, Exception: _bug},
    )
    attempts = FailedAttempts()
    for endpoint in (*ENDPOINTS, _own_description(services.version)):
        door = Door(endpoint, services, attempts)
        app.add_door(endpoint.method, endpoint.path, door)
    return app


@cache
def description(version: str) -> bytes:
    """Return the OpenAPI document of the live service as JSON."""
    return msgspec.json.encode(document(ENDPOINTS, version))


def _own_description(version: str) -> Endpoint:
    body = description(version)

    async def show_openapi(services: Services, call: Call) -> Response:
        del services, call
        return Response(body, media_type="application/json")

    return Endpoint(
        method="GET",
        path="/openapi.json",
        scope=Scope.READ,
        handler=show_openapi,
        summary="Show this description.",
    )


async def _http_error(request: Request, raised: Exception) -> Response:
    """Answer what no route took."""
    assert isinstance(raised, HTTPException)
    path = request.url.path[:200]
    if raised.status_code == HTTPStatus.NOT_FOUND:
        text = f"there is nothing at {path}; /openapi.json lists what there is"
        return error(HTTPStatus.NOT_FOUND, Fault.NOT_FOUND, text)
    if raised.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = _allowed(path)
        text = f"{request.method} is not allowed at {path}; allowed: {', '.join(allowed)}"
        headers = {"allow": ", ".join(allowed)}
        return error(HTTPStatus.METHOD_NOT_ALLOWED, Fault.METHOD_NOT_ALLOWED, text, headers=headers)
    log.error("unexpected_http_error", status=raised.status_code, path=path)
    return internal()


async def _bug(request: Request, bug: Exception) -> Response:
    """Answer what went wrong outside the doors."""
    log.error("api_bug", path=request.url.path, error=repr(bug))
    return internal()


def _allowed(path: str) -> list[str]:
    """Return the methods that some route takes at a path."""
    routes = (Route(row.path, _bug, methods=[row.method]) for row in ENDPOINTS)
    matching = [route for route in routes if route.path_regex.match(path)]
    return sorted({method for route in matching for method in route.methods or ()}) or ["GET"]
