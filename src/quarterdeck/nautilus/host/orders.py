"""What each simulated account knows of its orders and trades, folded from NautilusTrader's events.

Owns the answers to queries and snapshots, and the numbering: order and trade ids count up within
an account in the order of events. NautilusTrader's own ids carry the place of an instrument in its
catalog, so they would change with the way the data was stored.

An event comes out as the facts that a gateway would report, in order. A cancel that reaches an
order which ends in the same instant gets no event of its own, so its refusal is added here.
"""

from bisect import bisect_left
from decimal import Decimal
from operator import attrgetter

from nautilus_trader.model import (
    LiquiditySide,
    OrderAccepted,
    OrderCanceled,
    OrderCancelRejected,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUpdated,
)

from quarterdeck.core.model import facts
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.decimals import ZERO, add
from quarterdeck.nautilus.host import terms

type OrderEvent = (
    OrderAccepted
    | OrderRejected
    | OrderDenied
    | OrderFilled
    | OrderCanceled
    | OrderExpired
    | OrderCancelRejected
    | OrderUpdated
)


class VenueOrder:
    """One order as its venue has it."""

    __slots__ = (
        "cancel_landed",
        "child",
        "expiring",
        "filled",
        "lands_ns",
        "quantity",
        "status",
        "venue_order_id",
    )

    def __init__(self, child: ChildOrder, lands_ns: int) -> None:
        """Begin on the way to the venue, where it will be at `lands_ns`."""
        self.child = child
        self.lands_ns = lands_ns
        self.venue_order_id: str | None = None
        """None until the venue took it, and for ever when it refused."""
        self.status: facts.VenueStatus | None = None
        """None until the venue said something."""
        self.filled = ZERO
        self.quantity = child.quantity
        """What the venue works; it makes a reduce-only order smaller with its position."""
        self.cancel_landed = False
        """Whether a cancel reached the venue and waits for its effect."""
        self.expiring = False
        """Whether its time is up, so that the end which follows is an expiry."""

    @property
    def ending(self) -> bool:
        """Whether its end is on the way already."""
        return self.cancel_landed or self.expiring

    @property
    def is_open(self) -> bool:
        """Whether the venue has it and may fill it."""
        return self.status is facts.VenueStatus.OPEN


