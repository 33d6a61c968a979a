"""The calls about orders: submit, cancel, show, list, resolve.

The subtle one is a repeat. Sending the same message again must be safe whatever has changed since,
so a message that is no longer understood (its instrument is gone, a second account makes it
ambiguous) is looked up before it is refused: if its order exists, that is the answer.
"""

from http import HTTPStatus
from typing import Annotated, Final

from msgspec import Meta, Struct
from starlette.responses import Response

from quarterdeck.api.answers import answer, no_such_order, unreadable
from quarterdeck.api.endpoint import Call, Services
from quarterdeck.api.errors import refusal
from quarterdeck.api.messages import Order, read_body, read_order, read_query
from quarterdeck.api.order_views import (
    OrderPage,
    PageMark,
    ack,
    detail,
    detail_from_memory,
    order_view,
)
from quarterdeck.api.reads import OrderQuery
from quarterdeck.core.desk.intake import understand
from quarterdeck.core.model.commands import (
    CancelOrder,
    Command,
    Resolution,
    ResolveChild,
    SubmitOrder,
)
from quarterdeck.core.model.ids import client_order_id, is_operation_id
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused

CHILD_NO_DIGITS_MAX: Final = 9

type Words = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text for a person, without control characters."""


class CancelRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to stop an order. The body may be left out."""

    why: Words = "requested"


class ResolveRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person found out about a child of unknown outcome."""

    outcome: Resolution
    evidence: Words
    """What was seen, and where: kept in the journal for ever."""


async def submit(services: Services, call: Call) -> Response:
    """Take an order: 202 once it is durable, accepted or denied."""
    order = read_order(call.body)
    if isinstance(order, Refused):
        return refusal(order)
    terms = understand(order.request, services.desk.engine.state)
    if isinstance(terms, Refused):
        return await _repeat_or(terms, services, order)
    command = SubmitOrder(terms=terms, body_hash=order.body_hash, by=call.by)
    return await _executed(services, command, terms.operation_id, HTTPStatus.ACCEPTED)


async def cancel(services: Services, call: Call) -> Response:
    """Stop an order: 202 once the wish is durable; the venue's answer comes later."""
    operation_id = call.path["operation_id"]
    if not is_operation_id(operation_id):
        return no_such_order(operation_id)
    request = read_body(call.body, CancelRequest)
    if isinstance(request, Refused):
        return refusal(request)
    command = CancelOrder(operation_id=operation_id, by=call.by, why=request.why)
    return await _executed(services, command, operation_id, HTTPStatus.ACCEPTED)


async def resolve(services: Services, call: Call) -> Response:
    """Settle a child's unknown outcome by hand."""
    operation_id, number = call.path["operation_id"], call.path["child_no"]
    if not is_operation_id(operation_id):
        return no_such_order(operation_id)
    if not (number.isascii() and number.isdigit() and len(number) <= CHILD_NO_DIGITS_MAX):
        text = f"{number[:40]!r} is no child number; the first child of an order is 1"
        return refusal(Refused(code=Reason.UNKNOWN_ORDER, field="child_no", text=text))
    request = read_body(call.body, ResolveRequest)
    if isinstance(request, Refused):
        return refusal(request)
    command = ResolveChild(
        operation_id=operation_id,
        child_no=int(number),
        outcome=request.outcome,
        evidence=request.evidence,
        by=call.by,
    )
    return await _executed(services, command, operation_id, HTTPStatus.OK)


async def show(services: Services, call: Call) -> Response:
    """Show one order with its children, fills, verdict and story."""
    operation_id = call.path["operation_id"]
    if not is_operation_id(operation_id):
        return no_such_order(operation_id)
    try:
        record = await services.reads.order(operation_id)
    except OSError as error:
        return _from_memory(services, operation_id) or unreadable(error)
    if record is None:
        return no_such_order(operation_id)
    return answer(detail(record))


async def list_orders(services: Services, call: Call) -> Response:
    """List orders, newest first, a page at a time."""
    query = read_query(call.query, OrderQuery)
    if isinstance(query, Refused):
        return refusal(query)
    for name in ("strategy_id", "instrument", "before_id"):
        if not (getattr(query, name) or "").isprintable():
            text = "only printable characters are allowed"
            return refusal(Refused(code=Reason.INVALID_VALUE, field=name, text=text))
    try:
        found = await services.reads.orders(query)
    except OSError as error:
        return unreadable(error)
    full = len(found) == query.limit
    last = PageMark(before_ns=found[-1].created_ns, before_id=found[-1].id) if full else None
    return answer(OrderPage(orders=[order_view(parent) for parent in found], next=last))


async def _executed(
    services: Services, command: Command, operation_id: str, status: HTTPStatus
) -> Response:
    """Give the desk a command about an order and answer with the order's present state."""
    engine = services.desk.engine
    refused = await services.execute(command)
    if refused is not None:
        return refusal(refused)
    # An engine that froze stays frozen, so this tells what the command met even afterwards.
    durable = engine.frozen is None
    parent = engine.state.parents.get(operation_id)
    if parent is None:
        try:
            parent = await services.reads.parent(operation_id)
        except OSError as error:
            return unreadable(error)
    if parent is None:
        return no_such_order(operation_id)
    return answer(ack(parent, durable=durable), status)


async def _repeat_or(refused: Refused, services: Services, order: Order) -> Response:
    """Answer a message that is not understood: by its order, if it was understood once."""
    operation_id = order.request.operation_id
    if not is_operation_id(operation_id):
        return refusal(refused)
    try:
        existing = await services.reads.parent(operation_id)
    except OSError as error:
        return unreadable(error)
    if existing is None:
        return refusal(refused)
    if existing.body_hash != order.body_hash:
        text = f"operation_id {operation_id} is taken by an order with another body"
        return refusal(Refused(code=Reason.ID_REUSED, field="operation_id", text=text))
    return answer(ack(_newest(services, existing), durable=True), HTTPStatus.ACCEPTED)


def _newest(services: Services, parent: ParentOrder) -> ParentOrder:
    return services.desk.engine.state.parents.get(parent.id, parent)


def _from_memory(services: Services, operation_id: str) -> Response | None:
    state = services.desk.engine.state
    parent = state.parents.get(operation_id)
    if parent is None:
        return None
    names = (client_order_id(operation_id, no) for no in range(1, parent.children + 1))
    return answer(detail_from_memory(parent, [state.children[name] for name in names]))
