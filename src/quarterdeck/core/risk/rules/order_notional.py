"""One order is not larger than its limit in money."""

from quarterdeck.core.model.decimals import canonical
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse a notional over the limit. Source: RTS 6 art. 15(1)(b), 15c3-5(c)(1)(ii)."""
    px = order.working_px
    if px is None or order.limits is None:
        return None
    value = order.instrument.notional(order.terms.quantity, px)
    if value <= order.limits.max_order_notional:
        return None
    return Refused(
        code=Reason.NOTIONAL_OVER_LIMIT,
        field="quantity",
        text=f"notional {canonical(value)} {order.instrument.quote} is over the limit for one "
        f"order, {canonical(order.limits.max_order_notional)}",
    )
