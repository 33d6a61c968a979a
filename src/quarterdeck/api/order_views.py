"""Orders as the API shows them: decimals as plain strings, times as integer nanoseconds.

The structs are the documented schema as well: the OpenAPI document is made from them.
"""

from collections.abc import Mapping

from msgspec import Struct

from quarterdeck.api.algorithm_views import shown_params
from quarterdeck.api.amounts import Amount, amount, amount_or_none
from quarterdeck.api.cost_views import CostView, cost_view
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.decimals import div
from quarterdeck.core.model.facts import Trade
from quarterdeck.core.model.instrument import Instrument, venue_of
from quarterdeck.core.model.order import PX_PLACES, ParentOrder
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.core.model.terms import OrderType, Route, Side, TimeInForce


class OrderAck(Struct, frozen=True, kw_only=True):
    """The present state of an order that was submitted, canceled or resolved."""

    operation_id: str
    state: ParentStatus
    reason: Reason | None
    """Why it was denied, or how it ended."""
    detail: str | None
    quantity: Amount
    filled: Amount
    leaves: Amount
    avg_px: Amount | None
    created_ns: int
    updated_ns: int
    durable: bool
    """False for a cancel that was sent from memory while the database could not be written."""


class MarketPlace(Struct, frozen=True, kw_only=True):
    """One place where an order's children may go."""

    venue: str
    account: str
    instrument_key: str


class OrderView(Struct, frozen=True, kw_only=True):
    """A parent order."""

    operation_id: str
    state: ParentStatus
    reason: Reason | None
    detail: str | None
    held: Reason | None
    """Why a slice that is due cannot be sent now; it is tried again by itself."""
    instrument_key: str
    account: str
    side: Side
    quantity: Amount
    order_type: OrderType
    price: Amount | None
    time_in_force: TimeInForce
    expire_ns: int | None
    post_only: bool
    reduce_only: bool
    strategy_id: str | None
    route: Route
    venues: list[str]
    """Where it may trade, the named venue first."""
    markets: list[MarketPlace]
    """The same places with the account and instrument at each."""
    exec_algorithm: Algorithm
    exec_algorithm_params: dict[str, str | int]
    """As understood, defaults filled in; to be sent again as they are."""
    max_slippage_bps: Amount | None
    decision_price: Amount | None
    metadata: dict[str, str]
    filled: Amount
    leaves: Amount
    exposed: Amount
    """What venues may still fill."""
    avg_px: Amount | None
    arrival_px: Amount | None
    """Midpoint when it was decided."""
    worst_px: Amount | None
    """Price beyond which it may not trade."""
    fees: dict[str, Amount]
    """Paid so far by asset; negative is a rebate."""
    cost: CostView | None
    """None before a fill, and for inverse contracts."""
    children: int
    created_ns: int
    updated_ns: int
    finished_ns: int | None


class ChildView(Struct, frozen=True, kw_only=True):
    """A child order: one order at one venue."""

    child_no: int
    client_order_id: str
    venue_order_id: str | None
    account: str
    instrument_key: str
    state: ChildStatus
    reason: Reason | None
    detail: str | None
    side: Side
    quantity: Amount
    filled: Amount
    leaves: Amount
    avg_px: Amount | None
    order_type: OrderType
    price: Amount | None
    time_in_force: TimeInForce
    expire_ns: int | None
    gateway_epoch: int
    created_ns: int
    send_by_ns: int
    acknowledged_ns: int | None
    cancel_requested_ns: int | None
    updated_ns: int


class FillView(Struct, frozen=True, kw_only=True):
    """One execution."""

    trade_id: str
    client_order_id: str | None
    venue_order_id: str
    account: str
    instrument_key: str
    side: Side
    quantity: Amount
    price: Amount
    fee: Amount
    """Positive is paid, negative is a rebate."""
    fee_asset: str
    maker: bool
    at_ns: int
    """The venue's time."""


class PageMark(Struct, frozen=True, kw_only=True):
    """What to ask for the page that follows."""

    before_ns: int
    before_id: str


