"""There is a fresh market price to judge the order by."""

from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck

NS_PER_MS = 1_000_000


def check(order: OrderCheck) -> Refused | None:
    """Refuse without a reference or with an old one. Source: FIA 2024 §1.3; fail closed."""
    if order.limits is None:
        return None
    if order.view is None or order.reference_px is None:
        return Refused(
            code=Reason.REFERENCE_MISSING,
            field="instrument_key",
            text=f"there is no two-sided market for {order.instrument.id} to judge the order by",
        )
    age_ms = (order.now_ns - order.view.at_ns) // NS_PER_MS
    if age_ms <= order.limits.reference_age_ms_max:
        return None
    return Refused(
        code=Reason.REFERENCE_STALE,
        field="instrument_key",
        text=f"the market of {order.instrument.id} is {age_ms} ms old, "
        f"at most {order.limits.reference_age_ms_max} ms are allowed",
    )
