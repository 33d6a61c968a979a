"""One client's connection: log-in, requests in order, latency and faults, bounded sending.

Requests are handled as they arrive; one whose account has latency, or that a fault delays, takes
effect later on the book of that moment, also if the client has gone by then: it was sent.
"""

import asyncio
import hmac
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from aiohttp import WSMsgType, web

from drydock import protocol as pt
from drydock.config import AccountConfig
from drydock.core.refusals import Refusal, RefusalCode
from drydock.faults import FaultKind, FaultRule
from drydock.host import VenueHost
from drydock.operations import perform
from drydock.streams import MarketView

_FAILED_LOGINS_MAX = 3
_DELAYED_MAX = 10_000
_INSERTS = {"submit", "modify"}
_CANCELS = {"cancel", "cancel_all"}


class Session:
    """A connection to one client."""

    def __init__(
        self, host: VenueHost, socket: web.WebSocketResponse, request: web.Request
    ) -> None:
        self._host = host
        self._socket = socket
        self._transport = request.transport
        self._queue: asyncio.Queue[str] = asyncio.Queue(host.config.send_queue_max)
        self._account: AccountConfig | None = None
        self._failed_logins = 0
        self._delayed = 0
        self._closed = False
        self._views: dict[str, MarketView] = {}

    @property
    def backlog(self) -> int:
        """Messages still waiting to be written."""
        return self._queue.qsize()

    def send(self, text: str) -> None:
        """Queue one message; a client that lets the queue fill up is disconnected."""
        if self._closed:
            return
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            self.abort()

    def abort(self) -> None:
        """Break the connection at once."""
        self._closed = True
        if self._transport is not None:
            self._transport.abort()

    async def serve(self) -> None:
        """Talk to the client until either side ends it."""
        self.send(
            pt.encode(
                {
                    "stream": "hello",
                    "protocol": pt.VERSION,
                    "venue": self._host.config.venue,
                    "description": self._host.config.description,
                    "incarnation": self._host.incarnation,
                    "now_ns": self._host.tick(),
                }
            )
        )
        writer = asyncio.create_task(self._write())
        try:
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(message.data)
                elif message.type is WSMsgType.BINARY:
                    problem = pt.Problem(None, "BAD_REQUEST", "frames must be text")
                    self.send(pt.reply_problem(problem))
                if self._closed:
                    break
        finally:
            self._leave()
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    async def _write(self) -> None:
        try:
            while True:
                await self._socket.send_str(await self._queue.get())
        except (ConnectionError, RuntimeError):
            # The peer is gone; the reading side notices and ends the session.
            self._closed = True

    def _leave(self) -> None:
        self._closed = True
        if self._account is not None:
            self._host.streams[self._account.name].leave(self)
        for symbol in list(self._views):
            self._drop_view(symbol)

    def _receive(self, text: str) -> None:
        request = pt.decode(text)
        if isinstance(request, pt.Problem):
            self.send(pt.reply_problem(request))
        elif isinstance(request.args, pt.AuthArgs):
            self._log_in(request, request.args)
        elif self._account is None:
            problem = pt.Problem(request.id, "UNAUTHORIZED", "the first op must be auth")
            self.send(pt.reply_problem(problem))
        else:
            self._begin(request, self._account)

    def _log_in(self, request: pt.Request, args: pt.AuthArgs) -> None:
        found = None
        for account in self._host.config.accounts:
            if hmac.compare_digest(account.secret().encode(), args.token.encode()):
                found = account if account.name == args.account else found
        if found is None or self._account is not None:
            self._failed_logins += 1
            text = "already logged in" if self._account else "unknown account or wrong token"
            self.send(pt.reply_problem(pt.Problem(request.id, "UNAUTHORIZED", text)))
            if self._failed_logins >= _FAILED_LOGINS_MAX:
                asyncio.get_running_loop().call_later(0.1, self.abort)
            return
        self._account = found
        self.send(
            pt.reply_ok(
                request.id,
                {
                    "account": found.name,
                    "venue": self._host.config.venue,
                    "incarnation": self._host.incarnation,
                    "now_ns": self._host.tick(),
                },
            )
        )

    def _begin(self, request: pt.Request, account: AccountConfig) -> None:
        rule = self._host.faults.match(request.op, account.name)
        delay_ms = 0
        if rule is not None:
            if rule.fault is FaultKind.DISCONNECT:
                self.abort()
                return
            if rule.fault is FaultKind.REQUEST_LOST:
                return
            if rule.fault is FaultKind.ERROR_BEFORE:
                self._answer_internal(request)
                return
            if rule.fault is FaultKind.DELAY:
                delay_ms = rule.delay_ms
        delay_ms += (
            account.insert_ms
            if request.op in _INSERTS
            else account.cancel_ms
            if request.op in _CANCELS
            else 0
        )
        if delay_ms == 0:
            self._finish(request, account.name, rule)
        elif self._delayed >= _DELAYED_MAX:
            problem = pt.Problem(request.id, "BUSY", f"more than {_DELAYED_MAX} requests under way")
            self.send(pt.reply_problem(problem))
        else:
            self._delayed += 1
            asyncio.get_running_loop().call_later(
                delay_ms / 1000, self._finish_later, request, account.name, rule
            )

    def _finish_later(self, request: pt.Request, account: str, rule: FaultRule | None) -> None:
        self._delayed -= 1
        self._finish(request, account, rule)

    def _finish(self, request: pt.Request, account: str, rule: FaultRule | None) -> None:
        result = self._connection_op(request, account)
        if result is None:
            result = perform(self._host, account, request.args, request.op)
        text = (
            pt.reply_problem(pt.Problem(request.id, result.code, result.text))
            if isinstance(result, Refusal)
            else pt.reply_ok(request.id, result)
        )
        self._host.outbox.post(self._answer(request, text, rule))

    def _answer(self, request: pt.Request, text: str, rule: FaultRule | None) -> Callable[[], None]:
        fault = None if rule is None else rule.fault
        if fault is FaultKind.REPLY_LOST:
            return lambda: None
        if fault is FaultKind.DISCONNECT_AFTER:
            return self.abort
        if fault is FaultKind.ERROR_AFTER:
            return lambda: self._answer_internal(request)
        if rule is not None and fault is FaultKind.DELAY_REPLY:
            return partial(self._send_later, rule.delay_ms / 1000, text)
        return lambda: self.send(text)

    def _send_later(self, delay_s: float, text: str) -> None:
        asyncio.get_running_loop().call_later(delay_s, self.send, text)

    def _answer_internal(self, request: pt.Request) -> None:
        problem = pt.Problem(request.id, "INTERNAL", "the venue failed; the outcome is unknown")
        self.send(pt.reply_problem(problem))

    def _connection_op(
        self, request: pt.Request, account: str
    ) -> dict[str, object] | Refusal | None:
        """Do what concerns this connection only; None when the request is something else."""
        args = request.args
        if request.op == "subscribe_orders":
            seq = self._host.streams[account].listen(self)
            return {"seq": seq, "incarnation": self._host.incarnation}
        if isinstance(args, (pt.SubscribeArgs, pt.SymbolArgs)):
            if args.symbol not in self._host.state.instruments:
                return Refusal(RefusalCode.UNKNOWN_SYMBOL, f"{args.symbol!r}")
            self._drop_view(args.symbol)
            if isinstance(args, pt.SubscribeArgs):
                self._add_view(args)
            return {"symbol": args.symbol}
        return None

    def _add_view(self, args: pt.SubscribeArgs) -> None:
        view = MarketView(self._host.state, args.symbol, args.depth, args.interval_ms, self)
        self._views[args.symbol] = view
        self._host.views[args.symbol].add(view)
        view.touch(self._host.tick())

    def _drop_view(self, symbol: str) -> None:
        view = self._views.pop(symbol, None)
        if view is not None:
            view.close()
            self._host.views[symbol].discard(view)
