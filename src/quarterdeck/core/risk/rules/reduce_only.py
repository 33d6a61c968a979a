"""An order marked reduce-only may bring a position to zero and no further."""

from quarterdeck.core.model.decimals import sub
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse a reduce-only order for more than there is to reduce, open reducers counted."""
    open_qty = sub(order.terms.quantity, order.filled)
    if order.terms.reduce_only and open_qty > order.reducible_qty:
        return Refused(
            code=Reason.REDUCE_ONLY_WOULD_OPEN,
            field="reduce_only",
            text=f"a reduce-only {order.terms.side} may trade at most {order.reducible_qty} now, "
            f"{open_qty} was asked for",
        )
    return None
