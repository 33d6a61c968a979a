"""An order whose time is over is not sent."""

from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse an expire time that is not in the future."""
    expire_ns = order.terms.expire_ns
    if expire_ns is not None and expire_ns <= order.now_ns:
        late_s = (order.now_ns - expire_ns) // 1_000_000_000
        return Refused(
            code=Reason.EXPIRE_TIME_PASSED,
            field="expire_time",
            text=f"expire_time lies {late_s} s in the past",
        )
    return None