class AccountOrders:
    """The orders and trades of one account."""

    def __init__(self, account: str, venue: str) -> None:
        """Begin with none."""
        self.account = account
        self.orders: dict[str, VenueOrder] = {}
        """By client order id, finished ones included."""
        self.trades: list[facts.Trade] = []
        self._venue = venue
        self._open: dict[str, VenueOrder] = {}
        self._accepted = 0

    def open_reports(self, asked_ns: int) -> tuple[facts.OrderReport, ...]:
        """Return the open orders, oldest first."""
        return tuple(self.report(order, asked_ns) for order in self._open.values())

    def trades_since(self, from_ns: int) -> tuple[facts.Trade, ...]:
        """Return the trades from this time on, oldest first."""
        return tuple(self.trades[bisect_left(self.trades, from_ns, key=attrgetter("at_ns")) :])

    def report(self, order: VenueOrder, asked_ns: int) -> facts.OrderReport:
        """Return an order that the venue took as it stands now."""
        assert order.venue_order_id is not None
        assert order.status is not None
        return facts.OrderReport(
            account=self.account,
            instrument=order.child.instrument,
            client_order_id=order.child.client_order_id,
            venue_order_id=order.venue_order_id,
            side=order.child.side,
            status=order.status,
            quantity=order.quantity,
            filled=order.filled,
            limit_px=order.child.limit_px,
            asked_ns=asked_ns,
        )

    def refuse(self, order: VenueOrder, why: tuple[str, str], at_ns: int) -> list[facts.Fact]:
        """End an order that the venue does not take; why is a code and a text."""
        code, text = why
        order.status = facts.VenueStatus.REJECTED
        name = order.child.client_order_id
        refusal = facts.OrderRejected(
            account=self.account, client_order_id=name, code=code, text=text, at_ns=at_ns
        )
        if not order.cancel_landed:
            return [refusal]
        return [refusal, self.cancel_refused(name, at_ns)]

    def cancel_refused(self, client_order_id: str, at_ns: int) -> facts.CancelRejected:
        """Return why a cancel does nothing: the order is not there, or not any more."""
        order = self.orders.get(client_order_id)
        code, text = "UNKNOWN_ORDER", f"no order {client_order_id} is here"
        if order is not None and order.venue_order_id is not None:
            assert order.status is not None
            code, text = "ORDER_CLOSED", f"order {client_order_id} is {order.status.value}"
        return facts.CancelRejected(
            account=self.account, client_order_id=client_order_id, code=code, text=text, at_ns=at_ns
        )

    def fold(self, event: OrderEvent) -> list[facts.Fact]:
        """Take an event and return what a gateway reports of it."""
        order = self.orders[event.client_order_id.value]
        match event:
            case OrderAccepted():
                return [self._accept(order, event.ts_event)]
            case OrderFilled():
                return self._fill(order, event)
            case OrderCanceled():
                status = facts.VenueStatus.CANCELED
                return self._close(
                    order, facts.VenueStatus.EXPIRED if order.expiring else status, event.ts_event
                )
            case OrderExpired():
                return self._close(order, facts.VenueStatus.EXPIRED, event.ts_event)
            case OrderRejected() | OrderDenied():
                return self.refuse(order, terms.split(event.reason), event.ts_event)
            case OrderCancelRejected():
                order.cancel_landed = False
                return [self.cancel_refused(order.child.client_order_id, event.ts_event)]
            case OrderUpdated():
                order.quantity = event.quantity.as_decimal()
                return []

    def _accept(self, order: VenueOrder, at_ns: int) -> facts.OrderAccepted:
        self._accepted += 1
        order.venue_order_id = f"{self._venue}-O{self._accepted}"
        order.status = facts.VenueStatus.OPEN
        self._open[order.child.client_order_id] = order
        return facts.OrderAccepted(
            account=self.account,
            client_order_id=order.child.client_order_id,
            venue_order_id=order.venue_order_id,
            at_ns=at_ns,
        )

    def _fill(self, order: VenueOrder, event: OrderFilled) -> list[facts.Fact]:
        assert order.venue_order_id is not None
        assert event.commission is not None
        quantity: Decimal = event.last_qty.as_decimal()
        order.filled = add(order.filled, quantity)
        trade = facts.Trade(
            account=self.account,
            instrument=order.child.instrument,
            trade_id=f"{self._venue}-T{len(self.trades) + 1}",
            client_order_id=order.child.client_order_id,
            venue_order_id=order.venue_order_id,
            side=order.child.side,
            quantity=quantity,
            px=event.last_px.as_decimal(),
            fee=event.commission.as_decimal(),
            fee_asset=event.commission.currency.code,
            maker=event.liquidity_side == LiquiditySide.MAKER,
            at_ns=event.ts_event,
        )
        self.trades.append(trade)
        if order.filled < order.quantity:
            return [trade]
        whole = order.filled >= order.child.quantity
        status = facts.VenueStatus.FILLED if whole else facts.VenueStatus.CANCELED
        return [trade, *self._close(order, status, event.ts_event)]

    def _close(self, order: VenueOrder, status: facts.VenueStatus, at_ns: int) -> list[facts.Fact]:
        name = order.child.client_order_id
        order.status = status
        del self._open[name]
        end = facts.OrderClosed(
            account=self.account,
            client_order_id=name,
            venue_order_id=order.venue_order_id,
            status=status,
            filled=order.filled,
            at_ns=at_ns,
        )
        if order.cancel_landed and status is not facts.VenueStatus.CANCELED:
            return [end, self.cancel_refused(name, at_ns)]
        return [end]
