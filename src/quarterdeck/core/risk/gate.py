"""The gate that every order passes before it becomes real: rules in a fixed order, first no wins.

Only what comes out of here as `Approved` can be accepted, and it carries the prices that the
verdict was based on, so that the order is sent at those and no others.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.reasons import Refused
from quarterdeck.core.risk.check import OrderCheck
from quarterdeck.core.risk.rules import (
    account_gate,
    expiry,
    funds,
    instrument_open,
    limits_set,
    notional_bounds,
    numbers,
    order_notional,
    order_quantity,
    price_collar,
    price_tick,
    quantity_bounds,
    reduce_only,
    reference,
    trading_state,
)

type Rule = Callable[[OrderCheck], Refused | None]

RULES: Final[tuple[Rule, ...]] = (
    numbers.check,
    trading_state.check,
    account_gate.check,
    instrument_open.check,
    expiry.check,
    price_tick.check,
    quantity_bounds.check,
    limits_set.check,
    order_quantity.check,
    reference.check,
    notional_bounds.check,
    order_notional.check,
    price_collar.check,
    reduce_only.check,
    funds.check,
)


class Approved(Struct, frozen=True, kw_only=True):
    """An order that every rule let through."""

    arrival_px: Decimal
    """Midpoint of the market it was judged by."""
    working_px: Decimal
    """Worst price at which it may trade."""


def judge(order: OrderCheck) -> Approved | Refused:
    """Return the first refusal, or the approval with its prices."""
    for rule in RULES:
        refused = rule(order)
        if refused is not None:
            return refused
    arrival_px, working_px = order.reference_px, order.working_px
    assert arrival_px is not None, "the reference rule let an order through without a price"
    assert working_px is not None, "an order without a worst price passed the limits rule"
    return Approved(arrival_px=arrival_px, working_px=working_px)
