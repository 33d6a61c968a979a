"""What a caller may ask of TWAP: its parameters, and the orders that it refuses."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from quarterdeck.core.algos import lots
from quarterdeck.core.algos.contract import Grid
from quarterdeck.core.algos.parameter import (
    NS_PER_SECOND,
    Parameter,
    ParameterKind,
    nanoseconds,
    read_values,
    refused,
)
from quarterdeck.core.model.algorithm import TwapParams
from quarterdeck.core.model.decimals import ONE, ZERO, canonical, div
from quarterdeck.core.model.reasons import Reason, Refused
from quarterdeck.core.model.terms import OrderTerms, TimeInForce

SLICES_MAX: Final = 20_000
"""Most slices of one order: a day at 5 s, a week at 31 s. It bounds what a schedule may cost."""

SEED_MAX: Final = Decimal(2) ** 53
"""Greatest whole number that every JSON reader keeps exactly."""

_HORIZON: Final = Parameter(
    name="horizon_secs",
    kind=ParameterKind.SECONDS,
    low=ONE,
    high=Decimal(604_800),
    text="Seconds from acceptance to the end of the schedule.",
)
_INTERVAL: Final = Parameter(
    name="interval_secs",
    kind=ParameterKind.SECONDS,
    low=Decimal("0.1"),
    high=Decimal(3_600),
    text="Seconds from one slice to the next; what is left of the horizon stays unused.",
)
_NS_PER_MS: Final = 1_000_000

PARAMETERS: Final = (
    _HORIZON,
    _INTERVAL,
    Parameter(
        name="size_variance_pct",
        kind=ParameterKind.PERCENT,
        low=ZERO,
        high=Decimal(50),
        default=ZERO,
        text="Furthest that a slice's size may differ from the even one, in percent.",
    ),
    Parameter(
        name="time_variance_pct",
        kind=ParameterKind.PERCENT,
        low=ZERO,
        high=Decimal(90),
        default=ZERO,
        text="Latest that a slice may come within its interval, in percent of it.",
    ),
    Parameter(
        name="catch_up_max",
        kind=ParameterKind.MULTIPLE,
        low=ONE,
        high=Decimal(10),
        default=Decimal(3),
        text="Largest slice when behind schedule, as a multiple of the even one.",
    ),
    Parameter(
        name="seed",
        kind=ParameterKind.INTEGER,
        low=ZERO,
        high=SEED_MAX,
        default=ZERO,
        text="Chooses the variance: one seed and operation_id, one plan.",
    ),
)


def read(sent: Mapping[str, object]) -> TwapParams | Refused:
    """Return what a message asks for, or why it cannot be had whatever the order."""
    values = read_values(PARAMETERS, sent)
    if isinstance(values, Refused):
        return values
    params = TwapParams(
        horizon_ns=nanoseconds(values["horizon_secs"]),
        interval_ns=nanoseconds(values["interval_secs"]),
        size_variance_pct=values["size_variance_pct"],
        time_variance_pct=values["time_variance_pct"],
        catch_up_max=values["catch_up_max"],
        seed=int(values["seed"]),
    )
    if params.interval_ns > params.horizon_ns:
        text = f"{_seconds(params.interval_ns)} is longer than the horizon of "
        text += f"{_seconds(params.horizon_ns)} s"
        return refused(Reason.INVALID_VALUE, _INTERVAL.name, text)
    if slots_of(params) > SLICES_MAX:
        text = f"{_seconds(params.interval_ns)} would make {slots_of(params)} slices; for this "
        text += f"horizon it must be at least {_seconds(_shortest_ns(params, SLICES_MAX))}"
        return refused(Reason.INVALID_VALUE, _INTERVAL.name, text)
    return params


def check(terms: OrderTerms, grid: Grid) -> Refused | None:
    """Refuse an order that TWAP cannot carry out."""
    if terms.tif not in {TimeInForce.GTC, TimeInForce.GTD}:
        text = f"TWAP works over time, {terms.tif} ends at once: use GTC or GTD"
        return Refused(code=Reason.INVALID_VALUE, field="time_in_force", text=text)
    if terms.post_only:
        text = "TWAP takes what is there, a post_only order never does: leave it out"
        return Refused(code=Reason.INVALID_VALUE, field="post_only", text=text)
    return _slices_too_small(terms, grid)


def params_of(terms: OrderTerms) -> TwapParams:
    """Return the parameters of a TWAP order."""
    assert isinstance(terms.params, TwapParams), "a TWAP order has the parameters of one"
    return terms.params


def slots_of(params: TwapParams) -> int:
    """Return how many slices the schedule has; at least one."""
    return params.horizon_ns // params.interval_ns


def _slices_too_small(terms: OrderTerms, grid: Grid) -> Refused | None:
    params, fewest = params_of(terms), lots.least(grid)
    slots, total = slots_of(params), lots.count(terms.quantity, grid)
    most = total // fewest
    if not most or total // slots >= fewest:
        return None  # An order that cannot be sent at all is the risk gate's to refuse.
    least_qty = canonical(lots.quantity(fewest, grid))
    text = f"{slots} slices of {canonical(terms.quantity)} are "
    text += f"{canonical(div(terms.quantity, Decimal(slots), places=8))} each, under the minimum "
    text += f"of {least_qty}; at most {most} would do, "
    shortest_ns = _shortest_ns(params, most)
    if shortest_ns <= nanoseconds(_INTERVAL.high):
        text += f"which is interval_secs of at least {_seconds(shortest_ns)}"
    else:
        longest_ns = (most + 1) * nanoseconds(_INTERVAL.high) - _NS_PER_MS
        text += f"which is interval_secs of {canonical(_INTERVAL.high)} with horizon_secs of at "
        text += f"most {_seconds(longest_ns)}"
    return refused(Reason.SLICE_UNDER_MINIMUM, _INTERVAL.name, text)


def _shortest_ns(params: TwapParams, slots: int) -> int:
    """Return the shortest interval, in whole milliseconds, that makes no more slices than that."""
    return (params.horizon_ns // _NS_PER_MS // (slots + 1) + 1) * _NS_PER_MS


def _seconds(duration_ns: int) -> str:
    return canonical(div(Decimal(duration_ns), NS_PER_SECOND, places=9))
