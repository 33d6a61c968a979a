"""The desk-wide switch: halted takes nothing, reducing takes what brings a position to zero."""

from quarterdeck.core.model.decimals import sub
from quarterdeck.core.model.limits import TradingState
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.risk.check import OrderCheck


def check(order: OrderCheck) -> Refused | None:
    """Refuse what the trading state forbids. Source: RTS 6 art. 12, FIA 2024 §1.5."""
    if order.trading_state is TradingState.HALTED:
        return Refused(
            code=Reason.TRADING_HALTED,
            text="trading is halted; a person with the risk scope can make it active again",
        )
    open_qty = sub(order.terms.quantity, order.filled)
    if order.trading_state is TradingState.REDUCING and open_qty > order.reducible_qty:
        return Refused(
            code=Reason.TRADING_REDUCING,
            field="quantity",
            text=f"trading is reducing: a {order.terms.side} of at most {order.reducible_qty} "
            f"reduces, {open_qty} was asked for",
        )
    return None
