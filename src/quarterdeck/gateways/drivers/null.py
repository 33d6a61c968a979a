"""A venue that is not there: takes every order at once, lets it rest for ever, cancels at once.

For benchmarks and demonstrations of the path to a gateway and back: its answers cost nothing and
never fail. Its one book stands still and is published again every 100 ms. Nothing trades, and all
is forgotten with the process.
"""

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from quarterdeck.core.model.account import AbsenceProof, Capabilities
from quarterdeck.core.model.facts import Balance, OrderReport, Trade, VenuePosition, VenueStatus
from quarterdeck.core.model.instrument import Instrument, Settlement
from quarterdeck.core.model.market import MarketView
from quarterdeck.core.model.reasons import Reason
from quarterdeck.gateways.contract import (
    Accepted,
    Canceled,
    CancelOutcome,
    DriverKind,
    DriverListener,
    ModifyOutcome,
    NotSent,
    OrderChange,
    OrderRef,
    QueryError,
    Rejected,
    SnapshotParts,
    SubmitOutcome,
    Unknown,
    VenueOrder,
    compose_snapshot,
)

TICK_PX: Final = Decimal("0.01")
LOT_QTY: Final = Decimal("0.00001")
BALANCE: Final = Decimal(1_000_000_000)


class NullSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The book that stands still."""

    base: str = "BTC"
    quote: str = "USDT"
    bid_px: Decimal = Decimal("50000.00")
    level_qty: Decimal = Decimal(100)
    levels: int = 10
    publish_ms: int = 100


class NullDriver:
    """See the module."""

    def __init__(self, account: str, venue: str, settings: NullSettings) -> None:
        self._account = account
        self._settings = settings
        self._listener: DriverListener | None = None
        self._orders: dict[str, OrderReport] = {}
        self._publishing: asyncio.Task[None] | None = None
        self._view_seq = 0
        self._instrument = Instrument(
            id=f"{venue}:SPOT_PAIR:{settings.base}-{settings.quote}",
            symbol=f"{settings.base}-{settings.quote}",
            settlement=Settlement.SPOT,
            base=settings.base,
            quote=settings.quote,
            settle=settings.quote,
            tick_px=TICK_PX,
            lot_qty=LOT_QTY,
        )

    @property
    def capabilities(self) -> Capabilities:
        """Everything is taken; absence is certain at once, since nothing is ever under way."""
        return Capabilities(
            order_types=("MARKET", "LIMIT"),
            times_in_force=("GTC", "IOC", "FOK", "GTD"),
            post_only=True,
            reduce_only=True,
            modify=True,
            absence_proof=AbsenceProof.SESSION_CLOSED,
            absence_window_ns=0,
            query_retention_ns=10**18,
            simulated=True,
        )

    @property
    def clock_offset_ns(self) -> int | None:
        """Zero: the venue's clock is ours."""
        return 0

    async def connect(self, listener: DriverListener) -> Sequence[Instrument]:
        """Start; cannot fail."""
        self._listener = listener
        return (self._instrument,)

    async def disconnect(self) -> None:
        """Stop publishing; the orders stay until the process ends."""
        self._listener = None
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.gather(self._publishing, return_exceptions=True)
            self._publishing = None

    async def submit(self, order: VenueOrder) -> SubmitOutcome:
        """Let the order rest."""
        if self._listener is None:
            return NotSent(why=Reason.VENUE_DISCONNECTED)
        if order.instrument != self._instrument.id:
            return NotSent(why=Reason.UNKNOWN_INSTRUMENT)
        at_ns = time.time_ns()
        if order.client_order_id in self._orders:
            # Not a rejection: an order of this id is there.
            return Unknown(why=Reason.NO_ANSWER, detail="DUPLICATE_ID: the id was used before")
        venue_order_id = f"N{len(self._orders) + 1}"
        self._orders[order.client_order_id] = OrderReport(
            account=self._account,
            instrument=order.instrument,
            client_order_id=order.client_order_id,
            venue_order_id=venue_order_id,
            side=order.side,
            status=VenueStatus.OPEN,
            quantity=order.quantity,
            filled=Decimal(0),
            limit_px=order.limit_px,
            asked_ns=at_ns,
        )
        return Accepted(venue_order_id=venue_order_id, at_ns=at_ns)

    async def modify(self, change: OrderChange) -> ModifyOutcome:
        """Take the new terms."""
        report = self._open(change.order)
        if report is None:
            return Rejected(code="UNKNOWN_ORDER", text="no such order", at_ns=time.time_ns())
        self._orders[change.order.client_order_id] = replace(
            report,
            quantity=report.quantity if change.quantity is None else change.quantity,
            limit_px=report.limit_px if change.limit_px is None else change.limit_px,
        )
        return Accepted(venue_order_id=report.venue_order_id, at_ns=time.time_ns())

    async def cancel(self, order: OrderRef) -> CancelOutcome:
        """End the order."""
        report = self._open(order)
        if report is None:
            return Rejected(code="UNKNOWN_ORDER", text="no such order", at_ns=time.time_ns())
        self._orders[order.client_order_id] = replace(report, status=VenueStatus.CANCELED)
        return Canceled(
            venue_order_id=report.venue_order_id,
            status=VenueStatus.CANCELED,
            filled=Decimal(0),
            at_ns=time.time_ns(),
        )

    async def order(self, order: OrderRef) -> OrderReport | None:
        """Return the order as it stands."""
        return self._orders.get(order.client_order_id)

    async def open_orders(self) -> Sequence[OrderReport]:
        """Return what rests."""
        return [o for o in self._orders.values() if o.status is VenueStatus.OPEN]

    async def trades_since(self, from_ns: int) -> Sequence[Trade]:  # noqa: ARG002 - as the contract
        """Return none, ever."""
        return ()

    async def balances(self) -> Sequence[Balance]:
        """Return more than enough."""
        names = (self._settings.base, self._settings.quote)
        return [Balance(asset=name, total=BALANCE) for name in names]

    async def positions(self) -> Sequence[VenuePosition]:
        """Return none: this is a spot account."""
        return ()

    async def snapshot(self, trades_from_ns: int) -> SnapshotParts:
        """Return everything; nothing can change between the parts."""
        return await compose_snapshot(self, trades_from_ns)

    async def subscribe_book(self, instrument: str, *, depth: int, interval_ms: int) -> None:
        """Publish the book from now on, at this driver's own pace or more slowly."""
        if instrument != self._instrument.id:
            raise QueryError(f"{instrument}: the only instrument is {self._instrument.id}")
        if self._publishing is None:
            self._publishing = asyncio.create_task(self._publish(depth, interval_ms))

    async def subscribe_trades(self, instrument: str) -> None:
        """Take it: nothing ever trades."""
        if instrument != self._instrument.id:
            raise QueryError(f"{instrument}: the only instrument is {self._instrument.id}")

    def _open(self, order: OrderRef) -> OrderReport | None:
        report = self._orders.get(order.client_order_id)
        return report if report is not None and report.status is VenueStatus.OPEN else None

    async def _publish(self, depth: int, interval_ms: int) -> None:
        best, quantity = self._settings.bid_px, self._settings.level_qty
        steps = range(min(depth, self._settings.levels))
        bids = tuple((best - TICK_PX * step, quantity) for step in steps)
        asks = tuple((best + TICK_PX * (step + 1), quantity) for step in steps)
        while self._listener is not None:
            self._view_seq += 1
            self._listener.view(
                MarketView(
                    instrument=self._instrument.id,
                    bids=bids,
                    asks=asks,
                    seq=self._view_seq,
                    at_ns=time.time_ns(),
                )
            )
            await asyncio.sleep(max(self._settings.publish_ms, interval_ms) / 1000)


KIND: Final = DriverKind(name="null", settings=NullSettings, build=NullDriver)