class OrderPage(Struct, frozen=True, kw_only=True):
    """Orders, newest first."""

    orders: list[OrderView]
    next: PageMark | None
    """None when this page was not full."""


def ack(parent: ParentOrder, *, durable: bool) -> OrderAck:
    """Return the short answer about an order."""
    return OrderAck(
        operation_id=parent.id,
        state=parent.status,
        reason=parent.reason,
        detail=parent.detail,
        quantity=amount(parent.terms.quantity),
        filled=amount(parent.filled),
        leaves=amount(parent.leaves),
        avg_px=amount_or_none(parent.avg_px),
        created_ns=parent.created_ns,
        updated_ns=parent.updated_ns,
        durable=durable,
    )


def order_view(parent: ParentOrder, instruments: Mapping[str, Instrument]) -> OrderView:
    """Return a parent as it is shown; the loaded instruments say what its fills are worth."""
    terms = parent.terms
    markets = [
        MarketPlace(
            venue=venue_of(one.instrument), account=one.account, instrument_key=one.instrument
        )
        for one in terms.markets
    ]
    return OrderView(
        operation_id=parent.id,
        state=parent.status,
        reason=parent.reason,
        detail=parent.detail,
        held=parent.held,
        instrument_key=terms.instrument,
        account=terms.account,
        side=terms.side,
        quantity=amount(terms.quantity),
        order_type=terms.order_type,
        price=amount_or_none(terms.limit_px),
        time_in_force=terms.tif,
        expire_ns=terms.expire_ns,
        post_only=terms.post_only,
        reduce_only=terms.reduce_only,
        strategy_id=terms.strategy_id,
        route=terms.route,
        venues=[market.venue for market in markets],
        markets=markets,
        exec_algorithm=terms.algorithm,
        exec_algorithm_params=shown_params(terms.params),
        max_slippage_bps=amount_or_none(terms.max_slippage_bps),
        decision_price=amount_or_none(terms.decision_px),
        metadata=terms.metadata,
        filled=amount(parent.filled),
        leaves=amount(parent.leaves),
        exposed=amount(parent.exposed),
        avg_px=amount_or_none(parent.avg_px),
        arrival_px=amount_or_none(parent.arrival_px),
        worst_px=amount_or_none(parent.reserved_px),
        fees={asset: amount(paid) for asset, paid in parent.fees.items()},
        cost=cost_view(parent, instruments.get(terms.instrument)),
        children=parent.children,
        created_ns=parent.created_ns,
        updated_ns=parent.updated_ns,
        finished_ns=parent.finished_ns,
    )


def child_view(child: ChildOrder) -> ChildView:
    """Return a child as it is shown."""
    avg_px = div(child.notional, child.filled, places=PX_PLACES) if child.filled else None
    return ChildView(
        child_no=child.child_no,
        client_order_id=child.client_order_id,
        venue_order_id=child.venue_order_id,
        account=child.account,
        instrument_key=child.instrument,
        state=child.status,
        reason=child.reason,
        detail=child.detail,
        side=child.side,
        quantity=amount(child.quantity),
        filled=amount(child.filled),
        leaves=amount(child.leaves),
        avg_px=amount_or_none(avg_px),
        order_type=child.order_type,
        price=amount_or_none(child.limit_px),
        time_in_force=child.tif,
        expire_ns=child.expire_ns,
        gateway_epoch=child.gateway_epoch,
        created_ns=child.created_ns,
        send_by_ns=child.send_by_ns,
        acknowledged_ns=child.acknowledged_ns,
        cancel_requested_ns=child.cancel_requested_ns,
        updated_ns=child.updated_ns,
    )


def fill_view(trade: Trade) -> FillView:
    """Return an execution as it is shown."""
    return FillView(
        trade_id=trade.trade_id,
        client_order_id=trade.client_order_id,
        venue_order_id=trade.venue_order_id,
        account=trade.account,
        instrument_key=trade.instrument,
        side=trade.side,
        quantity=amount(trade.quantity),
        price=amount(trade.px),
        fee=amount(trade.fee),
        fee_asset=trade.fee_asset,
        maker=trade.maker,
        at_ns=trade.at_ns,
    )
