"""An instrument without limits is not tradable: no limit is not the same as no bound."""

from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse when nobody set limits. Source: FIA 2024 §1.1 (reject when no limit is set)."""
    if order.limits is not None:
        return None
    return Refused(
        code=Reason.LIMIT_MISSING,
        field="instrument_key",
        text=f"no limits are set for {order.instrument.id}",
    )
