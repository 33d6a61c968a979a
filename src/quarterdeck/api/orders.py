"""The calls about orders: submit, cancel, show, list, resolve."""

from http import HTTPStatus
from typing import Final

from msgspec import Struct
from starlette.responses import Response

from quarterdeck.api.answers import answer, no_such_order, unreadable
from quarterdeck.api.endpoint import Call, Services
from quarterdeck.api.errors import refusal
from quarterdeck.api.order_commands import executed, submitted, told
from quarterdeck.api.order_detail import detail, detail_from_memory
from quarterdeck.api.order_views import OrderPage, PageMark, order_view
from quarterdeck.api.reads import OrderQuery
from quarterdeck.core.model.commands import CancelOrder, Resolution, ResolveChild
from quarterdeck.core.model.ids import client_order_id, is_operation_id
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.desk.messages import Words, read_body, read_order, read_query

CHILD_NO_DIGITS_MAX: Final = 9


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
    return told(await submitted(services, read_order(call.body), call.by))


async def cancel(services: Services, call: Call) -> Response:
    """Stop an order: 202 once the wish is durable; the venue's answer comes later."""
    operation_id = call.path["operation_id"]
    if not is_operation_id(operation_id):
        return refusal(no_such_order(operation_id))
    request = read_body(call.body, CancelRequest)
    if isinstance(request, Refused):
        return refusal(request)
    command = CancelOrder(operation_id=operation_id, by=call.by, why=request.why)
    return told(await executed(services, command, operation_id))


async def resolve(services: Services, call: Call) -> Response:
    """Settle a child's unknown outcome by hand."""
    operation_id, number = call.path["operation_id"], call.path["child_no"]
    if not is_operation_id(operation_id):
        return refusal(no_such_order(operation_id))
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
    return told(await executed(services, command, operation_id), HTTPStatus.OK)


async def show(services: Services, call: Call) -> Response:
    """Show one order with its children, fills, verdict, routing, cost and story."""
    operation_id = call.path["operation_id"]
    if not is_operation_id(operation_id):
        return refusal(no_such_order(operation_id))
    try:
        record = await services.reads.order(operation_id)
    except OSError as error:
        return _from_memory(services, operation_id) or refusal(unreadable(error))
    if record is None:
        return refusal(no_such_order(operation_id))
    return answer(await detail(record, services.desk.engine.state, services.clock.now_ns()))


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
        return refusal(unreadable(error))
    full = len(found) == query.limit
    last = PageMark(before_ns=found[-1].created_ns, before_id=found[-1].id) if full else None
    instruments = services.desk.engine.state.instruments
    shown = [order_view(parent, instruments) for parent in found]
    return answer(OrderPage(orders=shown, next=last))


def _from_memory(services: Services, operation_id: str) -> Response | None:
    state = services.desk.engine.state
    parent = state.parents.get(operation_id)
    if parent is None:
        return None
    names = (client_order_id(operation_id, no) for no in range(1, parent.children + 1))
    return answer(detail_from_memory(parent, [state.children[name] for name in names], state))
