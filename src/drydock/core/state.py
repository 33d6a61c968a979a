"""Everything the venue knows at one moment.

The durable part (accounts, orders, trades, counters, anchors) is a fold of the journal. The
passing part (books, queues) comes from the feed and starts empty after a restart.
"""

from typing import Any

import msgspec

from drydock.core.book import Book
from drydock.core.instrument import Instrument
from drydock.core.ledger import Account
from drydock.core.orders import Order, Side, Trade
from drydock.core.resting import RestingSide


class VenueState:
    """The venue. Only `drydock.core.apply` writes to it."""

    __slots__ = (
        "accounts",
        "anchors_ns",
        "books",
        "counterparty_pico",
        "expiries",
        "fees_pico",
        "instruments",
        "orders",
        "resting",
        "trades",
    )

    def __init__(self) -> None:
        self.instruments: dict[str, Instrument] = {}
        self.accounts: dict[str, Account] = {}
        self.orders: list[Order] = []
        """Order number n is at n - 1."""
        self.trades: list[Trade] = []
        """Trade n is at n - 1."""
        self.counterparty_pico: dict[str, int] = {}
        """What the market gained from accounts, by asset."""
        self.fees_pico: dict[str, int] = {}
        """What the venue collected, by asset."""
        self.anchors_ns: dict[str, int] = {}
        """When each feed started, in wall time."""
        self.books: dict[str, Book] = {}
        self.resting: dict[str, dict[Side, RestingSide]] = {}
        self.expiries: list[tuple[int, int]] = []
        """A heap of (expire_ns, order number); closed orders are skipped when they surface."""

    def order(self, order_no: int) -> Order:
        """Return an order by number; the number must exist."""
        return self.orders[order_no - 1]

    def find(
        self, account: str, client_order_id: str | None, venue_order_id: str | None
    ) -> Order | None:
        """Return an account's order by either id, finished ones included."""
        if client_order_id is not None:
            number = self.accounts[account].order_nos.get(client_order_id)
            return None if number is None else self.order(number)
        digits = (venue_order_id or "").removeprefix("V-")
        if not digits.isdecimal() or not 1 <= int(digits) <= len(self.orders):
            return None
        order = self.order(int(digits))
        return order if order.account == account else None

    def open_orders(self, account: str, symbol: str | None = None) -> list[Order]:
        """Return an account's open orders, oldest first."""
        orders = [self.order(number) for number in self.accounts[account].open_nos]
        return [order for order in orders if symbol is None or order.symbol == symbol]

    def next_expiry_ns(self) -> int | None:
        """Return when the venue wants to be woken, at the latest; early is harmless."""
        return self.expiries[0][0] if self.expiries else None

    def durable_image(self) -> dict[str, Any]:
        """Return the durable part as plain values: equal images are equal states."""
        return {
            "instruments": {
                symbol: msgspec.to_builtins(instrument.spec)
                for symbol, instrument in self.instruments.items()
            },
            "accounts": msgspec.to_builtins(self.accounts, str_keys=True),
            "orders": msgspec.to_builtins(self.orders),
            "trades": msgspec.to_builtins(self.trades),
            "counterparty_pico": dict(self.counterparty_pico),
            "fees_pico": dict(self.fees_pico),
            "anchors_ns": dict(self.anchors_ns),
        }
