"""A driver's listener that remembers everything, and a way to wait for what it hears."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from quarterdeck.core.model.facts import Trade, VenueStatus
from quarterdeck.core.model.market import MarketView
from quarterdeck.gateways.contract import PublicTrade

WAIT_S = 10.0


@dataclass
class Closed:
    """The end of an order, as it was told."""

    venue_order_id: str | None
    status: VenueStatus
    filled: Decimal | None


@dataclass
class Ear:
    """See the module."""

    accepts: list[tuple[str, str]] = field(default_factory=list)
    rejects: list[tuple[str, str]] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    closes: dict[str, Closed] = field(default_factory=dict)
    views: dict[str, MarketView] = field(default_factory=dict)
    public_trades: list[PublicTrade] = field(default_factory=list)
    connections: list[bool] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def accepted(self, client_order_id: str, venue_order_id: str, at_ns: int) -> None:
        self.accepts.append((client_order_id, venue_order_id))
        self.news.set()

    def rejected(self, client_order_id: str, code: str, text: str, at_ns: int) -> None:
        self.rejects.append((client_order_id, code))
        self.news.set()

    def trade(self, trade: Trade) -> None:
        self.trades.append(trade)
        self.news.set()

    def closed(
        self,
        client_order_id: str,
        venue_order_id: str | None,
        status: VenueStatus,
        filled: Decimal | None,
        at_ns: int,
    ) -> None:
        self.closes[client_order_id] = Closed(venue_order_id, status, filled)
        self.news.set()

    def view(self, view: MarketView) -> None:
        self.views[view.instrument] = view
        self.news.set()

    def public_trade(self, trade: PublicTrade) -> None:
        self.public_trades.append(trade)
        self.news.set()

    def connection(self, *, connected: bool, reason: str) -> None:
        self.connections.append(connected)
        self.news.set()

    def ended(self, reason: str) -> None:
        self.endings.append(reason)
        self.news.set()

    def trades_of(self, client_order_id: str) -> list[Trade]:
        return [trade for trade in self.trades if trade.client_order_id == client_order_id]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that only this ear's news can make true.

        Raises:
            TimeoutError: if it does not come true in time.
        """
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self.news.clear()
                await self.news.wait()
