"""The native protocol of drydock as its client reads it, and its words in ours.

Pure. Unknown fields are ignored, so that a venue may add some; what is read is checked.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from quarterdeck.core.model.facts import (
    Balance,
    OrderReport,
    Trade,
    VenuePosition,
    VenueStatus,
)
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.terms import Side
from quarterdeck.gateways.contract import PublicTrade
from quarterdeck.gateways.drivers.drydock_listing import (
    InstrumentView,
    UntranslatableError,
    instrument_of,
)

PROTOCOL: Final = 1

REJECTIONS: Final = frozenset(
    {
        "BAD_REQUEST",
        "BUSY",
        "FUTURE_REQUEST",
        "INSUFFICIENT_FUNDS",
        "INVALID_ID",
        "INVALID_ORDER",
        "MAX_QUANTITY",
        "MIN_NOTIONAL",
        "MIN_QUANTITY",
        "NO_MARKET",
        "ORDER_CLOSED",
        "POST_ONLY_WOULD_TAKE",
        "PRICE_TICK",
        "QUANTITY_BELOW_FILLED",
        "QUANTITY_LOT",
        "REDUCE_ONLY_SPOT",
        "REDUCE_ONLY_WOULD_INCREASE",
        "STALE_REQUEST",
        "UNAUTHORIZED",
        "UNKNOWN_ORDER",
        "UNKNOWN_SYMBOL",
    }
)
"""Codes that say for certain that the request did nothing. `INTERNAL` does not, and on a submit
`DUPLICATE_ID` says the opposite: an order of this id is there."""


class Refusal(Struct):
    """Why the venue did not do it."""

    code: str
    text: str = ""


class Frame(Struct):
    """Any frame of the venue: a reply has an id, a push has a stream."""

    id: int | None = None
    ok: bool | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: Refusal | None = None
    stream: str | None = None
    seq: int | None = None
    event: msgspec.Raw = msgspec.Raw()


class Greeting(Struct):
    """The first frame."""

    protocol: int
    venue: str
    incarnation: str


class Done(Struct):
    """A reply of which nothing is read."""


class TimeResult(Struct):
    """The venue's clock."""

    now_ns: int


class OrderView(Struct):
    """An order in full."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    status: str
    quantity: Decimal
    filled: Decimal
    price: Decimal | None
    updated_ns: int


class TradeView(Struct):
    """A trade of the account."""

    trade_id: str
    seq: int
    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: str
    ts_ns: int


class OrderEvent(Struct):
    """What a push of the account's stream tells."""

    type: str
    ts_ns: int
    order: OrderView
    trade: TradeView | None = None


class OrderResult(Struct):
    """The reply to a submit, modify, cancel or order query."""

    order: OrderView


class OrdersResult(Struct):
    """The reply to `open_orders`."""

    orders: list[OrderView]


class TradesResult(Struct):
    """The reply to `trades`."""

    trades: list[TradeView]
    more: bool


class BalanceView(Struct):
    """One asset."""

    asset: str
    total: Decimal


class BalancesResult(Struct):
    """The reply to `balances`."""

    balances: list[BalanceView]


