"""Serving the API inside a loop that is running already, beside the desk.

uvicorn with httptools and without its access log, which would write a line for every order. It
installs no signal handlers here: who runs the process says when to stop, by cancelling, and the
requests that are being answered then get a moment to finish.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from functools import partial
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from quarterdeck.api.bind import Bind, admits, check_bind
from quarterdeck.api.connection import for_peers

UNACCEPTED_MAX: Final = 256
IDLE_S: Final = 30
FINISH_WITHIN_S: Final = 5


class BindRefusedError(Exception):
    """The address may not be listened on; the text says why."""


class _Server(uvicorn.Server):
    """uvicorn, without its claim on the process's signals."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_started()


async def serve(
    app: ASGIApp,
    bind: Bind,
    *,
    has_keys: bool,
    on_ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until cancelled, then let running requests finish and return.

    Args:
        app: what to serve.
        bind: where, and what protects it; port 0 takes any free one.
        has_keys: whether there is a valid API key.
        on_ready: called with the port once connections are accepted.

    Raises:
        BindRefusedError: if the address may not be listened on.
        OSError: if it is taken.
    """
    refused = check_bind(bind, has_keys=has_keys)
    if refused is not None:
        raise BindRefusedError(f"{refused.field}: {refused.text}")
    with _listen(bind) as listening:
        port = int(listening.getsockname()[1])
        server = _Server(config(app, bind), lambda: on_ready(port) if on_ready else None)
        running = asyncio.create_task(server.serve([listening]), name="api server")
        try:
            await asyncio.shield(running)
        finally:
            server.should_exit = True
            await running


def config(app: ASGIApp, bind: Bind) -> uvicorn.Config:
    """Return uvicorn's settings for an address."""
    proxies = list(bind.trusted_proxies)
    return uvicorn.Config(
        app,
        host=bind.host,
        port=bind.port,
        http=for_peers(partial(admits, bind)),
        ws="none",
        loop="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        ssl_certfile=str(bind.certificate) if bind.certificate is not None else None,
        ssl_keyfile=str(bind.private_key) if bind.private_key is not None else None,
        backlog=UNACCEPTED_MAX,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=FINISH_WITHIN_S,
    )


def _listen(bind: Bind) -> socket.socket:
    # The name localhost may stand for two addresses; one is listened on.
    host = "127.0.0.1" if bind.host == "localhost" else bind.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, bind.port), family=family, backlog=UNACCEPTED_MAX)
