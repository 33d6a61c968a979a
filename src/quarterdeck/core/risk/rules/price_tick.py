"""The limit price stands on the instrument's tick."""

from quarterdeck.core.model.decimals import canonical, is_multiple, round_down, round_up
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse a price between two ticks, naming both. Source: 15c3-5(c)(2)(i)."""
    px, tick = order.terms.limit_px, order.instrument.tick_px
    if px is None or is_multiple(px, tick):
        return None
    below, above = canonical(round_down(px, tick)), canonical(round_up(px, tick))
    return Refused(
        code=Reason.PRICE_OFF_TICK,
        field="price",
        text=f"price {canonical(px)} is not a multiple of the tick {canonical(tick)}; "
        f"the nearest are {below} and {above}",
    )
