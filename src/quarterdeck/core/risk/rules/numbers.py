"""Every number of the order is finite and above zero: a NaN compares as nothing and passes all."""

from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse an order with a number that is none. Source: fail closed (15c3-5(c)(1)(ii))."""
    numbers = {
        "quantity": order.terms.quantity,
        "price": order.terms.limit_px,
        "max_slippage_bps": order.terms.max_slippage_bps,
    }
    for field, number in numbers.items():
        if number is not None and not (number.is_finite() and number > 0):
            return Refused(
                code=Reason.INVALID_VALUE,
                field=field,
                text=f"{field} is {number}: a finite number above zero is needed",
            )
    return None
