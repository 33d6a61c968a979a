"""The route table of the live service: every call, its scope, and what goes in and out."""

from typing import Final

from quarterdeck.api import desk_calls, orders
from quarterdeck.api.book_views import Books
from quarterdeck.api.desk_calls import (
    Health,
    KillRequest,
    KillView,
    Pulse,
    TradingStateRequest,
    TradingStateView,
)
from quarterdeck.api.endpoint import Endpoint
from quarterdeck.api.keys import Scope
from quarterdeck.api.order_views import OrderAck, OrderDetail, OrderPage
from quarterdeck.api.orders import CancelRequest, ResolveRequest
from quarterdeck.api.reads import OrderQuery
from quarterdeck.api.venue_views import Instruments, Venues
from quarterdeck.core.model.terms import OrderRequest

# The route of an order stands first: routes are tried in turn.
ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="POST",
        path="/api/orders",
        scope=Scope.TRADE,
        handler=orders.submit,
        summary="Submit a parent order; sending the same message again is safe.",
        body=OrderRequest,
        answer=OrderAck,
        status=202,
        refusals=(400, 409, 413, 422, 503),
    ),
    Endpoint(
        method="POST",
        path="/api/orders/{operation_id}/cancel",
        scope=Scope.TRADE,
        handler=orders.cancel,
        summary="Cancel an order; works while the database is down.",
        body=CancelRequest,
        answer=OrderAck,
        status=202,
        refusals=(400, 404, 409, 413, 422, 503),
    ),
    Endpoint(
        method="POST",
        path="/api/orders/{operation_id}/children/{child_no}/resolve",
        scope=Scope.RISK,
        handler=orders.resolve,
        summary="Settle a child of unknown outcome by hand, with evidence.",
        body=ResolveRequest,
        answer=OrderAck,
        refusals=(400, 404, 409, 413, 422, 503),
    ),
    Endpoint(
        method="GET",
        path="/api/orders",
        scope=Scope.READ,
        handler=orders.list_orders,
        summary="List orders, newest first.",
        query=OrderQuery,
        answer=OrderPage,
        refusals=(422, 503),
    ),
    Endpoint(
        method="GET",
        path="/api/orders/{operation_id}",
        scope=Scope.READ,
        handler=orders.show,
        summary="Show an order with its children, fills, verdict and story.",
        answer=OrderDetail,
        refusals=(404, 503),
    ),
    Endpoint(
        method="GET",
        path="/api/positions",
        scope=Scope.READ,
        handler=desk_calls.show_positions,
        summary="Show positions and holdings.",
        answer=Books,
    ),
    Endpoint(
        method="GET",
        path="/api/venues",
        scope=Scope.READ,
        handler=desk_calls.show_venues,
        summary="Show accounts, their gateways, gates and differences.",
        answer=Venues,
    ),
    Endpoint(
        method="GET",
        path="/api/instruments",
        scope=Scope.READ,
        handler=desk_calls.show_instruments,
        summary="Show loaded instruments with their limits and markets.",
        answer=Instruments,
    ),
    Endpoint(
        method="POST",
        path="/api/trading-state",
        scope=Scope.RISK,
        handler=desk_calls.set_trading_state,
        summary="Switch the desk between active, reducing and halted.",
        body=TradingStateRequest,
        answer=TradingStateView,
        refusals=(400, 413, 422, 503),
    ),
    Endpoint(
        method="POST",
        path="/api/kill",
        scope=Scope.RISK,
        handler=desk_calls.kill,
        summary="Halt the desk and cancel every live order.",
        body=KillRequest,
        answer=KillView,
        refusals=(400, 413, 422),
    ),
    Endpoint(
        method="GET",
        path="/api/health",
        scope=Scope.READ,
        handler=desk_calls.show_health,
        summary="Tell how the desk is; 503 with the same body while it is frozen.",
        answer=Health,
    ),
    Endpoint(
        method="GET",
        path="/healthz",
        scope=None,
        handler=desk_calls.show_pulse,
        summary="Tell anybody whether the desk lives; 503 while it is frozen.",
        answer=Pulse,
    ),
    Endpoint(
        method="GET",
        path="/metrics",
        scope=Scope.READ,
        handler=desk_calls.show_metrics,
        summary="Show every figure in the text format of Prometheus.",
    ),
)
