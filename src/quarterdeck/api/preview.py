"""What an order would do and cost if it were submitted now, without sending it.

The scope is READ: nothing is sent or kept, and what a preview tells of markets and balances can be
read elsewhere with the same key. What `POST /api/orders` would refuse is refused here in the same
words; what risk would deny is told as the verdict.

An id may be left out. Then one is made up, and the chance that varies an algorithm's slices, which
hangs on the id, falls another way than for the order itself.
"""

import asyncio
import secrets
from http import HTTPStatus

from msgspec import Struct
from msgspec.structs import replace
from starlette.responses import Response

from quarterdeck.api.amounts import Amount, amount, amount_or_none
from quarterdeck.api.answers import answer, unreadable
from quarterdeck.api.endpoint import Call, Services
from quarterdeck.api.errors import refusal
from quarterdeck.api.order_detail import VerdictView
from quarterdeck.api.routing_views import (
    AlternativeView,
    LegView,
    alternative_view,
    best_single,
    leg_view,
)
from quarterdeck.core.desk.intake import understand
from quarterdeck.core.desk.preview import Preview, preview, schedule_of
from quarterdeck.core.model.events import ChildCreated
from quarterdeck.core.model.reasons import Reason, Refused, band
from quarterdeck.core.model.terms import OrderRequest, OrderTerms, OrderType, TimeInForce
from quarterdeck.desk.messages import read_body


class PreviewRequest(OrderRequest, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """An order message of which nothing is sent; the `operation_id` may be left out."""

    operation_id: str = ""


class PreviewChild(Struct, frozen=True, kw_only=True):
    """A child order that would be sent at once."""

    child_no: int
    account: str
    instrument_key: str
    quantity: Amount
    order_type: OrderType
    price: Amount | None
    time_in_force: TimeInForce
    expire_ns: int | None


class HeldView(Struct, frozen=True, kw_only=True):
    """Why nothing could be sent at once."""

    code: Reason
    text: str


class PlannedSliceView(Struct, frozen=True, kw_only=True):
    """One line of a schedule."""

    after_ns: int
    """From acceptance."""
    quantity: Amount
    cumulative: Amount
    """That should be out or filled from then on."""


class PreviewAnswer(Struct, frozen=True, kw_only=True):
    """What would happen."""

    operation_id: str
    """As sent, or as made up."""
    at_ns: int
    verdict: VerdictView
    children: list[PreviewChild]
    held: HeldView | None
    schedule: list[PlannedSliceView]
    """Empty when the algorithm has no times."""
    legs: list[LegView]
    """What the first slice would take at once."""
    alternatives: list[AlternativeView]
    """What each allowed venue alone would take of it."""
    cost_bps: Amount | None
    """Expected price and fees of the legs that take, against the midpoint; positive is a cost."""
    best_single: str | None
    """The account that alone would take as much most cheaply; None when none could."""
    best_single_bps: Amount | None


async def preview_order(services: Services, call: Call) -> Response:
    """Show what an order would do now."""
    request = read_body(call.body, PreviewRequest)
    if isinstance(request, Refused):
        return refusal(request)
    engine = services.desk.engine
    if engine.frozen is not None:
        text = f"the journal cannot be written ({engine.frozen}): no order would be taken now"
        return refusal(Refused(code=Reason.FROZEN, text=text))
    made_up = not request.operation_id
    if made_up:
        request = replace(request, operation_id=f"preview-{secrets.token_hex(12)}")
    terms = understand(request, engine.state)
    if isinstance(terms, Refused):
        return refusal(terms)
    if not made_up:
        taken = await _taken(services, terms.operation_id)
        if taken is not None:
            return refusal(taken)
    now_ns = services.clock.now_ns()
    found = preview(engine.state, terms, now_ns, engine.views)
    if found.refused is not None and band(found.refused.code) == "intake":
        return refusal(found.refused)
    # Apart from the desk's loop: a long schedule takes a tenth of a second.
    return await asyncio.to_thread(lambda: answer(_shown(terms, found, now_ns), HTTPStatus.OK))


async def _taken(services: Services, operation_id: str) -> Refused | None:
    """Refuse an id that has an order: that order is what submitting would be about."""
    try:
        known = operation_id in services.desk.engine.state.parents or (
            await services.reads.parent(operation_id) is not None
        )
    except OSError as error:
        return unreadable(error)
    if not known:
        return None
    text = f"operation_id {operation_id} is taken by an order; leave it out, or choose another"
    return Refused(code=Reason.ID_REUSED, field="operation_id", text=text)


def _shown(terms: OrderTerms, found: Preview, now_ns: int) -> PreviewAnswer:
    refused = found.refused
    return PreviewAnswer(
        operation_id=terms.operation_id,
        at_ns=now_ns,
        verdict=VerdictView(
            accepted=refused is None,
            code=None if refused is None else refused.code,
            text=None if refused is None else refused.text,
            arrival_px=amount_or_none(found.arrival_px),
            worst_px=amount_or_none(found.worst_px),
        ),
        children=[_child(child) for child in found.children],
        held=None if found.held is None else HeldView(code=found.held.code, text=found.held.text),
        schedule=[
            PlannedSliceView(
                after_ns=planned.at_ns,
                quantity=amount(planned.quantity),
                cumulative=amount(planned.cumulative),
            )
            for planned in schedule_of(terms, found)
        ],
        legs=[leg_view(leg) for leg in found.legs],
        alternatives=[alternative_view(seen) for seen in found.alternatives],
        cost_bps=amount_or_none(found.cost_bps),
        best_single=best_single(found.legs, found.alternatives),
        best_single_bps=amount_or_none(found.single_bps),
    )


def _child(child: ChildCreated) -> PreviewChild:
    return PreviewChild(
        child_no=child.child_no,
        account=child.account,
        instrument_key=child.instrument,
        quantity=amount(child.quantity),
        order_type=child.order_type,
        price=amount_or_none(child.limit_px),
        time_in_force=child.tif,
        expire_ns=child.expire_ns,
    )
