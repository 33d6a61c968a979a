"""How closely the fills followed the schedule: the distance between two staircases over time.

A planned point says how much should be filled from its time on, a fill says how much more is. The
distance |filled - planned| is a share of the whole quantity; it is averaged over time, and its
largest value is kept. What lasts no time counts in neither: a plan and its fill at one instant do
not differ.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final

from msgspec import Struct

from quarterdeck.core.model.decimals import ZERO, add, div, mul, sub

SHARE_PLACES: Final = 13
"""Decimal places of a share: those of a basis point and nine more."""


class PlannedPoint(Struct, frozen=True, kw_only=True, gc=False):
    """One step of a schedule."""

    at_ns: int
    cumulative: Decimal
    """That should be filled from then on, until the next point; before the first it is zero."""


class ScheduleError(Struct, frozen=True, kw_only=True, gc=False):
    """Distance from the schedule, as shares of the whole quantity."""

    mean_share: Decimal
    """Weighted by time."""
    max_share: Decimal

    @property
    def mean_bps(self) -> Decimal:
        """The mean in basis points of the quantity."""
        return mul(self.mean_share, Decimal(10_000))

    @property
    def max_bps(self) -> Decimal:
        """The maximum in basis points of the quantity."""
        return mul(self.max_share, Decimal(10_000))


def schedule_error(
    schedule: Sequence[PlannedPoint],
    fills: Sequence[tuple[int, Decimal]],
    quantity: Decimal,
    start_ns: int,
    end_ns: int,
) -> ScheduleError:
    """Return how far the fills were from the schedule between start and end.

    Fills are (time, quantity), in any order; all times are on one clock. What happened before the
    start counts from the start on, what happens at the end or later does not count.

    Raises:
        ValueError: if the quantity is not above zero or the end is not after the start.
    """
    if quantity <= ZERO or end_ns <= start_ns:
        raise ValueError(f"no schedule of {quantity} from {start_ns} to {end_ns}")
    steps: dict[int, Decimal] = {}
    before = ZERO
    for point in sorted(schedule, key=lambda point: point.at_ns):
        _step(steps, max(point.at_ns, start_ns), sub(before, point.cumulative))
        before = point.cumulative
    for at_ns, filled in fills:
        _step(steps, max(at_ns, start_ns), filled)
    times_ns = sorted(at_ns for at_ns in steps if at_ns < end_ns)
    ahead = area = largest = ZERO
    for at_ns, until_ns in pairwise([*times_ns, end_ns]):
        ahead = add(ahead, steps[at_ns])
        distance = ahead.copy_abs()
        area = add(area, mul(distance, Decimal(until_ns - at_ns)))
        largest = max(largest, distance)
    span = mul(quantity, Decimal(end_ns - start_ns))
    return ScheduleError(
        mean_share=div(area, span, places=SHARE_PLACES),
        max_share=div(largest, quantity, places=SHARE_PLACES),
    )


def _step(steps: dict[int, Decimal], at_ns: int, change: Decimal) -> None:
    steps[at_ns] = add(steps.get(at_ns, ZERO), change)
