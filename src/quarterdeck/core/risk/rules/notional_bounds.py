"""Quantity times price is within the venue's bounds."""

from quarterdeck.core.model.decimals import canonical
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse a value that the venue would reject; judged at the order's worst price."""
    px, terms = order.working_px, order.instrument
    if px is None:
        return None
    value = terms.notional(order.terms.quantity, px)
    text = f"quantity × price is {canonical(value)} {terms.quote}, "
    if terms.min_notional is not None and value < terms.min_notional:
        text += f"under the venue's minimum {canonical(terms.min_notional)}"
        return Refused(code=Reason.NOTIONAL_UNDER_MINIMUM, field="quantity", text=text)
    if terms.max_notional is not None and value > terms.max_notional and order.goes_whole:
        text += f"over the venue's maximum {canonical(terms.max_notional)}"
        return Refused(code=Reason.NOTIONAL_OVER_MAXIMUM, field="quantity", text=text)
    return None
