"""ICEBERG: a small part rests at the limit price; when it is gone, the next one is shown.

One part at a time, which is all that others see of the order. Its size may vary and its refill may
wait, so that the parts are harder to tell as one order's. A part is numbered as the child that
carries it, so chance gives it the same size however often it is asked.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from quarterdeck.core.algos import lots
from quarterdeck.core.algos.chance import uniform
from quarterdeck.core.algos.contract import AlgorithmKind, Grid, Situation, Step
from quarterdeck.core.algos.parameter import (
    Parameter,
    ParameterKind,
    nanoseconds,
    read_values,
    refused,
)
from quarterdeck.core.algos.patience import PACE_NS, gave_up, paced_ns
from quarterdeck.core.model.algorithm import Algorithm, IcebergParams
from quarterdeck.core.model.decimals import (
    AMOUNT_LIMIT,
    ONE,
    PLACES_MAX,
    ZERO,
    canonical,
    is_multiple,
    mul,
)
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderTerms, OrderType, TimeInForce

_DISPLAY: Final = "display_quantity"
_WHOLE_PCT: Final = 10_000

PARAMETERS: Final = (
    Parameter(
        name=_DISPLAY,
        kind=ParameterKind.QUANTITY,
        low=ONE.scaleb(-PLACES_MAX),
        high=AMOUNT_LIMIT,
        text="Quantity shown at a time; at most the order's.",
    ),
    Parameter(
        name="display_variance_pct",
        kind=ParameterKind.PERCENT,
        low=ZERO,
        high=Decimal(50),
        default=ZERO,
        text="Furthest that a shown part may differ from display_quantity, in percent.",
    ),
    Parameter(
        name="refill_delay_secs",
        kind=ParameterKind.SECONDS,
        low=ZERO,
        high=Decimal(3_600),
        default=ZERO,
        text="Seconds from the end of one part to the next.",
    ),
    Parameter(
        name="seed",
        kind=ParameterKind.INTEGER,
        low=ZERO,
        high=Decimal(2) ** 53,
        default=ZERO,
        text="Chooses the variance: one seed and operation_id, one sequence of parts.",
    ),
)


def read(sent: Mapping[str, object]) -> IcebergParams | Refused:
    """Return what a message asks for, or why it cannot be had whatever the order."""
    values = read_values(PARAMETERS, sent)
    if isinstance(values, Refused):
        return values
    return IcebergParams(
        display_qty=values[_DISPLAY],
        display_variance_pct=values["display_variance_pct"],
        refill_delay_ns=nanoseconds(values["refill_delay_secs"]),
        seed=int(values["seed"]),
    )


def check(terms: OrderTerms, grid: Grid) -> Refused | None:
    """Refuse an order that ICEBERG cannot carry out."""
    if terms.order_type is not OrderType.LIMIT:
        text = f"ICEBERG rests at a price, {terms.order_type} has none: use LIMIT"
        return Refused(code=Reason.INVALID_VALUE, field="order_type", text=text)
    if terms.tif not in {TimeInForce.GTC, TimeInForce.GTD}:
        text = f"ICEBERG rests, {terms.tif} ends at once: use GTC or GTD"
        return Refused(code=Reason.INVALID_VALUE, field="time_in_force", text=text)
    display_qty = _params_of(terms).display_qty
    shown = canonical(display_qty)
    if display_qty > terms.quantity:
        text = f"{shown} is over the order's quantity of {canonical(terms.quantity)}"
        return refused(Reason.INVALID_VALUE, _DISPLAY, text)
    if not is_multiple(display_qty, grid.lot_qty):
        text = f"{shown} is not a multiple of the lot {canonical(grid.lot_qty)}"
        return refused(Reason.INVALID_VALUE, _DISPLAY, text)
    least_qty = lots.quantity(lots.least(grid), grid)
    if display_qty < least_qty <= terms.quantity:
        text = f"{shown} is under {canonical(least_qty)}, the least that any allowed venue takes"
        return refused(Reason.SLICE_UNDER_MINIMUM, _DISPLAY, text)
    return None


def step(situation: Situation) -> Step:
    """Show the next part when nothing is out and its time has come."""
    parent, grid = situation.parent, situation.grid
    if parent.status is not ParentStatus.WORKING:
        return Step()
    if gave_up(parent):
        return Step(over=True)
    if parent.open_children:
        return Step()
    fewest, available = lots.least(grid), lots.count(parent.available, grid)
    if available < fewest:
        return Step(over=True)
    params = _params_of(parent.terms)
    ready_ns = paced_ns(parent)
    if parent.idle_since_ns is not None:
        ready_ns = max(ready_ns, parent.idle_since_ns + params.refill_delay_ns)
    if situation.now_ns < ready_ns:
        return Step(look_ns=ready_ns)
    part = lots.sendable(max(_part(parent, params, grid), fewest), available, fewest)
    return Step(release=lots.quantity(part, grid), look_ns=situation.now_ns + PACE_NS)


def _part(parent: ParentOrder, params: IcebergParams, grid: Grid) -> int:
    """Return the lots of the next part, as chance varies it."""
    even = lots.count(params.display_qty, grid)
    sway = even * int(mul(params.display_variance_pct, Decimal(100))) // _WHOLE_PCT
    # Downwards no further than the minimum, and upwards no further than that, so that the mean
    # part stays the one that was asked for.
    sway = max(min(sway, even - lots.least(grid)), 0)
    moved = uniform(
        2 * sway + 1,
        seed=params.seed,
        operation_id=parent.id,
        number=parent.children + 1,
        what="part",
    )
    return even + moved - sway


def _params_of(terms: OrderTerms) -> IcebergParams:
    assert isinstance(terms.params, IcebergParams), "an ICEBERG order has the parameters of one"
    return terms.params


ICEBERG = AlgorithmKind(
    name=Algorithm.ICEBERG,
    text="Rests a small part at the limit price, and another one when it is gone.",
    parameters=PARAMETERS,
    read=read,
    check=check,
    step=step,
    schedule=lambda _terms, _grid: (),  # When a part is gone is the market's to say.
    rests=True,
)