class PositionView(Struct):
    """One position."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal | None


class PositionsResult(Struct):
    """The reply to `positions`."""

    positions: list[PositionView]


class SnapshotResult(Struct):
    """The account at one instant."""

    orders: list[OrderView]
    trades: list[TradeView]
    balances: list[BalanceView]
    positions: list[PositionView]


class StreamStart(Struct):
    """The reply to `subscribe_orders`: the next push has the number after `seq`."""

    seq: int


class BookPush(Struct):
    """A book as it is shown now."""

    symbol: str
    bids: list[tuple[Decimal, Decimal]]
    asks: list[tuple[Decimal, Decimal]]


class PrintView(Struct):
    """A trade of the market."""

    trade_id: str
    price: Decimal
    quantity: Decimal
    aggressor: Side
    ts_ns: int


class PrintsPush(Struct):
    """What the market traded since the push before."""

    symbol: str
    trades: list[PrintView]
    dropped: int = 0
    """Trades between that the venue did not keep."""


_STATUSES: Final = {
    "OPEN": VenueStatus.OPEN,
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELED,
    "EXPIRED": VenueStatus.EXPIRED,
}


class Translation:
    """The venue's words in ours, for one account.

    Args:
        names: canonical ids of symbols that are not `BASE-QUOTE` spot pairs or perpetuals.
    """

    def __init__(self, account: str, venue: str, names: Mapping[str, str]) -> None:
        self._account = account
        self._venue = venue
        self._names = names
        self._ids: dict[str, str] = {}
        self._symbols: dict[str, str] = {}

    def load(self, views: list[InstrumentView]) -> list[Instrument]:
        """Take the venue's instruments.

        Raises:
            UntranslatableError: if one has no canonical id.
        """
        instruments = [
            instrument_of(view, self._venue, self._names.get(view.symbol)) for view in views
        ]
        self._ids = {item.symbol: item.id for item in instruments}
        self._symbols = {item.id: item.symbol for item in instruments}
        return instruments

    def symbol(self, instrument: str) -> str | None:
        """Return the venue's name for a canonical id, None when it does not list it."""
        return self._symbols.get(instrument)

    def instrument(self, symbol: str) -> str:
        """Return the canonical id of a symbol.

        Raises:
            UntranslatableError: if the venue did not list it.
        """
        found = self._ids.get(symbol)
        if found is None:
            raise UntranslatableError(f"symbol {symbol!r} is not among the listed instruments")
        return found

    def status(self, text: str) -> VenueStatus:
        """Return an order's status.

        Raises:
            UntranslatableError: if it is none that is known.
        """
        status = _STATUSES.get(text)
        if status is None:
            raise UntranslatableError(f"order status {text!r}; known are {', '.join(_STATUSES)}")
        return status

    def report(self, view: OrderView) -> OrderReport:
        """Return an order as it stands; the gateway fills in when it was asked."""
        return OrderReport(
            account=self._account,
            instrument=self.instrument(view.symbol),
            client_order_id=view.client_order_id,
            venue_order_id=view.venue_order_id,
            side=view.side,
            status=self.status(view.status),
            quantity=view.quantity,
            filled=view.filled,
            limit_px=view.price,
            asked_ns=0,
        )

    def trade(self, view: TradeView) -> Trade:
        """Return a trade."""
        return Trade(
            account=self._account,
            instrument=self.instrument(view.symbol),
            trade_id=view.trade_id,
            client_order_id=view.client_order_id,
            venue_order_id=view.venue_order_id,
            side=view.side,
            quantity=view.quantity,
            px=view.price,
            fee=view.fee,
            fee_asset=view.fee_asset,
            maker=view.liquidity == "maker",
            at_ns=view.ts_ns,
        )

    def public_trades(self, push: PrintsPush) -> list[PublicTrade]:
        """Return trades of the market."""
        instrument = self.instrument(push.symbol)
        return [
            PublicTrade(
                instrument=instrument,
                trade_id=view.trade_id,
                px=view.price,
                quantity=view.quantity,
                aggressor=view.aggressor,
                at_ns=view.ts_ns,
            )
            for view in push.trades
        ]

    def balances(self, views: list[BalanceView]) -> tuple[Balance, ...]:
        """Return the account's assets."""
        return tuple(Balance(asset=view.asset, total=view.total) for view in views)

    def positions(self, views: list[PositionView]) -> tuple[VenuePosition, ...]:
        """Return the positions that are not flat."""
        return tuple(
            VenuePosition(
                instrument=self.instrument(view.symbol),
                quantity=view.quantity,
                avg_px=view.entry_price,
            )
            for view in views
            if view.quantity
        )
