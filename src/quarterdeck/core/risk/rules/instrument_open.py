"""No new order in an instrument whose position differs from the venue's."""

from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse in a halted instrument until its difference is gone."""
    if order.instrument_halted is None:
        return None
    return Refused(
        code=Reason.INSTRUMENT_HALTED,
        field="instrument_key",
        text=f"{order.instrument.id} is halted: {order.instrument_halted}",
    )
