"""What is pushed: each account's numbered order events, and conflated views of the market.

Account events are numbered per account and per process: a listener that misses a number asks for a
snapshot, which names the number it stands at. Faults can swallow, repeat, delay or swap pushes; the
numbers are given before that, as they would be by a real venue behind a bad line.

Market views are conflated per subscriber: at most one per interval, only after a change, and never
while earlier messages still wait for a slow client.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Final, Protocol

from drydock.core.inputs import PublicTrade
from drydock.core.state import VenueState
from drydock.faults import PUSH, FaultKind, Faults
from drydock.outbox import Outbox
from drydock.protocol import encode
from drydock.render import View, levels_view

PRINTS_MAX: Final = 1000
"""Public trades kept for one view; older ones are dropped and counted."""


class Listener(Protocol):
    """A connection that takes messages."""

    def send(self, text: str) -> None:
        """Queue one message; a connection that cannot keep up is closed."""

    @property
    def backlog(self) -> int:
        """Messages still waiting to be written."""


class AccountStream:
    """The numbered order events of one account."""

    def __init__(self, account: str, outbox: Outbox, faults: Faults) -> None:
        self.seq = 0
        self._listeners: dict[Listener, int] = {}
        self._account = account
        self._outbox = outbox
        self._faults = faults
        self._held: tuple[int, str] | None = None

    def listen(self, listener: Listener) -> int:
        """Send every later event to a listener, and return the number it starts after."""
        self._listeners[listener] = self.seq
        return self.seq

    def leave(self, listener: Listener) -> None:
        """Send nothing to a listener any more."""
        self._listeners.pop(listener, None)

    def publish(self, kind: str, view: View) -> None:
        """Number an event and send it to every listener, faults permitting."""
        self.seq += 1
        if not self._listeners:
            return
        push = self.seq, encode({"stream": "orders", "seq": self.seq, "event": view})
        rule = self._faults.match(PUSH + kind, self._account)
        fault = None if rule is None else rule.fault
        if fault is FaultKind.PUSH_SWALLOW:
            return
        if fault is FaultKind.PUSH_REORDER and self._held is None:
            self._held = push
            return
        if rule is not None and fault is FaultKind.PUSH_DELAY:
            delay_s = rule.delay_ms / 1000
            asyncio.get_running_loop().call_later(delay_s, self._post, push)
            return
        self._post(push)
        if fault is FaultKind.PUSH_TWICE:
            self._post(push)
        if self._held is not None:
            self._post(self._held)
            self._held = None

    def _post(self, push: tuple[int, str]) -> None:
        self._outbox.post(partial(self._send, *push))

    def _send(self, seq: int, text: str) -> None:
        # An event may still wait for the journal when a listener joins; it is in its past.
        for listener, joined_at in list(self._listeners.items()):
            if seq > joined_at:
                listener.send(text)


class MarketView:
    """One subscriber's view of one symbol."""

    def __init__(
        self, state: VenueState, symbol: str, depth: int, interval_ms: int, listener: Listener
    ) -> None:
        self._state = state
        self._symbol = symbol
        self._depth = depth
        self._interval_s = interval_ms / 1000
        self._listener = listener
        self._seq = 0
        self._shown: tuple[list[list[str]], list[list[str]]] | None = None
        self._prints: deque[View] = deque(maxlen=PRINTS_MAX)
        self._dropped = 0
        self._sent_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._now_ns = 0

    def touch(self, now_ns: int) -> None:
        """The book changed: show it as soon as the interval allows."""
        self._now_ns = now_ns
        if self._timer is None:
            loop = asyncio.get_running_loop()
            due_s = max(loop.time(), self._sent_s + self._interval_s)
            self._timer = loop.call_at(due_s, self._show)

    def add_print(self, trade: PublicTrade, now_ns: int) -> None:
        """The market traded."""
        instrument = self._state.instruments[trade.symbol]
        self._dropped += len(self._prints) == PRINTS_MAX
        self._prints.append(
            {
                "trade_id": trade.trade_id,
                "price": instrument.price_text(trade.price_ticks),
                "quantity": instrument.quantity_text(trade.lots),
                "aggressor": trade.aggressor,
                "ts_ns": trade.ts_ns,
            }
        )
        self.touch(now_ns)

    def close(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _show(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        self._sent_s = loop.time()
        if self._listener.backlog:
            # A slow client gets the newest view once it has read what it was sent.
            self._sent_s += 0.01
            self.touch(self._now_ns)
            return
        if self._prints:
            self._show_prints()
        self._show_book()

    def _show_prints(self) -> None:
        trades = list(self._prints)
        self._prints.clear()
        dropped, self._dropped = self._dropped, 0
        self._listener.send(
            encode(
                {
                    "stream": "trades",
                    "symbol": self._symbol,
                    "trades": trades,
                    "dropped": dropped,
                    "now_ns": self._now_ns,
                }
            )
        )

    def _show_book(self) -> None:
        book = self._state.books[self._symbol]
        instrument = self._state.instruments[self._symbol]
        bids = levels_view(instrument, book.bids, self._depth)
        asks = levels_view(instrument, book.asks, self._depth)
        if not book.seen or self._shown == (bids, asks):
            return
        self._shown = (bids, asks)
        self._seq += 1
        self._listener.send(
            encode(
                {
                    "stream": "book",
                    "symbol": self._symbol,
                    "seq": self._seq,
                    "bids": bids,
                    "asks": asks,
                    "ts_ns": book.ts_ns,
                    "now_ns": self._now_ns,
                }
            )
        )
