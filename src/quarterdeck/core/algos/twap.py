"""TWAP: the quantity spread evenly over a horizon, one slice in each interval.

Nothing is remembered of the schedule. The quantity that should be out or filled by now is computed
from the terms, and what is missing of it is the slice. So a reject, a partial fill or a pause makes
the next slices larger, up to `catch_up_max`, and a restart changes nothing.

* There are N = ⌊horizon ÷ interval⌋ slots; slot k begins k intervals after acceptance. Its slice is
  due there, or later by a part of the interval that chance names (`time_variance_pct`). The first
  is never late: a caller sees at once that the order works.
* After slice k, ⌊(k + 1) × quantity ÷ N⌋ lots should be out. To vary the sizes, each of these
  marks but the last is moved by at most half of `size_variance_pct` of an even slice, so that a
  slice, lying between two marks, differs by at most the whole of it (and the rounding to a lot).
  Any mark is computed alone, in constant time, and the sum is exact. Where a varied slice would
  be under the minimum, all marks move less.
* One release a slot: from one due time to the next. After the horizon the slots go on until all is
  done; what is filled late is better filled than forgotten.
* Slices take what is there; the rest of a slice comes back and is made up for in the next slot.
"""

from decimal import Decimal
from typing import Final

from msgspec import Struct

from quarterdeck.core.algos import lots
from quarterdeck.core.algos.chance import uniform
from quarterdeck.core.algos.contract import AlgorithmKind, Grid, PlannedSlice, Situation, Step
from quarterdeck.core.algos.patience import gave_up, retry_ns
from quarterdeck.core.algos.twap_terms import PARAMETERS, check, params_of, read, slots_of
from quarterdeck.core.model.algorithm import Algorithm, TwapParams
from quarterdeck.core.model.decimals import add, mul, sub
from quarterdeck.core.model.order import ParentOrder
from quarterdeck.core.model.status import ParentStatus
from quarterdeck.core.model.terms import OrderTerms

_HUNDREDTHS: Final = 100
_WHOLE_PCT: Final = 100 * _HUNDREDTHS


class _Marks(Struct, frozen=True, kw_only=True, gc=False):
    """How a quantity is cut, in lots; enough to compute any mark alone."""

    params: TwapParams
    operation_id: str
    slots: int
    total: int
    sway: int
    """Furthest that a mark is moved to either side."""

    def after(self, slot: int) -> int:
        """Return how many lots should be out once a slot's slice is; zero before slot 0."""
        if slot < 0:
            return 0
        if slot >= self.slots - 1:
            return self.total
        even = (slot + 1) * self.total // self.slots
        if not self.sway:
            return even
        moved = uniform(
            2 * self.sway + 1,
            seed=self.params.seed,
            operation_id=self.operation_id,
            number=slot,
            what="size",
        )
        return even + moved - self.sway

    def late_ns(self, slot: int) -> int:
        """Return when a slot's slice falls due, from the slot's beginning."""
        widest_ns = _hundredths(self.params.interval_ns, self.params.time_variance_pct)
        if slot <= 0 or not widest_ns:
            return 0
        return uniform(
            widest_ns,
            seed=self.params.seed,
            operation_id=self.operation_id,
            number=slot,
            what="time",
        )

    def due_ns(self, slot: int) -> int:
        """Return when a slot's slice falls due, from the order's start; also past the horizon."""
        return slot * self.params.interval_ns + self.late_ns(slot)

    def latest(self, elapsed_ns: int) -> int:
        """Return the last slot whose slice is due by a time from the order's start.

        Negative before the start; such slots have no slice.
        """
        begun = elapsed_ns // self.params.interval_ns
        return begun if self.due_ns(begun) <= elapsed_ns else begun - 1


def step(situation: Situation) -> Step:
    """Release what the schedule misses, at most once in a slot."""
    parent, grid = situation.parent, situation.grid
    if parent.status is not ParentStatus.WORKING:
        return Step()
    if gave_up(parent):
        return Step(over=True)
    fewest, available = lots.least(grid), lots.count(parent.available, grid)
    if available < fewest:
        return Step(over=not parent.open_children)
    marks = _marks(parent.terms, grid)
    slot = marks.latest(situation.now_ns - parent.created_ns)
    next_ns = parent.created_ns + marks.due_ns(slot + 1)
    retried_ns = retry_ns(parent)
    wanted = min(_lacking(parent, marks.after(slot), grid), _largest(marks, slot, fewest))
    sent = lots.sendable(wanted, available, fewest)
    if not sent or _served(parent, marks.due_ns(slot)):
        return Step(look_ns=max(next_ns, retried_ns))
    if situation.now_ns < retried_ns:
        return Step(look_ns=retried_ns)
    return Step(release=lots.quantity(sent, grid), look_ns=next_ns)


def schedule(terms: OrderTerms, grid: Grid) -> tuple[PlannedSlice, ...]:
    """Return every slice, as it is when each one is filled at once."""
    marks = _marks(terms, grid)
    planned: list[PlannedSlice] = []
    before = 0
    for slot in range(marks.slots):
        after = marks.after(slot)
        if after == before:
            continue
        planned.append(
            PlannedSlice(
                at_ns=marks.due_ns(slot),
                quantity=lots.quantity(after - before, grid),
                cumulative=lots.quantity(after, grid),
            )
        )
        before = after
    return tuple(planned)


def _marks(terms: OrderTerms, grid: Grid) -> _Marks:
    params = params_of(terms)
    slots, total = slots_of(params), lots.count(terms.quantity, grid)
    wished = _hundredths(total, params.size_variance_pct) // (2 * slots)
    room = (total // slots - lots.least(grid)) // 2
    return _Marks(
        params=params,
        operation_id=terms.operation_id,
        slots=slots,
        total=total,
        sway=max(min(wished, room), 0),
    )


def _lacking(parent: ParentOrder, mark: int, grid: Grid) -> int:
    """Return how many lots are missing of a mark; not above zero when on or ahead of schedule."""
    out = add(parent.filled, parent.exposed)
    return lots.count(sub(lots.quantity(mark, grid), out), grid)


def _largest(marks: _Marks, slot: int, fewest: int) -> int:
    """Return the most lots of one slice: a planned one is never cut, a late one is bounded."""
    factor = int(mul(marks.params.catch_up_max, Decimal(_HUNDREDTHS)))
    bounded = -(-marks.total * factor // (marks.slots * _HUNDREDTHS))
    return max(bounded, marks.after(slot) - marks.after(slot - 1), fewest)


def _served(parent: ParentOrder, due_ns: int) -> bool:
    """Tell whether the slot whose slice fell due at a time, from the start, has had its release."""
    sent_ns = parent.last_sent_ns
    return sent_ns is not None and sent_ns >= parent.created_ns + due_ns


def _hundredths(whole: int, pct: Decimal) -> int:
    """Return a percentage of at most two decimal places of a whole number, rounded down."""
    return whole * int(mul(pct, Decimal(_HUNDREDTHS))) // _WHOLE_PCT


TWAP = AlgorithmKind(
    name=Algorithm.TWAP,
    text=(
        "Spreads the quantity evenly over a horizon, one slice in each interval. What a slice "
        "cannot get is made up for in the next ones, after the horizon too."
    ),
    parameters=PARAMETERS,
    read=read,
    check=check,
    step=step,
    schedule=schedule,
    rests=False,
)
