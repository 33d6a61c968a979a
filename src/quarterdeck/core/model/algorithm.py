"""The execution algorithms and their parameters as they are kept: resolved, typed, in exact units.

What a caller writes in `exec_algorithm_params` is read and bounded by the algorithm's own file in
`core/algos`; what comes out is one of these. They live with the terms because journals hold them.
"""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct


class Algorithm(StrEnum):
    """How a parent is cut into children."""

    NORMAL = "NORMAL"
    """The whole quantity at once."""
    TWAP = "TWAP"
    """Evenly over time."""
    ICEBERG = "ICEBERG"
    """A small part shown at a time."""


class TwapParams(Struct, frozen=True, kw_only=True, gc=False, tag="twap"):
    """TWAP: evenly over a horizon, one slice an interval."""

    horizon_ns: int
    """From acceptance to the end of the schedule."""
    interval_ns: int
    """Length of one slot; each has one slice."""
    size_variance_pct: Decimal
    """Furthest a slice's planned size may differ from the even one, in percent of it."""
    time_variance_pct: Decimal
    """Latest that a slice may come within its slot, in percent of the interval."""
    catch_up_max: Decimal
    """Largest slice, as a multiple of the even one, when behind schedule."""
    seed: int
    """Chooses the randomisation; together with the operation id it fixes every slice."""


class IcebergParams(Struct, frozen=True, kw_only=True, gc=False, tag="iceberg"):
    """ICEBERG: rest a part at the limit price, and another one when it is gone."""

    display_qty: Decimal
    """Shown at a time, before variance."""
    display_variance_pct: Decimal
    """Furthest a shown part may differ from `display_qty`, in percent of it."""
    refill_delay_ns: int
    """Pause between the end of one part and the sending of the next."""
    seed: int
    """Chooses the variance; together with the operation id it fixes every part."""


type AlgorithmParams = TwapParams | IcebergParams
