"""The account holds what the order and all live ones before it may take."""

from quarterdeck.core.model.decimals import canonical, sub
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck
from quarterdeck.core.risk.reserve import needed


def check(order: OrderCheck) -> Refused | None:
    """Refuse a spot order that the accounts cannot pay for. Source: 15c3-5(c)(1)(i)."""
    px = order.working_px
    if px is None or order.free is None:
        return None
    open_qty = sub(order.terms.quantity, order.filled)
    need = needed(order.terms, open_qty, px, order.instrument)
    if need is None or need[1] <= order.free:
        return None
    return Refused(
        code=Reason.INSUFFICIENT_HOLDING,
        field="quantity",
        text=f"{canonical(need[1])} {need[0]} is needed, "
        f"{canonical(order.free)} is held and not reserved",
    )
