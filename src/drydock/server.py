"""The venue on the network: WebSocket for accounts, HTTP for the administrator.

    /ws                      the native protocol
    GET  /health             is it up (no token)
    GET  /state              everything, by account
    GET, POST, DELETE /faults
    POST /market             a book or a trade, for the manual feed

Administrator routes take the token in the `X-Admin-Token` header.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import WSCloseCode, web

from drydock import protocol as pt
from drydock.config import ManualFeed
from drydock.core.inputs import Wake
from drydock.faults import FaultRule
from drydock.feed.contract import Feed
from drydock.feed.player import play
from drydock.host import VenueHost
from drydock.manual import MarketProblem, read_market
from drydock.render import account_view
from drydock.session import Session

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_REQUEST_OPS = frozenset(pt.OPERATIONS) - {"auth"}


class Server:
    """A listening venue. Start it inside a running event loop, and stop it in the same."""

    def __init__(self, host: VenueHost, feed: Feed | None) -> None:
        self._host = host
        self._feed = feed
        self._player: asyncio.Task[None] | None = None
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()
        self.port = 0

    async def start(self) -> None:
        """Listen and begin to play the feed."""
        app = web.Application(client_max_size=1 << 20)
        app.router.add_get("/ws", self._serve_socket)
        app.router.add_get("/health", self._health)
        app.router.add_get("/state", self._admin(self._state))
        app.router.add_get("/faults", self._admin(self._get_faults))
        app.router.add_post("/faults", self._admin(self._set_faults))
        app.router.add_delete("/faults", self._admin(self._clear_faults))
        app.router.add_post("/market", self._admin(self._set_market))
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        config = self._host.config
        site = web.TCPSite(self._runner, config.host, config.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._host.execute(Wake())  # Orders may have expired while nobody was here.
        if self._feed is not None and not isinstance(config.feed, ManualFeed):
            epoch_ns = config.feed.epoch_ns
            if epoch_ns is None:
                epoch_ns = self._host.anchor(self._feed.name)
            player = play(
                self._feed, config.feed.pace(), epoch_ns, self._host.tick, self._host.execute
            )
            self._player = asyncio.create_task(player)

    async def wait(self) -> None:
        """Wait until the feed ends.

        Raises:
            Exception: whatever stopped the feed; the venue must not go on without its market.
        """
        if self._player is not None:
            await asyncio.shield(self._player)

    async def stop(self) -> None:
        """Stop the feed, make everything durable, say goodbye."""
        if self._player is not None:
            self._player.cancel()
            await asyncio.wait({self._player})  # What it died of is told by `wait`.
        self._host.stop()
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"the venue stops")
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve_socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            heartbeat=20, max_msg_size=pt.FRAME_BYTES_MAX, compress=False, timeout=1
        )
        await socket.prepare(request)
        self._sockets.add(socket)
        try:
            await Session(self._host, socket, request).serve()
        finally:
            self._sockets.discard(socket)
        return socket

    def _admin(self, handler: Handler) -> Handler:
        expected = self._host.config.admin_secret().encode()

        async def guarded(request: web.Request) -> web.StreamResponse:
            given = request.headers.get("X-Admin-Token", "").encode()
            if not hmac.compare_digest(expected, given):
                return _json({"error": "X-Admin-Token is missing or wrong"}, status=401)
            return await handler(request)

        return guarded

    async def _health(self, _: web.Request) -> web.StreamResponse:
        books = self._host.state.books
        return _json(
            {
                "venue": self._host.config.venue,
                "description": self._host.config.description,
                "incarnation": self._host.incarnation,
                "now_ns": self._host.tick(),
                "markets": {symbol: book.seen for symbol, book in books.items()},
            }
        )

    async def _state(self, _: web.Request) -> web.StreamResponse:
        state = self._host.state
        accounts = {name: account_view(state, account) for name, account in state.accounts.items()}
        return _json({"now_ns": self._host.tick(), "accounts": accounts})

    async def _get_faults(self, _: web.Request) -> web.StreamResponse:
        return _json({"rules": self._host.faults.report()})

    async def _set_faults(self, request: web.Request) -> web.StreamResponse:
        try:
            rules = msgspec.json.decode(await request.read(), type=list[FaultRule] | FaultRule)
        except msgspec.DecodeError as error:
            return _json({"error": str(error)}, status=400)
        listed = [rules] if isinstance(rules, FaultRule) else rules
        for index, rule in enumerate(listed):
            problem = rule.problem(_REQUEST_OPS)
            if problem is not None:
                return _json({"error": f"rule {index}: {problem}"}, status=400)
        self._host.faults.set(listed)
        return await self._get_faults(request)

    async def _clear_faults(self, request: web.Request) -> web.StreamResponse:
        self._host.faults.set([])
        return await self._get_faults(request)

    async def _set_market(self, request: web.Request) -> web.StreamResponse:
        if not isinstance(self._host.config.feed, ManualFeed):
            return _json({"error": 'only a feed of kind "manual" takes a market'}, status=409)
        what = read_market(await request.read(), self._host.state.instruments, self._host.tick())
        if isinstance(what, MarketProblem):
            return _json({"error": what.text}, status=400)
        self._host.execute(what)
        return _json({"ok": True})


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json"
    )
