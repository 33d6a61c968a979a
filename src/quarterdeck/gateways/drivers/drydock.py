"""The driver for drydock, the simulated venue, over its native WebSocket protocol.

Absence can be proven here: every request carries its time and a validity window, and the venue
refuses it after that, however late it arrives. The time written is never later than the order's
send deadline, and the driver will not connect to a venue whose clock differs from ours by more
than the margin; so what was not executed within window and margin after the deadline never is.

The account's pushes are numbered. A missing number, or a frame that cannot be read, is reported as
a connection lost and found again, upon which the desk compares everything.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
import msgspec
import structlog

from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.decimals import canonical
from quarterdeck.core.model.facts import Balance, OrderReport, Trade, VenuePosition, VenueStatus
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import TimeInForce
from quarterdeck.gateways.contract import (
    Canceled,
    CancelOutcome,
    CancelTaken,
    ConnectError,
    DriverKind,
    DriverListener,
    ModifyOutcome,
    NotSent,
    OrderChange,
    OrderRef,
    QueryError,
    SnapshotParts,
    SubmitOutcome,
    Unknown,
    VenueOrder,
)
from quarterdeck.gateways.drivers import drydock_messages as dm
from quarterdeck.gateways.drivers.drydock_answers import acceptance, judge, replied, result_of
from quarterdeck.gateways.drivers.drydock_listing import InstrumentsResult, UntranslatableError
from quarterdeck.gateways.drivers.drydock_settings import DrydockSettings
from quarterdeck.gateways.drivers.drydock_socket import Reply, VenueSocket, open_socket

log = structlog.get_logger("quarterdeck.gateway")

FOR_EVER_NS: Final = 10**18


class DrydockDriver:
    """See the module."""

    def __init__(self, account: str, venue: str, settings: DrydockSettings) -> None:
        self._account = account
        self._venue = venue
        self._settings = settings
        self._words = dm.Translation(account, venue, settings.instruments)
        self._listener: DriverListener | None = None
        self._socket: VenueSocket | None = None
        self._probing: asyncio.Task[None] | None = None
        self._greeting: dm.Greeting | None = None
        self._next_seq: int | None = None
        self._view_seqs: dict[str, int] = {}
        self._book_watched: set[str] = set()
        self._trades_watched: set[str] = set()
        self._offset_ns: int | None = None
        self._derivatives = False

    @property
    def capabilities(self) -> Capabilities:
        """Reduce-only exists where derivatives are listed, which is known once connected."""
        window_ms = self._settings.recv_window_ms + self._settings.margin_ms
        return Capabilities(
            order_types=("MARKET", "LIMIT"),
            times_in_force=("GTC", "IOC", "FOK", "GTD"),
            post_only=True,
            reduce_only=self._derivatives,
            modify=True,
            absence_proof=AbsenceProof.VALIDITY_WINDOW,
            absence_window_ns=window_ms * 1_000_000,
            query_retention_ns=FOR_EVER_NS,
            simulated=True,
        )

    @property
    def clock_offset_ns(self) -> int | None:
        """The venue's clock minus ours; None while not connected."""
        return self._offset_ns

    async def connect(self, listener: DriverListener) -> Sequence[Instrument]:
        """Log in, compare clocks, load instruments, start the account's stream."""
        await self.disconnect()
        self._listener = listener
        try:
            self._socket = await open_socket(
                self._settings.url,
                timeout_s=self._settings.request_timeout_ms / 1000,
                on_push=self._on_push,
                on_unreadable=self._on_unreadable,
                on_end=self._on_end,
            )
            instruments = await self._begin()
        except (OSError, TimeoutError, aiohttp.ClientError, QueryError) as error:
            await self.disconnect()
            raise ConnectError(f"{self._settings.url}: {error!r}") from error
        except BaseException:
            await self.disconnect()
            raise
        self._probing = asyncio.create_task(self._probe())
        return instruments

    async def disconnect(self) -> None:
        """Close the connection and forget what belonged to it."""
        self._listener = None
        self._offset_ns = self._next_seq = self._greeting = None
        self._book_watched.clear()
        self._trades_watched.clear()
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await probing
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def submit(self, order: VenueOrder) -> SubmitOutcome:
        """Send an order with a time of validity, and judge the answer."""
        symbol = self._words.symbol(order.instrument)
        now_ns = time.time_ns()
        if self._socket is None:
            return NotSent(why=Reason.VENUE_DISCONNECTED)
        if symbol is None:
            return NotSent(why=Reason.UNKNOWN_INSTRUMENT)
        if now_ns > order.send_by_ns:
            return NotSent(why=Reason.SEND_DEADLINE_PASSED)
        args: dict[str, Any] = {
            "client_order_id": order.client_order_id,
            "symbol": symbol,
            "side": order.side,
            "type": order.order_type,
            "quantity": canonical(order.quantity),
            "tif": order.tif,
            "post_only": order.post_only,
            "reduce_only": order.reduce_only,
        }
        if order.limit_px is not None:
            args["price"] = canonical(order.limit_px)
        if order.tif is TimeInForce.GTD:
            args["expire_ns"] = order.expire_ns
        return acceptance(await self._socket.request("submit", args | self._validity(now_ns)))

    async def modify(self, change: OrderChange) -> ModifyOutcome:
        """Send a change with a time of validity, and judge the answer."""
        now_ns = time.time_ns()
        if self._socket is None:
            return NotSent(why=Reason.VENUE_DISCONNECTED)
        if now_ns > change.send_by_ns:
            return NotSent(why=Reason.SEND_DEADLINE_PASSED)
        args: dict[str, Any] = {"client_order_id": change.order.client_order_id}
        if change.quantity is not None:
            args["quantity"] = canonical(change.quantity)
        if change.limit_px is not None:
            args["price"] = canonical(change.limit_px)
        return acceptance(await self._socket.request("modify", args | self._validity(now_ns)))

    async def cancel(self, order: OrderRef) -> CancelOutcome:
        """Cancel by client order id."""
        if self._socket is None:
            return NotSent(why=Reason.VENUE_DISCONNECTED)
        args = {"client_order_id": order.client_order_id}
        answer = await self._socket.request("cancel", args | self._validity(time.time_ns()))
        result = judge(answer)
        if not isinstance(result, dm.OrderResult):
            return result
        try:
            status = self._words.status(result.order.status)
        except UntranslatableError as error:
            return Unknown(why=Reason.REPLY_LOST, detail=str(error))
        if status is VenueStatus.OPEN:
            return CancelTaken()
        return Canceled(
            venue_order_id=result.order.venue_order_id,
            status=status,
            filled=result.order.filled,
            at_ns=time.time_ns(),
        )

    async def order(self, order: OrderRef) -> OrderReport | None:
        """Ask for one order; the venue keeps finished ones for ever."""
        answer = await self._request("order", {"client_order_id": order.client_order_id})
        if answer.refusal is not None and answer.refusal.code == "UNKNOWN_ORDER":
            return None
        return self._words.report(result_of("order", answer, dm.OrderResult).order)

    async def open_orders(self) -> Sequence[OrderReport]:
        """Ask for all open orders."""
        result = await self._ask("open_orders", {}, dm.OrdersResult)
        return [self._words.report(view) for view in result.orders]

    async def trades_since(self, from_ns: int) -> Sequence[Trade]:
        """Ask for trades, page by page."""
        trades: list[Trade] = []
        after_seq, more = 0, True
        while more:
            args = {"since_ns": max(from_ns, 0), "after_seq": after_seq}
            page = await self._ask("trades", args, dm.TradesResult)
            trades += [self._words.trade(view) for view in page.trades]
            after_seq = page.trades[-1].seq if page.trades else after_seq
            more = page.more and bool(page.trades)
        return trades

    async def balances(self) -> Sequence[Balance]:
        """Ask for the assets."""
        return self._words.balances((await self._ask("balances", {}, dm.BalancesResult)).balances)

    async def positions(self) -> Sequence[VenuePosition]:
        """Ask for the positions."""
        result = await self._ask("positions", {}, dm.PositionsResult)
        return self._words.positions(result.positions)

    async def snapshot(self, trades_from_ns: int) -> SnapshotParts:
        """Ask for everything at one instant of the venue."""
        args = {"trades_since_ns": max(trades_from_ns, 0)}
        result = await self._ask("snapshot", args, dm.SnapshotResult)
        return SnapshotParts(
            orders=tuple(self._words.report(view) for view in result.orders),
            trades=tuple(self._words.trade(view) for view in result.trades),
            balances=self._words.balances(result.balances),
            positions=self._words.positions(result.positions),
        )

    async def subscribe_book(self, instrument: str, *, depth: int, interval_ms: int) -> None:
        """Start views of a book; the gateway asks again after a reconnect."""
        self._book_watched.add(instrument)
        await self._subscribe(instrument, {"depth": depth, "interval_ms": interval_ms})

    async def subscribe_trades(self, instrument: str) -> None:
        """Start the market's trades; at this venue they come along with the book."""
        self._trades_watched.add(instrument)
        if instrument not in self._book_watched:
            await self._subscribe(instrument, {"depth": 1})

    async def _subscribe(self, instrument: str, terms: dict[str, int]) -> None:
        symbol = self._words.symbol(instrument)
        if symbol is None:
            raise QueryError(f"{instrument} is not listed")
        await self._ask("subscribe", {"symbol": symbol, **terms}, dm.Done)

    async def _begin(self) -> list[Instrument]:
        settings = self._settings
        token = settings.secret()
        if token is None:
            raise QueryError(f"environment variable {settings.token_env} holds no token")
        await self._ask(
            "auth", {"account": settings.login or self._account, "token": token}, dm.Done
        )
        greeting = self._greeting
        if greeting is None or greeting.protocol != dm.PROTOCOL:
            raise QueryError(f"protocol {dm.PROTOCOL} is spoken here, the venue says {greeting}")
        if greeting.venue != self._venue:
            raise QueryError(f"this is venue {greeting.venue}, not {self._venue}")
        await self._compare_clocks()
        listed = await self._ask("instruments", {}, InstrumentsResult)
        try:
            instruments = self._words.load(listed.instruments)
        except UntranslatableError as error:
            raise QueryError(str(error)) from error
        self._derivatives = any(item.settlement is not Settlement.SPOT for item in instruments)
        start = await self._ask("subscribe_orders", {}, dm.StreamStart)
        if self._next_seq is None:  # Else a push was read before this reply's turn came.
            self._next_seq = start.seq + 1
        return instruments

    async def _compare_clocks(self) -> None:
        """Measure the venue's clock, and refuse one that would void the proof of absence."""
        before_ns = time.time_ns()
        there_ns = (await self._ask("time", {}, dm.TimeResult)).now_ns
        after_ns = time.time_ns()
        self._offset_ns = there_ns - (before_ns + after_ns) // 2
        # The reply was written at some moment in between: half the way is the uncertainty.
        worst_ns = abs(self._offset_ns) + (after_ns - before_ns) // 2
        if worst_ns > self._settings.margin_ms * 1_000_000:
            raise QueryError(
                f"the venue's clock may differ by {worst_ns // 1_000_000} ms, allowed are "
                f"{self._settings.margin_ms} ms"
            )

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(self._settings.probe_ms / 1000)
            try:
                await self._compare_clocks()
            except QueryError as error:
                self._on_end(f"probe: {error}")
                return

    def _validity(self, now_ns: int) -> dict[str, int]:
        return {"timestamp_ns": now_ns, "recv_window_ms": self._settings.recv_window_ms}

    async def _request(self, op: str, args: dict[str, Any]) -> Reply:
        if self._socket is None:
            raise QueryError(f"{op}: not connected")
        return replied(op, await self._socket.request(op, args))

    async def _ask[T](self, op: str, args: dict[str, Any], kind: type[T]) -> T:
        return result_of(op, await self._request(op, args), kind)

    def _on_end(self, reason: str) -> None:
        if self._listener is not None:
            self._listener.ended(reason)

    def _on_unreadable(self, text: str) -> None:
        log.error("venue_frame_unreadable", account=self._account, text=text)
        self._missed(f"a frame could not be read: {text}")

    def _missed(self, reason: str) -> None:
        if self._listener is not None:
            self._listener.connection(connected=False, reason=reason)
            self._listener.connection(connected=True, reason="")

    def _on_push(self, frame: dm.Frame, raw: bytes) -> None:
        try:
            match frame.stream:
                case "hello":
                    self._greeting = msgspec.json.decode(raw, type=dm.Greeting)
                case "orders":
                    self._on_order(frame)
                case "book":
                    self._on_book(msgspec.json.decode(raw, type=dm.BookPush))
                case "trades":
                    self._on_prints(msgspec.json.decode(raw, type=dm.PrintsPush))
                case _:
                    pass  # A stream that came later than this driver.
        except (msgspec.DecodeError, UntranslatableError) as error:
            self._on_unreadable(str(error))

    def _on_order(self, frame: dm.Frame) -> None:
        seq = frame.seq
        if seq is None or self._listener is None:
            return
        if self._next_seq is not None and seq > self._next_seq:
            self._missed(f"pushes {self._next_seq} to {seq - 1} are missing")
        # An old number is passed on too: late or doubled, it is still true.
        self._next_seq = max(self._next_seq or 0, seq + 1)
        event = msgspec.json.decode(frame.event, type=dm.OrderEvent)
        order = event.order
        now_ns = time.time_ns()
        if event.type == "accepted":
            self._listener.accepted(order.client_order_id, order.venue_order_id, now_ns)
        if event.trade is not None:
            self._listener.trade(self._words.trade(event.trade))
        status = self._words.status(order.status)
        if status is not VenueStatus.OPEN:
            self._listener.closed(
                order.client_order_id, order.venue_order_id, status, order.filled, now_ns
            )

    def _on_book(self, push: dm.BookPush) -> None:
        if self._listener is None:
            return
        instrument = self._words.instrument(push.symbol)
        if instrument not in self._book_watched:
            return  # It came along with the trades.
        seq = self._view_seqs.get(instrument, 0) + 1
        self._view_seqs[instrument] = seq
        self._listener.view(
            MarketView(
                instrument=instrument,
                bids=tuple(push.bids),
                asks=tuple(push.asks),
                seq=seq,
                at_ns=time.time_ns(),
            )
        )

    def _on_prints(self, push: dm.PrintsPush) -> None:
        trades = self._words.public_trades(push)
        if push.dropped:
            log.warning("public_trades_missed", account=self._account, count=push.dropped)
        for trade in trades:
            if self._listener is not None and trade.instrument in self._trades_watched:
                self._listener.public_trade(trade)


KIND: Final = DriverKind(name="drydock", settings=DrydockSettings, build=DrydockDriver)
