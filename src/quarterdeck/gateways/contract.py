"""The external adapter contract: what a driver must do so that a gateway can host it.

This is the page to read before writing a driver for another venue. A driver speaks one venue's
protocol for one account. It is started by its gateway process, lives in one asyncio loop, keeps no
state on disk and decides nothing: which order to send, and whether, was settled before it is asked.

Five rules, all checked by the contract suite in `tests/gateways`:

1. `submit` and `modify` put at most one request on the wire. No retry, on any layer: not in the
   driver, not in its HTTP client. What a repeated request would do at the venue is unknowable here.
2. An outcome is a definite yes, a definite no, or `Unknown`. `Rejected` is for error codes that the
   driver knows to mean "this order does not and will not exist", from a list it keeps; every other
   error, a timeout, a reset, an unreadable reply is `Unknown`. So is "duplicate order id": it means
   that an order of this id does exist. `NotSent` is for orders of which not
   one byte left. An exception is taken for `Unknown`, and logged as the driver's bug.
3. What the venue says is passed on as it is: late, doubled, by push and by reply, in any order. The
   desk recognises trades by their trade id and orders by their client order id. A driver never
   invents a trade, a price or a fee to make figures meet.
4. Client order ids reach the venue unchanged, or changed in a way that the driver undoes in
   everything it reports.
5. When messages may have been lost the driver says so, by `connection` or by `ended`. The desk
   answers by asking for a snapshot.

Queries raise `QueryError` when they have no answer; "not found" is an answer. Quantities and
prices are exact decimals in the units of `Instrument`; times are nanoseconds since 1970 UTC.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from quarterdeck.core.model.account import Capabilities
from quarterdeck.core.model.facts import Balance, OrderReport, Trade, VenuePosition, VenueStatus
from quarterdeck.core.model.instrument import Instrument
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.terms import OrderType, Side, TimeInForce


class VenueOrder(Struct, frozen=True, kw_only=True):
    """An order as a driver is told to send it."""

    client_order_id: str
    instrument: str
    """Canonical id."""
    side: Side
    quantity: Decimal
    order_type: OrderType
    limit_px: Decimal | None
    """Set for LIMIT, None for MARKET."""
    tif: TimeInForce
    expire_ns: int | None
    """Set for GTD."""
    post_only: bool
    reduce_only: bool
    send_by_ns: int
    """Not to be sent later; a request's own validity is counted from no later than this."""


class OrderRef(Struct, frozen=True, kw_only=True):
    """Names an order that was sent before, by everything that is known of it."""

    instrument: str
    client_order_id: str
    venue_order_id: str | None
    """None while the venue has not acknowledged it."""


class OrderChange(Struct, frozen=True, kw_only=True):
    """New terms for a resting order; None leaves a term as it is."""

    order: OrderRef
    quantity: Decimal | None
    """The new total quantity, what is filled included."""
    limit_px: Decimal | None
    send_by_ns: int


class Accepted(Struct, frozen=True, kw_only=True):
    """A definite yes: the venue has the order, or its new terms."""

    venue_order_id: str
    at_ns: int


class Rejected(Struct, frozen=True, kw_only=True):
    """A definite no from the venue."""

    code: str
    text: str
    at_ns: int


class NotSent(Struct, frozen=True, kw_only=True):
    """A definite no from our side: not one byte of the request left."""

    why: Reason


class Unknown(Struct, frozen=True, kw_only=True):
    """Anything else. The order may or may not be at the venue, now or later."""

    why: Reason
    """`NO_ANSWER` or `REPLY_LOST`."""
    detail: str


class Canceled(Struct, frozen=True, kw_only=True):
    """The order is at its end at the venue, by this cancel or before it."""

    venue_order_id: str
    status: VenueStatus
    filled: Decimal | None
    """The venue's total of fills, when it says."""
    at_ns: int


class CancelTaken(Struct, frozen=True, kw_only=True):
    """The venue took the request; the end of the order is reported by `closed` later."""


type SubmitOutcome = Accepted | Rejected | NotSent | Unknown
type ModifyOutcome = Accepted | Rejected | NotSent | Unknown
type CancelOutcome = Canceled | CancelTaken | Rejected | NotSent | Unknown


class SnapshotParts(Struct, frozen=True, kw_only=True):
    """What the venue holds for the account: open orders, trades since, balances, positions."""

    orders: tuple[OrderReport, ...]
    trades: tuple[Trade, ...]
    balances: tuple[Balance, ...]
    positions: tuple[VenuePosition, ...]


class PublicTrade(Struct, frozen=True, kw_only=True, gc=False):
    """A trade of the market, by whomever, as the venue tells everybody."""

    instrument: str
    """Canonical id."""
    trade_id: str
    px: Decimal
    quantity: Decimal
    aggressor: Side | None
    """Side of the order that took; None when the venue does not say."""
    at_ns: int
    """The venue's time of the trade."""


class DriverError(Exception):
    """What a driver raises on purpose: `ConnectError` or `QueryError`."""


class ConnectError(DriverError):
    """The venue cannot be used now; the text says why. The gateway tries again with backoff."""


class QueryError(DriverError):
    """A query has no answer, neither "here it is" nor "not found"."""


