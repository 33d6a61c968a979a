"""The quantity stands on the instrument's lot and within the venue's bounds."""

from quarterdeck.core.model.decimals import canonical, is_multiple
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse what the venue would reject for its size. Source: 15c3-5(c)(2)(i)."""
    qty, terms = order.terms.quantity, order.instrument
    text = f"quantity {canonical(qty)} "
    if not is_multiple(qty, terms.lot_qty):
        text += f"is not a multiple of the lot {canonical(terms.lot_qty)}"
        return Refused(code=Reason.QUANTITY_OFF_LOT, field="quantity", text=text)
    if terms.min_qty is not None and qty < terms.min_qty:
        text += f"is under the venue's minimum {canonical(terms.min_qty)}"
        return Refused(code=Reason.QUANTITY_UNDER_MINIMUM, field="quantity", text=text)
    if terms.max_qty is not None and qty > terms.max_qty and order.goes_whole:
        text += f"is over the venue's maximum {canonical(terms.max_qty)}"
        return Refused(code=Reason.QUANTITY_OVER_MAXIMUM, field="quantity", text=text)
    return None
