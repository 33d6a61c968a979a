"""One order is not larger than its limit in quantity."""

from quarterdeck.core.model.decimals import canonical
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse a quantity over the limit. Source: RTS 6 art. 15(1)(c), FIA 2024 §1.1."""
    if order.limits is None or order.terms.quantity <= order.limits.max_order_qty:
        return None
    return Refused(
        code=Reason.QUANTITY_OVER_LIMIT,
        field="quantity",
        text=f"quantity {canonical(order.terms.quantity)} is over the limit for one order, "
        f"{canonical(order.limits.max_order_qty)}",
    )
