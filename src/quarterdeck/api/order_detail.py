"""One order with all that belongs to it: verdict, children, fills, routing, cost and its story."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from quarterdeck.api.amounts import Amount, amount_or_none
from quarterdeck.api.cost_views import ScheduleErrorView, followed, schedule_error_view
from quarterdeck.api.order_views import (
    ChildView,
    FillView,
    OrderView,
    child_view,
    fill_view,
    order_view,
)
from quarterdeck.api.reads import OrderRecord
from quarterdeck.api.routing_views import RoutingView, routing_view
from quarterdeck.core.desk.state import DeskState
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.events import SliceRouted
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.store.rows import JournalRow

ROUTED = "slice_routed"


class VerdictView(Struct, frozen=True, kw_only=True):
    """What risk said, and by which prices."""

    accepted: bool
    code: Reason | None
    text: str | None
    arrival_px: Amount | None
    worst_px: Amount | None


class EventView(Struct, frozen=True, kw_only=True):
    """One entry of the order's story."""

    seq: int
    """The journal's entry."""
    at_ns: int
    cause: str
    """Kind of the input that led to it."""
    event: str
    data: dict[str, Any]
    """As it was recorded."""
    views: list[str]
    """Hashes of the books that the decision looked at: `GET /api/views/{hash}`."""


class OrderDetail(Struct, frozen=True, kw_only=True):
    """An order with all that belongs to it."""

    order: OrderView
    verdict: VerdictView
    children: list[ChildView]
    routing: list[RoutingView] | None
    """Where SMART sent each slice and why, oldest first; empty for DIRECT."""
    fills: list[FillView] | None
    """None when they cannot be read now, as with routing and events."""
    schedule_error: ScheduleErrorView | None
    """None for an order without a schedule, and when the fills cannot be read now."""
    events: list[EventView] | None
    source: str
    """`journal`, or `memory` while the database cannot be read."""


async def detail(record: OrderRecord, state: DeskState, now_ns: int) -> OrderDetail:
    """Return an order's full account from the record, with the instruments of the desk."""
    events = list(_events(record))
    seen = followed(record.parent, record.fills, state, now_ns)
    error = None if seen is None else await asyncio.to_thread(schedule_error_view, seen)
    return OrderDetail(
        order=order_view(record.parent, state.instruments),
        verdict=_verdict(record.parent),
        children=[child_view(child) for child in record.children],
        routing=[_routing(event) for event in events if event.event == ROUTED],
        fills=[fill_view(trade) for trade in record.fills],
        schedule_error=error,
        events=events,
        source="journal",
    )


def detail_from_memory(
    parent: ParentOrder, children: list[ChildOrder], state: DeskState
) -> OrderDetail:
    """Return what memory knows of an order while the record cannot be read."""
    return OrderDetail(
        order=order_view(parent, state.instruments),
        verdict=_verdict(parent),
        children=[child_view(child) for child in children],
        routing=None,
        fills=None,
        schedule_error=None,
        events=None,
        source="memory",
    )


def _verdict(parent: ParentOrder) -> VerdictView:
    denied = parent.status is ParentStatus.DENIED
    return VerdictView(
        accepted=not denied,
        code=parent.reason if denied else None,
        text=parent.detail if denied else None,
        arrival_px=amount_or_none(parent.arrival_px),
        worst_px=amount_or_none(parent.reserved_px),
    )


def _routing(event: EventView) -> RoutingView:
    return routing_view(msgspec.convert(event.data, SliceRouted), event.seq, event.at_ns)


def _events(record: OrderRecord) -> Iterator[EventView]:
    """Pick this order's events: one entry of the journal may speak of many."""
    names = {child.client_order_id for child in record.children}
    for row in record.journal:
        yield from _events_of(row, record.parent.id, names)


def _events_of(row: JournalRow, operation_id: str, children: set[str]) -> Iterator[EventView]:
    # Read without types, so that entries of an older version can still be shown.
    body = json.loads(row.body)
    for event in body["events"]:
        own = event.get("operation_id") or event.get("terms", {}).get("operation_id")
        if own == operation_id or event.get("client_order_id") in children:
            kind = event.pop("type")
            yield EventView(
                seq=row.seq,
                at_ns=row.at_ns,
                cause=row.kind,
                event=kind,
                data=event,
                views=body["views"],
            )
