"""Many orders in one call: each is taken or refused by itself, answered in the order of sending.

All are decided before the first is waited for, so that they become durable together: a batch costs
the disk what one order does. There is no "all or nothing": orders that are live at venues cannot
be taken back, so what each came to is said of each.
"""

import asyncio
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from quarterdeck.api.answers import answer
from quarterdeck.api.endpoint import Call, Services
from quarterdeck.api.errors import Error, as_error, refusal, status_of
from quarterdeck.api.order_commands import submitted
from quarterdeck.api.order_views import OrderAck
from quarterdeck.core.model.ids import is_operation_id
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import OrderRequest
from quarterdeck.desk.messages import read_array, read_order

BATCH_ORDERS_MAX: Final = 100
BATCH_BYTES_MAX: Final = 1024 * 1024
ORDERS: Final = "orders"


class BatchRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Orders to submit, each as in `POST /api/orders` and of that size at most."""

    orders: Annotated[list[OrderRequest], Meta(min_length=1, max_length=BATCH_ORDERS_MAX)]


class BatchResult(Struct, frozen=True, kw_only=True):
    """What one order of a batch came to: what `POST /api/orders` would have answered."""

    operation_id: str | None
    """As it was sent; None when that is no id."""
    status: int
    """The HTTP status of that answer."""
    order: OrderAck | None
    error: Error | None


class BatchAnswer(Struct, frozen=True, kw_only=True):
    """One result for each message, in the order of sending."""

    results: list[BatchResult]


class _Named(Struct, frozen=True):
    operation_id: str | None = None


async def submit_batch(services: Services, call: Call) -> Response:
    """Take many orders at once; 200 whatever became of each."""
    messages = read_array(call.body, ORDERS)
    if isinstance(messages, Refused):
        return refusal(messages)
    if not 1 <= len(messages) <= BATCH_ORDERS_MAX:
        text = f"{len(messages)} messages; 1 to {BATCH_ORDERS_MAX} are taken at once"
        return refusal(Refused(code=Reason.INVALID_VALUE, field=ORDERS, text=text))
    found = await asyncio.gather(
        *(submitted(services, read_order(message), call.by) for message in messages)
    )
    results = [_result(message, one) for message, one in zip(messages, found, strict=True)]
    return answer(BatchAnswer(results=results))


def _result(message: bytes, found: OrderAck | Refused) -> BatchResult:
    if isinstance(found, OrderAck):
        return BatchResult(
            operation_id=found.operation_id,
            status=HTTPStatus.ACCEPTED,
            order=found,
            error=None,
        )
    return BatchResult(
        operation_id=_operation_id(message),
        status=status_of(found),
        order=None,
        error=as_error(found),
    )


def _operation_id(message: bytes) -> str | None:
    try:
        sent = msgspec.json.decode(message, type=_Named).operation_id
    except msgspec.ValidationError:
        return None
    return sent if sent is not None and is_operation_id(sent) else None
