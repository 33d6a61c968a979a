"""The limit price is near the market, on either side.

A market order needs no check here: it is sent with the collar as its worst price.
"""

from quarterdeck.core.model.decimals import ONE, add, canonical, div, mul, sub, to_places
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import BPS, OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse a price outside the collar. Source: RTS 6 art. 15(1)(a), FIA 2024 §1.3."""
    px, reference = order.terms.limit_px, order.reference_px
    if px is None or reference is None or order.limits is None:
        return None
    part = div(order.limits.collar_bps, BPS)
    lowest, highest = mul(reference, sub(ONE, part)), mul(reference, add(ONE, part))
    if lowest <= px <= highest:
        return None
    return Refused(
        code=Reason.PRICE_OUTSIDE_COLLAR,
        field="price",
        text=f"price {canonical(px)} is outside {canonical(to_places(lowest, 8))} to "
        f"{canonical(to_places(highest, 8))}, {canonical(order.limits.collar_bps)} bps around "
        f"{canonical(reference)}",
    )
