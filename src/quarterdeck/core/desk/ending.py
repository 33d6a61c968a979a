"""How a parent without open children ended: by its own account and by its last child's."""

from typing import Final

from msgspec import Struct

from quarterdeck.core.algos.contract import Grid
from quarterdeck.core.algos.patience import FAILURES_MAX
from quarterdeck.core.desk.draft import Draft
from quarterdeck.core.model.algorithm import Algorithm
from quarterdeck.core.model.child import ChildOrder
from quarterdeck.core.model.ids import client_order_id
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason
from quarterdeck.core.model.status import ChildStatus, ParentStatus
from quarterdeck.core.model.terms import OrderType, TimeInForce

RESTING: Final = frozenset({TimeInForce.GTC, TimeInForce.GTD})


class End(Struct, frozen=True, kw_only=True):
    """What a parent finishes as."""

    status: ParentStatus
    reason: Reason
    detail: str | None = None


def end_of(draft: Draft, parent: ParentOrder, grid: Grid | None = None) -> End:
    """Return how an unfilled parent ends, nothing of it being out any more.

    The grid, what it could send, is given when its algorithm said that it is over.
    """
    if parent.expiring:
        return End(status=ParentStatus.EXPIRED, reason=Reason.TIME_OVER, detail=parent.detail)
    asked = parent.status is ParentStatus.CANCELING
    if not parent.children:
        return End(status=ParentStatus.CANCELED, reason=Reason.CANCELED_ON_REQUEST)
    last = _last_that_fell_short(draft, parent)
    rests = parent.terms.order_type is OrderType.LIMIT and parent.terms.tif in RESTING
    sliced = parent.terms.algorithm is not Algorithm.NORMAL
    if asked or not (sliced or rests):
        return _as_its_last(parent, last, asked=asked)
    if sliced and parent.failures >= FAILURES_MAX:
        status = ParentStatus.CANCELED if parent.filled else ParentStatus.REJECTED
        return End(status=status, reason=Reason.TOO_MANY_FAILURES, detail=last.detail)
    if grid is not None and parent.available < grid.min_qty:
        detail = f"{parent.available} is left, {grid.min_qty} is the least that can be sent"
        return End(status=ParentStatus.CANCELED, reason=Reason.REMAINDER_UNSENDABLE, detail=detail)
    return _as_its_last(parent, last, asked=asked)


def _last_that_fell_short(draft: Draft, parent: ParentOrder) -> ChildOrder:
    """Return the youngest child that was not filled, which is why its parent is not; or the last.

    An older child may end after a younger one was filled.
    """
    numbers = range(parent.children, 0, -1)
    children = [draft.state.children[client_order_id(parent.id, number)] for number in numbers]
    short = (child for child in children if child.status is not ChildStatus.FILLED)
    return next(short, children[0])


def _as_its_last(parent: ParentOrder, last: ChildOrder, *, asked: bool) -> End:
    match last.status:
        case ChildStatus.CANCELED if last.reason is Reason.RESOLVED_BY_OPERATOR:
            return _canceled(Reason.RESOLVED_BY_OPERATOR, last.detail)
        case ChildStatus.CANCELED | ChildStatus.FILLED if asked:
            return _canceled(Reason.CANCELED_ON_REQUEST)
        case ChildStatus.CANCELED if last.tif in {TimeInForce.IOC, TimeInForce.FOK}:
            return _canceled(Reason.REMAINDER_CANCELED)
        case ChildStatus.CANCELED:
            return _canceled(Reason.CANCELED_BY_VENUE)
        case ChildStatus.FILLED:
            return _canceled(Reason.REMAINDER_CANCELED)
        case ChildStatus.EXPIRED:
            return End(status=ParentStatus.EXPIRED, reason=Reason.EXPIRED_AT_VENUE)
        case ChildStatus.NOT_SENT | ChildStatus.ABSENT if asked:
            return _canceled(Reason.CANCELED_ON_REQUEST, last.detail)
        case _ if parent.filled and parent.children > 1:
            return _canceled(last.reason or Reason.VENUE_REJECTED, last.detail)
        case _:
            reason = last.reason or Reason.VENUE_REJECTED
            return End(status=ParentStatus.REJECTED, reason=reason, detail=last.detail)


def _canceled(reason: Reason, detail: str | None = None) -> End:
    return End(status=ParentStatus.CANCELED, reason=reason, detail=detail)