class DriverListener(Protocol):
    """Where a driver reports what its venue says unasked. Called in the driver's own loop."""

    def accepted(self, client_order_id: str, venue_order_id: str, at_ns: int) -> None:
        """The venue acknowledged an order."""
        ...

    def rejected(self, client_order_id: str, code: str, text: str, at_ns: int) -> None:
        """The venue refused an order for good."""
        ...

    def trade(self, trade: Trade) -> None:
        """The account traded, by whoever's order."""
        ...

    def closed(
        self,
        client_order_id: str,
        venue_order_id: str | None,
        status: VenueStatus,
        filled: Decimal | None,
        at_ns: int,
    ) -> None:
        """An order ended; `filled` is the venue's total when it says."""
        ...

    def view(self, view: MarketView) -> None:
        """A subscribed book changed; `seq` and `at_ns` are set by the driver."""
        ...

    def public_trade(self, trade: PublicTrade) -> None:
        """The market traded in a subscribed instrument."""
        ...

    def connection(self, *, connected: bool, reason: str) -> None:
        """The venue was lost, or is heard again after it was lost; while lost, nothing is sent.

        For a driver that reconnects by itself, and for one that noticed a loss of messages, which
        says `False` and then `True` at once.
        """
        ...

    def ended(self, reason: str) -> None:
        """The connection is over for good: the gateway is to disconnect and connect anew."""
        ...


class Driver(Protocol):
    """One account at one venue. `account` and `venue` are given to the driver's factory."""

    @property
    def capabilities(self) -> Capabilities:
        """What can be done here, known before connecting.

        `absence_proof` and `absence_window_ns` are a promise that money hangs on: with
        `validity_window`, a request that the venue has not executed when the window after
        `send_by_ns` is over must never be executed.
        """
        ...

    @property
    def clock_offset_ns(self) -> int | None:
        """The venue's clock minus ours at the last measurement; None when it is not known."""
        ...

    async def connect(self, listener: DriverListener) -> Sequence[Instrument]:
        """Connect, load instruments and start the account's stream.

        Raises:
            ConnectError: if the venue cannot be used; nothing is left open then.
        """
        ...

    async def disconnect(self) -> None:
        """Close everything. Safe to call at any time, also twice; must not raise."""
        ...

    async def submit(self, order: VenueOrder) -> SubmitOutcome:
        """Send an order, once, and say what became of it."""
        ...

    async def modify(self, change: OrderChange) -> ModifyOutcome:
        """Change a resting order, with one request."""
        ...

    async def cancel(self, order: OrderRef) -> CancelOutcome:
        """Ask for the end of an order. May be asked again at any time."""
        ...

    async def order(self, order: OrderRef) -> OrderReport | None:
        """Return an order by its client order id, finished ones included; None when not found.

        Raises:
            QueryError: if there is no answer.
        """
        ...

    async def open_orders(self) -> Sequence[OrderReport]:
        """Return all of the account's open orders, also those that are not ours.

        Raises:
            QueryError: if there is no answer, or not all of it.
        """
        ...

    async def trades_since(self, from_ns: int) -> Sequence[Trade]:
        """Return every trade of the account from this venue time on, oldest first.

        Raises:
            QueryError: if there is no answer, or not all of it.
        """
        ...

    async def balances(self) -> Sequence[Balance]:
        """Return the account's assets, what open orders reserve included.

        Raises:
            QueryError: if there is no answer.
        """
        ...

    async def positions(self) -> Sequence[VenuePosition]:
        """Return the account's open positions in derivatives; none for a spot account.

        Raises:
            QueryError: if there is no answer.
        """
        ...

    async def snapshot(self, trades_from_ns: int) -> SnapshotParts:
        """Return everything at one instant where the venue can, else `compose_snapshot(self, …)`.

        Raises:
            QueryError: if any part has no answer.
        """
        ...

    async def subscribe_book(self, instrument: str, *, depth: int, interval_ms: int) -> None:
        """Start views of a book; they go on after the driver's own reconnects.

        Raises:
            QueryError: if the venue refuses or does not answer.
        """
        ...

    async def subscribe_trades(self, instrument: str) -> None:
        """Start the market's trades of an instrument, each reported once; they go on likewise.

        A venue without public trades takes it and stays silent.

        Raises:
            QueryError: if the venue refuses or does not answer.
        """
        ...


async def compose_snapshot(driver: Driver, trades_from_ns: int) -> SnapshotParts:
    """Ask for the parts one by one, in the order that cannot hide a fill: trades last.

    An order that is missing from the open orders ended before they were read, so its fills are
    among the trades, which are read later. The other way round a fill between the two queries
    would be in neither. Trades also come after balances and positions: whatever a balance shows
    is explained by a trade, while a trade that no balance shows yet is a difference that the next
    snapshot settles.

    Raises:
        QueryError: if any part has no answer.
    """
    orders = tuple(await driver.open_orders())
    balances = tuple(await driver.balances())
    positions = tuple(await driver.positions())
    trades = tuple(await driver.trades_since(trades_from_ns))
    return SnapshotParts(orders=orders, trades=trades, balances=balances, positions=positions)


class DriverKind[S: Struct](Struct, frozen=True, kw_only=True):
    """How to build one kind of driver; what a package offers as entry point `quarterdeck.drivers`.

    The entry's name is the driver's name in a gateway's settings.
    """

    name: str
    settings: type[S]
    """Its settings: a msgspec struct with `forbid_unknown_fields`."""
    build: Callable[[str, str, S], Driver]
    """Called with account, venue and settings; must not touch the network."""
