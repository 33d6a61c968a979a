"""The calls that steer a live order: amend, pause, resume, expire.

Each answers 202 once the wish is durable; what it takes at the venues, mostly cancels, follows. An
amend is understood by the order's present terms and decided by those at the decision, so that two
callers who amend at once both see what came of it in the order.
"""

from msgspec import Struct
from starlette.responses import Response

from quarterdeck.api.answers import no_such_order
from quarterdeck.api.endpoint import Call, Services
from quarterdeck.api.errors import refusal
from quarterdeck.api.order_commands import executed, order_of, told
from quarterdeck.core.desk.amendment import AmendRequest, understand_amend
from quarterdeck.core.desk.refusals import finished
from quarterdeck.core.model.commands import AmendOrder, ExpireOrder, PauseOrder, ResumeOrder
from quarterdeck.core.model.ids import is_operation_id
from quarterdeck.core.model.reasons import Refused
from quarterdeck.desk.messages import Words, read_body


class PauseRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an order is paused. The body may be left out."""

    why: Words = "requested"


class ResumeRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing: an order goes on as it was. The body may be left out."""


class ExpireRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an order's time is over. The body may be left out."""

    why: Words = "requested"


async def amend(services: Services, call: Call) -> Response:
    """Change the terms of a live order."""
    request = read_body(call.body, AmendRequest)
    if isinstance(request, Refused):
        return refusal(request)
    parent = await order_of(services, call.path["operation_id"])
    if isinstance(parent, Refused):
        return refusal(parent)
    if not parent.status.is_live:
        return refusal(finished(parent))
    changes = understand_amend(request, parent.terms)
    if isinstance(changes, Refused):
        return refusal(changes)
    command = AmendOrder(operation_id=parent.id, changes=changes, by=call.by)
    return told(await executed(services, command, parent.id))


async def pause(services: Services, call: Call) -> Response:
    """Send nothing more for an order, and cancel what is out, until it is resumed."""
    request = _read(call, PauseRequest)
    if isinstance(request, Refused):
        return refusal(request)
    operation_id = call.path["operation_id"]
    command = PauseOrder(operation_id=operation_id, by=call.by, why=request.why)
    return told(await executed(services, command, operation_id))


async def resume(services: Services, call: Call) -> Response:
    """Go on with a paused order."""
    request = _read(call, ResumeRequest)
    if isinstance(request, Refused):
        return refusal(request)
    operation_id = call.path["operation_id"]
    return told(
        await executed(services, ResumeOrder(operation_id=operation_id, by=call.by), operation_id)
    )


async def expire(services: Services, call: Call) -> Response:
    """End an order's time now."""
    request = _read(call, ExpireRequest)
    if isinstance(request, Refused):
        return refusal(request)
    operation_id = call.path["operation_id"]
    command = ExpireOrder(operation_id=operation_id, by=call.by, why=request.why)
    return told(await executed(services, command, operation_id))


def _read[M: Struct](call: Call, message: type[M]) -> M | Refused:
    """Return a call's message once its path names what could be an order."""
    operation_id = call.path["operation_id"]
    if not is_operation_id(operation_id):
        return no_such_order(operation_id)
    return read_body(call.body, message)
