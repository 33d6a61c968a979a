"""The refusals that several commands share."""

from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused


def no_such_order(operation_id: str) -> Refused:
    """Return the refusal of a command about an order that does not exist."""
    return Refused(
        code=Reason.UNKNOWN_ORDER,
        field="operation_id",
        text=f"no order has the operation_id {operation_id}",
    )


def finished(parent: ParentOrder) -> Refused:
    """Return the refusal of a command about an order that has ended."""
    return Refused(
        code=Reason.ALREADY_FINISHED,
        field="operation_id",
        text=f"order {parent.id} is {parent.status}",
    )
