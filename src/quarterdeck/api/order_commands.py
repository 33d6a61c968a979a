"""Giving the desk a command about one order, and telling the order's present state.

The subtle one is a repeat. Sending the same message again must be safe whatever has changed since,
so a message that is no longer understood (its instrument is gone, a second account makes it
ambiguous) is looked up before it is refused: if its order exists, that is the answer.
"""

from http import HTTPStatus

from starlette.responses import Response

from quarterdeck.api.answers import answer, no_such_order, unreadable
from quarterdeck.api.endpoint import Services
from quarterdeck.api.errors import refusal
from quarterdeck.api.order_views import OrderAck, ack
from quarterdeck.core.desk.intake import understand
from quarterdeck.core.model.commands import Command, SubmitOrder
from quarterdeck.core.model.ids import is_operation_id
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.desk.messages import Order


async def submitted(services: Services, order: Order | Refused, by: str) -> OrderAck | Refused:
    """Submit an order message; returns once it is durable, accepted or denied."""
    if isinstance(order, Refused):
        return order
    terms = understand(order.request, services.desk.engine.state)
    if isinstance(terms, Refused):
        return await _repeat_or(terms, services, order)
    command = SubmitOrder(terms=terms, body_hash=order.body_hash, by=by)
    return await executed(services, command, terms.operation_id)


async def executed(services: Services, command: Command, operation_id: str) -> OrderAck | Refused:
    """Give the desk a command about an order and return the order's present state."""
    engine = services.desk.engine
    refused = await services.execute(command)
    if refused is not None:
        return refused
    # An engine that froze stays frozen, so this tells what the command met even afterwards.
    durable = engine.frozen is None
    parent = await order_of(services, operation_id)
    return parent if isinstance(parent, Refused) else ack(parent, durable=durable)


async def order_of(services: Services, operation_id: str) -> ParentOrder | Refused:
    """Return an order: from memory, which is newer, or from the record."""
    if not is_operation_id(operation_id):
        return no_such_order(operation_id)
    parent = services.desk.engine.state.parents.get(operation_id)
    if parent is None:
        try:
            parent = await services.reads.parent(operation_id)
        except OSError as error:
            return unreadable(error)
    return no_such_order(operation_id) if parent is None else parent


def told(found: OrderAck | Refused, status: HTTPStatus = HTTPStatus.ACCEPTED) -> Response:
    """Return what came of a command as an answer."""
    return refusal(found) if isinstance(found, Refused) else answer(found, status)


async def _repeat_or(refused: Refused, services: Services, order: Order) -> OrderAck | Refused:
    """Answer a message that is not understood: by its order, if it was understood once."""
    operation_id = order.request.operation_id
    if not is_operation_id(operation_id):
        return refused
    try:
        existing = await services.reads.parent(operation_id)
    except OSError as error:
        return unreadable(error)
    if existing is None:
        return refused
    if existing.body_hash != order.body_hash:
        text = f"operation_id {operation_id} is taken by an order with another body"
        return Refused(code=Reason.ID_REUSED, field="operation_id", text=text)
    newest = services.desk.engine.state.parents.get(existing.id, existing)
    return ack(newest, durable=True)
